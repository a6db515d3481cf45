//! The fast kernels for convolutions and linear layers that are in no block. Where they exist, they are many times as
//! fast as the plain kernels for any layer.

use super::{
    forms::{Form, Ways},
    program::OpKind,
};
use crate::{
    gpu::Caps,
    kernels::{
        ConvKernel, Direction, LayerKernel, Planes, WeightKernel, conv_kernel,
        cpu::{Layer, Product, TexelPacking, Winograd},
        layer_kernel,
        layers::Conv,
        linear_kernel, weight_kernel,
    },
};

/// The kernels of one operation on a device.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fast {
    Haloed(Haloed),
    Texels(InTexels),
    Product(Product),
}

/// A convolution 3×3 with stride 1 and padding 1: by the kernels of blocks' convolutions.
#[derive(Debug, Clone, Copy)]
pub(super) struct Haloed {
    pub forward: ConvKernel,
    pub backward_data: ConvKernel,
    pub backward_weight: WeightKernel,
    /// What they read: with a halo of zeros.
    pub input: Planes,
    pub d_output: Planes,
}

/// The same on a CPU.
#[derive(Debug, Clone, Copy)]
pub(super) struct InTexels {
    pub packing: Winograd,
    pub input: Layer,
    pub output: Layer,
}

impl Fast {
    /// `None` for other operations, and if the family has nothing faster.
    pub fn of(caps: &Caps, op: OpKind) -> Option<Self> {
        match op {
            OpKind::Linear(linear) => linear_kernel(caps, linear).map(Self::Product),
            OpKind::Conv { conv, .. } => Some(match layer_kernel(caps, conv)? {
                LayerKernel::Haloed => Self::Haloed(Haloed::of(caps, conv)),
                LayerKernel::Texels(packing) => {
                    let Conv { inputs, outputs, size, .. } = conv;
                    let [input, output] =
                        [inputs, outputs].map(|channels| Layer { channels, size });
                    Self::Texels(InTexels { packing, input, output })
                }
                LayerKernel::Product(product) => Self::Product(product),
            }),
            _ => None,
        }
    }

    /// How the kernels read the weights, for images that go these ways.
    pub fn forms(&self, ways: Ways) -> impl Iterator<Item = (Direction, Form)> {
        let texels = |packing| [Some(Form::Texels(packing)); 2];
        let [ahead, back] = match self {
            Self::Haloed(haloed) => {
                [haloed.forward, haloed.backward_data].map(|k| k.packing().map(Form::Buffer))
            }
            Self::Texels(own) => texels(TexelPacking::Winograd(own.packing)),
            Self::Product(product) => texels(product.packing()),
        };
        let back = back.filter(|_| ways != Ways::Ahead);
        let ahead = ahead.map(|form| (Direction::Forward, form));
        ahead.into_iter().chain(back.map(|form| (Direction::BackwardData, form)))
    }

    /// Values of the parts of one network's gradient at the weights.
    pub fn parts(&self) -> usize {
        match self {
            Self::Haloed(Haloed { input, d_output, backward_weight, .. }) => {
                backward_weight.parts_len(d_output.channels as usize, input.channels as usize)
            }
            Self::Texels(_) | Self::Product(_) => 0,
        }
    }

    /// Texels of one image that must be taken to a texture, or out of one: of the input, of the gradient at the output,
    /// and of the result in either direction. The ends are its input and output, and whether they lie in textures.
    pub fn texels(&self, ends: [bool; 2]) -> [usize; 4] {
        match self {
            Self::Haloed(_) => [0; 4],
            Self::Texels(InTexels { input, output, .. }) => {
                let taken = |layer: &Layer, there: bool| if there { 0 } else { layer.image_len() };
                let [input, output] = [taken(input, ends[0]), taken(output, ends[1])];
                [input, output, output, input]
            }
            Self::Product(product) => {
                [product.input_len(ends[0]), product.d_output_len(ends[1]), 0, 0]
            }
        }
    }
}

impl Haloed {
    fn of(caps: &Caps, Conv { inputs, outputs, size, .. }: Conv) -> Self {
        let (input, d_output) = (Planes::haloed(inputs, size), Planes::haloed(outputs, size));
        Self {
            forward: conv_kernel(caps, Direction::Forward, size, (inputs, outputs)),
            backward_data: conv_kernel(caps, Direction::BackwardData, size, (outputs, inputs)),
            backward_weight: weight_kernel(caps, input, d_output),
            input,
            d_output,
        }
    }
}
