//! The forward and backward passes of convolutions and linear layers that are in no block, by fast kernels.

use super::{
    Gradients, Weights,
    fast::{Fast, Haloed, InTexels},
    program::{Op, OpKind},
};
use crate::{
    Result,
    gpu::{Buffer, Gpu, Memory, Recording, Texels},
    kernels::{
        Batch, Direction, Planes, conv, conv_backward_weight,
        cpu::{Finish, Layer, TexelPacking, convolve, from_texels, to_texels, weight_gradient},
        layers::{add_bias, halo},
    },
};

/// An operation's tensors: what it reads and makes, or the gradient at what it makes and, if that is wanted, at what
/// it reads. All are dense.
#[derive(Clone, Copy)]
pub(super) struct Ends<'a> {
    pub x: &'a Buffer<f32>,
    pub dy: &'a Buffer<f32>,
    pub dx: Option<&'a Buffer<f32>>,
}

/// Room for what they read and make, for one operation at a time.
#[derive(Debug)]
pub(super) struct Room<M: Memory = Gpu> {
    input: M::Buffer<f32>,
    d_output: M::Buffer<f32>,
    texels: Option<TexelRoom<M>>,
}

#[derive(Debug)]
struct TexelRoom<M: Memory> {
    input: M::Texels,
    d_output: M::Texels,
    result: M::Texels,
}

impl Fast {
    /// y from x, both dense.
    #[allow(clippy::too_many_arguments)]
    pub fn forward(
        &self,
        gpu: &Gpu,
        recording: &mut Recording,
        room: &Room,
        (weights, op): (&Weights, &Op),
        bias: Option<&Buffer<f32>>,
        (x, y): (&Buffer<f32>, &Buffer<f32>),
        batch: Batch,
    ) -> Result<()> {
        let way = Direction::Forward;
        match (self, &room.texels) {
            (Self::Haloed(haloed), _) => {
                let own = weights.packed_param(op.first_param, way, haloed.forward.packing())?;
                let (channels, size) = (haloed.d_output.channels, haloed.input.size);
                let dense = Planes::dense(channels as usize, size as usize);
                let (input, result) = ((&room.input, haloed.input), (y, dense));
                recording.push(halo(gpu, x, input, batch.images));
                recording.push(conv(gpu, haloed.forward, way, None, input, own, result, batch));
            }
            (Self::Texels(own), Some(room)) => {
                own.take(gpu, recording, x, (&room.input, own.input), batch.images);
                let ends = ((&room.input, own.input), (&room.result, own.output), y);
                own.convolve(gpu, recording, (weights, op, way), ends, batch)?;
            }
            (Self::Product(product), Some(room)) => {
                let own = weights.packed_param_texels(op.first_param, way, product.packing())?;
                recording.push(product.take_input(gpu, x, &room.input, batch.images));
                recording.push(product.forward(gpu, &room.input, (own, bias), y, batch));
                return Ok(());
            }
            // There is room whenever the network has such an operation.
            (Self::Texels(_) | Self::Product(_), None) => {}
        }
        if let (Some(bias), OpKind::Conv { conv, .. }) = (bias, op.kind) {
            recording.push(add_bias(gpu, bias, y, (conv.outputs, conv.size), batch));
        }
        Ok(())
    }

    /// The gradients at the weights, if these are wanted, and at x, if that is.
    #[allow(clippy::too_many_arguments)]
    pub fn backward(
        &self,
        gpu: &Gpu,
        recording: &mut Recording,
        room: &Room,
        (weights, op): (&Weights, &Op),
        gradients: Option<&Gradients>,
        Ends { x, dy, dx }: Ends<'_>,
        batch: Batch,
    ) -> Result<()> {
        let (way, images) = (Direction::BackwardData, batch.images);
        let own_gradient = |gradients: &'_ Gradients| gradients.others[op.first_param].clone();
        match (self, &room.texels) {
            (Self::Haloed(haloed), _) => {
                let d_output = (&room.d_output, haloed.d_output);
                recording.push(halo(gpu, dy, d_output, images));
                if let Some(gradients) = gradients {
                    let input = (&room.input, haloed.input);
                    recording.push(halo(gpu, x, input, images));
                    let (own, parts) = (own_gradient(gradients), &gradients.parts);
                    let (kernel, more) = (haloed.backward_weight, gradients.accumulate);
                    conv_backward_weight(
                        gpu, recording, kernel, input, d_output, &own, parts, batch, more,
                    );
                }
                if let Some(dx) = dx {
                    let kernel = haloed.backward_data;
                    let own = weights.packed_param(op.first_param, way, kernel.packing())?;
                    let (channels, size) = (haloed.input.channels, haloed.input.size);
                    let result = (dx, Planes::dense(channels as usize, size as usize));
                    recording.push(conv(gpu, kernel, way, None, d_output, own, result, batch));
                }
            }
            (Self::Texels(own), Some(room)) => {
                let d_output = (&room.d_output, own.output);
                own.take(gpu, recording, dy, d_output, images);
                if let Some(gradients) = gradients {
                    let input = (&room.input, own.input);
                    own.take(gpu, recording, x, input, images);
                    let (to, more) = (own_gradient(gradients), gradients.accumulate);
                    let lanes = own.packing.lanes;
                    recording.push(weight_gradient(gpu, lanes, input, d_output, &to, batch, more));
                }
                if let Some(dx) = dx {
                    let ends = (d_output, (&room.result, own.input), dx);
                    own.convolve(gpu, recording, (weights, op, way), ends, batch)?;
                }
            }
            (Self::Product(product), Some(room)) => {
                recording.push(product.take_d_output(gpu, dy, &room.d_output, images));
                if let Some(gradients) = gradients {
                    let (to, more) = (own_gradient(gradients), gradients.accumulate);
                    let ends = (&room.input, &room.d_output);
                    recording.push(product.take_input(gpu, x, &room.input, images));
                    recording.push(product.backward_weight(gpu, ends, &to, batch, more));
                }
                if let Some(dx) = dx {
                    let own =
                        weights.packed_param_texels(op.first_param, way, product.packing())?;
                    recording.push(product.backward_data(gpu, &room.d_output, own, dx, batch));
                }
            }
            (Self::Texels(_) | Self::Product(_), None) => {}
        }
        Ok(())
    }
}

impl InTexels {
    fn take(
        &self,
        gpu: &Gpu,
        recording: &mut Recording,
        planes: &Buffer<f32>,
        (texels, Layer { channels, size }): (&Texels, Layer),
        images: usize,
    ) {
        recording.push(to_texels(gpu, (planes, Planes::dense(channels, size)), texels, images));
    }

    fn convolve(
        &self,
        gpu: &Gpu,
        recording: &mut Recording,
        (weights, op, way): (&Weights, &Op, Direction),
        (from, (result, to), dense): ((&Texels, Layer), (&Texels, Layer), &Buffer<f32>),
        batch: Batch,
    ) -> Result<()> {
        let packing = TexelPacking::Winograd(self.packing);
        let own = weights.packed_param_texels(op.first_param, way, packing)?;
        let (lanes, made) = (self.packing.lanes, (result, to.channels));
        recording.push(convolve(gpu, lanes, Finish::Store, from, own, made, batch));
        let planes = (dense, Planes::dense(to.channels, to.size));
        recording.push(from_texels(gpu, result, planes, batch.images));
        Ok(())
    }
}

impl<M: Memory> Room<M> {
    /// For the largest of these, at most so many images forward and backward at a time.
    pub fn new<'a>(
        memory: &M,
        all: impl Iterator<Item = &'a Fast> + Clone,
        images: usize,
        backward_images: usize,
    ) -> Self {
        let largest = |layout: fn(&Haloed) -> Planes| {
            let of = |fast: &Fast| match fast {
                Fast::Haloed(haloed) => layout(haloed).image_len(),
                Fast::Texels(_) | Fast::Product(_) => 0,
            };
            all.clone().map(of).max().unwrap_or(0)
        };
        let most = |of| all.clone().map(|fast| fast.texels()[of]).max().unwrap_or(0);
        let made = (images * most(2)).max(backward_images * most(3));
        let texels = |label: &str, len: usize| memory.texels(label, len);
        Self {
            input: memory.buffer("input with a halo", images * largest(|conv| conv.input)),
            d_output: memory
                .buffer("d output with a halo", backward_images * largest(|conv| conv.d_output)),
            texels: (most(0) > 0).then(|| TexelRoom {
                input: texels("input, texels", images * most(0)),
                d_output: texels("d output, texels", backward_images * most(1)),
                result: texels("convolved, texels", made),
            }),
        }
    }
}
