//! Convolution on the GPU, forward and backward to the data.

use dm_wgpu::{
    Gpu,
    testing::{self, Images},
};
use proptest::prelude::*;

use crate::{
    assert_adjoint, assert_slope, cases,
    common::{Rng, Tolerance, assert_close, dot, gpus},
    images, reference,
    reference::widen,
};

const LIMIT: f64 = Tolerance::KERNEL.values;

fn forward(gpu: &Gpu, x: &Images, weights: &[f32], outputs: usize) -> Images {
    let y = testing::conv_forward(gpu, x, weights, outputs).unwrap();
    assert_eq!((y.n, y.channels, y.size), (x.n, outputs, x.size));
    y
}

fn backward(gpu: &Gpu, dy: &Images, weights: &[f32], inputs: usize) -> Images {
    let dx = testing::conv_backward_data(gpu, dy, weights, inputs).unwrap();
    assert_eq!((dx.n, dx.channels, dx.size), (dy.n, inputs, dy.size));
    dx
}

/// Both directions against the twins, against each other, and the families of kernels likewise.
fn check(rng: &mut Rng, n: usize, inputs: usize, outputs: usize, size: usize) {
    let weights = rng.weights(outputs, inputs);
    let (x, dy) = (images(rng, n, inputs, size), images(rng, n, outputs, size));
    let wide = widen(&weights);
    let expected_y = reference::conv_forward(&(&x).into(), &wide, outputs);
    let expected_dx = reference::conv_backward_data(&(&dy).into(), &wide, inputs);
    let mut first: Option<(Images, Images)> = None;
    for gpu in gpus() {
        let kernels = gpu.kernels().name();
        let what = format!("{n} of {inputs} → {outputs} at {size}×{size}, {kernels}");
        let y = forward(gpu, &x, &weights, outputs);
        let dx = backward(gpu, &dy, &weights, inputs);
        assert_close(&format!("y, {what}"), &y.values, &expected_y.values, LIMIT);
        assert_close(&format!("dx, {what}"), &dx.values, &expected_dx.values, LIMIT);
        assert_adjoint(&what, &y.values, &dy.values, &x.values, &dx.values);
        let (first_y, first_dx) = first.get_or_insert((y.clone(), dx.clone()));
        assert_close(&format!("y as plain, {what}"), &y.values, &first_y.values, LIMIT);
        assert_close(&format!("dx as plain, {what}"), &dx.values, &first_dx.values, LIMIT);
    }
}

proptest! {
    #![proptest_config(cases(16))]

    #[test]
    fn odd_shapes_match_the_twin(
        n in 1usize..4,
        inputs in prop::sample::select(vec![1usize, 3, 5, 17]),
        outputs in prop::sample::select(vec![1usize, 3, 16, 17]),
        size in prop::sample::select(vec![2usize, 3, 7, 12, 14]),
        seed: u64,
    ) {
        check(&mut Rng(seed), n, inputs, outputs, size);
    }
}

#[test]
fn sizes_of_real_networks_match_the_twin() {
    // The first block of 28×28 (with its border), of 32×32, and an inner one of a wide network.
    for (inputs, outputs, size) in [(1, 17, 32), (3, 17, 32), (1, 3, 28), (3, 1, 20), (128, 128, 8)]
    {
        check(&mut Rng(1), 1, inputs, outputs, size);
    }
}

#[test]
fn a_kernel_of_a_single_weight_shifts_the_image() {
    // Which way a kernel's rows and columns point: output k has weight k alone, which moves the
    // image by that weight's offset.
    let x = images(&mut Rng(2), 1, 1, 5);
    let weights: Vec<f32> = (0..81).map(|i| if i % 10 == 0 { 1.0 } else { 0.0 }).collect();
    for gpu in gpus() {
        let y = forward(gpu, &x, &weights, 9);
        for (k, shifted) in y.values.chunks(25).enumerate() {
            for (i, out) in shifted.iter().enumerate() {
                let (row, column) = ((i / 5 + k / 3) as isize - 1, (i % 5 + k % 3) as isize - 1);
                let inside = (0..5).contains(&row) && (0..5).contains(&column);
                let expected = if inside { x.values[(row * 5 + column) as usize] } else { 0.0 };
                let near = (out - expected).abs() < 1e-5;
                assert!(near, "weight {k}, pixel {i}: {out}, not {expected}");
            }
        }
    }
}

#[test]
fn gradients_match_finite_differences() {
    // Linear: a long step has no error of its own and the least rounding.
    let rng = &mut Rng(3);
    let weights = rng.weights(5, 3);
    let (x, dy) = (images(rng, 2, 3, 7), images(rng, 2, 5, 7));
    for gpu in gpus() {
        let dx = backward(gpu, &dy, &weights, 3);
        assert_slope("dx", &x, &dx.values, 0.5, 1e-4, |x| {
            dot(&forward(gpu, x, &weights, 5).values, &dy.values)
        });
    }
}
