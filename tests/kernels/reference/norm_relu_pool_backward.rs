//! Twin of `norm_relu_pool_backward`: the gradient at the input of instance norm → ReLU → pool.

use super::Batch;

/// From the values that the forward saved and the gradient at the pooled output.
pub fn norm_relu_pool_backward(normalised: &Batch, inv_std: &[f64], dy: &Batch) -> Batch {
    let identity = (&vec![1.0; dy.channels][..], &vec![0.0; dy.channels][..]);
    norm_affine_relu_pool_backward(normalised, inv_std, identity, dy).0
}

/// The same where the norm has a weight and a bias for each channel: (gradient at the input, at the
/// weight, at the bias), the latter summed over images.
pub fn norm_affine_relu_pool_backward(
    normalised: &Batch,
    inv_std: &[f64],
    (weight, bias): (&[f64], &[f64]),
    dy: &Batch,
) -> (Batch, Vec<f64>, Vec<f64>) {
    assert_eq!((weight.len(), bias.len()), (dy.channels, dy.channels));
    assert_eq!(inv_std.len(), normalised.n * normalised.channels);
    assert_eq!(dy.size, normalised.size / 2);
    // Pool and ReLU: a quarter of each gradient to the four it averaged, if they were positive. What
    // an odd last row and column would have held reached no output and gets zero.
    let mut inner = normalised.zeros_like();
    for n in 0..dy.n {
        for c in 0..dy.channels {
            for row in 0..2 * dy.size {
                for column in 0..2 * dy.size {
                    if weight[c] * normalised.at(n, c, row, column) + bias[c] > 0.0 {
                        *inner.at_mut(n, c, row, column) = dy.at(n, c, row / 2, column / 2) / 4.0;
                    }
                }
            }
        }
    }

    // Weight and bias: y = weight·x̂ + bias in every pixel of a channel's planes.
    let (mut d_weight, mut d_bias) = (vec![0.0; dy.channels], vec![0.0; dy.channels]);
    for n in 0..dy.n {
        for c in 0..dy.channels {
            for row in 0..inner.size {
                for column in 0..inner.size {
                    d_weight[c] += inner.at(n, c, row, column) * normalised.at(n, c, row, column);
                    d_bias[c] += inner.at(n, c, row, column);
                    *inner.at_mut(n, c, row, column) *= weight[c];
                }
            }
        }
    }

    // Norm: dx = (g − mean(g) − x̂·mean(g·x̂)) / std, since both the mean and the variance moved.
    let plane = normalised.size * normalised.size;
    let count = plane as f64;
    let mut dx = normalised.zeros_like();
    for (p, inverse) in inv_std.iter().enumerate() {
        let g = &inner.values[p * plane..(p + 1) * plane];
        let hat = &normalised.values[p * plane..(p + 1) * plane];
        let mean_g = g.iter().sum::<f64>() / count;
        let mean_g_hat = g.iter().zip(hat).map(|(g, h)| g * h).sum::<f64>() / count;
        for (i, out) in dx.values[p * plane..(p + 1) * plane].iter_mut().enumerate() {
            *out = inverse * (g[i] - mean_g - hat[i] * mean_g_hat);
        }
    }
    (dx, d_weight, d_bias)
}
