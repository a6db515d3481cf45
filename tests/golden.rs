//! The GPU against the golden vectors, every file of every folder.
//!
//! `cargo test --test golden -- --nocapture` prints the table; `DM_WGPU_GOLDEN=folder:folder` takes
//! other folders than the repository's own.

mod common;
mod reference;

use common::{Tolerance, engine::Shaders, gpus, harness, wide};

#[test]
fn every_golden_vector() {
    for gpu in gpus() {
        println!("kernels {}", gpu.kernels().name());
        harness::check(&harness::folders(), &Shaders(gpu), Tolerance::GOLDEN).assert_passed();
    }
}

#[test]
fn with_subgroups_of_sixteen() {
    wide::run_again(&["every_golden_vector"]);
}
