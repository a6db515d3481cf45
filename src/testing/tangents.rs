//! Layers and networks along a direction of their weights, and distances of gradients.

use super::Images;
use crate::{
    Activation, Distance, Gpu, PoolKind, Result,
    gpu::Buffer,
    kernels::{
        self, Batch, Nets, Rows,
        layers::{self, Dual, KEPT, Norm, Pool, Statistics},
    },
};

/// Values and how they change, on the host.
pub type Changing<'a> = (&'a [f32], &'a [f32]);

struct Held(Buffer<f32>, Buffer<f32>);

impl Held {
    fn new(gpu: &Gpu, (value, change): Changing<'_>) -> Self {
        let buffer = |values| Buffer::from_slice(gpu, "of a pair", values);
        Self(buffer(value), buffer(change))
    }
    fn dual(&self) -> Dual<'_> {
        Dual { value: &self.0, change: &self.1 }
    }
}

/// How the gradient at the input of sigmoid or swish changes, from what act_backward reads, and dy.
pub fn act_tangent(
    gpu: &Gpu,
    kind: Activation,
    kept: Changing<'_>,
    dy: Changing<'_>,
) -> Result<Vec<f32>> {
    let (kept, dy, count) = (Held::new(gpu, kept), Held::new(gpu, dy), dy.0.len());
    let result = Buffer::zeros(gpu, "dx change", count);
    super::run(gpu, |r| {
        r.push(layers::act_tangent(gpu, kind, kept.dual(), dy.dual(), &result, count));
    })?;
    result.read_blocking(gpu)
}

/// How what a max pool of this kernel, stride and padding makes of `x` changes.
pub fn max_pool_tangent(
    gpu: &Gpu,
    (kernel, stride, pad): (usize, usize, usize),
    x: &Images,
    x_change: &[f32],
) -> Result<Vec<f32>> {
    let out_size = (x.size + 2 * pad - kernel) / stride + 1;
    let (kind, channels, size) = (PoolKind::Max, x.channels, x.size);
    let pool = Pool { kind, channels, size, out_size, kernel, stride, pad };
    let held = Held::new(gpu, (&x.values, x_change));
    let result = Buffer::zeros(gpu, "y change", x.n * channels * out_size * out_size);
    super::run(gpu, |r| r.push(pool.tangent(gpu, held.dual(), &result, x.n)))?;
    result.read_blocking(gpu)
}

/// What a norm has its statistics over.
#[derive(Debug, Clone, Copy)]
pub enum Over {
    /// So many groups of an image's channels.
    Groups(usize),
    /// A channel of all images of a network.
    Batch,
    /// The same, by these means and variances (nets, channels, 2).
    Frozen,
}

/// What [`norm_tangent`] returns.
pub struct NormTangent {
    /// Change of what the norm makes.
    pub y: Vec<f32>,
    /// Change of the gradient at its input.
    pub dx: Vec<f32>,
    /// Change of the gradient at its weights and biases.
    pub affine: Vec<f32>,
}

/// How a norm's output and gradients change. `affine` (nets, channels or values, 2) are weights and biases and their
/// direction.
#[allow(clippy::too_many_arguments)]
pub fn norm_tangent(
    gpu: &Gpu,
    (over, running): (Over, &[f32]),
    per_value: bool,
    nets: usize,
    x: &Images,
    x_change: &[f32],
    affine: Changing<'_>,
    dy: Changing<'_>,
) -> Result<NormTangent> {
    let statistics = match over {
        Over::Groups(groups) => Statistics::Groups(groups),
        Over::Batch | Over::Frozen => Statistics::Batch,
    };
    let (channels, positions) = (x.channels, x.size * x.size);
    let norm = Norm { channels, positions, statistics, per_value, relu: false };
    let batch = Batch { images: x.n, nets };
    let frozen = matches!(over, Over::Frozen);
    let (x, dy, own) =
        (Held::new(gpu, (&x.values, x_change)), Held::new(gpu, dy), Held::new(gpu, affine));
    let zeros = |label: &str, len: usize| Buffer::zeros(gpu, label, len);
    let segments = batch.images * norm.segments_per_image();
    let statistics = match frozen {
        true => Buffer::from_slice(gpu, "running", running),
        false => zeros("statistics", 2 * segments),
    };
    let (kept, affines) = (zeros("segments", KEPT * segments), zeros("affines", 2 * own.0.len()));
    let [y, dx] = ["y", "dx"].map(|label| zeros(label, x.0.len()));
    let d_affine = zeros("d affine", own.0.len());
    super::run(gpu, |r| {
        if !frozen {
            r.push(norm.statistics(gpu, (&x.0).into(), &statistics, batch));
        }
        let both = (&kept, &affines);
        r.push(norm.tangent_affine(gpu, (&own.0, &own.1), &affines, batch));
        r.push(norm.tangent_sums(gpu, x.dual(), (&statistics, frozen), &kept, batch));
        r.push(norm.tangent(gpu, x.dual(), both, &y, batch));
        r.push(norm.tangent_backward_affine(
            gpu,
            x.dual(),
            &kept,
            dy.dual(),
            &d_affine,
            batch,
            false,
        ));
        if !frozen {
            r.push(norm.tangent_backward_sums(gpu, x.dual(), both, dy.dual(), batch));
        }
        r.push(norm.tangent_backward_data(gpu, x.dual(), both, dy.dual(), &dx, batch));
    })?;
    Ok(NormTangent {
        y: y.read_blocking(gpu)?,
        dx: dx.read_blocking(gpu)?,
        affine: d_affine.read_blocking(gpu)?,
    })
}

/// How the gradient of the mean cross-entropy at logits (N, classes) changes with them.
pub fn softmax_tangent(gpu: &Gpu, logits: Changing<'_>, images: usize) -> Result<Vec<f32>> {
    let (held, len) = (Held::new(gpu, logits), logits.0.len());
    let result = Buffer::zeros(gpu, "d logits change", len);
    super::run(gpu, |r| {
        let own = (&held.0, len / images);
        r.push(kernels::softmax_tangent(gpu, own, &held.1, &result, images, images));
    })?;
    result.read_blocking(gpu)
}

/// Two gradients of a parameter, and its rows.
pub type TwoGradients = (Vec<f32>, Vec<f32>, (usize, usize));

/// The distance of two gradients of some parameters, and the direction in which it grows with the second. Each parameter has
/// rows of so many values, so far apart. Of several networks, whose values follow each other in every parameter.
pub fn gradient_distance(
    gpu: &Gpu,
    kind: Distance,
    count: usize,
    params: &[TwoGradients],
) -> Result<(Vec<f32>, Vec<Vec<f32>>)> {
    let mut first = 0;
    let held: Vec<_> = params
        .iter()
        .map(|(real, synthetic, (row_len, stride))| {
            let rows = Rows { len: real.len() / count, row_len: *row_len, stride: *stride, first };
            first += rows.count();
            let result = Buffer::zeros(gpu, "direction", real.len());
            (rows, Held::new(gpu, (real, synthetic)), result)
        })
        .collect();
    let nets = Nets { count, rows: first };
    let products = Buffer::zeros(gpu, "products", kernels::PRODUCTS * count * first);
    let total = Buffer::zeros(gpu, "total", kernels::PRODUCTS * count);
    let labels: Vec<_> = (1..=count as u32).rev().collect();
    let labels = Buffer::from_slice(gpu, "labels", &labels);
    // The share is added to what is there.
    let losses = Buffer::from_slice(gpu, "losses", &vec![1.0f32; count + 1]);
    super::run(gpu, |r| {
        for (rows, Held(real, synthetic), _) in &held {
            r.push(rows.products(gpu, nets, (real, synthetic), &products));
        }
        r.push(kernels::distance(gpu, kind, nets, &products, &total, &labels, (&losses, 0.5)));
        for (rows, Held(real, synthetic), result) in &held {
            r.push(rows.direction(gpu, nets, kind, (real, synthetic), (&products, &total), result));
        }
    })?;
    let losses = losses.read_blocking(gpu)?;
    let directions = held.iter().map(|(.., result)| result.read_blocking(gpu));
    let distances = losses[1..].iter().rev().map(|loss| (loss - 1.0) / 0.5).collect();
    Ok((distances, directions.collect::<Result<_>>()?))
}
