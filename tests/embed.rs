//! A run as a guest in somebody else's program: on their device, in their command encoders.

mod common;
mod reference;

#[path = "embed/devices.rs"]
mod devices;
#[path = "embed/encoders.rs"]
mod encoders;
#[path = "embed/futures.rs"]
mod futures;
#[path = "embed/pictures.rs"]
mod pictures;

use common::gpu;
use dm_wgpu::{Condensation, Dataset, Settings, wgpu};

fn settings(dataset: &Dataset) -> Settings {
    Settings { ipc: 2, iterations: 5, width: 8, batch_real: 8, ..Settings::for_dataset(dataset) }
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

/// All iterations that are left, each by a submission of its own.
fn finish(run: &mut Condensation) {
    while !run.is_done() {
        run.step().unwrap();
    }
}
