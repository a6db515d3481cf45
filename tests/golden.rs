//! The GPU against the golden vectors, every file of every folder.
//!
//! `cargo test --test golden -- --nocapture` prints the table; `DM_WGPU_GOLDEN=folder:folder` takes
//! other folders than the repository's own.

mod common;
mod reference;

use common::{Tolerance, at_limits, device_of, engine::Shaders, gpu_f16, gpus, harness, wide};
use dm_wgpu::{Kernels, wgpu};

#[test]
fn every_golden_vector() {
    for gpu in gpus() {
        println!("kernels {}", gpu.kernels().name());
        harness::check(&harness::folders(), &Shaders(gpu), Tolerance::GOLDEN).assert_passed();
    }
}

/// On a device with no more than every WebGPU has, and no optional feature.
#[test]
fn every_golden_vector_at_webgpus_limits() {
    if at_limits().is_some() {
        return println!("skipped: every_golden_vector has such a device here");
    }
    let modest = device_of(wgpu::Limits::default());
    assert!(modest.device().features().is_empty() && modest.kernels() == Kernels::Tiles);
    for kernels in [Kernels::Plain, Kernels::Tiles] {
        let gpu = modest.clone().with_kernels(kernels).unwrap();
        harness::check(&harness::folders(), &Shaders(&gpu), Tolerance::GOLDEN).assert_passed();
    }
}

/// By cooperative matrices, where the adapter has such.
#[test]
fn every_golden_vector_in_f16() {
    if let Some(gpu) = gpu_f16() {
        harness::check(&harness::folders(), &Shaders(gpu), Tolerance::F16).assert_passed();
    }
}

#[test]
fn with_subgroups_of_sixteen() {
    wide::run_again(&["every_golden_vector"]);
}
