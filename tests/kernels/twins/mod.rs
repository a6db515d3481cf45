//! The f64 twins against PyTorch's numbers and against finite differences. Needs no GPU.
//!
//! What the GPU is compared with is thereby itself proven.

mod training;

use dm_wgpu::ConvNet;

use crate::{
    common::{self, Rng, Tolerance, assert_close},
    golden::{
        engine::Twins,
        harness,
        vectors::{Case, Vectors},
    },
    reference::{self, Batch, DmStep, Op, widen},
};

#[test]
fn twins_match_every_golden_vector() {
    harness::check(&harness::folders(), &Twins, Tolerance::TWIN).assert_passed();
}

#[test]
fn convolution_biases_have_no_gradient_and_can_be_left_out() {
    // The norm takes a convolution's bias out again, so its true gradient is zero and training does
    // nothing to it but decay: v ← 0.9·v + wd·b, b ← b − lr·v. Nothing else depends on it, as the
    // vectors' logits and other parameters show: the twins reach them without.
    let mut files = 0;
    for folder in harness::folders() {
        for file in std::fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_none_or(|e| e != "safetensors") {
                continue;
            }
            let Ok(Case::Classifier(case)) = Vectors::read(&path).and_then(|v| v.case()) else {
                continue;
            };
            files += 1;
            for bias in &case.conv_biases {
                // What float64 leaves of an exact zero, stored as f32.
                assert!(bias.gradient.iter().all(|g| g.abs() < 1e-12), "{:?}", bias.gradient);
                let (mut b, mut v) = (widen(&bias.init), vec![0.0; bias.init.len()]);
                let zero = v.clone();
                for _ in 0..case.losses.len() {
                    (b, v) = reference::sgd_with_decay(&b, &v, &zero, case.lr.into(), 0.9, 5e-4);
                }
                // Both were rounded to f32. The decay itself is some 5e-6 per step.
                assert_close("final.conv.bias", &bias.last, &b, 2e-7);
            }
        }
    }
    assert!(files > 0, "no classifier was found");
}

/// Of the differences below: the formula's own error is h²·f‴ = 1e-10, rounding adds 1e-15 / h = 1e-10
/// for values of about one; 1e-7 leaves room for sums of some hundred of them.
const DIFFERENCES: f64 = 1e-7;

/// The gradient of a scalar function by central differences, each element in turn.
fn differences(x: &[f64], f: impl Fn(&[f64]) -> f64) -> Vec<f64> {
    let h = 1e-5;
    let shifted = |i: usize, by: f64| {
        let mut x = x.to_vec();
        x[i] += by;
        f(&x)
    };
    (0..x.len()).map(|i| (shifted(i, h) - shifted(i, -h)) / (2.0 * h)).collect()
}

/// The same of a function of images.
fn image_differences(x: &Batch, f: impl Fn(&Batch) -> f64) -> Vec<f64> {
    differences(&x.values, |values| f(&x.with(values.to_vec())))
}

fn random(rng: &mut Rng, n: usize, channels: usize, size: usize) -> Batch {
    Batch::new(widen(&rng.normals(n * channels * size * size)), n, channels, size)
}

/// ⟨f(x), dy⟩.
fn dot(a: &Batch, b: &Batch) -> f64 {
    common::dot(&a.values, &b.values)
}

#[test]
fn augment_backward_matches_finite_differences() {
    for (channels, size, seed) in [(1, 7, 1), (3, 6, 2)] {
        let rng = &mut Rng(seed);
        let limit = Op::crop_limit(size);
        let last = Op::cutout_limit(size);
        let ops = [
            Op::None,
            Op::Color { brightness: 0.3, saturation: 1.7, contrast: 0.6 },
            Op::Color { brightness: -0.5, saturation: 0.0, contrast: 1.5 },
            Op::Crop { y: limit, x: -limit },
            Op::Cutout { y: 0, x: last },
            Op::Cutout { y: 3, x: 2 },
            Op::Flip,
            Op::Scale { x: 1.2, y: 1.0 / 1.2 },
            Op::Scale { x: 0.93, y: 1.11 },
            Op::Rotate(0.26),
            Op::Rotate(-0.1),
        ];
        let x = random(rng, ops.len(), channels, size);
        let dy = random(rng, ops.len(), channels, size);
        let dx = reference::augment_backward(&dy, &ops);
        let expected = image_differences(&x, |x| dot(&reference::augment_forward(x, &ops), &dy));
        let each = channels * size * size;
        for (i, op) in ops.iter().enumerate() {
            let image = i * each..(i + 1) * each;
            let (dx, expected) = (&dx.values[image.clone()], &expected[image]);
            assert_close(&format!("{op:?}"), dx, expected, DIFFERENCES);
        }
    }
}

#[test]
fn conv_backward_data_matches_finite_differences() {
    for (n, inputs, outputs, size) in [(2, 3, 4, 5), (1, 1, 3, 2), (1, 2, 1, 1)] {
        let rng = &mut Rng(3);
        let weights = widen(&rng.weights(outputs, inputs));
        let (x, dy) = (random(rng, n, inputs, size), random(rng, n, outputs, size));
        let dx = reference::conv_backward_data(&dy, &weights, inputs);
        let expected =
            image_differences(&x, |x| dot(&reference::conv_forward(x, &weights, outputs), &dy));
        assert_close("dx", &dx.values, &expected, DIFFERENCES);
    }
}

#[test]
fn norm_relu_pool_backward_matches_finite_differences() {
    for (n, channels, size) in [(2, 3, 6), (1, 2, 7), (1, 1, 2), (2, 1, 3)] {
        let rng = &mut Rng(4);
        let (x, dy) = (random(rng, n, channels, size), random(rng, n, channels, size / 2));
        let (_, normalised, inv_std) = reference::norm_relu_pool_forward(&x);
        let dx = reference::norm_relu_pool_backward(&normalised, &inv_std, &dy);
        let expected = image_differences(&x, |x| dot(&reference::norm_relu_pool_forward(x).0, &dy));
        assert_close("dx", &dx.values, &expected, DIFFERENCES);
    }
}

#[test]
fn embed_backward_matches_finite_differences() {
    // One and three channels; 13 → 6 → 3 and 11 (+ border: 15) → 7 → 3 drop odd rows twice each.
    for (channels, size, width, depth) in [(3, 13, 2, 3), (1, 11, 3, 3), (3, 4, 1, 1)] {
        let rng = &mut Rng(5);
        let net = ConvNet::new(channels, size, width, depth).unwrap();
        let weights: Vec<_> =
            (0..depth).map(|d| widen(&rng.weights(width, net.inputs(d)))).collect();
        let x = random(rng, 2, channels, size);
        let trace = reference::embed_forward(&net, &weights, &x);
        assert_eq!(trace.embedding().len(), 2 * net.features());
        assert!(trace.kink_distance() > 1e-4, "{size}: a difference might cross a kink");
        let d_embedding = widen(&rng.normals(2 * net.features()));
        let dx = reference::embed_backward(&net, &weights, &trace, &d_embedding);
        let expected = image_differences(&x, |x| {
            common::dot(reference::embed_forward(&net, &weights, x).embedding(), &d_embedding)
        });
        assert_close("dx", &dx.values, &expected, DIFFERENCES);
    }
}

#[test]
fn the_dm_gradient_matches_finite_differences() {
    let rng = &mut Rng(6);
    let net = ConvNet::new(3, 8, 2, 2).unwrap();
    let weights: Vec<_> = (0..2).map(|d| widen(&rng.weights(2, net.inputs(d)))).collect();
    let real_counts = [3, 1, 2];
    let step = DmStep {
        net: &net,
        weights: &weights,
        ops: &[
            Op::Rotate(0.2),
            Op::Color { brightness: 0.2, saturation: 0.4, contrast: 1.3 },
            Op::Crop { y: 1, x: 0 },
        ],
        real: &random(rng, 6, 3, 8),
        real_counts: &real_counts,
        ipc: 2,
    };
    let syn = random(rng, 6, 3, 8);
    let result = step.gradient(&syn);
    assert!(result.kink_distance > 1e-4, "a difference might cross a kink");
    let expected = image_differences(&syn, |syn| step.gradient(syn).loss);
    assert_close("grad", &result.grad.values, &expected, DIFFERENCES);
}

#[test]
fn philox_known_answers() {
    for (key, counter, expected) in reference::philox::KNOWN_ANSWERS {
        assert_eq!(reference::philox4x32(key, counter), expected, "key {key:x?}");
    }
}

#[test]
fn random_weights_depend_on_seed_iteration_and_block() {
    let net = ConvNet::new(3, 8, 5, 2).unwrap();
    let weights = |seed, iteration| reference::random_weights(&net, seed, iteration);
    let base = weights(7, 0);
    assert_eq!(base.iter().map(Vec::len).collect::<Vec<_>>(), [5 * 3 * 9, 5 * 5 * 9]);
    assert_eq!(base, weights(7, 0));
    for other in [weights(8, 0), weights(7 + (1 << 32), 0), weights(7, 1)] {
        let same = base.iter().flatten().zip(other.iter().flatten()).filter(|(a, b)| a == b);
        assert_eq!(same.count(), 0);
    }
    let bound = |d| f64::from(reference::init_uniform::bound(net.inputs(d)));
    let scaled = |d: usize| base[d].iter().map(move |w| (f64::from(*w) / bound(d) * 1e6) as i64);
    assert_eq!(scaled(0).zip(scaled(1)).filter(|(a, b)| a == b).count(), 0, "blocks differ");
}
