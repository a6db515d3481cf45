//! Class sums, the difference of means, and SGD on the GPU.

use dm_wgpu::testing;
use proptest::prelude::*;

use crate::{
    cases,
    common::{Rng, Tolerance, assert_close, gpu},
    reference::{self, widen},
};

const LIMIT: f64 = Tolerance::KERNEL.values;

/// Few and many, odd, beside a workgroup's usual sizes; 2048 is what the published network has.
fn features() -> impl Strategy<Value = usize> {
    prop::sample::select(vec![1usize, 3, 17, 63, 64, 65, 255, 257, 2048])
}

proptest! {
    #![proptest_config(cases(24))]

    #[test]
    fn class_sum_matches_the_twin(
        features in features(),
        counts in prop::collection::vec(1usize..40, 1..12),
        seed: u64,
    ) {
        // Not negative, as embeddings are: a sum that cancels would be all rounding.
        let mut x = Rng(seed).normals(features * counts.iter().sum::<usize>());
        x.iter_mut().for_each(|value| *value = value.abs());
        let sums = testing::class_sum(gpu(), &x, features, &counts).unwrap();
        let expected = reference::class_sum(&widen(&x), features, &counts);
        // Class by class, so that a small class cannot hide behind a large one.
        prop_assert_eq!(sums.len(), expected.len());
        for (sums, expected) in sums.chunks(features).zip(expected.chunks(features)) {
            assert_close("sums", sums, expected, LIMIT);
        }
    }

    #[test]
    fn mean_difference_matches_the_twin(
        features in features(),
        real_counts in prop::collection::vec(1usize..300, 1..12),
        ipc in prop::sample::select(vec![1usize, 2, 10, 50]),
        seed: u64,
    ) {
        let rng = &mut Rng(seed);
        let classes = real_counts.len();
        // Means that differ by at least a half: the difference of nearly equal ones would be all
        // rounding, in which the two sides need not agree.
        let (mut real, mut syn) = (vec![], vec![]);
        for count in &real_counts {
            for mean in rng.normals(features) {
                let apart = (0.5 + rng.uniform() as f32) * rng.signs(1)[0];
                real.push(*count as f32 * mean);
                syn.push(ipc as f32 * (mean + apart));
            }
        }
        let (losses, gradient) =
            testing::mean_difference(gpu(), &real, &syn, features, &real_counts, ipc).unwrap();
        let expected =
            reference::mean_difference(&widen(&real), &widen(&syn), features, &real_counts, ipc);
        prop_assert_eq!(losses.len(), classes);
        for (loss, expected) in losses.iter().zip(&expected.0) {
            assert_close("loss", &[*loss], &[*expected], LIMIT);
        }
        assert_close("gradient", &gradient, &expected.1, LIMIT);
    }

    #[test]
    fn sgd_matches_the_twin(
        count in prop::sample::select(vec![1usize, 3, 64, 255, 1000, 70_001]),
        lr in 0.01f32..2.0,
        momentum in prop::sample::select(vec![0.0f32, 0.5, 0.9]),
        seed: u64,
    ) {
        let rng = &mut Rng(seed);
        let (x, velocity, grad) = (rng.normals(count), rng.normals(count), rng.normals(count));
        let out = testing::sgd(gpu(), &x, &velocity, &grad, lr, momentum).unwrap();
        let expected =
            reference::sgd(&widen(&x), &widen(&velocity), &widen(&grad), lr.into(), momentum.into());
        assert_close("x", &out.0, &expected.0, LIMIT);
        assert_close("velocity", &out.1, &expected.1, LIMIT);
    }
}

#[test]
fn mean_difference_gradient_matches_finite_differences() {
    // The loss is quadratic in the embeddings: a central difference has no error of its own whatever
    // the step, and a long one has the least rounding.
    let (features, real_counts, ipc) = (5, [1, 4, 7], 3);
    let rng = &mut Rng(1);
    let (real, syn) = (rng.normals(15), rng.normals(15));
    let run = |syn: &[f32]| {
        testing::mean_difference(gpu(), &real, syn, features, &real_counts, ipc).unwrap()
    };
    let (_, gradient) = run(&syn);
    for i in 0..syn.len() {
        // Moving one embedding moves its class's sum by as much.
        let loss = |by: f32| {
            let mut syn = syn.clone();
            syn[i] += by;
            f64::from(run(&syn).0[i / features])
        };
        let slope = (loss(0.5) - loss(-0.5)) / 1.0;
        let error = (slope - f64::from(gradient[i])).abs();
        assert!(error < 1e-4, "{i}: {slope} along the step, {} by the gradient", gradient[i]);
    }
}

#[test]
fn equal_means_have_no_loss() {
    let (losses, gradient) =
        testing::mean_difference(gpu(), &[4.0, 8.0], &[1.0, 2.0], 2, &[4], 1).unwrap();
    assert_eq!((losses, gradient), (vec![0.0], vec![0.0, 0.0]));
}
