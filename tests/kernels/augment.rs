//! Augmentation on the GPU, forward, backward and from 8-bit pixels.

use dm_wgpu::{
    Gpu,
    testing::{self, Images},
};
use proptest::prelude::*;

use crate::{
    assert_adjoint, assert_slope, cases,
    common::{Rng, Tolerance, assert_close, dot, gpus},
    images,
    reference::{self, Op, op::rows},
    with,
};

const LIMIT: f64 = Tolerance::KERNEL.values;
const SIZES: [usize; 8] = [4, 7, 12, 14, 20, 28, 32, 64];
/// 15°.
const TURN: f32 = 15.0 * std::f32::consts::PI / 180.0;

/// Every operation at the ends of its parameters' ranges, and where it changes nothing.
fn extremes(size: usize) -> Vec<Op> {
    let color = |brightness, saturation, contrast| Op::Color { brightness, saturation, contrast };
    let mut ops = vec![Op::None, Op::Flip];
    ops.extend([color(0.0, 1.0, 1.0), color(-0.5, 0.0, 0.5), color(0.5, 2.0, 1.5)]);
    ops.extend([color(0.3, 0.0, 1.0), color(0.0, 1.0, 0.5), color(0.0, 2.0, 1.0)]);
    let shift = Op::crop_limit(size);
    for (y, x) in [(0, 0), (shift, shift), (-shift, -shift), (shift, -shift), (-shift, 0)] {
        ops.push(Op::Crop { y, x });
    }
    let last = Op::cutout_limit(size);
    for (y, x) in [(0, 0), (0, last), (last, 0), (last, last), (size as i32 / 2, 1)] {
        ops.push(Op::Cutout { y, x });
    }
    for (x, y) in [(1.0, 1.0), (1.2, 1.2), (1.0 / 1.2, 1.0 / 1.2), (1.2, 1.0 / 1.2)] {
        ops.push(Op::Scale { x, y });
    }
    ops.extend([Op::Rotate(0.0), Op::Rotate(TURN), Op::Rotate(-TURN)]);
    ops
}

/// An operation as a run would draw it.
fn draw(rng: &mut Rng, size: usize) -> Op {
    let mut between = |low: f64, high: f64| (low + rng.uniform() * (high - low)) as f32;
    let (a, b, c) = (between(0.0, 1.0), between(0.0, 1.0), between(0.0, 1.0));
    let pick = |share: f32, low: i32, high: i32| {
        (low + (share * (high - low + 1) as f32) as i32).min(high)
    };
    let scale = |share: f32| 1.0 / 1.2 + share * (1.2 - 1.0 / 1.2);
    let (shift, last) = (Op::crop_limit(size), Op::cutout_limit(size));
    match rng.below(7) {
        0 => Op::None,
        1 => Op::Color { brightness: a - 0.5, saturation: 2.0 * b, contrast: c + 0.5 },
        2 => Op::Crop { y: pick(a, -shift, shift), x: pick(b, -shift, shift) },
        3 => Op::Cutout { y: pick(a, 0, last), x: pick(b, 0, last) },
        4 => Op::Flip,
        5 => Op::Scale { x: scale(a), y: scale(b) },
        _ => Op::Rotate((2.0 * a - 1.0) * TURN),
    }
}

/// On every family of kernels; only CPU adapters have kernels of their own here, which must agree with the others but for
/// the order in which a mean is summed.
fn on_all(what: &str, compute: impl Fn(&Gpu) -> dm_wgpu::Result<Images>) -> Images {
    let mut all = gpus().iter().map(|gpu| compute(gpu).unwrap());
    let first = all.next().unwrap();
    for other in all {
        assert_close(what, &other.values, &first.values, LIMIT);
    }
    first
}

fn forward(x: &Images, ops: &[Op]) -> Images {
    let y = on_all("forward", |gpu| testing::augment_forward(gpu, x, &rows(ops)));
    assert_eq!((y.n, y.channels, y.size), (x.n, x.channels, x.size));
    y
}

fn backward(dy: &Images, ops: &[Op]) -> Images {
    let dx = on_all("backward", |gpu| testing::augment_backward(gpu, dy, &rows(ops)));
    assert_eq!((dx.n, dx.channels, dx.size), (dy.n, dy.channels, dy.size));
    dx
}

/// Compares image by image, so that one wrong operation cannot hide among the others.
fn assert_images_close(what: &str, out: &Images, expected: &reference::Batch, ops: &[Op]) {
    let each = out.values.len() / out.n;
    let pairs = out.values.chunks(each).zip(expected.values.chunks(each));
    for ((out, expected), op) in pairs.zip(ops) {
        assert_close(&format!("{what} of {op:?}"), out, expected, LIMIT);
    }
}

#[test]
fn operations_at_their_limits_match_the_twin() {
    for channels in [1, 2, 3, 4] {
        for size in SIZES {
            let (rng, ops) = (&mut Rng(size as u64), extremes(size));
            let x = images(rng, ops.len(), channels, size);
            let what = format!("{channels}×{size}×{size}");
            let expected = reference::augment_forward(&(&x).into(), &ops);
            assert_images_close(&format!("{what}: y"), &forward(&x, &ops), &expected, &ops);
            let expected = reference::augment_backward(&(&x).into(), &ops);
            assert_images_close(&format!("{what}: dx"), &backward(&x, &ops), &expected, &ops);
        }
    }
}

#[test]
fn operations_that_change_nothing_change_no_bit() {
    let rng = &mut Rng(1);
    let ops = [Op::None, Op::Crop { y: 0, x: 0 }];
    let x = images(rng, ops.len(), 3, 12);
    assert_eq!(forward(&x, &ops), x);
    assert_eq!(backward(&x, &ops), x);
}

/// Every set of those that a pass can make together, by rows and by one twin after the other.
#[test]
fn several_in_one_pass_follow_one_another() {
    for (channels, size) in [(1, 7), (1, 28), (2, 12), (3, 20), (3, 32), (4, 14)] {
        let rng = &mut Rng(size as u64 + 40);
        let (shift, last) = (Op::crop_limit(size), Op::cutout_limit(size));
        let kinds = [
            Op::Color { brightness: 0.3, saturation: 1.7, contrast: 0.6 },
            Op::Crop { y: -shift, x: shift.min(3) },
            Op::Cutout { y: last / 3, x: last },
            Op::Flip,
        ];
        let sets: Vec<Vec<Op>> = (0..16)
            .map(|set| {
                let kept = |at: usize| if set >> at & 1 == 1 { kinds[at] } else { Op::None };
                (0..4).map(kept).collect()
            })
            .collect();
        let merged = |set: &Vec<Op>| {
            set.iter().map(|op| testing::Row::from(*op)).reduce(testing::Row::then).unwrap()
        };
        let rows: Vec<_> = sets.iter().map(merged).collect();
        let of_stage = |at: usize| sets.iter().map(|set| set[at]).collect::<Vec<_>>();
        let x = images(rng, sets.len(), channels, size);
        let y = on_all("forward", |gpu| testing::augment_forward(gpu, &x, &rows));
        let dx = on_all("backward", |gpu| testing::augment_backward(gpu, &x, &rows));
        let expected =
            (0..4).fold((&x).into(), |x, at| reference::augment_forward(&x, &of_stage(at)));
        let back = (0..4)
            .rev()
            .fold((&x).into(), |dy, at| reference::augment_backward(&dy, &of_stage(at)));
        let each = x.values.len() / x.n;
        for (i, set) in sets.iter().enumerate() {
            let own = i * each..(i + 1) * each;
            let what = format!("{channels}×{size}×{size}, {set:?}");
            assert_close(&what, &y.values[own.clone()], &expected.values[own.clone()], LIMIT);
            assert_close(&format!("{what}: dx"), &dx.values[own.clone()], &back.values[own], LIMIT);
        }
    }
}

#[test]
fn textures_between_operations_change_no_bit() {
    for (channels, size, border) in [(1, 4, 2), (1, 28, 2), (2, 12, 2), (3, 32, 0), (3, 64, 0)] {
        let (rng, ops) = (&mut Rng(4), extremes(size));
        let x = images(rng, ops.len(), channels, size);
        let of_pass = |pass: usize| {
            let ops: Vec<_> = ops.iter().cycle().skip(7 * pass).take(x.n).copied().collect();
            rows(&ops)
        };
        let passes: Vec<_> = (0..3).map(of_pass).collect();
        let wide = size + 2 * border;
        for gpu in gpus() {
            for passes in [&passes[..1], &passes] {
                let out = testing::cpu_augment(gpu, &x, passes, border).unwrap();
                let Some(out) = out else { continue };
                let apart = passes
                    .iter()
                    .fold(x.clone(), |x, rows| testing::augment_forward(gpu, &x, rows).unwrap());
                let mut expected = vec![0.0; x.n * channels * wide * wide];
                for (at, row) in apart.values.chunks(size).enumerate() {
                    let (plane, y) = (at / size, at % size + border);
                    let start = (plane * wide + y) * wide + border;
                    expected[start..start + size].copy_from_slice(row);
                }
                assert!(out.values == expected, "{channels}×{size}×{size}, border {border}");
            }
        }
    }
}

#[test]
fn backward_is_the_adjoint_of_every_operation() {
    for (channels, size) in [(1, 28), (3, 7), (3, 32)] {
        let (rng, ops) = (&mut Rng(2), extremes(size));
        let (x, dy) =
            (images(rng, ops.len(), channels, size), images(rng, ops.len(), channels, size));
        // Brightness adds a constant, which the difference from zero's image takes away.
        let zero = with(&x, vec![0.0; x.values.len()]);
        let (y, y0) = (forward(&x, &ops), forward(&zero, &ops));
        let linear: Vec<f32> = y.values.iter().zip(&y0.values).map(|(y, y0)| y - y0).collect();
        let dx = backward(&dy, &ops);
        let each = channels * size * size;
        for (i, op) in ops.iter().enumerate() {
            let image = |values: &[f32]| values[i * each..(i + 1) * each].to_vec();
            let what = format!("{op:?} at {channels}×{size}×{size}");
            let (dy, x, dx) = (image(&dy.values), image(&x.values), image(&dx.values));
            assert_adjoint(&what, &image(&linear), &dy, &x, &dx);
        }
    }
}

#[test]
fn gradients_match_finite_differences() {
    // Augmentation is affine in the image: a step of any length has no error of its own, and a long
    // one has the least rounding (1e-7 of values of about one).
    let (rng, ops) = (&mut Rng(3), extremes(12));
    let (x, dy) = (images(rng, ops.len(), 3, 12), images(rng, ops.len(), 3, 12));
    let dx = backward(&dy, &ops);
    assert_slope("all operations", &x, &dx.values, 0.5, 1e-5, |x| {
        dot(&forward(x, &ops).values, &dy.values)
    });
}

proptest! {
    #![proptest_config(cases(16))]

    #[test]
    fn random_operations_match_the_twin(
        channels in 1usize..=4,
        size in prop::sample::select(SIZES.to_vec()),
        n in 1usize..7,
        seed: u64,
    ) {
        let rng = &mut Rng(seed);
        let ops: Vec<Op> = (0..n).map(|_| draw(rng, size)).collect();
        let x = images(rng, n, channels, size);
        let expected = reference::augment_forward(&(&x).into(), &ops);
        assert_images_close("y", &forward(&x, &ops), &expected, &ops);
        let expected = reference::augment_backward(&(&x).into(), &ops);
        assert_images_close("dx", &backward(&x, &ops), &expected, &ops);
    }

    /// Odd sizes and counts: the bytes of an image then begin and end within a word.
    #[test]
    fn pixels_are_normalised_then_augmented(
        channels in prop::sample::select(vec![1usize, 3]),
        size in prop::sample::select(vec![7usize, 9, 12, 28]),
        n in 1usize..6,
        seed: u64,
    ) {
        let rng = &mut Rng(seed);
        let ops: Vec<Op> = (0..n).map(|_| draw(rng, size)).collect();
        let pixels: Vec<u8> =
            (0..n * channels * size * size).map(|_| rng.below(256) as u8).collect();
        let mean: Vec<f32> = (0..channels).map(|_| rng.uniform() as f32).collect();
        let std: Vec<f32> = (0..channels).map(|_| 0.1 + rng.uniform() as f32).collect();
        let y = on_all("pixels", |gpu| {
            testing::augment_pixels(gpu, &pixels, channels, size, &mean, &std, &rows(&ops))
        });
        prop_assert_eq!((y.n, y.channels, y.size), (n, channels, size));
        let normalised = reference::normalise(&pixels, channels, size, &mean, &std);
        let expected = reference::augment_forward(&normalised, &ops);
        assert_images_close("y", &y, &expected, &ops);
    }
}

#[test]
fn pixels_of_0_and_255_are_normalised() {
    for pixel in [0u8, 1, 127, 255] {
        let pixels = [pixel; 3 * 5 * 5];
        let (mean, std) = ([0.5, 0.25, 0.0], [0.25, 0.5, 1.0]);
        let y = on_all("pixels", |gpu| {
            testing::augment_pixels(gpu, &pixels, 3, 5, &mean, &std, &rows(&[Op::None]))
        });
        let expected = reference::normalise(&pixels, 3, 5, &mean, &std);
        assert_close(&format!("{pixel}"), &y.values, &expected.values, LIMIT);
    }
}
