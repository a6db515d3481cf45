//! The gradients at the parameters of networks, and the target of a backward pass.

use super::{fast::Fast, program::Program};
use crate::{
    gpu::{Buffer, Caps, Gpu, Memory, Recording},
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
#[derive(Debug, Clone)]
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
    /// Room for those of one network, or for anything of their shapes, as [`Weights::all`](super::Weights::all) has them;
    /// empty for what has no gradient.
    pub fn room<M: Memory>(
        memory: &M,
        program: &Program,
        nets: usize,
        label: &str,
    ) -> Vec<M::Buffer<f32>> {
        let buffer = |(i, len): (usize, usize)| memory.buffer(&format!("{label} {i}"), nets * len);
        program.trained().into_iter().enumerate().map(buffer).collect()
    }

    /// From `values` that are in order of the program with every layer an operation of its own, for one whose first so many
    /// layers are `blocks`.
    pub fn sharing(
        values: &[Buffer<f32>],
        blocks: usize,
        starts: Buffer<u32>,
        parts: &Buffer<f32>,
        accumulate: bool,
    ) -> Self {
        // A block's convolution and norm take turns.
        let of_blocks = |which| values.iter().skip(which).step_by(2).take(blocks).cloned();
        Self {
            convs: of_blocks(0).collect(),
            affines: of_blocks(1).collect(),
            others: values[2 * blocks..].to_vec(),
            starts,
            parts: parts.clone(),
            accumulate,
        }
    }

    /// Values of [`parts`](Self::parts) that one network needs.
    pub fn parts_len(caps: &Caps, program: &Program) -> usize {
        let plans = program.blocks.as_ref().map(|net| net.plan(caps)).unwrap_or_default();
        let fast = program.ops.iter().filter_map(|op| Fast::of(caps, op.kind));
        let parts = plans.iter().map(|plan| plan.parts).chain(fast.map(|fast| fast.parts()));
        parts.max().unwrap_or(0)
    }

    /// The same, to be added to.
    pub fn accumulating(&self) -> Self {
        Self { accumulate: true, ..self.clone() }
    }

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
        let affines = (&self.affines[block], 2 * d_planes.1.channels as usize);
        self.add_up(gpu, recording, d_affine, affines, batch);
    }

    /// Adds up, for each network, the images' parts of a gradient of so many values.
    pub fn add_up(
        &self,
        gpu: &Gpu,
        recording: &mut Recording,
        parts: &Buffer<f32>,
        (gradient, values): (&Buffer<f32>, usize),
        batch: Batch,
    ) {
        let (images, nets) = (0..batch.images, 0..batch.nets);
        let (starts, more) = (&self.starts, self.accumulate);
        recording.push(class_sum(gpu, starts, parts, gradient, values, images, nets, more));
    }
}
