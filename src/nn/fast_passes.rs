//! The forward and backward passes of convolutions and linear layers that are in no block, by fast kernels.

use super::{
    Gradients, Weights,
    fast::{Fast, Haloed, InTexels},
    program::Op,
};
use crate::{
    Result,
    gpu::{Buffer, Gpu, Memory, Recording, Texels, Values},
    kernels::{
        Batch, Direction, Planes, conv, conv_backward_weight,
        cpu::{
            Finish, Gradient, Layer, TexelPacking, convolve, from_texels, to_texels,
            weight_gradient,
        },
        layers::{add_bias, halo},
    },
};

/// An operation's tensors: what it reads, the gradient at what it makes and, if that is wanted, at what it reads. All are
/// dense.
#[derive(Clone, Copy)]
pub(super) struct Ends<'a> {
    pub x: Values<'a>,
    pub dy: Values<'a>,
    pub dx: Option<Values<'a>>,
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
    /// What a product makes in a buffer, and belongs in a texture.
    dense: M::Buffer<f32>,
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
        (x, y): (Values<'_>, Values<'_>),
        batch: Batch,
    ) -> Result<()> {
        let way = Direction::Forward;
        match (self, &room.texels) {
            (Self::Haloed(haloed), _) => {
                let (x, y) = (x.in_buffer()?, y.in_buffer()?);
                let own = weights.packed_param(op.first_param, way, haloed.forward.packing())?;
                let (channels, size) = (haloed.d_output.channels as usize, haloed.input.size);
                let dense = Planes::dense(channels, size as usize);
                let (input, result) = ((&room.input, haloed.input), (y, dense));
                recording.push(halo(gpu, x, input, batch.images));
                recording.push(conv(gpu, haloed.forward, way, None, input, own, result, batch));
                if let Some(bias) = bias {
                    recording.push(add_bias(gpu, bias, y, (channels, size as usize), batch));
                }
            }
            (Self::Texels(own), Some(room)) => {
                let finish = bias.map_or(Finish::Store, Finish::Bias);
                let x = take(gpu, recording, x, (&room.input, own.input), batch.images);
                let ends = ((x, own.input), (&room.result, own.output), y);
                own.convolve(gpu, recording, (weights, op, way), finish, ends, batch)?;
            }
            (Self::Product(product), Some(room)) => {
                let own = weights.packed_param_texels(op.first_param, way, product.packing())?;
                let x = product.input(gpu, recording, x, &room.input, batch.images);
                recording.push(product.forward(gpu, x, (own, bias), y, batch));
            }
            // There is room whenever the network has such an operation.
            (Self::Texels(_) | Self::Product(_), None) => {}
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
                let (x, dy) = (x.in_buffer()?, dy.in_buffer()?);
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
                if let Some(dx) = dx.map(Values::in_buffer).transpose()? {
                    let kernel = haloed.backward_data;
                    let own = weights.packed_param(op.first_param, way, kernel.packing())?;
                    let (channels, size) = (haloed.input.channels, haloed.input.size);
                    let result = (dx, Planes::dense(channels as usize, size as usize));
                    recording.push(conv(gpu, kernel, way, None, d_output, own, result, batch));
                }
            }
            (Self::Texels(own), Some(room)) => {
                let dy =
                    (take(gpu, recording, dy, (&room.d_output, own.output), images), own.output);
                if let Some(gradients) = gradients {
                    let x = (take(gpu, recording, x, (&room.input, own.input), images), own.input);
                    let (to, more) = (own_gradient(gradients), gradients.accumulate);
                    let (lanes, dy) = (own.packing.lanes, (Gradient::Planes(dy.0), dy.1));
                    recording.push(weight_gradient(gpu, lanes, x, dy, &to, batch, more));
                }
                if let Some(dx) = dx {
                    let ends = (dy, (&room.result, own.input), dx);
                    let own_weights = (weights, op, way);
                    own.convolve(gpu, recording, own_weights, Finish::Store, ends, batch)?;
                }
            }
            (Self::Product(product), Some(room)) => {
                let dy = product.d_output(gpu, recording, dy, &room.d_output, images);
                if let Some(gradients) = gradients {
                    let (to, more) = (own_gradient(gradients), gradients.accumulate);
                    let x = product.input(gpu, recording, x, &room.input, images);
                    recording.push(product.backward_weight(gpu, (x, dy), &to, batch, more));
                }
                if let Some(dx) = dx {
                    let own =
                        weights.packed_param_texels(op.first_param, way, product.packing())?;
                    let texels = dx.texels().filter(|_| product.gradient_apart().is_some());
                    let to = texels.map_or(dx, |_| (&room.dense).into());
                    recording.push(product.backward_data(gpu, dy, own, to, batch));
                    if let Some(texels) = texels {
                        recording.push(product.gradient_to_texels(
                            gpu,
                            &room.dense,
                            texels,
                            images,
                        ));
                    }
                }
            }
            (Self::Texels(_) | Self::Product(_), None) => {}
        }
        Ok(())
    }
}

/// Where dense planes are read: if need be, they are taken to `room` first.
fn take<'a>(
    gpu: &Gpu,
    recording: &mut Recording,
    planes: Values<'a>,
    (room, Layer { channels, size }): (&'a Texels, Layer),
    images: usize,
) -> &'a Texels {
    match planes {
        Values::Texels(own) => own,
        Values::Buffer(planes) => {
            let planes = (planes, Planes::dense(channels, size));
            recording.push(to_texels(gpu, planes, room, images));
            room
        }
    }
}

impl InTexels {
    fn convolve(
        &self,
        gpu: &Gpu,
        recording: &mut Recording,
        (weights, op, way): (&Weights, &Op, Direction),
        finish: Finish<'_>,
        (from, (room, made), to): ((&Texels, Layer), (&Texels, Layer), Values<'_>),
        batch: Batch,
    ) -> Result<()> {
        let packing = TexelPacking::Winograd(self.packing);
        let own = weights.packed_param_texels(op.first_param, way, packing)?;
        let result = (to.texels().unwrap_or(room), made.channels);
        recording.push(convolve(gpu, self.packing.lanes, finish, from, own, result, batch));
        if let Some(dense) = to.buffer() {
            let planes = (dense, Planes::dense(made.channels, made.size));
            recording.push(from_texels(gpu, room, planes, batch.images));
        }
        Ok(())
    }
}

impl<M: Memory> Room<M> {
    /// For the largest of these, whose ends lie in textures or not, at most so many images forward and backward at a time;
    /// with `staging` for [`texels`](Self::texels).
    pub fn new<'a>(
        memory: &M,
        all: impl Iterator<Item = (&'a Fast, [bool; 2])> + Clone,
        (images, backward_images): (usize, usize),
        staging: Option<&M::Staging>,
    ) -> Self {
        let [input, d_output, result] = Self::texels(all.clone(), images, backward_images);
        let all = all.map(|(fast, _)| fast);
        let largest = |layout: fn(&Haloed) -> Planes| {
            let of = |fast: &Fast| match fast {
                Fast::Haloed(haloed) => layout(haloed).image_len(),
                Fast::Texels(_) | Fast::Product(_) => 0,
            };
            all.clone().map(of).max().unwrap_or(0)
        };
        let apart = |fast: &Fast| match fast {
            Fast::Product(product) => product.gradient_apart(),
            Fast::Haloed(_) | Fast::Texels(_) => None,
        };
        let dense = all.clone().filter_map(apart).max().unwrap_or(0);
        let room = |staging| TexelRoom {
            input: memory.texels("input, texels", input, staging),
            d_output: memory.texels("d output, texels", d_output, staging),
            result: memory.texels("convolved, texels", result, staging),
            dense: memory.buffer("gradient, dense", backward_images * dense),
        };
        Self {
            input: memory.buffer("input with a halo", images * largest(|conv| conv.input)),
            d_output: memory
                .buffer("d output with a halo", backward_images * largest(|conv| conv.d_output)),
            texels: staging.map(room),
        }
    }

    /// Texels of its textures.
    pub fn texels<'a>(
        all: impl Iterator<Item = (&'a Fast, [bool; 2])> + Clone,
        images: usize,
        backward_images: usize,
    ) -> [usize; 3] {
        let most =
            |of: usize| all.clone().map(|(fast, ends)| fast.texels(ends)[of]).max().unwrap_or(0);
        let result = (images * most(2)).max(backward_images * most(3));
        [images * most(0), backward_images * most(1), result]
    }
}
