//! More than 65 535 workgroups, the most that WebGPU allows in one row of a grid: every value must
//! still be computed, and once. And the quotients of large numbers, by which kernels find their places in them.

use dm_wgpu::{
    ConvNet, Gpu, Kernels,
    testing::{self, Images, Row},
};

use crate::{
    common::{Rng, Tolerance, assert_close, gpu, gpus},
    images,
    reference::{self, Op},
};

const ROW: usize = 65_535;
/// Invocations per workgroup, in kernels that give each of them one value.
const WORKGROUP: usize = 64;

/// Small whole numbers, with which the sums here are exact in f32; no two neighbours are alike.
fn whole(count: usize) -> Vec<f32> {
    (0..count).map(|i| (i * 31 % 257) as f32 - 128.0).collect()
}

#[track_caller]
fn assert_same(what: &str, out: &[f32], expected: impl Fn(usize) -> f32) {
    let wrong = out.iter().enumerate().find(|(i, value)| **value != expected(*i));
    if let Some((i, value)) = wrong {
        panic!("{what} {i} of {} is {value}, not {}", out.len(), expected(i));
    }
}

#[test]
fn sgd() {
    let count = ROW * WORKGROUP + 1000;
    let (x, grad) = (whole(count), whole(count + 7));
    let velocity = whole(count + 3);
    let (grad, velocity) = (&grad[7..], &velocity[3..]);
    let (x_out, velocity_out) = testing::sgd(gpu(), &x, velocity, grad, 0.25, 0.5).unwrap();
    assert_eq!((x_out.len(), velocity_out.len()), (count, count));
    // Applied twice, or not at all, either would differ.
    let v = |i: usize| 0.5 * velocity[i] + grad[i];
    assert_same("velocity", &velocity_out, v);
    assert_same("x", &x_out, |i| x[i] - 0.25 * v(i));
}

/// Images of one pixel, of which a convolution is one product: each with its own value, so that
/// nothing can be computed in another's place.
fn check_conv(gpu: &Gpu, n: usize) {
    let outputs = 17;
    let x = Images { values: whole(n), n, channels: 1, size: 1 };
    let weights: Vec<f32> = (0..outputs * 9).map(|i| (i % 11) as f32 - 5.0).collect();
    let y = testing::conv_forward(gpu, &x, &weights, outputs).unwrap();
    assert_eq!(y.values.len(), n * outputs);
    assert_same(gpu.kernels().name(), &y.values, |i| {
        x.values[i / outputs] * weights[i % outputs * 9 + 4]
    });
    // From one channel to 17 again, now against the arrow.
    let dx = testing::conv_backward_data(gpu, &x, &weights, outputs).unwrap();
    assert_same(&format!("{} backward", gpu.kernels().name()), &dx.values, |i| {
        x.values[i / outputs] * weights[i % outputs * 9 + 4]
    });
}

#[test]
fn conv() {
    for gpu in gpus() {
        let of_plain = ROW * WORKGROUP / 17 + 100;
        // 64 tiles and 8 outputs are a workgroup's.
        let of_tiles = (ROW / 3 + 1) * 64 + 5;
        match gpu.kernels() {
            Kernels::Tiles => check_conv(gpu, of_tiles),
            _ => check_conv(gpu, of_plain),
        }
    }
}

#[test]
fn fused_blocks() {
    // Planes of 16 (12 and the border) take 8 or 16 lanes: one or more images per workgroup. Every few
    // images are the same, and so must all embeddings be. One more than a row is what a binding of 128 MiB holds.
    let lanes = gpu().info().subgroup_min_size.clamp(16, 64) as usize;
    let (few, n) = (7, (ROW + 1) * (lanes / 16));
    let net = ConvNet::new(1, 12, 1, 1).unwrap();
    let rng = &mut Rng(1);
    let weights = vec![rng.weights(1, 1)];
    let some = images(rng, few, 1, 12);
    let values = some.values.iter().copied().cycle().take(n * 144).collect();
    let many = Images { values, n, channels: 1, size: 12 };
    let expected = testing::embed(gpu(), &net, &weights, &some, None).unwrap();
    let out = testing::embed(gpu(), &net, &weights, &many, None).unwrap();
    assert_eq!(out.blocks[0].len(), n * net.features());
    let expected = &expected.blocks[0];
    assert!(expected.iter().all(|v| v.is_finite()) && expected.iter().any(|v| *v > 0.0));
    assert_same("embedding", &out.blocks[0], |i| expected[i % expected.len()]);
}

#[test]
fn planes() {
    // One workgroup per plane.
    let x = images(&mut Rng(1), ROW + 77, 1, 2);
    let (pooled, normalised, inv_std) = testing::norm_relu_pool_forward(gpu(), &x).unwrap();
    let expected = reference::norm_relu_pool_forward(&(&x).into());
    let limit = Tolerance::KERNEL.values;
    // Only what lies beyond the first row, lest the many before hide it.
    let beyond = ROW - 1..;
    assert_close(
        "pooled",
        &pooled.values[beyond.clone()],
        &expected.0.values[beyond.clone()],
        limit,
    );
    assert_close("1/σ", &inv_std[beyond.clone()], &expected.2[beyond.clone()], limit);
    assert_close("all", &pooled.values, &expected.0.values, limit);

    let dy = images(&mut Rng(2), ROW + 77, 1, 1);
    let dx = testing::norm_relu_pool_backward(gpu(), &normalised, &inv_std, &dy).unwrap();
    let expected = reference::norm_relu_pool_backward(
        &(&normalised).into(),
        &reference::widen(&inv_std),
        &(&dy).into(),
    );
    let beyond = (ROW - 1) * 4..;
    assert_close("dx", &dx.values[beyond.clone()], &expected.values[beyond], limit);
    assert_close("all dx", &dx.values, &expected.values, limit);
}

#[test]
fn image_means() {
    // One workgroup per image for the mean that contrast needs.
    let n = ROW + 77;
    let x = images(&mut Rng(3), n, 1, 2);
    let op = Op::Color { brightness: 0.0, saturation: 1.0, contrast: 1.4 };
    let ops = vec![op; n];
    let rows: Vec<Row> = reference::op::rows(&ops);
    let out = testing::augment_forward(gpu(), &x, &rows).unwrap();
    let expected = reference::augment_forward(&(&x).into(), &ops);
    let beyond = (ROW - 1) * 4..;
    let limit = Tolerance::KERNEL.values;
    assert_close("y", &out.values[beyond.clone()], &expected.values[beyond], limit);
    assert_close("all", &out.values, &expected.values, limit);
}

#[test]
fn classes() {
    // One workgroup per class for the loss, one invocation per sum.
    let (classes, features) = (ROW + 77, 65);
    let counts = vec![1; classes];
    let embeddings = whole(classes * features);
    let sums = testing::class_sum(gpu(), &embeddings, features, &counts).unwrap();
    assert_same("sum", &sums, |i| embeddings[i]);
    let syn = vec![1.0; classes * features];
    let (losses, gradient) =
        testing::mean_difference(gpu(), &sums, &syn, features, &counts, 1).unwrap();
    assert_same("gradient", &gradient, |i| -2.0 * (embeddings[i] - 1.0));
    assert_same("loss", &losses, |k| {
        embeddings[k * features..][..features].iter().map(|v| (v - 1.0).powi(2)).sum()
    });
}

/// Where a product of sizes goes beyond what an f32 can count.
#[test]
fn quotients_of_any_numbers_are_exact() {
    let mut numbers = vec![];
    for b in [1, 2, 3, 7, 64, 1000, 1023, 4096, 65_537, 1 << 22, (1 << 28) - 1] {
        for near in [1, 2, 3, 1 << 12, (1 << 24) + 1, (1 << 31) - 1] {
            let whole = b * (near / b).max(1);
            numbers.extend([whole - 1, whole, whole + 1, near].map(|a: u32| [a, b]));
        }
    }
    let expected: Vec<_> = numbers.iter().map(|[a, b]| [a / b, a % b]).collect();
    assert_eq!(testing::quotients(&gpus()[0], &numbers).unwrap(), expected);
}
