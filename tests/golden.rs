//! The GPU against the golden vectors, every file of every folder.
//!
//! `cargo test --test golden -- --nocapture` prints the table; `DM_WGPU_GOLDEN=folder:folder` takes
//! other folders than the repository's own.

mod common;
mod reference;

use common::{Tolerance, engine::Shaders, gpu, harness};

#[test]
fn every_golden_vector() {
    harness::check(&harness::folders(), &Shaders(gpu()), Tolerance::GOLDEN).assert_passed();
}
