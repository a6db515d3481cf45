//! A run as a guest in somebody else's program: on their device, in their command encoders.

mod devices;
mod encoders;
mod futures;
mod picture_twin;
mod pictures;

use dm_wgpu::{Condensation, Dataset, Settings, wgpu};

use crate::common::gpu;

fn settings(dataset: &Dataset) -> Settings {
    crate::quick(dataset, 5)
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
