//! Packed pictures: decoding on the GPU and its transpose, and whole steps on them.

use dm_wgpu::{
    Activation, ConvNet, Distance, Layer, Net, NormKind, PoolKind, SyntheticSet,
    testing::{
        self, GradientCase, GradientInput, GradientResult, GradientSession, Images, Packs,
        UnrollCase,
    },
};

use crate::{
    assert_adjoint,
    common::{Rng, Tolerance, assert_close, gpu, gpus},
    golden::{engine::run_dm_packed, vectors::DmStep},
    images,
    reference::{
        self, Batch, Op, adam, narrow, op::rows, sgd, unpack, unpack_backward, widen, widen_all,
    },
    with,
};

const LIMIT: f64 = Tolerance::KERNEL.values;

/// Channels, size, factor, pictures of a class and classes: tiles that fill their pictures and such that do not, up to
/// one pixel.
const SHAPES: [(usize, usize, usize, usize, usize); 7] = [
    (1, 28, 3, 2, 3),
    (3, 32, 2, 1, 4),
    (3, 32, 3, 3, 1),
    (1, 27, 2, 5, 2),
    (3, 7, 4, 1, 1),
    (1, 4, 4, 2, 2),
    (3, 9, 1, 3, 2),
];

fn all(count: usize) -> Vec<u32> {
    (0..count as u32).collect()
}

#[test]
fn decoding_and_its_transpose_match_the_twins() {
    for (channels, size, factor, pictures, classes) in SHAPES {
        let what = format!("{channels}×{size}×{size} by {factor}");
        let rng = &mut Rng(size as u64);
        let (n, tiles) = (classes * pictures, factor * factor);
        let x = images(rng, n, channels, size);
        let packs = Packs { factor, pictures, padding: 0.375 };
        let y = testing::unpacked(gpu(), &x, packs, &all(n * tiles)).unwrap();
        let expected = unpack(&(&x).into(), factor, pictures, 0.375);
        assert_close(&format!("{what}: y"), &y.values, &expected.values, LIMIT);

        let (dy, zero) =
            (images(rng, n * tiles, channels, size), with(&x, vec![0.0; x.values.len()]));
        let back = |before: &Images| {
            testing::unpacked_backward(gpu(), &dy, packs, &all(n * tiles), before).unwrap()
        };
        let dx = back(&zero);
        let expected = unpack_backward(&(&dy).into(), factor, pictures);
        assert_close(&format!("{what}: dx"), &dx.values, &expected.values, LIMIT);
        // Padding adds a constant.
        let padding = testing::unpacked(gpu(), &zero, packs, &all(n * tiles)).unwrap();
        let linear: Vec<_> = y.values.iter().zip(&padding.values).map(|(y, p)| y - p).collect();
        assert_adjoint(&what, &linear, &dy.values, &x.values, &dx.values);
        assert_eq!(back(&x).values, dx.values, "{what}: what was there is replaced");
    }
}

#[test]
fn a_part_of_the_images_is_those_images() {
    let (channels, size, factor, pictures) = (3, 14, 2, 2);
    let rng = &mut Rng(3);
    let x = images(rng, 4, channels, size);
    let packs = Packs { factor, pictures, padding: 0.0 };
    let whole = testing::unpacked(gpu(), &x, packs, &all(16)).unwrap();
    let (some, each) = ([13, 2, 7], channels * size * size);
    let part = testing::unpacked(gpu(), &x, packs, &some).unwrap();
    let expected: Vec<_> =
        some.iter().flat_map(|&at| whole.values[at as usize * each..][..each].to_vec()).collect();
    assert_eq!(part.values, expected);
    // Tiles of the others get nothing.
    let (dy, zero) = (images(rng, 3, channels, size), with(&x, vec![0.0; x.values.len()]));
    let dx = testing::unpacked_backward(gpu(), &dy, packs, &some, &zero).unwrap();
    let mut spread = Batch::zeros(16, channels, size);
    for (at, image) in some.iter().zip(dy.values.chunks(each)) {
        let to = &mut spread.values[*at as usize * each..][..each];
        to.iter_mut().zip(image).for_each(|(to, from)| *to = f64::from(*from));
    }
    let expected = unpack_backward(&spread, factor, pictures);
    assert_close("dx", &dx.values, &expected.values, LIMIT);
}

#[test]
fn sets_are_decoded_as_the_kernel_decodes() {
    for (channels, size, factor, pictures, classes) in SHAPES {
        let x = images(&mut Rng(7), classes * pictures, channels, size);
        let set = SyntheticSet {
            images: x.values.clone(),
            labels: (0..x.n).map(|at| (at / pictures) as i64).collect(),
            channels,
            size,
            dataset: "of mine".into(),
            class_names: (0..classes).map(|class| class.to_string()).collect(),
            mean: vec![0.25; channels],
            std: vec![0.5; channels],
            ipc: pictures,
            factor,
            settings: "{}".into(),
            course: None,
        };
        assert_eq!(set.trained_on(), x.n * factor * factor);
        let decoded = set.clone().decoded().unwrap();
        assert_eq!((decoded.factor, decoded.labels.len()), (1, set.trained_on()));
        let expected = unpack(&(&x).into(), factor, pictures, (0.5 - 0.25) / 0.5);
        assert_close(&format!("{size} by {factor}"), &decoded.images, &expected.values, LIMIT);
        assert_eq!(SyntheticSet::from_bytes(&set.to_bytes().unwrap()).unwrap(), set);
    }
}

/// Steps on packed images, whole and in the smallest pieces.
#[test]
fn steps_on_packed_images_match_the_twins() {
    for (channels, size, factor, ipc, ops) in [
        (
            3,
            14,
            2,
            3,
            vec![Op::Rotate(0.2), Op::Color { brightness: 0.4, saturation: 0.3, contrast: 1.4 }],
        ),
        (1, 16, 3, 1, vec![Op::Crop { y: -1, x: 1 }, Op::None, Op::Cutout { y: 0, x: 5 }]),
    ] {
        let (classes, padding, lr) = (ops.len(), 0.25, 0.7);
        let net = ConvNet::new(channels, size, 5, 2).unwrap();
        let rng = &mut Rng(11);
        let tiles = factor * factor;
        let syn0 = images(rng, classes * ipc, channels, size);
        let step = DmStep {
            weights: (0..2)
                .map(|d| rng.normals(5 * net.inputs(d) * 9).iter().map(|w| 0.3 * w).collect())
                .collect(),
            real: images(rng, classes * 4, channels, size),
            ops,
            loss: 0.0,
            grad: vec![],
            syn: vec![],
            velocity: vec![],
        };
        let decoded = unpack(&(&syn0).into(), factor, ipc, padding);
        let expected = reference::DmStep {
            net: &net,
            weights: &widen_all(&step.weights),
            ops: &step.ops,
            real: &(&step.real).into(),
            real_counts: &vec![4; classes],
            ipc: ipc * tiles,
        }
        .gradient(&decoded);
        assert!(expected.kink_distance > 8e-6, "{:e}: draw others", expected.kink_distance);
        let grad = unpack_backward(&expected.grad, factor, ipc);
        let start = Batch::from(&syn0).values;
        let (syn, _) = sgd(&start, &vec![0.0; start.len()], &grad.values, lr, 0.5);
        for gpu in gpus() {
            let at = |what: &str| format!("{what}, {}", gpu.kernels().name());
            for out in run_dm_packed(gpu, &net, (classes, ipc, factor), &syn0, &step).unwrap() {
                assert_close(&at("loss"), &[out.loss], &[expected.loss], 1e-4);
                assert_close(&at("grad"), &out.grad, &grad.values, 1e-3);
                assert_close(&at("syn"), &out.syn, &syn, 1e-4);
                assert_eq!(narrow(&grad.values).len(), out.grad.len());
            }
        }
    }
}

/// Gradient matching on packed images is what it is on the images in them, but for the pixels that move.
#[test]
fn gradient_matching_on_packed_images_is_that_on_their_images() {
    let (channels, size, factor, ipc, classes, padding) = (3, 14, 2, 2, 2, 0.25);
    let images_in = ipc * factor * factor;
    let usual = (NormKind::Instance, Activation::Sigmoid, Some(PoolKind::Avg));
    let net = Net::convnet((channels, size), classes, (6, 2), usual.0, usual.1, usual.2).unwrap();
    let rng = &mut Rng(17);
    let syn0 = images(rng, classes * ipc, channels, size);
    let lens = testing::net_lengths_apart(&net).unwrap();
    let params: Vec<Vec<f32>> =
        lens.iter().map(|&len| rng.normals(len).iter().map(|w| 0.3 * w).collect()).collect();
    let ops = [Op::Rotate(0.2), Op::Crop { y: -1, x: 2 }];
    let mut step = || (rows(&ops), images(rng, classes * 3, channels, size).values);
    let steps = [step(), step()];
    let inner = vec![rows(&vec![Op::Flip; classes * images_in])];
    let (lr, part) = (30.0, 3);
    let run = |gpu, syn: &Images, factor: usize, lr: f32, outer: usize| -> GradientResult {
        let case = GradientCase {
            net: net.clone(),
            labels: vec![0, 1],
            counts: vec![syn.n / classes; classes],
            factor,
            padding: padding as f32,
            batch_real: 3,
            norm_images: 0,
            distance: Distance::Ours,
            rates: (lr, 0.5),
            lr_net: 0.1,
            inner: 1,
            outer: outer as u32,
            part,
        };
        let steps = steps[..outer].to_vec();
        let input = GradientInput { steps, norm: vec![vec![]; outer], inner: inner.clone() };
        GradientSession::new(gpu, &case, syn).unwrap().run(&params, &input).unwrap()
    };
    let decoded = |syn: &Images| {
        let images = unpack(&syn.into(), factor, ipc, padding);
        Images { values: narrow(&images.values), n: images.n, ..*syn }
    };
    for gpu in gpus() {
        let at = |what: &str| format!("{what}, {}", gpu.kernels().name());
        let first = run(gpu, &syn0, factor, lr, 1);
        let apart = run(gpu, &decoded(&syn0), 1, lr, 1);
        let of_images = Images { values: apart.grad, n: classes * images_in, ..syn0 };
        let of_images = Batch::from(&of_images);
        assert_close(&at("gradient"), &first.grad, &of_images.values, 1e-5);
        let grad = unpack_backward(&of_images, factor, ipc).values;
        let start = Batch::from(&syn0).values;
        let (moved, velocity) = sgd(&start, &vec![0.0; start.len()], &grad, f64::from(lr), 0.5);
        assert_close(&at("moved"), &first.syn, &moved, 1e-5);
        assert_close(&at("velocity"), &first.velocity, &velocity, 1e-5);
        assert!(first.syn.iter().zip(&syn0.values).any(|(a, b)| (a - b).abs() > 0.01), "it moves");

        // The network is trained on the moved images, and these are matched next.
        let second = run(gpu, &syn0, factor, lr, 2);
        let moved = Images { values: first.syn, ..syn0 };
        let apart = run(gpu, &decoded(&moved), 1, 0.0, 2);
        for (own, other) in second.net.iter().zip(&apart.net) {
            assert_close(&at("network"), own, &widen(other), 1e-5);
        }
        assert_close(&at("next gradient"), &second.grad, &widen(&apart.grad), 1e-4);
    }
}

/// Distillation trains on the decoded images, and Adam moves those that they are packed into.
#[test]
fn distillation_of_packed_images_is_that_of_their_images() {
    let (channels, size, factor, ipc, classes, padding) = (1, 13, 2, 2, 2, 0.25);
    let images_in = ipc * factor * factor;
    let layers = vec![
        Layer::Conv { out: 4, kernel: 3, stride: 1, pad: 1, bias: true },
        Layer::Act { kind: Activation::Sigmoid },
        Layer::Flatten,
        Layer::Linear { out: classes },
    ];
    let net = Net::new(channels, size, layers).unwrap();
    let rng = &mut Rng(19);
    let stored = images(rng, classes * ipc, channels, size);
    let decoded = unpack(&(&stored).into(), factor, ipc, padding);
    let lens = testing::net_lengths_apart(&net).unwrap();
    let adam_of = (0.125_f32, 0.5, 0.999);
    let case = UnrollCase {
        init: lens.iter().map(|&n| rng.normals(n).iter().map(|w| 0.3 * w).collect()).collect(),
        data: stored.clone(),
        factor,
        padding: padding as f32,
        labels: (0..2).flat_map(|class| vec![class; images_in]).collect(),
        steps: 4,
        raw: vec![-1.0, 0.25, -3.0, 1.5, 0.5, -0.5, 1.0, -2.0],
        real: (images(rng, 3, channels, size), vec![1, 0, 1]),
        adam: adam_of,
        part: 3,
        net,
    };
    let of_images = Images { values: narrow(&decoded.values), n: decoded.n, ..stored.clone() };
    let apart = UnrollCase { data: of_images, factor: 1, ..case.clone() };
    for gpu in gpus() {
        let at = |what: &str| format!("{what}, {}", gpu.kernels().name());
        let (own, other) = [&case, &apart].map(|case| testing::unroll(gpu, case).unwrap()).into();
        // Images that differ in their last bits are trained on for eight steps: 5e-5 was seen.
        assert_close(&at("losses"), &own.losses, &widen(&other.losses), 1e-5);
        assert_close(&at("gradient"), &own.gradients.0, &widen(&other.gradients.0), 5e-4);
        assert_close(&at("of rates"), &own.gradients.1, &widen(&other.gradients.1), 5e-4);
        let gradient =
            Batch { values: widen(&own.gradients.0), ..Batch::zeros(decoded.n, channels, size) };
        let gradient = unpack_backward(&gradient, factor, ipc).values;
        let (start, zeros) = (widen(&stored.values), vec![0.0; stored.values.len()]);
        let rates = (adam_of.0.into(), adam_of.1.into(), adam_of.2.into());
        let [moved, ..] = adam([&start, &zeros, &zeros], &gradient, rates, 1);
        assert_close(&at("moved"), &own.moved.0, &moved, 1e-5);
        assert!(own.moved.0.iter().zip(&stored.values).any(|(a, b)| (a - b).abs() > 0.01));
    }
}

/// Classes with different numbers of images: each is matched as it is among others of its number, and the network is trained
/// on all of them.
#[test]
fn gradient_matching_takes_classes_of_different_numbers() {
    let (channels, size, counts) = (3, 12, [3, 1, 1, 2]);
    let usual = (NormKind::Instance, Activation::Sigmoid, Some(PoolKind::Avg));
    let net = Net::convnet((channels, size), 4, (6, 2), usual.0, usual.1, usual.2).unwrap();
    let rng = &mut Rng(23);
    let syn = images(rng, counts.iter().sum(), channels, size);
    let lens = testing::net_lengths_apart(&net).unwrap();
    let params: Vec<Vec<f32>> =
        lens.iter().map(|&len| rng.normals(len).iter().map(|w| 0.3 * w).collect()).collect();
    let ops = [Op::Rotate(0.2), Op::Crop { y: -1, x: 2 }, Op::None, Op::Flip];
    let mut step = || (ops, images(rng, 4 * 2, channels, size).values);
    let steps = [step(), step()];
    let train = [Op::Flip, Op::None, Op::Rotate(-0.1), Op::None, Op::Flip, Op::None, Op::Flip];
    // Of these classes, that many images each.
    let case = |labels: Vec<u32>, counts: Vec<usize>, outer: usize| GradientCase {
        net: net.clone(),
        batch_real: 2,
        counts,
        labels,
        factor: 1,
        padding: 0.0,
        norm_images: 0,
        distance: Distance::Ours,
        rates: (0.0, 0.5),
        lr_net: 0.5,
        inner: 1,
        outer: outer as u32,
        part: 2,
    };
    for gpu in gpus() {
        let run = |case: &GradientCase, syn: &[f32], params: &[Vec<f32>], first: usize| {
            let syn = Images { values: syn.to_vec(), n: syn.len() / (3 * 144), channels, size };
            let of = |at: usize| {
                let (ops, real) = &steps[at];
                let own = case.labels.iter().map(|&label| label as usize);
                let real = own.clone().flat_map(|class| real[class * 864..][..864].to_vec());
                (rows(&own.map(|class| ops[class]).collect::<Vec<_>>()), real.collect())
            };
            let outer = case.outer as usize;
            let input = GradientInput {
                steps: (first..first + outer).map(of).collect(),
                norm: vec![vec![]; outer],
                inner: vec![rows(&train[..syn.n])],
            };
            GradientSession::new(gpu, case, &syn).unwrap().run(params, &input).unwrap()
        };
        let at = |what: &str| format!("{what}, {}", gpu.kernels().name());
        let all = case((0..4).collect(), counts.to_vec(), 2);
        let out = run(&all, &syn.values, &params, 0);
        // One class per image.
        let labels: Vec<u32> =
            (0..4).flat_map(|class| vec![class; counts[class as usize]]).collect();
        let apart = run(&case(labels, vec![1; 7], 2), &syn.values, &params, 0);
        for (own, other) in out.net.iter().zip(&apart.net) {
            assert_close(&at("network"), own, &widen(other), 1e-5);
        }
        assert!(out.net[0] != params[0], "it was trained");
        // In the second step, from the network as it is then.
        let mut start = 0;
        for (class, count) in counts.into_iter().enumerate() {
            let own = start * 432..(start + count) * 432;
            let alone = case(vec![class as u32], vec![count], 1);
            let alone = run(&alone, &syn.values[own.clone()], &out.net, 1);
            let expected = widen(&out.grad[own]);
            assert_close(&at(&format!("class {class}")), &alone.grad, &expected, 1e-5);
            start += count;
        }
    }
}
