use crate::reference::Batch;

/// A convolution's sizes.
#[derive(Debug, Clone, Copy)]
pub struct Conv {
    pub out: usize,
    pub kernel: usize,
    pub stride: usize,
    pub pad: usize,
}

impl Conv {
    fn out_size(self, size: usize) -> usize {
        (size + 2 * self.pad - self.kernel) / self.stride + 1
    }

    /// Calls `meet` with (image, output, input, weight, output row and column, input row and column) of each product.
    fn products(self, x: &Batch, mut meet: impl FnMut([usize; 8])) {
        let Self { out, kernel, stride, pad } = self;
        let size = self.out_size(x.size);
        for (n, o, i) in triples(x.n, out, x.channels) {
            for (oy, ox, tap) in triples(size, size, kernel * kernel) {
                let (ky, kx) = (tap / kernel, tap % kernel);
                let at = |o: usize, k: usize| (o * stride + k) as isize - pad as isize;
                if let Some((y, column)) = x.inside(at(oy, ky), at(ox, kx)) {
                    let weight = (o * x.channels + i) * kernel * kernel + tap;
                    meet([n, o, i, weight, oy, ox, y, column]);
                }
            }
        }
    }
}

fn triples(a: usize, b: usize, c: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    (0..a * b * c).map(move |i| (i / c / b, i / c % b, i % c))
}

/// `weight` (out, in, kernel, kernel), `bias` (out).
pub fn conv_forward(conv: Conv, x: &Batch, weight: &[f64], bias: Option<&[f64]>) -> Batch {
    let mut y = Batch::zeros(x.n, conv.out, conv.out_size(x.size));
    let plane = y.size * y.size;
    if let Some(bias) = bias {
        y.values.iter_mut().enumerate().for_each(|(i, y)| *y = bias[i / plane % conv.out]);
    }
    conv.products(x, |[n, o, i, w, oy, ox, iy, ix]| {
        *y.at_mut(n, o, oy, ox) += weight[w] * x.at(n, i, iy, ix);
    });
    y
}

/// The gradients at x, weight and bias.
pub fn conv_backward(
    conv: Conv,
    x: &Batch,
    weight: &[f64],
    dy: &Batch,
) -> (Batch, Vec<f64>, Vec<f64>) {
    let (mut dx, mut d_weight, mut d_bias) =
        (x.zeros_like(), vec![0.0; weight.len()], vec![0.0; conv.out]);
    conv.products(x, |[n, o, i, w, oy, ox, iy, ix]| {
        *dx.at_mut(n, i, iy, ix) += weight[w] * dy.at(n, o, oy, ox);
        d_weight[w] += x.at(n, i, iy, ix) * dy.at(n, o, oy, ox);
    });
    let plane = dy.size * dy.size;
    dy.values.iter().enumerate().for_each(|(i, d)| d_bias[i / plane % conv.out] += d);
    (dx, d_weight, d_bias)
}
