//! CutMix on the GPU.

use dm_wgpu::testing;

use crate::{
    common::{Rng, Tolerance, assert_close, gpu},
    images,
    reference::{self, widen},
};

const LIMIT: f64 = Tolerance::KERNEL.values;

#[test]
fn boxes_of_other_images_match_the_twin() {
    for (channels, size, n) in [(1, 28, 3), (3, 32, 2), (3, 7, 5), (1, 1, 2)] {
        let rng = &mut Rng(size as u64);
        let (x, others) = (images(rng, n, channels, size), images(rng, n, channels, size));
        let mut boxes = vec![];
        for at in 0..n {
            let (beta, center) = (rng.uniform(), [rng.below(size), rng.below(size)]);
            // Nothing, and everything, too.
            let beta = [beta, 1.0, 0.0][at % 3];
            let (cut, share) = testing::cut_box(size, beta as f32, center);
            let (expected, own) = reference::cutmix::cut_box(size, beta, center);
            assert_eq!(cut.map(|end| end as usize), expected);
            assert!((f64::from(share) - own).abs() < 1e-6, "{share}, {own}");
            boxes.push((cut, expected));
        }
        let (cuts, expected): (Vec<_>, Vec<_>) = boxes.into_iter().unzip();
        let expected = reference::cutmix::cutmix(&(&x).into(), &(&others).into(), &expected);
        for (more, border) in [(0, 0), (1, 2)] {
            let mixed = testing::cutmixed(gpu(), &x, &others, &cuts, (more, border)).unwrap();
            let (planes, wide) = (channels + more, size + 2 * border);
            let mut larger = vec![0.0; n * planes * wide * wide];
            for (at, row) in expected.values.chunks(size).enumerate() {
                let (plane, y) = (at / size, at % size + border);
                let plane = plane / channels * planes + plane % channels;
                let start = (plane * wide + y) * wide + border;
                larger[start..start + size].copy_from_slice(row);
            }
            assert_eq!(widen(&mixed.values), larger, "{channels}×{size}×{size}, {more} more");
        }
    }
}

#[test]
fn losses_with_two_labels_match_the_twin() {
    for (classes, n, weight) in [(10, 70, 1.0 / 70.0), (2, 1, 2.5), (3, 5, 0.1)] {
        let rng = &mut Rng(classes as u64);
        let logits: Vec<_> = rng.normals(n * classes).iter().map(|v| 8.0 * v).collect();
        let labels: Vec<_> = (0..n)
            .map(|at| {
                let share = [rng.uniform() as f32, 1.0, 0.0][at % 3];
                (rng.below(classes) as u32, rng.below(classes) as u32, share)
            })
            .collect();
        let (losses, gradient) = testing::mixed_losses(gpu(), &logits, &labels, weight).unwrap();
        let wide: Vec<_> = labels.iter().map(|&(a, b, s)| (a, b, f64::from(s))).collect();
        let (expected, d) =
            reference::cutmix::mixed_cross_entropy(&widen(&logits), &wide, weight.into());
        assert_close("losses", &losses, &expected, LIMIT);
        assert_close("gradient", &gradient, &d, LIMIT);
    }
}
