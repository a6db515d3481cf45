//! A run as a guest in somebody else's program: on their device, in their command encoders.

mod common;
mod reference;

use std::sync::Arc;

use common::gpu;
use dm_wgpu::{Condensation, Dataset, Settings, data, wgpu};

fn settings(dataset: &Dataset) -> Settings {
    Settings {
        ipc: 2,
        iterations: 5,
        width: 8,
        batch_real: 8,
        memory_budget: 1 << 30,
        ..Settings::for_dataset(dataset)
    }
}

fn bits(run: &mut Condensation) -> Vec<u32> {
    let set = run.images_blocking().unwrap();
    set.images.iter().map(|value| value.to_bits()).collect()
}

fn encoder() -> wgpu::CommandEncoder {
    gpu().device().create_command_encoder(&Default::default())
}

fn submit(encoder: wgpu::CommandEncoder) {
    gpu().queue().submit([encoder.finish()]);
}

#[test]
fn an_encoded_step_is_a_submitted_one() {
    let dataset = Arc::new(data::glyphs(0).unwrap());
    // With room for the training set on the device, and with each chunk of a few images sent.
    for memory_budget in [1 << 30, 1 << 20] {
        let settings = Settings { memory_budget, ..settings(&dataset) };
        let mut submitted = Condensation::new(gpu(), dataset.clone(), settings.clone()).unwrap();
        while !submitted.is_done() {
            submitted.step().unwrap();
        }
        let mut encoded = Condensation::new(gpu(), dataset.clone(), settings).unwrap();
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
        assert_eq!(bits(&mut encoded), bits(&mut submitted));
        assert_eq!(encoded.take_losses().unwrap(), submitted.take_losses().unwrap());
    }
}

#[test]
fn losses_arrive_without_waiting() {
    let dataset = Arc::new(data::glyphs(0).unwrap());
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
fn a_dropped_encoder_is_told() {
    let dataset = Arc::new(data::glyphs(0).unwrap());
    let mut run = Condensation::new(gpu(), dataset.clone(), settings(&dataset)).unwrap();
    let mut dropped = encoder();
    run.encode_step(&mut dropped).unwrap();
    drop(dropped);
    let error = run.take_losses().unwrap_err().to_string();
    assert!(error.contains("dropped, not submitted"), "{error}");
}
