use dm_wgpu::NormKind;

use crate::reference::Batch;

/// What a norm goes by.
#[derive(Debug, Clone, Copy)]
pub struct Norm<'a> {
    pub kind: NormKind,
    pub weight: &'a [f64],
    pub bias: &'a [f64],
    /// Of a batch norm, means and variances that do not follow from the batch.
    pub frozen: Option<(&'a [f64], &'a [f64])>,
}

impl Norm<'_> {
    /// The segment of a value: values of one segment share mean and variance.
    fn segment(self, x: &Batch, image: usize, channel: usize) -> usize {
        match self.kind {
            NormKind::Batch => channel,
            NormKind::Layer => image,
            NormKind::Instance => image * x.channels + channel,
            NormKind::Group { groups } => image * groups + channel * groups / x.channels,
            NormKind::None => panic!("no norm"),
        }
    }

    /// (segment, number of weight and bias) of each value in order.
    pub(super) fn places(self, x: &Batch) -> Vec<(usize, usize)> {
        let (plane, len) = (x.size * x.size, x.channels * x.size * x.size);
        let place = |i: usize| {
            let (image, channel) = (i / len, i / plane % x.channels);
            let own = if self.kind == NormKind::Layer { i % len } else { channel };
            (self.segment(x, image, channel), own)
        };
        (0..x.values.len()).map(place).collect()
    }

    /// Mean, variance and number of values of each segment.
    pub(super) fn statistics(self, x: &Batch) -> Vec<(f64, f64, f64)> {
        let places = self.places(x);
        let segments = places.iter().map(|p| p.0).max().unwrap() + 1;
        let mut of = vec![(0.0, 0.0, 0.0); segments];
        for (&(s, _), x) in places.iter().zip(&x.values) {
            of[s].0 += x;
            of[s].2 += 1.0;
        }
        of.iter_mut().for_each(|s| s.0 /= s.2);
        for (&(s, _), x) in places.iter().zip(&x.values) {
            of[s].1 += (x - of[s].0).powi(2) / of[s].2;
        }
        if let Some((mean, variance)) = self.frozen {
            of.iter_mut().enumerate().for_each(|(c, s)| (s.0, s.1) = (mean[c], variance[c]));
        }
        of
    }

    /// The normalised values, before weight and bias.
    pub(super) fn normalised(self, x: &Batch) -> Vec<f64> {
        let of = self.statistics(x);
        let each = self.places(x).into_iter().zip(&x.values);
        each.map(|((s, _), x)| (x - of[s].0) / (of[s].1 + 1e-5).sqrt()).collect()
    }
}

pub fn norm_forward(norm: Norm<'_>, x: &Batch) -> Batch {
    let each = norm.normalised(x).into_iter().zip(norm.places(x));
    x.with(each.map(|(hat, (_, own))| hat * norm.weight[own] + norm.bias[own]).collect())
}

/// The gradients at x, weight and bias.
pub fn norm_backward(norm: Norm<'_>, x: &Batch, dy: &Batch) -> (Batch, Vec<f64>, Vec<f64>) {
    let (of, hat, places) = (norm.statistics(x), norm.normalised(x), norm.places(x));
    let (mut d_weight, mut d_bias) = (vec![0.0; norm.weight.len()], vec![0.0; norm.bias.len()]);
    // The means of g and g · x̂ over each segment, g = dy · weight.
    let mut means = vec![(0.0, 0.0); of.len()];
    for (i, &(s, own)) in places.iter().enumerate() {
        let (d, g) = (dy.values[i], dy.values[i] * norm.weight[own]);
        d_weight[own] += d * hat[i];
        d_bias[own] += d;
        means[s].0 += g / of[s].2;
        means[s].1 += g * hat[i] / of[s].2;
    }
    if norm.frozen.is_some() {
        means.fill((0.0, 0.0));
    }
    let dx = |(i, &(s, own)): (usize, &(usize, usize))| {
        let g = dy.values[i] * norm.weight[own];
        (g - means[s].0 - hat[i] * means[s].1) / (of[s].1 + 1e-5).sqrt()
    };
    (x.with(places.iter().enumerate().map(dx).collect()), d_weight, d_bias)
}

/// A batch norm's running means and variances after a batch.
pub fn running(x: &Batch, (mean, variance): (&[f64], &[f64])) -> (Vec<f64>, Vec<f64>) {
    let norm = Norm { kind: NormKind::Batch, weight: &[], bias: &[], frozen: None };
    let of = norm.statistics(x).into_iter().enumerate();
    of.map(|(c, (m, v, count))| {
        let unbiased = v * count / (count - 1.0);
        (0.9 * mean[c] + 0.1 * m, 0.9 * variance[c] + 0.1 * unbiased)
    })
    .unzip()
}
