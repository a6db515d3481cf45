//! What CutMix cuts and its loss, from and to host memory.

use super::run;
use crate::{
    Gpu, Result,
    evaluate::mixing,
    gpu::Buffer,
    kernels::{Shares, mixed_cross_entropy},
};

/// First row, row after the last, first column and column after the last of the box about `center` that covers
/// 1 − `beta` of an image, and what is left of the image.
pub fn cut_box(size: usize, beta: f32, center: [usize; 2]) -> ([u32; 4], f32) {
    mixing::cut_box(size, beta, center)
}

/// `weight` times each image's cross-entropy with two labels, (label, other, share of the former), and the gradient at the
/// logits (N, classes).
pub fn mixed_losses(
    gpu: &Gpu,
    logits: &[f32],
    labels: &[(u32, u32, f32)],
    weight: f32,
) -> Result<(Vec<f32>, Vec<f32>)> {
    let (images, classes) = (labels.len(), logits.len() / labels.len());
    let targets: Vec<_> =
        labels.iter().map(|&(own, other, s)| Shares::new(own, other, s)).collect();
    let targets = Buffer::from_slice(gpu, "targets", &targets);
    let d_logits = Buffer::zeros(gpu, "d logits", logits.len());
    let logits = Buffer::from_slice(gpu, "logits", logits);
    let losses = Buffer::zeros(gpu, "losses", images);
    run(gpu, |r| {
        let of = ((&logits, classes), (0, images));
        r.push(mixed_cross_entropy(gpu, of.0, &targets, &losses, &d_logits, of.1, weight));
    })?;
    Ok((losses.read_blocking(gpu)?, d_logits.read_blocking(gpu)?))
}
