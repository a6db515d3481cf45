//! Convolutions 3×3 with stride 1 and padding 1 that are in no block: by the kernels that blocks have for their
//! convolutions alone, which are many times as fast as the one for any convolution.

use super::{Gradients, program::Op};
use crate::{
    gpu::{Buffer, Caps, Gpu, Memory, Recording},
    kernels::{
        Batch, ConvKernel, Direction, Kernels, Packing, Planes, WeightKernel, conv,
        conv_backward_weight, conv_kernel,
        layers::{Conv, add_bias, halo},
        weight_kernel,
    },
};

/// The kernels of one such convolution on a device.
#[derive(Debug, Clone, Copy)]
pub(super) struct Conv3 {
    forward: ConvKernel,
    backward_data: ConvKernel,
    backward_weight: WeightKernel,
    /// What they read: with a halo of zeros.
    input: Planes,
    d_output: Planes,
}

/// Room for planes with halos, for one convolution at a time.
#[derive(Debug)]
pub(super) struct Halos<M: Memory = Gpu> {
    input: M::Buffer<f32>,
    d_output: M::Buffer<f32>,
}

impl Conv3 {
    /// None for another convolution, and where the family is the plain one, which has nothing faster.
    pub fn of(caps: &Caps, conv: Conv) -> Option<Self> {
        let Conv { inputs, outputs, size, kernel, stride, pad, .. } = conv;
        if (kernel, stride, pad) != (3, 1, 1) || caps.kernels == Kernels::Plain {
            return None;
        }
        let (input, d_output) = (Planes::haloed(inputs, size), Planes::haloed(outputs, size));
        Some(Self {
            forward: conv_kernel(caps, Direction::Forward, size, (inputs, outputs)),
            backward_data: conv_kernel(caps, Direction::BackwardData, size, (outputs, inputs)),
            backward_weight: weight_kernel(caps, input, d_output),
            input,
            d_output,
        })
    }

    /// How the kernel of a direction wants the weights.
    pub fn packing(&self, direction: Direction) -> Option<Packing> {
        match direction {
            Direction::Forward => self.forward.packing(),
            Direction::BackwardData => self.backward_data.packing(),
        }
    }

    /// Values that the gradient at the weights of one network leaves in parts.
    pub fn parts(&self) -> usize {
        let (outputs, inputs) = (self.d_output.channels as usize, self.input.channels as usize);
        self.backward_weight.parts_len(outputs, inputs)
    }

    /// y from x, both dense, with weights as [`packing`](Self::packing) says.
    #[allow(clippy::too_many_arguments)]
    pub fn forward(
        &self,
        gpu: &Gpu,
        recording: &mut Recording,
        halos: &Halos,
        (weights, bias): (&Buffer<f32>, Option<&Buffer<f32>>),
        x: &Buffer<f32>,
        y: &Buffer<f32>,
        batch: Batch,
    ) {
        let way = Direction::Forward;
        let (channels, size) = (self.d_output.channels as usize, self.input.size as usize);
        let (input, result) = ((&halos.input, self.input), (y, Planes::dense(channels, size)));
        recording.push(halo(gpu, x, input, batch.images));
        recording.push(conv(gpu, self.forward, way, None, input, weights, result, batch));
        if let Some(bias) = bias {
            recording.push(add_bias(gpu, bias, y, (channels, size), batch));
        }
    }

    /// The gradients at the weights, if these are wanted, and at x, if that is: from weights as
    /// [`packing`](Self::packing) says.
    #[allow(clippy::too_many_arguments)]
    pub fn backward(
        &self,
        gpu: &Gpu,
        recording: &mut Recording,
        halos: &Halos,
        op: &Op,
        gradients: Option<&Gradients>,
        (x, dy): (&Buffer<f32>, &Buffer<f32>),
        to_x: Option<(&Buffer<f32>, &Buffer<f32>)>,
        batch: Batch,
    ) {
        let d_output = (&halos.d_output, self.d_output);
        recording.push(halo(gpu, dy, d_output, batch.images));
        if let Some(gradients) = gradients {
            let input = (&halos.input, self.input);
            recording.push(halo(gpu, x, input, batch.images));
            let (own, parts) = (&gradients.others[op.first_param], &gradients.parts);
            let (kernel, more) = (self.backward_weight, gradients.accumulate);
            conv_backward_weight(gpu, recording, kernel, input, d_output, own, parts, batch, more);
        }
        if let Some((weights, dx)) = to_x {
            let way = Direction::BackwardData;
            let size = self.input.size as usize;
            let result = (dx, Planes::dense(self.input.channels as usize, size));
            let (kernel, from) = (self.backward_data, d_output);
            recording.push(conv(gpu, kernel, way, None, from, weights, result, batch));
        }
    }
}

impl<M: Memory> Halos<M> {
    /// For the largest of these, at most so many images forward and backward at a time.
    pub fn room<'a>(
        memory: &M,
        convs: impl Iterator<Item = &'a Conv3> + Clone,
        images: usize,
        backward_images: usize,
    ) -> Self {
        let largest = |layout: fn(&Conv3) -> Planes| {
            convs.clone().map(|conv| layout(conv).image_len()).max().unwrap_or(0)
        };
        Self {
            input: memory.buffer("input with a halo", images * largest(|conv| conv.input)),
            d_output: memory
                .buffer("d output with a halo", backward_images * largest(|conv| conv.d_output)),
        }
    }
}
