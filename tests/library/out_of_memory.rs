//! Devices with no memory left: work goes on in smaller pieces to the same bits, or ends with its images safe.
//!
//! A test pretends; each has a device of its own, since that is what pretends.

use std::time::Duration;

use dm_wgpu::{
    Condensation, Dataset, Error, Evaluation, EvaluationSettings, Gpu, Settings, TrainingSet,
    testing::run_out_of_memory, wgpu,
};

use crate::{common::device_of, glyphs, run_bits};

fn settings(dataset: &Dataset) -> Settings {
    crate::quick(dataset, 4)
}

fn device() -> Gpu {
    device_of(wgpu::Limits::default())
}

/// The images' bits after all iterations, each of which `advance` takes.
fn finish(run: &mut Condensation, mut advance: impl FnMut(&mut Condensation)) -> Vec<u32> {
    while !run.is_done() {
        advance(run);
    }
    run_bits(run)
}

fn step(run: &mut Condensation) {
    run.step().unwrap();
    run.wait_blocking(2).unwrap();
}

#[test]
fn a_run_begins_in_smaller_pieces() {
    let (gpu, dataset) = (device(), glyphs());
    let new = || Condensation::new(&gpu, dataset.clone(), settings(&dataset));
    let whole = finish(&mut new().unwrap(), step);
    // 80 real and 20 synthetic images, then half as many, and again.
    for times in [1, 3] {
        run_out_of_memory(&gpu, times);
        let mut run = new().unwrap();
        assert!(finish(&mut run, step) == whole, "other images after {times} refusals");
    }
    run_out_of_memory(&gpu, u32::MAX);
    let error = new().unwrap_err();
    assert!(matches!(error, Error::OutOfMemory { .. }), "{error}");
    assert!(!error.is_usage());
    run_out_of_memory(&gpu, 0);
    assert!(finish(&mut new().unwrap(), step) == whole);
}

#[test]
fn a_step_is_repeated_in_smaller_pieces() {
    let (gpu, dataset) = (device(), glyphs());
    let new = || Condensation::new(&gpu, dataset.clone(), settings(&dataset)).unwrap();
    let mut whole = new();
    let images = finish(&mut whole, step);
    let losses = whole.take_losses().unwrap();

    let mut run = new();
    let cut = finish(&mut run, |run| {
        run_out_of_memory(&gpu, run.iteration() % 3);
        step(run);
    });
    assert!(cut == images, "other images");
    assert_eq!(run.take_losses().unwrap(), losses);

    // In the middle of an iteration too.
    let mut run = new();
    let mut calls = 0;
    let cut = finish(&mut run, |run| {
        calls += 1;
        run_out_of_memory(&gpu, u32::from(calls == 6 || calls == 50));
        let mut encoder = gpu.device().create_command_encoder(&Default::default());
        run.encode_some(&mut encoder, Duration::from_micros(200)).unwrap();
        gpu.queue().submit([encoder.finish()]);
        let wait = wgpu::PollType::Wait { submission_index: None, timeout: None };
        gpu.device().poll(wait).unwrap();
    });
    assert!(calls > 50, "{calls} calls");
    assert!(cut == images, "other images");
    assert_eq!(run.take_losses().unwrap(), losses);
}

#[test]
fn the_images_survive_where_smaller_pieces_do_not_help() {
    let (gpu, dataset) = (device(), glyphs());
    let new = || Condensation::new(&gpu, dataset.clone(), settings(&dataset)).unwrap();
    let whole = finish(&mut new(), step);
    let mut run = new();
    (0..2).for_each(|_| step(&mut run));
    run_out_of_memory(&gpu, u32::MAX);
    for _ in 0..2 {
        let error = run.step().unwrap_err();
        assert!(matches!(error, Error::OutOfMemory { .. }), "{error}");
    }
    run_out_of_memory(&gpu, 0);
    let checkpoint = run.checkpoint_blocking().unwrap();
    assert_eq!(checkpoint.iteration(), 2);
    let mut resumed = Condensation::resume(&gpu, dataset.clone(), checkpoint).unwrap();
    assert!(finish(&mut resumed, step) == whole);
    // And whoever tries again when there is memory goes on.
    assert!(finish(&mut run, step) == whole);
}

#[test]
fn an_evaluation_trains_fewer_networks_at_a_time() {
    let (gpu, dataset) = (device(), glyphs());
    let mut run = Condensation::new(&gpu, dataset.clone(), settings(&dataset)).unwrap();
    step(&mut run);
    let set = run.images_blocking().unwrap();
    let settings = EvaluationSettings {
        nets: 3,
        epochs: 2,
        width: 8,
        ..EvaluationSettings::for_dataset(&dataset)
    };
    let new = || {
        let train = TrainingSet::Synthetic(set.clone());
        Evaluation::new(&gpu, dataset.clone(), train, settings.clone())
    };
    let accuracy = new().unwrap().accuracy_blocking().unwrap();
    run_out_of_memory(&gpu, 1);
    let mut fewer = new().unwrap();
    assert_eq!(fewer.pieces(), 2 * 3, "two networks, then one");
    assert_eq!(fewer.accuracy_blocking().unwrap(), accuracy);
    run_out_of_memory(&gpu, 1);
    assert!(matches!(new().unwrap().advance(), Ok(())), "it was used up by the preparation");
    run_out_of_memory(&gpu, u32::MAX);
    assert!(matches!(new(), Err(Error::OutOfMemory { .. })));
}
