//! The twins of training against finite differences and plain arithmetic.

use dm_wgpu::ConvNet;

use super::{DIFFERENCES, differences, random};
use crate::{
    common::{self, Rng, assert_close},
    reference::{self, Batch, Params, classify, widen},
    training::setup,
};

#[test]
fn conv_backward_weight_matches_finite_differences() {
    for (n, inputs, outputs, size) in [(2, 3, 4, 5), (1, 1, 3, 2), (3, 2, 1, 1)] {
        let rng = &mut Rng(1);
        let weights = widen(&rng.weights(outputs, inputs));
        let (x, dy) = (random(rng, n, inputs, size), random(rng, n, outputs, size));
        let expected = differences(&weights, |w| {
            common::dot(&reference::conv_forward(&x, w, outputs).values, &dy.values)
        });
        assert_close("dw", &reference::conv_backward_weight(&x, &dy), &expected, DIFFERENCES);
    }
}

#[test]
fn norm_gradients_with_weight_and_bias_match_finite_differences() {
    for (n, channels, size) in [(2, 3, 6), (1, 2, 7), (3, 1, 3)] {
        let rng = &mut Rng(2);
        let (x, dy) = (random(rng, n, channels, size), random(rng, n, channels, size / 2));
        let (weight, bias) = (widen(&rng.normals(channels)), widen(&rng.normals(channels)));
        let value = |x: &[f64], weight: &[f64], bias: &[f64]| {
            let x = Batch::new(x.to_vec(), n, channels, size);
            let (pooled, ..) = reference::norm_affine_relu_pool_forward(&x, weight, bias);
            common::dot(&pooled.values, &dy.values)
        };
        let (_, hat, inv_std) = reference::norm_affine_relu_pool_forward(&x, &weight, &bias);
        let (dx, d_weight, d_bias) =
            reference::norm_affine_relu_pool_backward(&hat, &inv_std, (&weight, &bias), &dy);
        let expected = differences(&x.values, |x| value(x, &weight, &bias));
        assert_close("dx", &dx.values, &expected, DIFFERENCES);
        let expected = differences(&weight, |weight| value(&x.values, weight, &bias));
        assert_close("d weight", &d_weight, &expected, DIFFERENCES);
        let expected = differences(&bias, |bias| value(&x.values, &weight, bias));
        assert_close("d bias", &d_bias, &expected, DIFFERENCES);
    }
}

#[test]
fn linear_gradients_match_finite_differences() {
    let rng = &mut Rng(3);
    let [x, w, b, d] = [4 * 5, 3 * 5, 3, 4 * 3].map(|len| widen(&rng.normals(len)));
    let value = |x: &[f64], w: &[f64]| common::dot(&reference::linear_forward(x, w, &b), &d);
    let expected = differences(&x, |x| value(x, &w));
    assert_close("dx", &reference::linear_backward_data(&d, &w, 3), &expected, DIFFERENCES);
    let expected = differences(&w, |w| value(&x, w));
    assert_close("dw", &reference::linear_backward_weight(&d, &x, 3), &expected, DIFFERENCES);
}

#[test]
fn cross_entropy_matches_its_formula_and_finite_differences() {
    let (logits, labels) = (widen(&Rng(4).normals(4 * 3)), [2, 0, 1, 1]);
    let (losses, d_logits) = reference::softmax_cross_entropy(&logits, &labels);
    let probability = |n: usize| {
        let own: Vec<f64> = logits[3 * n..3 * n + 3].iter().map(|z| z.exp()).collect();
        own[labels[n] as usize] / own.iter().sum::<f64>()
    };
    let expected: Vec<f64> = (0..4).map(|n| -probability(n).ln()).collect();
    assert_close("losses", &losses, &expected, 1e-14);
    let mean = |logits: &[f64]| {
        reference::softmax_cross_entropy(logits, &labels).0.iter().sum::<f64>() / 4.0
    };
    assert_close("d logits", &d_logits, &differences(&logits, mean), DIFFERENCES);
    let (losses, _) = reference::softmax_cross_entropy(&[1000.0, -1000.0], &[1]);
    assert_eq!(losses, [2000.0]);
}

#[test]
fn correct_answers_are_counted() {
    let logits = [1.0, 3.0, 2.0, /* a tie: the first */ 5.0, 5.0, 0.0];
    assert_eq!(reference::count_correct(&logits, &[1, 0], 1), [2]);
    assert_eq!(reference::count_correct(&logits, &[1, 1], 1), [1]);
    assert_eq!(reference::count_correct(&logits, &[1], 2), [1, 0]);
}

#[test]
fn every_gradient_of_a_classifier_matches_finite_differences() {
    // One and three channels, and an odd row that no pool takes.
    for (channels, size, width, depth, seed) in [(3, 8, 2, 2, 5), (1, 11, 2, 3, 7)] {
        let net = ConvNet::new(channels, size, width, depth).unwrap();
        let rng = &mut Rng(seed);
        let params = Params::from(&setup::params(rng, &net, 3));
        let (x, labels) = (random(rng, 4, channels, size), [2, 0, 1, 1]);
        let step = classify(&net, &params, &x, &labels);
        assert!(step.kink_distance > 1e-4, "{}: might cross a kink", step.kink_distance);
        for (i, name) in params.names.iter().enumerate() {
            let expected = differences(&params.values[i], |values| {
                let mut params = params.clone();
                params.values[i] = values.to_vec();
                classify(&net, &params, &x, &labels).loss
            });
            assert_close(name, &step.gradients.values[i], &expected, DIFFERENCES);
        }
    }
}
