//! Instance norm → ReLU → pool on the GPU, forward and backward.

use dm_wgpu::testing::{self, Images};
use proptest::prelude::*;

use crate::{
    assert_slope, cases,
    common::{Rng, Tolerance, assert_close, dot, gpu},
    images,
    reference::{self, widen},
    with,
};

const LIMIT: f64 = Tolerance::KERNEL.values;

fn forward(x: &Images) -> (Images, Images, Vec<f32>) {
    let (pooled, normalised, inv_std) = testing::norm_relu_pool_forward(gpu(), x).unwrap();
    assert_eq!((pooled.n, pooled.channels, pooled.size), (x.n, x.channels, x.size / 2));
    assert_eq!((normalised.n, normalised.channels, normalised.size), (x.n, x.channels, x.size));
    assert_eq!(inv_std.len(), x.n * x.channels);
    (pooled, normalised, inv_std)
}

/// Both directions against the twins. The backward gets the GPU's own saved values on both sides, so
/// that a value which rounding moved across zero is across zero for both.
fn check(x: &Images, rng: &mut Rng, limit: f64) {
    let what = format!("{}×{}×{}×{}", x.n, x.channels, x.size, x.size);
    let (pooled, normalised, inv_std) = forward(x);
    let expected = reference::norm_relu_pool_forward(&x.into());
    assert_close(&format!("pooled, {what}"), &pooled.values, &expected.0.values, limit);
    assert_close(&format!("normalised, {what}"), &normalised.values, &expected.1.values, limit);
    assert_close(&format!("inv_std, {what}"), &inv_std, &expected.2, limit);

    let dy = images(rng, x.n, x.channels, x.size / 2);
    let dx = testing::norm_relu_pool_backward(gpu(), &normalised, &inv_std, &dy).unwrap();
    assert_eq!((dx.n, dx.channels, dx.size), (x.n, x.channels, x.size));
    let expected =
        reference::norm_relu_pool_backward(&(&normalised).into(), &widen(&inv_std), &(&dy).into());
    assert_close(&format!("dx, {what}"), &dx.values, &expected.values, limit);
}

proptest! {
    #![proptest_config(cases(24))]

    #[test]
    fn odd_shapes_match_the_twin(
        n in 1usize..4,
        channels in prop::sample::select(vec![1usize, 3, 17]),
        size in prop::sample::select(vec![2usize, 3, 7, 8, 12, 14, 16, 20, 28, 32]),
        scale in prop::sample::select(vec![0.01f32, 1.0, 30.0]),
        seed: u64,
    ) {
        let rng = &mut Rng(seed);
        let x = images(rng, n, channels, size);
        let x = with(&x, x.values.iter().map(|v| scale * (v + 0.5)).collect());
        check(&x, rng, LIMIT);
    }
}

#[test]
fn planes_larger_than_any_workgroup() {
    let rng = &mut Rng(1);
    let x = images(rng, 1, 2, 64);
    check(&x, rng, LIMIT);
}

#[test]
fn a_large_mean_does_not_swallow_the_variance() {
    // Half an ulp of the mean, 3e-5, is what a two-pass variance may be off by; the difference of
    // two squares of a thousand would be off by 6e-2.
    let rng = &mut Rng(2);
    let x = images(rng, 1, 3, 14);
    let x = with(&x, x.values.iter().map(|v| v + 1000.0).collect());
    check(&x, rng, 1e-3);
}

#[test]
fn a_constant_plane_gives_zero_and_no_nan() {
    for size in [2, 7, 16] {
        let values = vec![0.0; 3 * size * size];
        let (pooled, normalised, inv_std) = forward(&Images { values, n: 1, channels: 3, size });
        assert!(pooled.values.iter().chain(&normalised.values).all(|v| *v == 0.0));
        assert_close("inv_std", &inv_std, &[1.0 / 1e-5f64.sqrt(); 3], LIMIT);
        let dy = images(&mut Rng(3), 1, 3, size / 2);
        let dx = testing::norm_relu_pool_backward(gpu(), &normalised, &inv_std, &dy).unwrap();
        assert!(dx.values.iter().all(|v| *v == 0.0), "a ReLU at zero passes nothing on");
    }
}

#[test]
fn an_odd_last_row_and_column_count_for_the_norm_only() {
    // One large value in the corner that the pool drops: all others become equal and negative.
    let mut values = vec![0.0; 25];
    values[24] = 5.0;
    let (pooled, normalised, _) = forward(&Images { values, n: 1, channels: 1, size: 5 });
    assert_eq!(pooled.values, [0.0; 4]);
    assert!(normalised.values[0] < -0.1 && normalised.values[24] > 4.0);
}

#[test]
fn gradients_match_finite_differences() {
    // Away from the ReLU's kinks: planes of as many values in 0.5…1.5 as in −1.5…−0.5, whose mean
    // stays near zero, so that no step of 5e-3 switches one. That step's own error is about h²·f‴,
    // some 1e-4, and rounding adds 1e-7 / 5e-3 = 2e-5.
    for (n, channels, size) in [(2, 3, 6), (1, 2, 7), (1, 1, 12)] {
        let rng = &mut Rng(4);
        let mut x = images(rng, n, channels, size);
        for plane in x.values.chunks_mut(size * size) {
            for (i, value) in plane.iter_mut().enumerate() {
                *value = (0.5 + rng.uniform() as f32) * if i % 2 == 0 { 1.0 } else { -1.0 };
            }
            for i in (1..plane.len()).rev() {
                plane.swap(i, rng.below(i + 1));
            }
        }
        let (_, normalised, inv_std) = forward(&x);
        assert!(normalised.values.iter().all(|v| v.abs() > 0.1), "too near to a kink");
        let dy = images(rng, n, channels, size / 2);
        let dx = testing::norm_relu_pool_backward(gpu(), &normalised, &inv_std, &dy).unwrap();
        assert_slope(&format!("at {size}"), &x, &dx.values, 5e-3, 1e-3, |x| {
            dot(&forward(x).0.values, &dy.values)
        });
    }
}
