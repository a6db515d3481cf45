//! Every kernel on the GPU against its f64 twin, and whole steps of condensing and of training against golden
//! vectors: odd shapes, adjoints, finite differences. The twins themselves are in `reference`, and `twins` proves
//! them.
//!
//! Small and few cases each, since a software Vulkan must get through them too. The same cases are
//! drawn every time; `PROPTEST_RNG_SEED` and `PROPTEST_CASES` draw others.

#[path = "../common/mod.rs"]
mod common;
mod reference;

mod augment;
mod conv;
mod cooperative_matrices;
mod cpu;
mod distillation;
mod doctor;
mod golden;
mod large_grids;
mod layers;
mod mixing;
mod network;
mod norm;
mod packing;
mod random;
mod sixteen_lanes;
mod sums;
mod tangents;
mod training;
mod twins;

use common::{Rng, dot, norm as length};
use dm_wgpu::testing::Images;
use proptest::test_runner::{Config, RngSeed};

/// These tests compile nearly all kernels, which every device does for itself.
const DEVICES: usize = 1;

/// All tests that depend on the size of subgroups. Mesa's default on CPUs is eight lanes, so few users have sixteen; the tests
/// take as long as on eight.
#[test]
#[ignore = "takes minutes; `make test-full` runs it"]
fn again_on_subgroups_of_sixteen_lanes() {
    sixteen_lanes::run_again(&[
        "golden::every_golden_vector",
        "conv::",
        "cpu::",
        "network::",
        "large_grids::conv",
        "training::steps::images_of_32_pixels",
    ]);
}

/// How many cases, and which.
fn cases(count: u32) -> Config {
    let from_environment = Config::default();
    let chosen = |name| std::env::var_os(name).is_some();
    Config {
        cases: if chosen("PROPTEST_CASES") { from_environment.cases } else { count },
        rng_seed: match from_environment.rng_seed {
            RngSeed::Random => RngSeed::Fixed(0),
            fixed => fixed,
        },
        // Which cases run is fixed already; a file of failures beside the tests would add nothing.
        failure_persistence: None,
        ..from_environment
    }
}

/// Standard normal images.
fn images(rng: &mut Rng, n: usize, channels: usize, size: usize) -> Images {
    Images { values: rng.normals(n * channels * size * size), n, channels, size }
}

/// The same shape with other values.
fn with(like: &Images, values: Vec<f32>) -> Images {
    Images { values, ..*like }
}

/// Fails unless ⟨forward, dy⟩ = ⟨x, backward⟩, where `forward` = A·x and `backward` = Aᵀ·dy.
///
/// Each side's f32 rounding is some 1e-7 of ‖A·x‖‖dy‖, sampling positions make it 1e-6; a single wrong
/// row of an image would be some 1e-2 of it.
#[track_caller]
fn assert_adjoint(what: &str, forward: &[f32], dy: &[f32], x: &[f32], backward: &[f32]) {
    let (left, right) = (dot(forward, dy), dot(x, backward));
    let scale = (length(forward) * length(dy)).max(length(x) * length(backward));
    let error = (left - right).abs() / scale.max(f64::MIN_POSITIVE);
    assert!(error <= 1e-5, "{what}: ⟨A x, dy⟩ = {left}, ⟨x, Aᵀ dy⟩ = {right}");
}

/// Fails unless ⟨gradient, v⟩ is the slope of `f` at x along v, for some directions v of ±1.
///
/// With every element of v of the same size, ⟨gradient, v⟩ is about as large as ‖gradient‖, wherever a
/// fault lies; so the difference is measured by that norm.
#[track_caller]
fn assert_slope(
    what: &str,
    x: &Images,
    gradient: &[f32],
    step: f32,
    limit: f64,
    f: impl Fn(&Images) -> f64,
) {
    let rng = &mut Rng(99);
    for _ in 0..4 {
        let v = rng.signs(x.values.len());
        let along =
            |step: f32| with(x, x.values.iter().zip(&v).map(|(x, v)| x + step * v).collect());
        let (ahead, behind) = (along(step), along(-step));
        // What was really stepped, after rounding to f32.
        let stepped: Vec<f64> =
            ahead.values.iter().zip(&behind.values).map(|(a, b)| f64::from(a - b)).collect();
        let (slope, expected) = (f(&ahead) - f(&behind), dot(gradient, &stepped));
        let scale = length(gradient) * 2.0 * f64::from(step);
        let error = (slope - expected).abs() / scale;
        assert!(error <= limit, "{what}: {slope} along the step, {expected} by the gradient");
    }
}
