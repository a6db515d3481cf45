//! Convolution by cooperative matrices against the f64 twins, given factors that are f16 already. Where the
//! adapter has no such matrices there is nothing to test, and a line says so.

use dm_wgpu::{ConvNet, Precision, testing};

use crate::{
    common::{Rng, Tolerance, assert_close, gpu, gpu_f16, relative_error, rounded_to_f16},
    images, reference,
    reference::{narrow, widen, widen_all},
    with,
};

/// Products of two f16 are exact in f32, so what is left is the rounding of f32 sums.
const LIMIT: f64 = 1e-5;

/// (images, inputs, outputs, size): tiles of 4, 8 and 16 that are filled and not, channels that are no
/// multiple of anything, planes of several tiles.
const SHAPES: [(usize, usize, usize, usize); 13] = [
    (1, 16, 16, 16),
    (2, 17, 70, 16),
    (3, 16, 24, 14),
    (1, 20, 17, 12),
    (5, 16, 33, 8),
    (4, 25, 16, 7),
    (3, 16, 16, 5),
    (17, 19, 40, 4),
    (18, 16, 12, 3),
    (1, 16, 16, 20),
    (1, 18, 16, 32),
    (1, 128, 128, 16),
    (6, 128, 128, 8),
];

#[test]
fn sums_of_f16_products_match_the_twin() {
    let Some(gpu) = gpu_f16() else { return };
    for (n, inputs, outputs, size) in SHAPES {
        let what = format!("{n} of {inputs} → {outputs} at {size}×{size}");
        let rng = &mut Rng(size as u64);
        let (x, weights) = (images(rng, n, inputs, size), rng.weights(outputs, inputs));
        // First unrounded: if nothing is rounded, nothing here is tested.
        let y = testing::conv_forward(gpu, &x, &weights, outputs).unwrap();
        let exact = reference::conv_forward(&(&x).into(), &widen(&weights), outputs);
        let error = relative_error(&y.values, &exact.values);
        assert!((5e-5..Tolerance::F16_FORWARD).contains(&error), "{what}: off by {error:.1e}");

        let (x, weights) = (with(&x, rounded_to_f16(&x.values)), rounded_to_f16(&weights));
        let expected = reference::conv_forward(&(&x).into(), &widen(&weights), outputs);
        let y = testing::conv_forward(gpu, &x, &weights, outputs).unwrap();
        assert_close(&what, &y.values, &expected.values, LIMIT);
        let (expected, ..) = reference::norm_relu_pool_forward(&expected);
        let pooled = testing::block_forward(gpu, &x, &weights, outputs).unwrap();
        // Where a plane is one filled tile there must be one; elsewhere it depends on the lanes.
        assert!(pooled.is_some() || ![8, 16].contains(&size), "{what}: no block");
        if let Some(pooled) = pooled {
            assert_close(&format!("block, {what}"), &pooled.values, &expected.values, LIMIT);
        }
    }
}

#[test]
fn a_network_matches_the_twin_with_factors_rounded_to_f16() {
    let Some(gpu) = gpu_f16() else { return };
    for (channels, size, width, depth, n) in
        [(1, 28, 16, 3, 3), (3, 32, 24, 3, 2), (3, 14, 17, 2, 5), (3, 64, 16, 4, 1)]
    {
        let net = ConvNet::new(channels, size, width, depth).unwrap();
        let rng = &mut Rng(7);
        let x = images(rng, n, channels, size);
        let weights: Vec<_> = (0..depth).map(|b| rng.weights(width, net.inputs(b))).collect();
        let d_embedding = rng.normals(n * net.features());
        // The first block's few channels would hardly fill a matrix; it stays f32.
        let mut expected = vec![
            reference::embed_forward(&net, &widen_all(&weights), &(&x).into())
                .blocks
                .swap_remove(0),
        ];
        for weights in &weights[1..] {
            let before = expected.last().unwrap();
            let input = before.with(widen(&rounded_to_f16(&narrow(&before.values))));
            let convolved =
                reference::conv_forward(&input, &widen(&rounded_to_f16(weights)), width);
            expected.push(reference::norm_relu_pool_forward(&convolved).0);
        }
        for keep in [None, Some(&d_embedding[..])] {
            let out = testing::embed(gpu, &net, &weights, &x, keep).unwrap();
            for (b, (block, expected)) in out.blocks.iter().zip(&expected).enumerate() {
                let what = format!("block {b} of {net:?}, kept: {}", keep.is_some());
                // Of values next to the middle of two f16, one in some hundred is rounded the other way:
                // √0.01 of 2^-12.
                assert_close(&what, block, &expected.values, Tolerance::GOLDEN.values);
            }
        }
    }
}

#[test]
fn f16_is_used_only_where_it_is_asked_for() {
    assert_eq!(gpu().precision(), Precision::F32);
    if let Some(gpu) = gpu_f16() {
        assert_eq!(gpu.precision(), Precision::F16);
    }
    // A device that was opened without the features can't have it, whatever its adapter has.
    let error = gpu().clone().with_f16(&[]).unwrap_err().to_string();
    assert!(error.starts_with("precision = f16: "), "{error}");
    assert!(error.contains("cooperative matrices of f16"), "{error}");
}
