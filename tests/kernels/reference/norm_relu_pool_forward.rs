//! Twin of `norm_relu_pool_forward`: instance norm → ReLU → average pool 2×2.

use super::Batch;

/// Added to the variance.
pub const EPS: f64 = 1e-5;

/// (pooled, normalised planes before the ReLU, 1/√(variance + eps) of each plane).
///
/// The norm sees the whole plane; the pool drops an odd last row and column.
pub fn norm_relu_pool_forward(x: &Batch) -> (Batch, Batch, Vec<f64>) {
    norm_affine_relu_pool_forward(x, &vec![1.0; x.channels], &vec![0.0; x.channels])
}

/// The same with the norm's `weight` and `bias` of each channel, between norm and ReLU. The normalised
/// planes are those before weight and bias.
pub fn norm_affine_relu_pool_forward(
    x: &Batch,
    weight: &[f64],
    bias: &[f64],
) -> (Batch, Batch, Vec<f64>) {
    assert_eq!((weight.len(), bias.len()), (x.channels, x.channels));
    let count = (x.size * x.size) as f64;
    let mut normalised = x.zeros_like();
    let mut inv_std = Vec::with_capacity(x.n * x.channels);
    let planes = x.values.chunks(x.size * x.size);
    for (plane, out) in planes.zip(normalised.values.chunks_mut(x.size * x.size)) {
        let mean = plane.iter().sum::<f64>() / count;
        let variance = plane.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / count;
        let inverse = 1.0 / (variance + EPS).sqrt();
        for (out, value) in out.iter_mut().zip(plane) {
            *out = (value - mean) * inverse;
        }
        inv_std.push(inverse);
    }

    let mut pooled = Batch::zeros(x.n, x.channels, x.size / 2);
    for n in 0..x.n {
        for c in 0..x.channels {
            for row in 0..pooled.size {
                for column in 0..pooled.size {
                    let relu = |dy, dx| {
                        let value = normalised.at(n, c, 2 * row + dy, 2 * column + dx);
                        (weight[c] * value + bias[c]).max(0.0)
                    };
                    *pooled.at_mut(n, c, row, column) =
                        (relu(0, 0) + relu(0, 1) + relu(1, 0) + relu(1, 1)) / 4.0;
                }
            }
        }
    }
    (pooled, normalised, inv_std)
}
