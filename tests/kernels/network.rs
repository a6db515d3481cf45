//! The whole network and the whole step on the GPU, in shapes that no golden vector has.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use dm_wgpu::{
    ConvNet, Gpu, testing,
    wgpu::{BufferDescriptor, BufferUsages, MapMode, PollType},
};
use proptest::prelude::*;

use crate::{
    assert_slope, cases,
    common::{Rng, Tolerance, assert_close, dot, gpus},
    golden::{
        engine::{AMPLE, Engine, Shaders, Twins, first_difference, run_dm, run_dm_in_least_memory},
        vectors::{DmCase, DmStep},
    },
    images,
    reference::{self, Batch, Op, widen, widen_all},
};

/// Values pass through every block, gradients twice.
const LIMITS: Tolerance = Tolerance::GOLDEN;

/// A ReLU nearer than this to its kink might be switched by rounding: three blocks of f32 are off by
/// some 1e-6. Data with such a ReLU are not compared; others are drawn.
const KINK: f64 = 1e-5;

fn weights(rng: &mut Rng, net: &ConvNet) -> Vec<Vec<f32>> {
    (0..net.depth()).map(|d| rng.weights(net.width(), net.inputs(d))).collect()
}

/// Forward and backward against the twins.
fn check_embed(seed: u64, net: &ConvNet, n: usize) {
    for attempt in 0..50 {
        let rng = &mut Rng(seed.wrapping_add(attempt));
        let (weights, x) = (weights(rng, net), images(rng, n, net.channels(), net.size()));
        let wide = widen_all(&weights);
        let trace = reference::embed_forward(net, &wide, &(&x).into());
        if trace.kink_distance() < KINK {
            continue;
        }
        let d_embedding = rng.normals(n * net.features());
        let expected_dx = reference::embed_backward(net, &wide, &trace, &widen(&d_embedding));
        for gpu in gpus() {
            let kernels = gpu.kernels().name();
            let out = testing::embed(gpu, net, &weights, &x, Some(&d_embedding)).unwrap();
            // Without a backward to follow, whole blocks may run as one kernel.
            let forward_only = testing::embed(gpu, net, &weights, &x, None).unwrap();
            for (way, out) in [("kept", &out), ("forward only", &forward_only)] {
                assert_eq!(out.blocks.len(), net.depth());
                for (d, (block, expected)) in out.blocks.iter().zip(&trace.blocks).enumerate() {
                    let what = format!("block {d} of {net:?}, {kernels}, {way}");
                    assert_close(&what, block, &expected.values, LIMITS.values);
                }
            }
            let dx = out.dx.expect("a gradient was asked for");
            assert_close(&format!("dx, {kernels}"), &dx, &expected_dx.values, LIMITS.gradients);
            assert!(forward_only.dx.is_none());
        }
        return;
    }
    panic!("every attempt had a ReLU at its kink");
}

proptest! {
    #![proptest_config(cases(12))]

    #[test]
    fn embed_matches_the_twin(
        (channels, size) in prop::sample::select(
            vec![(1usize, 28usize), (1, 12), (1, 7), (3, 32), (3, 20), (3, 14), (3, 12), (3, 9)]
        ),
        width in prop::sample::select(vec![1usize, 3, 17]),
        depth in 1usize..=3,
        n in 1usize..4,
        seed: u64,
    ) {
        check_embed(seed, &ConvNet::new(channels, size, width, depth).unwrap(), n);
    }
}

#[test]
fn embed_on_planes_of_every_fused_size() {
    // Blocks run as one kernel on planes of 4, 8, 16, 32 and, where subgroups are large, 64. More
    // images and channels than a subgroup or its tile holds at once, and no multiple of either.
    for (size, depth, width, n) in [(64, 5, 9, 1), (32, 4, 17, 3), (16, 3, 33, 5), (4, 1, 5, 35)] {
        check_embed(4, &ConvNet::new(3, size, width, depth).unwrap(), n);
    }
    // 28 + 2 · 2 = 32, with the border that one-channel images have.
    check_embed(5, &ConvNet::new(1, 28, 9, 3).unwrap(), 2);
}

#[test]
fn embed_on_planes_that_fill_their_tiles_or_not() {
    // Of the tiles family: as many channels as each of its workgroups takes, and one more.
    for (size, depth, width, n) in [(28, 3, 16, 2), (30, 2, 32, 3), (16, 2, 64, 5), (6, 1, 65, 9)] {
        check_embed(6, &ConvNet::new(3, size, width, depth).unwrap(), n);
    }
}

#[test]
fn embed_of_five_blocks() {
    check_embed(1, &ConvNet::new(3, 32, 3, 5).unwrap(), 1);
    check_embed(2, &ConvNet::new(3, 2, 1, 1).unwrap(), 1);
    check_embed(3, &ConvNet::new(1, 28, 3, 5).unwrap(), 2);
}

#[test]
fn gradients_match_finite_differences() {
    // Any step through f32 shaders that outweighs their rounding crosses kinks, so the slope is that
    // of the f64 twin, where a step of 1e-5 crosses none. It outweighs the rounding of stepped inputs
    // to f32, and that is taken into account anyway.
    let net = ConvNet::new(3, 12, 5, 2).unwrap();
    let rng = &mut Rng(5);
    let (weights, x) = (weights(rng, &net), images(rng, 2, 3, 12));
    let wide = widen_all(&weights);
    let trace = reference::embed_forward(&net, &wide, &(&x).into());
    assert!(trace.kink_distance() > 1e-4, "{}", trace.kink_distance());
    let d_embedding = rng.normals(2 * net.features());
    for gpu in gpus() {
        let out = testing::embed(gpu, &net, &weights, &x, Some(&d_embedding)).unwrap();
        assert_slope("dx", &x, &out.dx.unwrap(), 1e-5, LIMITS.gradients, |x| {
            dot(reference::embed_forward(&net, &wide, &x.into()).embedding(), &d_embedding)
        });
    }
}

/// A case without its reference values; those come from the twins.
fn dm_case(seed: u64, net: &ConvNet, ops: &[Vec<Op>], ipc: usize, batch_real: usize) -> DmCase {
    let (channels, size, classes) = (net.channels(), net.size(), ops[0].len());
    let rng = &mut Rng(seed);
    let mut step = |ops: &Vec<Op>| DmStep {
        weights: weights(rng, net),
        ops: ops.clone(),
        real: images(rng, classes * batch_real, channels, size),
        loss: f32::NAN,
        grad: vec![],
        syn: vec![],
        velocity: vec![],
    };
    let steps = ops.iter().map(&mut step).collect();
    let syn0 = images(rng, classes * ipc, channels, size);
    DmCase { net: net.clone(), classes, ipc, batch_real, lr: 0.7, syn0, steps }
}

/// Every step's loss, gradient, velocity and images, whole and in the smallest chunks.
fn check_dm(case: &DmCase) {
    let expected = Twins.dm(case).unwrap();
    for gpu in gpus() {
        let out = Shaders(gpu).dm(case).unwrap();
        assert_eq!(out.len(), expected.len());
        for (s, (out, expected)) in out.iter().zip(&expected).enumerate() {
            let at = |what: &str| format!("{what} {s}, {}", gpu.kernels().name());
            assert_close(&at("loss"), &[out.loss], &[expected.loss], LIMITS.values);
            assert_close(&at("grad"), &out.grad, &expected.grad, LIMITS.gradients);
            assert_close(&at("velocity"), &out.velocity, &expected.velocity, LIMITS.gradients);
            assert_close(&at("syn"), &out.syn, &expected.syn, LIMITS.values);
        }
    }
}

/// Whether some step of the case has a ReLU at its kink.
fn at_a_kink(case: &DmCase) -> bool {
    let mut syn = Batch::from(&case.syn0);
    let mut velocity = vec![0.0; syn.values.len()];
    let mut steps = case.steps.iter().map(|step| {
        let result = reference::DmStep {
            net: &case.net,
            weights: &widen_all(&step.weights),
            ops: &step.ops,
            real: &(&step.real).into(),
            real_counts: &vec![case.batch_real; case.classes],
            ipc: case.ipc,
        }
        .take(&mut syn, &mut velocity, case.lr.into());
        result.kink_distance
    });
    steps.any(|distance| distance < KINK)
}

/// Operations that differ from class to class and from step to step.
fn assorted(classes: usize, steps: usize) -> Vec<Vec<Op>> {
    let some = [
        Op::Rotate(0.2),
        Op::Color { brightness: 0.4, saturation: 0.3, contrast: 1.4 },
        Op::None,
        Op::Scale { x: 1.1, y: 0.9 },
        Op::Cutout { y: 0, x: 5 },
        Op::Crop { y: -1, x: 1 },
        Op::Flip,
    ];
    let op = |s: usize, k: usize| some[(k + 3 * s) % some.len()];
    (0..steps).map(|s| (0..classes).map(|k| op(s, k)).collect()).collect()
}

#[test]
fn dm_steps_match_the_twin() {
    // One class, one image, one real image; then odd numbers of everything, one channel and three; then
    // a first block that is the last as well.
    for (channels, size, width, depth, classes, ipc, batch_real) in [
        (3, 12, 3, 2, 1, 1, 1),
        (3, 14, 5, 2, 7, 3, 5),
        (1, 12, 17, 3, 3, 1, 9),
        (3, 32, 3, 1, 2, 3, 2),
    ] {
        let net = ConvNet::new(channels, size, width, depth).unwrap();
        let case = |seed| dm_case(seed, &net, &assorted(classes, 3), ipc, batch_real);
        let case = (0..50).map(case).find(|case| !at_a_kink(case));
        check_dm(&case.expect("a case without a ReLU at its kink"));
    }
}

#[test]
fn dm_steps_are_deterministic_whatever_the_memory_budget() {
    // Planes of 20 are never fused, those of 16 are; a single block of 32 has kernels of its own.
    let cases = gpus().iter().flat_map(|gpu| [(gpu, 20, 2), (gpu, 16, 2), (gpu, 32, 1)]);
    for (gpu, size, depth) in cases {
        let net = ConvNet::new(3, size, 3, depth).unwrap();
        check_dm_in_any_memory(gpu, &dm_case(5, &net, &assorted(3, 2), 2, 21));
    }
}

#[test]
fn losses_arrive_though_another_thread_polls() {
    // Whoever polls takes everybody's callbacks, and may be slow to come to ours.
    let gpu = &gpus()[0];
    let case = dm_case(7, &ConvNet::new(3, 12, 3, 2).unwrap(), &assorted(2, 2), 1, 2);
    let expected = run_dm(gpu, &case, AMPLE).unwrap();
    let done = AtomicBool::new(false);
    let poll = || {
        let usage = BufferUsages::MAP_READ | BufferUsages::COPY_DST;
        let slow = BufferDescriptor { label: None, size: 4, usage, mapped_at_creation: false };
        while !done.load(Ordering::Relaxed) {
            let slow = gpu.device().create_buffer(&slow);
            slow.map_async(MapMode::Read, .., |_| std::thread::sleep(Duration::from_millis(5)));
            let _ = gpu.device().poll(PollType::Poll);
        }
    };
    let again: Vec<_> = std::thread::scope(|scope| {
        (0..4).for_each(|_| drop(scope.spawn(poll)));
        let again = (0..10).map(|_| run_dm(gpu, &case, AMPLE)).collect();
        done.store(true, Ordering::Relaxed);
        again
    });
    for run in again {
        for (a, b) in expected.iter().zip(&run.unwrap()) {
            assert_eq!(first_difference(a, b), None);
        }
    }
}

fn check_dm_in_any_memory(gpu: &Gpu, case: &DmCase) {
    let first = run_dm(gpu, case, AMPLE).unwrap();
    let again = run_dm(gpu, case, AMPLE).unwrap();
    let (least, pieces) = run_dm_in_least_memory(gpu, case).unwrap();
    assert!(least < AMPLE, "no smaller budget was accepted");
    let mut others = vec![(AMPLE, again), (least, pieces)];
    // Budgets between give chunks of other sizes, also such as do not divide the batch.
    let mut budget = least + least / 3;
    while budget < 64 << 20 {
        others.push((budget, run_dm(gpu, case, budget).unwrap()));
        budget *= 2;
    }
    for (budget, other) in others {
        for (s, (a, b)) in first.iter().zip(&other).enumerate() {
            assert_eq!(first_difference(a, b), None, "step {s} with {budget} bytes");
        }
    }
}

#[test]
fn identical_images_have_no_loss() {
    let net = ConvNet::new(3, 12, 3, 2).unwrap();
    let mut case = dm_case(6, &net, &assorted(2, 1), 2, 2);
    case.syn0 = case.steps[0].real.clone();
    for gpu in gpus() {
        let out = Shaders(gpu).dm(&case).unwrap();
        assert!(out[0].loss.abs() < 1e-9, "{}: {}", gpu.kernels().name(), out[0].loss);
    }
}
