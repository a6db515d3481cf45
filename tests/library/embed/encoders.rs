//! Iterations in the caller's encoders: whole, in parts, dropped.

use std::time::Duration;

use dm_wgpu::{Condensation, wgpu};

use super::{encoder, finish, settings, submit};
use crate::{
    awaited::complete,
    common::{self, gpu},
    glyphs, run_bits,
};

#[test]
fn encoding_a_step_equals_submitting_it() {
    let dataset = glyphs();
    // With room for the training set on the device, and with each chunk of a few images sent.
    for budget in [1 << 30, 1 << 20] {
        let (gpu, settings) = (gpu().clone().with_memory_budget(budget), settings(&dataset));
        let mut submitted = Condensation::new(&gpu, dataset.clone(), settings.clone()).unwrap();
        finish(&mut submitted);
        let mut encoded = Condensation::new(&gpu, dataset.clone(), settings).unwrap();
        // One alone, two together, one by its own submission, one more.
        for group in [1, 2] {
            let mut encoder = encoder();
            for _ in 0..group {
                encoded.encode_step(&mut encoder).unwrap();
            }
            submit(encoder);
        }
        encoded.step().unwrap();
        let mut last = encoder();
        encoded.encode_step(&mut last).unwrap();
        submit(last);
        assert!(encoded.is_done());
        assert_eq!(run_bits(&mut encoded), run_bits(&mut submitted));
        assert_eq!(encoded.take_losses().unwrap(), submitted.take_losses().unwrap());
    }
}

#[test]
fn a_new_learning_rate_holds_from_the_next_step_on() {
    let dataset = glyphs();
    let new = || Condensation::new(gpu(), dataset.clone(), settings(&dataset)).unwrap();
    let mut one = new();
    one.step().unwrap();
    let after_one = run_bits(&mut one);
    // Submitted, then encoded into one encoder: the first moves by the old rate, the second by none.
    let mut two = new();
    two.step().unwrap();
    two.set_lr_img(1e-30).unwrap();
    two.step().unwrap();
    assert_eq!(run_bits(&mut two), after_one);
    let mut together = new();
    let mut encoder = encoder();
    together.encode_step(&mut encoder).unwrap();
    together.set_lr_img(1e-30).unwrap();
    together.encode_step(&mut encoder).unwrap();
    submit(encoder);
    assert_eq!(run_bits(&mut together), after_one);

    assert!(together.set_lr_img(0.0).unwrap_err().is_usage());
    assert_eq!(together.settings().lr_img, 1e-30);
    together.set_lr_img(1.0).unwrap();
    let checkpoint = together.checkpoint_blocking().unwrap();
    together.step().unwrap();
    let moved = run_bits(&mut together);
    assert_ne!(moved, after_one);
    let mut resumed = Condensation::resume(gpu(), dataset.clone(), checkpoint).unwrap();
    resumed.step().unwrap();
    assert_eq!(run_bits(&mut resumed), moved, "checkpoints have the new one");
}

#[test]
fn encoding_an_iteration_in_parts_equals_submitting_it() {
    let dataset = glyphs();
    for budget in [1 << 30, 1 << 20] {
        let (device, settings) = (gpu().clone().with_memory_budget(budget), settings(&dataset));
        let mut submitted = Condensation::new(&device, dataset.clone(), settings.clone()).unwrap();
        finish(&mut submitted);
        // The smallest pieces of one iteration, then what is left of the next by its own submission, then
        // some milliseconds at a time, then all that is left at once.
        let mut encoded = Condensation::new(&device, dataset.clone(), settings.clone()).unwrap();
        let mut calls = 0;
        let mut some = |run: &mut Condensation, budget| {
            let mut encoder = encoder();
            run.encode_some(&mut encoder, budget).unwrap();
            submit(encoder);
            let wait = wgpu::PollType::Wait { submission_index: None, timeout: None };
            gpu().device().poll(wait).unwrap();
            calls += 1;
            calls
        };
        while encoded.iteration() == 0 {
            some(&mut encoded, Duration::ZERO);
        }
        let pieces = some(&mut encoded, Duration::ZERO);
        assert!(pieces > 20, "an iteration in {pieces} pieces");
        encoded.step().unwrap();
        assert_eq!(encoded.iteration(), 2);
        while encoded.iteration() < 3 {
            some(&mut encoded, Duration::from_millis(2));
        }
        some(&mut encoded, Duration::MAX);
        assert!(encoded.is_done());
        assert_eq!(encoded.iteration(), settings.iterations, "and none beyond");
        assert_eq!(run_bits(&mut encoded), run_bits(&mut submitted));
        assert_eq!(encoded.take_losses().unwrap(), submitted.take_losses().unwrap());
        let mut last = encoder();
        assert_eq!(encoded.encode_some(&mut last, Duration::MAX).unwrap(), Duration::ZERO);
    }
}

#[test]
fn no_more_is_encoded_while_three_frames_wait() {
    let dataset = glyphs();
    let mut run = Condensation::new(gpu(), dataset.clone(), settings(&dataset)).unwrap();
    let budget = Duration::from_micros(100);
    let mut some = || {
        let mut encoder = encoder();
        let expected = run.encode_some(&mut encoder, budget).unwrap();
        (encoder, expected)
    };
    let waiting: Vec<_> = (0..3).map(|_| some()).collect();
    assert!(waiting.iter().all(|(_, expected)| !expected.is_zero()));
    assert!(some().1.is_zero(), "three frames are not submitted yet");
    waiting.into_iter().for_each(|(encoder, _)| submit(encoder));
    gpu().device().poll(wgpu::PollType::Wait { submission_index: None, timeout: None }).unwrap();
    assert!(!some().1.is_zero());
}

/// Frames that can't be shown are not submitted.
#[test]
fn the_work_of_dropped_encoders_is_repeated() {
    let dataset = glyphs();
    // On a device that writes down when work is done, and on one where that is only seen.
    for gpu in [gpu(), &common::device_of(wgpu::Limits::default())] {
        let new = || Condensation::new(gpu, dataset.clone(), settings(&dataset)).unwrap();
        let mut whole = new();
        finish(&mut whole);
        let mut run = new();
        let mut frame = 0;
        while !run.is_done() {
            frame += 1;
            let mut encoder = gpu.device().create_command_encoder(&Default::default());
            // Parts of an iteration, and several.
            let budget = if frame < 40 { Duration::from_micros(300) } else { Duration::MAX };
            run.encode_some(&mut encoder, budget).unwrap();
            // Two of three, of which some were finished.
            match frame % 3 {
                0 => drop(gpu.queue().submit([encoder.finish()])),
                1 => drop(encoder),
                _ => drop(encoder.finish()),
            }
            gpu.device().poll(wgpu::PollType::wait_indefinitely()).unwrap();
            run.take_losses().unwrap();
        }
        let mut dropped = gpu.device().create_command_encoder(&Default::default());
        let iterations = run.iteration();
        run.encode_step(&mut dropped).unwrap();
        run.set_lr_img(0.5).unwrap();
        run.encode_step(&mut dropped).unwrap();
        drop(dropped);
        let checkpoint = run.checkpoint_blocking().unwrap();
        assert_eq!(checkpoint.iteration(), iterations);
        run.set_lr_img(whole.settings().lr_img).unwrap();
        assert!(run_bits(&mut run) == run_bits(&mut whole), "after {frame} frames");
    }
}

#[test]
fn a_dropped_encoder_before_a_submitted_one_is_an_error() {
    let dataset = glyphs();
    let mut run = Condensation::new(gpu(), dataset.clone(), settings(&dataset)).unwrap();
    let [mut dropped, mut later] = [encoder(), encoder()];
    run.encode_step(&mut dropped).unwrap();
    run.encode_step(&mut later).unwrap();
    drop(dropped);
    submit(later);
    for error in [
        run.take_losses().unwrap_err(),
        run.take_losses().unwrap_err(),
        run.set_lr_img(0.5).unwrap_err(),
        run.checkpoint_blocking().unwrap_err(),
        complete(run.images()).unwrap_err(),
    ] {
        let error = error.to_string();
        let told = error.contains("dropped, not submitted") && error.contains("from a checkpoint");
        assert!(told, "{error}");
    }
}

/// wgpu refuses the submission of an encoder with a wrong command of the caller's, and reports it to its error handler alone.
#[test]
fn a_refused_submission_is_an_error() {
    let dataset = glyphs();
    let mut run = Condensation::new(gpu(), dataset.clone(), settings(&dataset)).unwrap();
    // Twice, so that there are losses of before.
    for _ in 0..2 {
        run.step().unwrap();
        run.wait_blocking(0).unwrap();
    }
    let scope = gpu().device().push_error_scope(wgpu::ErrorFilter::Validation);
    let mut wrong = encoder();
    run.encode_step(&mut wrong).unwrap();
    let images = run.images_buffer();
    wrong.copy_buffer_to_buffer(images, 0, images, 0, 8);
    submit(wrong);
    assert!(complete(scope.pop()).is_some());
    for error in [run.wait_blocking(0).unwrap_err(), run.checkpoint_blocking().unwrap_err()] {
        let error = error.to_string();
        assert!(error.contains("refused the submission"), "{error}");
    }
    assert!(run.take_losses().is_err());
}

/// A caller who looks at nothing else encodes what is missing.
#[test]
fn a_run_whose_last_encoder_was_dropped_is_not_done() {
    let dataset = glyphs();
    let new = || Condensation::new(gpu(), dataset.clone(), settings(&dataset)).unwrap();
    let (mut run, mut whole) = (new(), new());
    finish(&mut whole);
    let mut dropped = false;
    while !run.is_done() {
        let mut encoder = encoder();
        run.encode_step(&mut encoder).unwrap();
        assert_eq!(run.is_done(), run.iteration() == run.total());
        match run.is_done() && !std::mem::replace(&mut dropped, true) {
            true => drop(encoder),
            false => submit(encoder),
        }
    }
    assert!(dropped && run_bits(&mut run) == run_bits(&mut whole));
}

/// An error that was returned once is returned again, until the encoder is submitted.
#[test]
#[ignore = "waits for twenty seconds; `make test-full` runs it"]
fn work_that_never_arrives_is_not_taken_for_done() {
    let dataset = glyphs();
    let mut run = Condensation::new(gpu(), dataset.clone(), settings(&dataset)).unwrap();
    let mut late = encoder();
    run.encode_step(&mut late).unwrap();
    for error in [run.wait_blocking(0).unwrap_err(), run.checkpoint_blocking().unwrap_err()] {
        assert!(error.to_string().contains("the copy never arrived"), "{error}");
    }
    submit(late);
    assert_eq!(run.checkpoint_blocking().unwrap().iteration(), 1);
}

/// Nobody knows whether the caller has submitted it, or will.
#[test]
fn a_step_begins_anew_beside_a_part_that_was_not_submitted() {
    let dataset = glyphs();
    let new = || Condensation::new(gpu(), dataset.clone(), settings(&dataset)).unwrap();
    let (mut run, mut whole) = (new(), new());
    let mut part = encoder();
    run.encode_some(&mut part, Duration::from_micros(300)).unwrap();
    assert_eq!(run.iteration(), 0);
    run.step().unwrap();
    submit(part);
    run.step().unwrap();
    (0..2).for_each(|_| whole.step().unwrap());
    assert!(run_bits(&mut run) == run_bits(&mut whole));
    assert_eq!(run.take_losses().unwrap(), whole.take_losses().unwrap());
}
