//! Twins of the kernels along a direction: how what a layer makes, and the gradients at what it reads, change.

use dm_wgpu::Activation;

use super::{Norm, Pool, pool_forward};
use crate::reference::Batch;

/// From the input and the gradient at the output, each with its change.
pub fn act_tangent(kind: Activation, x: (&[f64], &[f64]), dy: (&[f64], &[f64])) -> Vec<f64> {
    let slopes = |x: f64| {
        let s = 1.0 / (1.0 + (-x).exp());
        let (first, second) = (s * (1.0 - s), s * (1.0 - s) * (1.0 - 2.0 * s));
        match kind {
            Activation::Sigmoid => (first, second),
            Activation::Swish => (s + x * first, 2.0 * first + x * second),
            Activation::Relu => (f64::from(x > 0.0), 0.0),
            Activation::LeakyRelu => (if x > 0.0 { 1.0 } else { 0.01 }, 0.0),
        }
    };
    let each = x.0.iter().zip(x.1).zip(dy.0.iter().zip(dy.1));
    each.map(|((&x, change), (dy, dy_change))| {
        let (first, second) = slopes(x);
        first * dy_change + second * change * dy
    })
    .collect()
}

/// A pool's output is linear in the values that it takes.
pub fn pool_tangent(pool: Pool, x: &Batch, change: &Batch) -> Batch {
    let mut y = pool_forward(pool, x).zeros_like();
    pool.pixels(x, |[i, c, oy, ox, iy, ix], weight| {
        *y.at_mut(i, c, oy, ox) += weight * change.at(i, c, iy, ix);
    });
    y
}

/// Changes of y, of the gradient at x, and of those at weight and bias.
pub fn norm_tangent(
    norm: Norm<'_>,
    (x, change): (&Batch, &Batch),
    (weight_change, bias_change): (&[f64], &[f64]),
    (dy, dy_change): (&Batch, &Batch),
) -> (Batch, Batch, Vec<f64>, Vec<f64>) {
    let (of, hat, places) = (norm.statistics(x), norm.normalised(x), norm.places(x));
    let (frozen, std) = (norm.frozen.is_some(), |s: usize| (of[s].1 + 1e-5).sqrt());
    // The mean of something over each segment.
    let means = |value: &dyn Fn(usize) -> f64| {
        let mut means = vec![0.0; of.len()];
        places.iter().enumerate().for_each(|(i, &(s, _))| means[s] += value(i) / of[s].2);
        means
    };
    let mut mean_change = means(&|i| change.values[i]);
    let mut std_change = means(&|i| change.values[i] * hat[i]);
    if frozen {
        mean_change.fill(0.0);
        std_change.fill(0.0);
    }
    let hat_change: Vec<_> = (0..hat.len())
        .map(|i| {
            let s = places[i].0;
            (change.values[i] - mean_change[s] - hat[i] * std_change[s]) / std(s)
        })
        .collect();
    let y = (0..hat.len()).map(|i| {
        let own = places[i].1;
        hat_change[i] * norm.weight[own] + hat[i] * weight_change[own] + bias_change[own]
    });
    let y = x.with(y.collect());
    let g = |i: usize| dy.values[i] * norm.weight[places[i].1];
    let g_change = |i: usize| {
        let own = places[i].1;
        dy_change.values[i] * norm.weight[own] + dy.values[i] * weight_change[own]
    };
    let [mut a, mut b, mut a_change, mut b_change] = [
        means(&|i| g(i)),
        means(&|i| g(i) * hat[i]),
        means(&|i| g_change(i)),
        means(&|i| g_change(i) * hat[i] + g(i) * hat_change[i]),
    ];
    if frozen {
        [&mut a, &mut b, &mut a_change, &mut b_change]
            .into_iter()
            .for_each(|means| means.fill(0.0));
    }
    let dx = (0..hat.len()).map(|i| {
        let s = places[i].0;
        let inner = g(i) - a[s] - hat[i] * b[s];
        let inner_change = g_change(i) - a_change[s] - hat_change[i] * b[s] - hat[i] * b_change[s];
        inner_change / std(s) - inner / std(s).powi(2) * std_change[s]
    });
    let dx = x.with(dx.collect());
    let (mut weight, mut bias) = (vec![0.0; norm.weight.len()], vec![0.0; norm.weight.len()]);
    for (i, &(_, own)) in places.iter().enumerate() {
        weight[own] += dy_change.values[i] * hat[i] + dy.values[i] * hat_change[i];
        bias[own] += dy_change.values[i];
    }
    (y, dx, weight, bias)
}
