//! The GPU against the golden vectors, every file of every folder.
//!
//! `cargo test --test golden -- --nocapture` prints the table; `DM_WGPU_GOLDEN=folder:folder` takes
//! other folders than the repository's own.

mod common;
mod reference;

use common::{Tolerance, engine::Shaders, gpu_f16, gpus, harness, wide};

#[test]
fn every_golden_vector() {
    for gpu in gpus() {
        println!("kernels {}", gpu.kernels().name());
        harness::check(&harness::folders(), &Shaders(gpu), Tolerance::GOLDEN).assert_passed();
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
