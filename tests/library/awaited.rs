//! The async forms of what prepares and what waits: the same results, and nothing in them blocks.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use dm_wgpu::{
    AdapterChoice, Condensation, Evaluation, EvaluationSettings, Gpu, Selection, SelectionSettings,
    Selector, TrainingSet, wgpu,
};

use crate::{
    common::{self, gpu},
    evaluate, glyphs, quick, run_bits,
};

/// What a program's main loop does: polls now and then until the future completes.
pub fn complete<T>(future: impl Future<Output = T>) -> T {
    complete_on(gpu(), future)
}

/// Ends the thread that polls, though the future panics.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

fn complete_on<T>(gpu: &Gpu, future: impl Future<Output = T>) -> T {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::SeqCst) {
                gpu.poll().unwrap();
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        let _ends = Ends(&done);
        pollster::block_on(future)
    })
}

/// What a browser does: asks again after each frame, and never waits.
fn frame_by_frame<T>(gpu: &Gpu, future: impl Future<Output = T>) -> (T, u32) {
    let (mut future, mut frames) = (pin!(future), 0);
    let begun = Instant::now();
    loop {
        match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => return (value, frames),
            Poll::Pending => frames += 1,
        }
        assert!(begun.elapsed() < Duration::from_secs(300), "it never completes");
        std::thread::sleep(Duration::from_millis(1));
        gpu.poll().unwrap();
    }
}

/// The GPU of all tests, which has timestamps, and one without features, which sees when work is done.
fn devices() -> [Gpu; 2] {
    [gpu().clone(), common::device_of(wgpu::Limits::default())]
}

/// What is to be ready at once on native devices.
fn at_once<T>(gpu: &Gpu, future: impl Future<Output = T>) -> T {
    let (value, frames) = frame_by_frame(gpu, future);
    assert_eq!(frames, 0);
    value
}

#[test]
fn a_run_that_is_only_awaited_gives_the_same_bits() {
    let dataset = glyphs();
    for gpu in devices() {
        let settings = quick(&dataset, 4);
        let new = Condensation::new_async(&gpu, dataset.clone(), settings.clone());
        let mut run = at_once(&gpu, new).unwrap();
        let (estimate, frames) = frame_by_frame(&gpu, run.estimate());
        assert!(estimate.unwrap() > Duration::ZERO && frames > 0);
        for _ in 0..2 {
            run.step().unwrap();
        }
        let (checkpoint, frames) = frame_by_frame(&gpu, run.checkpoint());
        assert!(frames > 0 && run.in_flight() == 0, "it waits for what was submitted");
        let checkpoint = checkpoint.unwrap();
        assert_eq!(checkpoint, run.checkpoint_blocking().unwrap());
        let resumed = Condensation::resume_async(&gpu, dataset.clone(), checkpoint);
        let mut resumed = at_once(&gpu, resumed).unwrap();
        at_once(&gpu, resumed.picture_async()).unwrap();
        while !resumed.is_done() {
            resumed.step().unwrap();
        }
        let mut whole = Condensation::new(&gpu, dataset.clone(), settings).unwrap();
        while !whole.is_done() {
            whole.step().unwrap();
        }
        assert_eq!(run_bits(&mut resumed), run_bits(&mut whole));
    }
}

#[test]
fn an_evaluation_that_is_only_awaited_gives_the_same_accuracy() {
    let dataset = &Arc::new(evaluate::part_of_glyphs(100, 50));
    let settings = EvaluationSettings::for_dataset(dataset).nets(3).epochs(2).width(8).batch(50);
    for gpu in devices() {
        let start =
            |gpu: &Gpu| Evaluation::new(gpu, dataset.clone(), TrainingSet::Whole, settings.clone());
        let expected = start(&gpu).unwrap().accuracy_blocking().unwrap();
        // So little that two networks take a turn, and the last one another.
        let mut budget = 1 << 20;
        let small = loop {
            let small = gpu.clone().with_memory_budget(budget);
            match start(&small) {
                Ok(run) if run.total() == 2 * 3 => break small,
                _ => budget += budget / 8,
            }
            assert!(budget < 512 << 20, "all networks fit at once");
        };
        for woken in [false, true] {
            let (dataset, settings) = (dataset.clone(), settings.clone());
            let new = Evaluation::new_async(&small, dataset, TrainingSet::Whole, settings);
            let mut run = at_once(&gpu, new).unwrap();
            if woken {
                assert_eq!(complete_on(&gpu, run.accuracy()).unwrap(), expected);
                continue;
            }
            let (estimate, frames) = frame_by_frame(&gpu, run.estimate());
            assert!(estimate.unwrap() > Duration::ZERO && frames > 0);
            at_once(&gpu, run.step_async()).unwrap();
            let (finished, frames) = frame_by_frame(&gpu, run.finished(0));
            finished.unwrap();
            assert!(frames > 0 && run.in_flight() == 0);
            assert_eq!(frame_by_frame(&gpu, run.accuracy()).0.unwrap(), expected);
        }
    }
}

#[test]
fn a_selection_that_is_only_awaited_chooses_the_same() {
    let dataset = glyphs();
    for (gpu, selector) in devices().into_iter().zip([Selector::Herding, Selector::KCenter]) {
        let settings = SelectionSettings::for_dataset(&dataset, selector).ipc(2).width(8);
        let mut expected = Selection::new(&gpu, dataset.clone(), settings.clone()).unwrap();
        let expected = expected.set_blocking().unwrap();
        let new = Selection::new_async(&gpu, dataset.clone(), settings);
        let mut selection = at_once(&gpu, new).unwrap();
        let (class, frames) = frame_by_frame(&gpu, selection.step_async());
        class.unwrap();
        assert!(frames > 0 && selection.done() == 1);
        assert_eq!(complete_on(&gpu, selection.set()).unwrap(), expected);
    }
}

/// A future that is dropped in the middle loses nothing: the next one goes on.
#[test]
fn a_future_can_be_left() {
    let dataset = evaluate::glyphs();
    let settings = EvaluationSettings::for_dataset(dataset).nets(2).epochs(2).width(8);
    let start =
        || Evaluation::new(gpu(), dataset.clone(), TrainingSet::Whole, settings.clone()).unwrap();
    let expected = start().accuracy_blocking().unwrap();
    let attempt = || {
        let (mut run, mut left) = (start(), 0);
        loop {
            {
                let mut future = pin!(run.accuracy());
                let mut context = Context::from_waker(Waker::noop());
                if let Poll::Ready(accuracy) = future.as_mut().poll(&mut context) {
                    assert_eq!(accuracy.unwrap(), expected);
                    return left;
                }
            }
            left += 1;
            std::thread::sleep(Duration::from_millis(1));
            gpu().poll().unwrap();
        }
    };
    // On a busy machine the device may be done before it is asked for the first time.
    assert!((0..5).any(|_| attempt() > 0));
}

#[test]
fn adapters_are_listed_alike() {
    let listed = complete(dm_wgpu::adapters(None)).unwrap();
    let names = |reports: &[dm_wgpu::AdapterReport]| -> Vec<_> {
        reports.iter().map(|report| report.info.name.clone()).collect()
    };
    assert_eq!(names(&listed), names(&dm_wgpu::adapters_blocking(None).unwrap()));
    let unknown = complete(Gpu::headless(&AdapterChoice::default().backend(Some("webgpu".into()))));
    let unknown = unknown.unwrap_err().to_string();
    assert!(unknown.contains("vulkan, metal, dx12 and gl"), "webgpu is for browsers: {unknown}");
}
