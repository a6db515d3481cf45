//! The gradients at the parameters of networks, and the target of a backward pass.

use crate::{
    gpu::{Buffer, Gpu, Recording},
    kernels::{Batch, Planes, WeightKernel, class_sum, conv_backward_weight},
};

/// Which gradients a backward pass computes.
#[derive(Clone, Copy)]
pub(crate) struct Target<'a> {
    /// Whether it computes the gradient at the images.
    pub input: bool,
    /// Where the gradients at the weights are stored, if they are wanted.
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
    /// Of the operations after the blocks; empty for parameters without a gradient.
    pub others: Vec<Buffer<f32>>,
    /// Where each network's images begin in the batch.
    pub starts: Buffer<u32>,
    /// Room for the parts of a convolution's gradient, for kernels that compute it in parts.
    pub parts: Buffer<f32>,
    /// Whether to add to the present values, for batches that are processed in parts.
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

    /// Adds up, for each network, the images' parts of a gradient.
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
