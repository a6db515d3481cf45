//! The kernels of training alone.

use super::{Images, scatter};
use crate::{
    Gpu, Result,
    gpu::Buffer,
    kernels::{self, Batch, Linear, Planes},
};

/// Gradient at the weights (nets, dy.channels, x.channels, 3, 3) of a convolution with input `x`,
/// from the one at its output. The images belong to `nets` networks in equal parts.
pub fn conv_backward_weight(gpu: &Gpu, x: &Images, dy: &Images, nets: usize) -> Result<Vec<f32>> {
    let layout = |channels| Planes::haloed(channels, x.size);
    let (from, to) = (layout(x.channels), layout(dy.channels));
    let input = Buffer::zeros(gpu, "x", x.n * from.image_len());
    let d_planes = Buffer::zeros(gpu, "dy", dy.n * to.image_len());
    scatter(gpu, &x.values, &input, from);
    scatter(gpu, &dy.values, &d_planes, to);
    let result = Buffer::zeros(gpu, "dw", nets * dy.channels * x.channels * 9);
    let kernel = kernels::weight_kernel(gpu.caps(), from, to);
    let parts = nets * kernel.parts_len(dy.channels, x.channels);
    let parts = Buffer::zeros(gpu, "dw parts", parts);
    let batch = Batch { images: x.n, nets };
    super::run(gpu, |r| {
        let (x, dy) = ((&input, from), (&d_planes, to));
        kernels::conv_backward_weight(gpu, r, kernel, x, dy, &result, &parts, batch, false);
    })?;
    result.read_blocking(gpu)
}

/// logits (N, classes) = embeddings (N, features) · weightᵀ + bias, and for `d_logits` the
/// gradients at embeddings and weight. One network.
pub fn linear(
    gpu: &Gpu,
    embeddings: &[f32],
    weight: &[f32],
    bias: &[f32],
    d_logits: &[f32],
) -> Result<(Vec<f32>, Vec<f32>, Vec<f32>)> {
    let classes = bias.len();
    let features = weight.len() / classes;
    let images = embeddings.len() / features;
    let linear = Linear { features, classes };
    let batch = Batch { images, nets: 1 };
    let [e, w, b, d] = [embeddings, weight, bias, d_logits]
        .map(|values| Buffer::from_slice(gpu, "linear", values));
    let logits = Buffer::zeros(gpu, "logits", images * classes);
    let d_embeddings = Buffer::zeros(gpu, "d embeddings", embeddings.len());
    let d_weight = Buffer::zeros(gpu, "d weight", weight.len());
    super::run(gpu, |r| {
        r.push(linear.forward(gpu, &e, (&w, &b), &logits, batch));
        r.push(linear.backward_data(gpu, &d, &w, &d_embeddings, batch));
        r.push(linear.backward_weight(gpu, &d, &e, &d_weight, batch, false));
    })?;
    Ok((logits.read_blocking(gpu)?, d_embeddings.read_blocking(gpu)?, d_weight.read_blocking(gpu)?))
}

/// Each image's cross-entropy, and the gradient of their mean at the logits (N, classes).
pub fn softmax_cross_entropy(
    gpu: &Gpu,
    logits: &[f32],
    labels: &[u32],
) -> Result<(Vec<f32>, Vec<f32>)> {
    let images = labels.len();
    let classes = logits.len() / images;
    let logits = Buffer::from_slice(gpu, "logits", logits);
    let labels = Buffer::from_slice(gpu, "labels", labels);
    let losses = Buffer::zeros(gpu, "losses", images);
    let d_logits = Buffer::zeros(gpu, "d logits", logits.len());
    super::run(gpu, |r| {
        r.push(kernels::softmax_cross_entropy(
            gpu,
            (&logits, classes),
            &labels,
            &losses,
            &d_logits,
            images,
            images,
            0,
        ));
    })?;
    Ok((losses.read_blocking(gpu)?, d_logits.read_blocking(gpu)?))
}

/// For each of `nets` networks, how many of its logits (nets, N, classes) are largest at the label.
pub fn count_correct(gpu: &Gpu, logits: &[f32], labels: &[u32], nets: usize) -> Result<Vec<u32>> {
    let classes = logits.len() / labels.len() / nets;
    let logits = Buffer::from_slice(gpu, "logits", logits);
    let counts = Buffer::zeros(gpu, "counts", nets);
    let batch = Batch { images: nets * labels.len(), nets };
    let labels = Buffer::from_slice(gpu, "labels", labels);
    super::run(gpu, |r| {
        r.push(kernels::count_correct(gpu, (&logits, classes), &labels, &counts, batch));
    })?;
    counts.read_blocking(gpu)
}
