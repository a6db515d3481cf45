//! The GPU against the golden vectors, every file of every folder.
//!
//! `cargo test --test kernels golden:: -- --nocapture` prints the table; `DM_WGPU_GOLDEN=folder:folder` takes
//! other folders than the repository's own.

pub mod engine;
pub mod gradients;
pub mod harness;
mod harness_itself;
pub mod network;
pub mod snapshots;
pub mod unrolled;
pub mod vectors;

use std::time::Duration;

use dm_wgpu::{Kernels, wgpu};

use self::{
    engine::{AMPLE, Shaders, first_difference, run_dm, train, training_difference},
    vectors::{Case, Vectors},
};
use crate::common::{Tolerance, at_limits, device_of, gpu_f16, gpus};

#[test]
fn every_golden_vector() {
    for gpu in gpus() {
        println!("kernels {}", gpu.kernels().name());
        harness::check(&harness::folders(), &Shaders(gpu), Tolerance::GOLDEN).assert_passed();
    }
}

/// On a device with no more than every WebGPU has, and no optional feature, by the kernels that it takes.
#[test]
fn every_golden_vector_at_webgpus_limits() {
    check_at_webgpus_limits(Kernels::Tiles);
}

#[test]
#[ignore = "these kernels have no more there than elsewhere; `make test-full` runs it"]
fn every_golden_vector_at_webgpus_limits_by_plain_kernels() {
    check_at_webgpus_limits(Kernels::Plain);
}

fn check_at_webgpus_limits(kernels: Kernels) {
    if at_limits().is_some() {
        return println!("skipped: every_golden_vector has such a device here");
    }
    let modest = device_of(wgpu::Limits::default());
    assert!(modest.device().features().is_empty() && modest.kernels() == Kernels::Tiles);
    let gpu = modest.with_kernels(kernels).unwrap();
    harness::check(&harness::folders(), &Shaders(&gpu), Tolerance::GOLDEN).assert_passed();
}

/// By cooperative matrices, where the adapter has such.
#[test]
fn every_golden_vector_in_f16() {
    if let Some(gpu) = gpu_f16() {
        harness::check(&harness::folders(), &Shaders(gpu), Tolerance::F16).assert_passed();
    }
}

/// With each dispatch in the thinnest slices, a submission for each.
#[test]
fn submissions_in_thin_slices_change_no_bit() {
    let case = |file: &str| {
        let mut paths = harness::folders().into_iter().map(|folder| folder.join(file));
        let path = paths.find(|path| path.exists()).expect("of the repository's own vectors");
        Vectors::read(&path).and_then(|vectors| vectors.case()).unwrap()
    };
    let (dm, classifier) =
        (case("dm-gray28-ipc1.safetensors"), case("classifier-gray28-w8d3.safetensors"));
    let (Case::Dm(dm), Case::Classifier(classifier)) = (dm, classifier) else {
        panic!("other cases than their names say");
    };
    for whole in gpus() {
        let slices = whole.clone().with_submit_target(Duration::ZERO);
        let steps = |gpu| run_dm(gpu, &dm, AMPLE).unwrap();
        for (step, (a, b)) in steps(whole).iter().zip(&steps(&slices)).enumerate() {
            assert_eq!(first_difference(a, b), None, "{}, step {step}", whole.kernels().name());
        }
        let init = std::slice::from_ref(&classifier.init);
        let trained = |gpu| train(gpu, &classifier, init, classifier.x.n).unwrap().swap_remove(0);
        assert_eq!(training_difference(&trained(whole), &trained(&slices)), None);
    }
}
