//! Losses and images that arrive while the caller does something else.

use std::time::Duration;

use dm_wgpu::Condensation;

use super::{encoder, settings, submit};
use crate::{awaited::complete, common::gpu, glyphs};

#[test]
fn losses_arrive_without_waiting() {
    let dataset = glyphs();
    let mut run = Condensation::new(gpu(), dataset.clone(), settings(&dataset)).unwrap();
    let mut encoder = encoder();
    run.encode_step(&mut encoder).unwrap();
    assert_eq!(run.take_losses().unwrap(), [], "nothing was submitted yet");
    assert_eq!(run.in_flight(), 1);
    submit(encoder);
    let mut losses = Vec::new();
    while losses.is_empty() {
        losses = run.take_losses().unwrap();
        std::thread::yield_now();
    }
    assert_eq!((losses[0].iteration, run.in_flight()), (0, 0));
}

#[test]
fn futures_complete_when_the_device_is_polled() {
    let dataset = glyphs();
    let mut run = Condensation::new(gpu(), dataset.clone(), settings(&dataset)).unwrap();
    run.step().unwrap();
    let early = run.images();
    for _ in 0..3 {
        run.step().unwrap();
    }
    let early = complete(early).unwrap();
    complete(run.finished(1)).unwrap();
    assert!(run.in_flight() <= 1);
    complete(run.finished(0)).unwrap();
    let losses = run.take_losses().unwrap();
    assert_eq!(losses.iter().map(|l| l.iteration).collect::<Vec<_>>(), [0, 1, 2, 3]);

    let late = complete(run.images()).unwrap();
    assert_eq!(late, run.images_blocking().unwrap());
    let mut other = Condensation::new(gpu(), dataset.clone(), settings(&dataset)).unwrap();
    other.step().unwrap();
    assert_eq!(early, other.images_blocking().unwrap(), "as they were when asked for");
}

#[test]
fn a_future_of_a_dropped_encoder_ends_in_an_error() {
    let dataset = glyphs();
    let mut run = Condensation::new(gpu(), dataset.clone(), settings(&dataset)).unwrap();
    let mut later = encoder();
    run.encode_step(&mut later).unwrap();
    let outcome = std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(50));
            drop(later);
        });
        complete(run.finished(0))
    });
    assert!(outcome.unwrap_err().to_string().contains("dropped, not submitted"));
}
