//! The gradients at the parameters of networks, and what a backward pass is after.

use crate::{
    gpu::{Buffer, Gpu, Recording},
    kernels::{Batch, Planes, WeightKernel, class_sum, conv_backward_weight},
};

/// What the backward pass is after.
#[derive(Clone, Copy)]
pub(crate) struct Target<'a> {
    /// Whether that is the gradient at the images.
    pub input: bool,
    /// Where the gradients at the weights are to be, if these are wanted.
    pub weights: Option<&'a Gradients>,
}

impl<'a> Target<'a> {
    pub const INPUT: Self = Self { input: true, weights: None };

    pub fn weights(gradients: &'a Gradients) -> Self {
        Self { input: false, weights: Some(gradients) }
    }
}

/// Gradients at [`Weights`], of the same shapes.
#[derive(Debug)]
pub(crate) struct Gradients {
    pub convs: Vec<Buffer<f32>>,
    pub affines: Vec<Buffer<f32>>,
    /// Of the operations after the blocks; empty for what has no gradient.
    pub others: Vec<Buffer<f32>>,
    /// Where each network's images begin in the batch.
    pub starts: Buffer<u32>,
    /// Room for the parts of a convolution's gradient, for the kernels that make such.
    pub parts: Buffer<f32>,
    /// Whether to add to what is there, for batches that are processed in parts.
    pub accumulate: bool,
}

impl Gradients {
    #[allow(clippy::too_many_arguments)]
    pub fn record(
        &self,
        gpu: &Gpu,
        recording: &mut Recording,
        block: usize,
        kernel: WeightKernel,
        input: (&Buffer<f32>, Planes),
        d_planes: (&Buffer<f32>, Planes),
        d_affine: &Buffer<f32>,
        batch: Batch,
    ) {
        let (conv, more) = (&self.convs[block], self.accumulate);
        conv_backward_weight(
            gpu,
            recording,
            kernel,
            input,
            d_planes,
            conv,
            &self.parts,
            batch,
            more,
        );
        self.add_up(gpu, recording, d_affine, &self.affines[block], batch);
    }

    /// Adds up, for each network, what each image has left of a gradient.
    pub fn add_up(
        &self,
        gpu: &Gpu,
        recording: &mut Recording,
        parts: &Buffer<f32>,
        gradient: &Buffer<f32>,
        batch: Batch,
    ) {
        let (images, nets, values) = (0..batch.images, 0..batch.nets, gradient.len() / batch.nets);
        let (starts, more) = (&self.starts, self.accumulate);
        recording.push(class_sum(gpu, starts, parts, gradient, values, images, nets, more));
    }
}
