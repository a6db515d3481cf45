//! Any of the three loops, driven by one function.

use std::{ops::ControlFlow, sync::Arc, time::Duration};

use dm_wgpu::{
    Advance, Condensation, Evaluation, EvaluationSettings, Gpu, Selection, SelectionSettings,
    Selector, TrainingSet,
};

use crate::{awaited::complete, common::gpu, evaluate, glyphs, quick, run_bits};

/// Short submissions, so that there is something to be called between.
fn cut() -> Gpu {
    gpu().clone().with_submit_target(Duration::from_millis(2))
}

fn condensation(gpu: &Gpu) -> Condensation {
    let dataset = glyphs();
    let settings = quick(&dataset, 4);
    Condensation::new(gpu, dataset, settings).unwrap()
}

fn selection(gpu: &Gpu) -> Selection {
    let dataset = glyphs();
    let settings = SelectionSettings::for_dataset(&dataset, Selector::Herding).ipc(2).width(8);
    Selection::new(gpu, dataset, settings).unwrap()
}

fn evaluation(gpu: &Gpu) -> Evaluation {
    let dataset = Arc::new(evaluate::part_of_glyphs(100, 50));
    let settings = EvaluationSettings::for_dataset(&dataset).nets(2).epochs(2).width(8).batch(50);
    Evaluation::new(gpu, dataset, TrainingSet::Whole, settings).unwrap()
}

/// Does all of it, and leaves it once after so many steps.
fn finish(work: &mut dyn Advance, total: u32, leave_after: Option<f64>) {
    assert_eq!((work.total(), work.done(), work.is_done()), (total, 0, false));
    let estimate = work.estimate_blocking().unwrap();
    assert!(estimate > Duration::ZERO && estimate < Duration::from_secs(600), "{estimate:?}");
    if let Some(most) = leave_after {
        let left = work.run_blocking(&mut |done| match done > most {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        });
        assert_eq!(left.unwrap(), ControlFlow::Break(()));
        assert!(f64::from(work.done()) >= most.floor() && !work.is_done(), "{}", work.done());
        let rest = work.estimate_blocking().unwrap();
        assert!(rest > Duration::ZERO && rest < Duration::from_secs(600), "{rest:?}");
    }
    let mut seen = Vec::new();
    let ended = work.run_blocking(&mut |done| {
        seen.push(done);
        ControlFlow::Continue(())
    });
    assert_eq!(ended.unwrap(), ControlFlow::Continue(()));
    assert!(seen.is_sorted(), "{seen:?}");
    assert!(seen.iter().any(|done| done.fract() > 0.0), "no part of a step: {seen:?}");
    assert_eq!(seen.last(), Some(&f64::from(total)));
    assert_eq!((work.done(), work.in_flight(), work.is_done()), (total, 0, true));
    // There is nothing left to do.
    let mut more = 0;
    let ended = work.run_blocking(&mut |_| {
        more += 1;
        ControlFlow::Break(())
    });
    assert_eq!((ended.unwrap(), more), (ControlFlow::Continue(()), 0));
}

/// The same for a program that must not block.
async fn finish_async(work: &mut impl Advance) {
    assert!(work.estimate().await.unwrap() > Duration::ZERO);
    while !work.is_done() {
        work.step_async().await.unwrap();
        work.finished(1).await.unwrap();
        assert!(work.in_flight() <= 1);
    }
    work.finished(0).await.unwrap();
    assert_eq!((work.done(), work.in_flight()), (work.total(), 0));
}

#[test]
fn one_function_drives_a_condensation() {
    let (gpu, mut own) = (cut(), condensation(gpu()));
    while !own.is_done() {
        own.step().unwrap();
    }
    let expected = run_bits(&mut own);
    for leave_after in [None, Some(1.5)] {
        let mut run = condensation(&gpu);
        finish(&mut run, 4, leave_after);
        assert_eq!(run_bits(&mut run), expected);
    }
    let mut run = condensation(&gpu);
    complete(finish_async(&mut run));
    assert_eq!(run_bits(&mut run), expected);
}

#[test]
fn one_function_drives_a_selection() {
    let (gpu, mut own) = (cut(), selection(gpu()));
    own.set_blocking().unwrap();
    for leave_after in [None, Some(1.5)] {
        let mut run = selection(&gpu);
        finish(&mut run, 10, leave_after);
        assert_eq!(run.chosen(), own.chosen());
    }
    let mut run = selection(&gpu);
    complete(finish_async(&mut run));
    assert_eq!(run.chosen(), own.chosen());
}

#[test]
fn one_function_drives_an_evaluation() {
    let gpu = cut();
    let expected = evaluation(&gpu).accuracy_blocking().unwrap();
    let mut run = evaluation(&gpu);
    finish(&mut run, 3, None);
    assert_eq!(run.accuracy_blocking().unwrap(), expected);
    let mut run = evaluation(&gpu);
    complete(finish_async(&mut run));
    assert_eq!(run.accuracy_blocking().unwrap(), expected);
}

#[test]
fn what_nothing_must_be_computed_for_takes_no_time() {
    let dataset = glyphs();
    let settings = SelectionSettings::for_dataset(&dataset, Selector::Random);
    let random = Selection::new(gpu(), dataset, settings).unwrap();
    assert_eq!(random.estimate_blocking().unwrap(), Duration::ZERO);
    let mut run = condensation(gpu());
    assert!(run.estimate_blocking().unwrap() > Duration::ZERO);
    while !run.is_done() {
        run.step().unwrap();
    }
    run.wait_blocking(0).unwrap();
    assert_eq!(run.estimate_blocking().unwrap(), Duration::ZERO);
}
