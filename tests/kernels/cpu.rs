//! The kernels for CPU adapters, whose planes lie in textures, alone.

use dm_wgpu::{Gpu, testing};
use proptest::prelude::*;

use crate::{
    cases,
    common::{Rng, Tolerance, assert_close, gpus},
    images, reference,
    reference::{Batch, narrow, widen},
};

const LIMIT: f64 = Tolerance::KERNEL.values;

/// What a case is: images, of how many networks, their channels, those of the block, and the planes' size.
#[derive(Debug, Clone, Copy)]
struct Shape {
    per_net: usize,
    nets: usize,
    inputs: usize,
    outputs: usize,
    size: usize,
}

/// A block as its twins, for real images and for such as go backward.
fn check_block(gpu: &Gpu, rng: &mut Rng, first: bool, shape: Shape) -> bool {
    let Shape { per_net, nets, inputs, outputs, size } = shape;
    let x = images(rng, per_net * nets, inputs, size);
    let weights: Vec<f32> = (0..nets).flat_map(|_| rng.weights(outputs, inputs)).collect();
    let affine: Vec<f32> = rng.normals(2 * nets * outputs);
    let run =
        |keep| testing::cpu_block(gpu, first, &x, (&weights, &affine), outputs, keep).unwrap();
    let (Some(pooled), Some(kept)) = (run(false), run(true)) else { return false };
    let (planes, inv_std) = kept.kept.unwrap();
    let mut expected = (vec![], vec![], vec![]);
    for net in 0..nets {
        let of = |values: &[f32], whole: usize| {
            let len = values.len() / whole;
            widen(&values[net * len..(net + 1) * len])
        };
        let batch = Batch { n: per_net, channels: inputs, size, values: of(&x.values, nets) };
        let y = reference::conv_forward(&batch, &of(&weights, nets), outputs);
        let pairs = of(&affine, nets);
        let [weight, bias]: [Vec<f64>; 2] =
            [0, 1].map(|i| pairs.iter().skip(i).step_by(2).copied().collect());
        let (p, n, s) = reference::norm_affine_relu_pool_forward(&y, &weight, &bias);
        expected.0.extend(p.values);
        expected.1.extend(n.values);
        expected.2.extend(s);
    }
    let what = |part: &str| format!("{part}, first {first}, {shape:?}");
    assert_close(&what("pooled"), &pooled.pooled.values, &expected.0, LIMIT);
    assert_close(&what("pooled, with keep"), &kept.pooled.values, &expected.0, LIMIT);
    assert_close(&what("normalised"), &planes.values, &expected.1, LIMIT);
    assert_close(&what("1/std"), &inv_std, &expected.2, LIMIT);
    true
}

/// Both directions of a convolution alone.
fn check_convolution(gpu: &Gpu, rng: &mut Rng, shape: Shape) {
    let Shape { per_net, inputs, outputs, size, .. } = shape;
    let weights = rng.weights(outputs, inputs);
    let (x, dy) = (images(rng, per_net, inputs, size), images(rng, per_net, outputs, size));
    let y = testing::cpu_convolution(gpu, false, &x, &weights, outputs).unwrap().unwrap();
    let dx = testing::cpu_convolution(gpu, true, &dy, &weights, inputs).unwrap().unwrap();
    let wide = widen(&weights);
    let expected_y = reference::conv_forward(&(&x).into(), &wide, outputs);
    let expected_dx = reference::conv_backward_data(&(&dy).into(), &wide, inputs);
    assert_close(&format!("y, {shape:?}"), &y.values, &expected_y.values, LIMIT);
    assert_close(&format!("dx, {shape:?}"), &dx.values, &expected_dx.values, LIMIT);
}

/// The gradient at the weights of each network, alone and added to another.
fn check_weights(gpu: &Gpu, rng: &mut Rng, shape: Shape) {
    let Shape { per_net, nets, inputs, outputs, size } = shape;
    let n = per_net * nets;
    let (x, dy) = (images(rng, n, inputs, size), images(rng, n, outputs, size));
    let run = |before| testing::cpu_weight_gradient(gpu, &x, &dy, nets, before).unwrap().unwrap();
    let dw = run(None);
    let (wide_x, wide_dy) = (Batch::from(&x), Batch::from(&dy));
    let expected: Vec<_> = (0..nets)
        .flat_map(|net| {
            let [x, dy] =
                [&wide_x, &wide_dy].map(|all| all.slice(net * per_net, (net + 1) * per_net));
            reference::conv_backward_weight(&x, &dy)
        })
        .collect();
    assert_close(&format!("dw, {shape:?}"), &dw, &expected, LIMIT);
    let sums: Vec<_> = expected.iter().zip(&dw).map(|(new, &old)| new + f64::from(old)).collect();
    assert_close(&format!("dw and another, {shape:?}"), &run(Some(&dw)), &sums, LIMIT);
}

/// The gradients at the images and at the weights of a first block, of which so many consecutive images share one at the
/// pooled planes, from the `first` on.
fn check_first_backward(
    gpu: &Gpu,
    rng: &mut Rng,
    shape: Shape,
    (first, sharing): (usize, usize),
) -> bool {
    let Shape { per_net, nets, inputs, outputs, size } = shape;
    let n = per_net * nets;
    let (x, y) = (images(rng, n, inputs, size), images(rng, n, outputs, size));
    let (_, normalised, inv_std) = testing::norm_relu_pool_forward(gpu, &y).unwrap();
    let given = images(rng, (first + n).div_ceil(sharing), outputs, size / 2);
    let weights: Vec<f32> = (0..nets).flat_map(|_| rng.weights(outputs, inputs)).collect();
    let affine: Vec<f32> = rng.normals(2 * nets * outputs);
    let (kept, own) = ((&normalised, &inv_std[..]), (&weights[..], &affine[..]));
    let run = testing::cpu_first_backward(gpu, &x, kept, &given, (first, sharing), own);
    let Some((dx, dw)) = run.unwrap() else { return false };
    let [x, normalised, given] = [&x, &normalised, &given].map(Batch::from);
    let (weights, affine, inv_std) = (widen(&weights), widen(&affine), widen(&inv_std));
    let (mut expected_dx, mut expected_dw) = (vec![], vec![]);
    for net in 0..nets {
        let own = net * per_net..(net + 1) * per_net;
        let of = |all: &Batch| all.slice(own.start, own.end);
        let source = |i: usize| given.slice((first + i) / sharing, (first + i) / sharing + 1);
        let dy = own.clone().flat_map(|i| source(i).values).collect();
        let dy = Batch::new(dy, per_net, outputs, size / 2);
        let pairs = &affine[2 * net * outputs..][..2 * outputs];
        let [weight, bias]: [Vec<f64>; 2] =
            [0, 1].map(|i| pairs.iter().skip(i).step_by(2).copied().collect());
        let sigmas = &inv_std[own.start * outputs..own.end * outputs];
        let (dy, ..) = reference::norm_affine_relu_pool_backward(
            &of(&normalised),
            sigmas,
            (&weight, &bias),
            &dy,
        );
        let weights = &weights[net * 9 * outputs * inputs..][..9 * outputs * inputs];
        expected_dx.extend(reference::conv_backward_data(&dy, weights, inputs).values);
        expected_dw.extend(reference::conv_backward_weight(&of(&x), &dy));
    }
    let what = |part: &str| format!("{part}, {shape:?}, {first} of {sharing}");
    assert_close(&what("dx"), &dx.values, &expected_dx, LIMIT);
    assert_close(&what("dw"), &dw, &expected_dw, LIMIT);
    true
}

/// Devices that such kernels are for.
fn cpus() -> impl Iterator<Item = &'static Gpu> {
    let is_cpu = |gpu: &&Gpu| gpu.info().device_type == dm_wgpu::wgpu::DeviceType::Cpu;
    gpus().iter().filter(is_cpu).filter(|gpu| gpu.kernels().name() == "lanes")
}

proptest! {
    #![proptest_config(cases(8))]

    /// Workgroups have several whole planes, or one, or a part; rows end within a texel or with it.
    #[test]
    fn planes_of_any_size_match_the_twin(
        per_net in prop::sample::select(vec![1usize, 2, 3, 9]),
        nets in 1usize..3,
        inputs in prop::sample::select(vec![1usize, 2, 3, 8, 17]),
        outputs in prop::sample::select(vec![1usize, 3, 8, 17]),
        size in prop_oneof![prop::sample::select(vec![4usize, 8, 16]), 2usize..=22],
        seed: u64,
    ) {
        let shape = Shape { per_net, nets, inputs, outputs, size };
        for gpu in cpus() {
            let rng = &mut Rng(seed);
            prop_assert!(check_block(gpu, rng, false, shape));
            check_convolution(gpu, rng, shape);
            check_weights(gpu, rng, shape);
        }
    }
}

/// Planes that take several workgroups, of rows or of both rows and columns.
#[test]
fn large_planes_match_the_twin() {
    for (per_net, nets, inputs, outputs, size) in [
        (2, 2, 1, 9, 32),
        (1, 1, 8, 17, 32),
        (1, 1, 3, 1, 64),
        (1, 2, 5, 3, 64),
        (2, 1, 3, 5, 27),
        (1, 2, 2, 3, 33),
        (1, 1, 3, 9, 48),
        (1, 1, 2, 2, 67),
        (1, 1, 2, 3, 96),
    ] {
        let shape = Shape { per_net, nets, inputs, outputs, size };
        for gpu in cpus() {
            let rng = &mut Rng(6);
            assert!(check_block(gpu, rng, false, shape), "{shape:?}");
            check_convolution(gpu, rng, shape);
            check_weights(gpu, rng, shape);
        }
    }
}

#[test]
fn first_blocks_match_the_twin() {
    for (per_net, nets, inputs, outputs) in
        [(1, 1, 3, 1), (2, 2, 1, 17), (3, 1, 3, 8), (1, 2, 3, 33)]
    {
        let shape = Shape { per_net, nets, inputs, outputs, size: 32 };
        for gpu in cpus() {
            let rng = &mut Rng(4);
            assert!(check_block(gpu, rng, true, shape), "{shape:?}");
            check_weights(gpu, rng, shape);
            assert!(check_first_backward(gpu, rng, shape, (0, 1)), "{shape:?}");
            assert!(check_first_backward(gpu, rng, shape, (1, 2)), "{shape:?}");
        }
    }
}

#[test]
fn nan_in_one_image_spoils_no_other() {
    // Several images share a workgroup, and rows of one have neighbours in another.
    for gpu in cpus() {
        let sizes = [3, 4, 5, 8, 11, 16, 27, 32].map(|size| (size, false));
        for (size, first) in sizes.into_iter().chain([(32, true)]) {
            let rng = &mut Rng(5);
            let mut x = images(rng, 4, 3, size);
            let weights = rng.weights(9, 3);
            let affine = narrow(&[1.0, 0.0].repeat(9));
            let run = |x: &testing::Images| {
                testing::cpu_block(gpu, first, x, (&weights, &affine), 9, false).unwrap()
            };
            let Some(clean) = run(&x) else { continue };
            let image = 3 * size * size;
            x.values[image..2 * image].fill(f32::NAN);
            let spoilt = run(&x).unwrap();
            let (clean, spoilt) = (clean.pooled.values, spoilt.pooled.values);
            let image = clean.len() / 4;
            for (n, (a, b)) in clean.chunks(image).zip(spoilt.chunks(image)).enumerate() {
                match n {
                    1 => assert!(b.iter().all(|v| v.is_nan()), "{size}"),
                    _ => assert_eq!(a, b, "image {n} at {size}"),
                }
            }
        }
    }
}

#[test]
fn norms_of_odd_numbers_of_channels_go_backward_as_their_twin() {
    let rng = &mut Rng(5);
    for gpu in gpus() {
        let shapes = [(3, 1, 4), (2, 5, 8), (1, 17, 16), (2, 3, 32), (1, 1, 64)];
        let odd = [(2, 3, 2), (3, 1, 3), (2, 5, 7), (1, 3, 9), (2, 1, 10), (1, 2, 12), (1, 3, 27)];
        for (n, channels, size) in shapes.into_iter().chain(odd) {
            let x = images(rng, n, channels, size);
            let (_, normalised, inv_std) = testing::norm_relu_pool_forward(gpu, &x).unwrap();
            let dy = images(rng, n, channels, size / 2);
            let dx = testing::cpu_norm_backward(gpu, &normalised, &inv_std, &dy).unwrap();
            let Some(dx) = dx else { continue };
            let expected = reference::norm_relu_pool_backward(
                &(&normalised).into(),
                &widen(&inv_std),
                &(&dy).into(),
            );
            assert_close(&format!("dx, size {size}"), &dx.values, &expected.values, LIMIT);
        }
    }
}
