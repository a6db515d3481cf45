//! Each kernel of training against its twin, in odd shapes.

use dm_wgpu::testing;
use proptest::prelude::*;

use super::setup::labels;
use crate::{
    cases,
    common::{Rng, Tolerance, assert_close, gpus},
    images,
    reference::{self, Batch, widen},
};

const LIMIT: f64 = Tolerance::KERNEL.values;

/// Network by network, so that none can hide behind another.
fn check_conv(seed: u64, inputs: usize, outputs: usize, size: usize, each: usize, nets: usize) {
    let rng = &mut Rng(seed);
    let n = each * nets;
    let (x, dy) = (images(rng, n, inputs, size), images(rng, n, outputs, size));
    let (wide_x, wide_dy) = (Batch::from(&x), Batch::from(&dy));
    let expected: Vec<_> = (0..nets)
        .map(|net| {
            let (from, to) = (net * each, (net + 1) * each);
            reference::conv_backward_weight(&wide_x.slice(from, to), &wide_dy.slice(from, to))
        })
        .collect();
    for gpu in gpus() {
        let dw = testing::conv_backward_weight(gpu, &x, &dy, nets).unwrap();
        assert_eq!(dw.len(), nets * outputs * inputs * 9);
        for (net, (dw, expected)) in dw.chunks(outputs * inputs * 9).zip(&expected).enumerate() {
            let what = format!(
                "{} dw of net {net} of {nets}, {each} × {inputs} → {outputs} at {size}",
                gpu.kernels().name()
            );
            assert_close(&what, dw, expected, LIMIT);
        }
    }
}

proptest! {
    #![proptest_config(cases(16))]

    #[test]
    fn conv_backward_weight_matches_the_twin(
        inputs in prop::sample::select(vec![1usize, 3, 5, 17]),
        outputs in prop::sample::select(vec![1usize, 3, 9, 17]),
        size in prop::sample::select(vec![4usize, 6, 7, 8, 14, 16, 24, 32]),
        each in 1usize..6,
        nets in 1usize..4,
        seed: u64,
    ) {
        // The twin is slow, and a large plane needs no company to be cut into tiles.
        let each = if size >= 24 { each.min(2) } else { each };
        check_conv(seed, inputs, outputs, size, each, nets);
    }

    #[test]
    fn linear_matches_the_twin(
        features in prop::sample::select(vec![1usize, 3, 4, 5, 17, 64, 130, 2048]),
        classes in prop::sample::select(vec![2usize, 3, 10, 65, 200]),
        n in 1usize..9,
        seed: u64,
    ) {
        let rng = &mut Rng(seed);
        let (x, weight) = (rng.normals(n * features), rng.normals(classes * features));
        let (bias, d) = (rng.normals(classes), rng.normals(n * classes));
        let [wide_x, wide_w, wide_b, wide_d] = [&x, &weight, &bias, &d].map(|v| widen(v));
        let (logits, dx, dw) = testing::linear(&gpus()[0], &x, &weight, &bias, &d).unwrap();
        let expected = reference::linear_forward(&wide_x, &wide_w, &wide_b);
        // One value each would make a sum that happens to cancel all rounding.
        let limit = if logits.len() < 10 { 10.0 * LIMIT } else { LIMIT };
        assert_close("logits", &logits, &expected, limit);
        let expected = reference::linear_backward_data(&wide_d, &wide_w, classes);
        assert_close("d embeddings", &dx, &expected, LIMIT);
        let expected = reference::linear_backward_weight(&wide_d, &wide_x, classes);
        assert_close("d weight", &dw, &expected, LIMIT);
    }

    #[test]
    fn softmax_cross_entropy_matches_the_twin(
        classes in prop::sample::select(vec![2usize, 3, 10, 65, 200]),
        n in prop::sample::select(vec![1usize, 5, 64, 65, 130]),
        scale in prop::sample::select(vec![0.1f32, 1.0, 30.0]),
        seed: u64,
    ) {
        let rng = &mut Rng(seed);
        let logits: Vec<_> = rng.normals(n * classes).iter().map(|z| z * scale).collect();
        check_softmax(&logits, &labels(rng, n, classes));
    }

    #[test]
    fn count_correct_matches_the_twin(
        classes in prop::sample::select(vec![2usize, 3, 10, 200]),
        n in prop::sample::select(vec![1usize, 63, 64, 65, 200]),
        nets in 1usize..4,
        seed: u64,
    ) {
        // Few different values, so that there are many ties; and labels that are often right.
        let rng = &mut Rng(seed);
        let labels = labels(rng, n, classes);
        let mut logits: Vec<_> = (0..nets * n * classes).map(|_| rng.below(3) as f32).collect();
        for (i, own) in logits.chunks_mut(classes).enumerate() {
            if rng.below(2) == 0 {
                own[labels[i % n] as usize] = 2.0;
            }
        }
        let counts = testing::count_correct(&gpus()[0], &logits, &labels, nets).unwrap();
        prop_assert_eq!(counts, reference::count_correct(&widen(&logits), &labels, nets));
    }
}

#[test]
fn more_images_and_channels_than_a_workgroup() {
    // The tiles family cuts a network's images into 64 parts at most, channels into blocks.
    check_conv(1, 3, 5, 4, 130, 2);
    check_conv(2, 40, 130, 5, 3, 2);
}

/// Losses and gradients by absolute error: where the label's share is nearly one, both are the rest
/// of a cancellation. Shares are at most 1, and exp and log may be off by some ulp (Vulkan: 3 + 2|x|),
/// a loss by as much of itself.
fn check_softmax(logits: &[f32], labels: &[u32]) {
    let images = labels.len() as f64;
    let (losses, d_logits) = testing::softmax_cross_entropy(&gpus()[0], logits, labels).unwrap();
    let expected = reference::softmax_cross_entropy(&widen(logits), labels);
    assert_eq!((losses.len(), d_logits.len()), (expected.0.len(), expected.1.len()));
    for (loss, expected) in losses.iter().zip(&expected.0) {
        let error = (f64::from(*loss) - expected).abs();
        assert!(error <= 1e-5 * expected.max(1.0), "loss {loss}, not {expected}");
    }
    for (d, expected) in d_logits.iter().zip(&expected.1) {
        let error = (f64::from(*d) - expected).abs() * images;
        assert!(error <= 1e-5, "gradient {d}, not {expected}");
    }
}

#[test]
fn large_logits_do_not_overflow() {
    // e⁸⁰ is beyond what a sum of f32 may hold after a few, e¹⁶⁰ is infinite.
    let logits = [80.0, -80.0, 80.0, -80.0, -80.0, -80.0, 1e4, -1e4, 0.0, 80.0, 80.0, 80.0];
    for label in 0..3 {
        check_softmax(&logits, &[label; 4]);
    }
}

#[test]
fn of_equal_logits_the_first_is_the_answer() {
    let logits = [0.0, 0.0, 0.0, -1.0, 7.0, 7.0];
    let count = |labels: &[u32]| testing::count_correct(&gpus()[0], &logits, labels, 1).unwrap();
    assert_eq!(count(&[0, 1]), [2]);
    assert_eq!(count(&[1, 2]), [0]);
    assert_eq!(count(&[2, 1]), [1]);
}
