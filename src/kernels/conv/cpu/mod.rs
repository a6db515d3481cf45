//! Convolutions, linear layers and blocks for CPU adapters, whose planes lie in textures. Their WGSL is in
//! `shaders/conv/cpu/`.

mod block;
mod first_block;
mod norm_backward;
mod norm_forward;
mod pack;
mod product;
mod texels;
mod weight_gradient;

pub(crate) use block::{AnyPlanes, Finish, SmallPlanes, convolve};
pub(crate) use first_block::{FirstBlock, first_block, first_block_backward};
pub(crate) use norm_backward::{MOMENTS, Pooled, norm_backward};
pub(crate) use norm_forward::norm_forward;
pub(crate) use pack::{TexelPacking, Winograd, pack_texels};
pub(crate) use product::Product;
pub(crate) use texels::{from_texels, to_texels};
pub(crate) use weight_gradient::weight_gradient;
pub(in crate::kernels) use {
    pack::{KERNEL as PACK, TAPS as PACK_TAPS},
    product::{FROM_TEXELS as TEXELS_TO_POSITIONS, TO_POSITIONS},
    texels::FROM as FROM_TEXELS,
    texels::TO as TO_TEXELS,
};

use wgpu::BindingResource;

use crate::{
    gpu::{Buffer, Dispatch, Slot, Texels, params},
    kernels::{Batch, Generated},
};

/// Planes of so many channels in [`Texels`]: of each image an even number, the last of which may be zero. Each row begins
/// with a texel; zeros fill up its last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layer {
    pub channels: usize,
    pub size: usize,
}

impl Layer {
    /// Those that a block with such planes pools to.
    pub fn pooled(self) -> Self {
        Self { size: self.size / 2, ..self }
    }

    /// Texels of an image.
    pub fn image_len(self) -> usize {
        self.channels.next_multiple_of(2) * self.size * self.size.div_ceil(4)
    }

    /// Values of an image as it is stored.
    pub fn stored(self) -> usize {
        4 * self.image_len()
    }

    /// Values of an image.
    pub fn values(self) -> usize {
        self.channels * self.size * self.size
    }
}

params! {
    /// Twin of `shaders/conv/cpu/params.wgsl`.
    struct Params {
        inputs: u32,
        outputs: u32,
        images: u32,
        images_per_net: u32,
        first_image: u32,
        sharing: u32,
        accumulate: u32,
        pad: u32,
    }
}

impl Params {
    fn new(inputs: Layer, outputs: Layer, Batch { images, nets }: Batch) -> Self {
        Self {
            inputs: inputs.channels as u32,
            outputs: outputs.channels as u32,
            images: images as u32,
            images_per_net: (images / nets) as u32,
            first_image: 0,
            sharing: 1,
            accumulate: 0,
            pad: 0,
        }
    }
}

/// What backward needs of a block: normalised values and 1/σ of each plane.
#[derive(Clone, Copy)]
pub(crate) struct Kept<'a> {
    pub planes: &'a Texels,
    /// (images, outputs).
    pub inv_std: &'a Buffer<f32>,
}

/// The gradient at a convolution.
#[derive(Clone, Copy)]
pub(crate) enum Gradient<'a> {
    Planes(&'a Texels),
    /// Its readers compute it.
    First(FirstGradient<'a>),
}

/// What that of a first block is computed from.
#[derive(Clone, Copy)]
pub(crate) struct FirstGradient<'a> {
    pub kernels: FirstBlock,
    /// The block's normalised values.
    pub planes: &'a Texels,
    pub d_pooled: Pooled<'a>,
    /// As [`norm_backward`] leaves them.
    pub moments: &'a Texels,
}

impl FirstGradient<'_> {
    /// Of a kernel that reads it and one texture more, and writes one result.
    const SLOTS: &'static [Slot] = &[
        Slot::params::<Params>(),
        Slot::Texels,
        Slot::Texels,
        Slot::Texels,
        Slot::Texels,
        Slot::Write,
    ];

    /// As `shaders/conv/cpu/moments.wgsl` has them.
    fn bindings(&self) -> [BindingResource<'_>; 3] {
        [self.planes.binding(), self.d_pooled.planes.binding(), self.moments.binding()]
    }
}

/// A dispatch that also fills what backward needs of these images, if it is kept.
fn keeping(dispatch: Dispatch, kept: Option<&Texels>, planes: Layer, images: usize) -> Dispatch {
    match kept {
        Some(kept) => dispatch.fills(kept, images * planes.stored()),
        None => dispatch,
    }
}

/// Every specialisation that any adapter can ask for, for the tests that read them all.
pub(in crate::kernels) fn all() -> Vec<Generated> {
    [
        block::all(),
        FirstBlock::all(),
        norm_backward::all(),
        norm_forward::all(),
        product::all(),
        weight_gradient::all(),
    ]
    .concat()
}

/// Sizes of planes that stand for all, in the lists of kernels for tests: these can be of any size.
const SIZES: [usize; 9] = [2, 4, 7, 8, 16, 27, 32, 64, 96];

/// The part of a plane that a workgroup has at a time: rows, and texels of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Part {
    rows: usize,
    columns: usize,
}

impl Part {
    /// Of at most so many texels, for planes of this size: the one that costs least. Parts of a plane see one more row, or
    /// texel, on each side.
    fn of(size: usize, texels: usize) -> Self {
        let parts = (1..=size.min(texels)).flat_map(|rows| {
            let most = size.div_ceil(4).min(texels / rows);
            (1..=most).map(move |columns| Self { rows, columns })
        });
        parts.min_by_key(|part| part.cost(size)).unwrap_or(Self { rows: 1, columns: 1 })
    }

    /// Instructions for each channel of a plane, about: of a texel multiplying takes 18, bringing its six values to all lanes
    /// 6, and loading and transforming it, which the lanes share, 4, or 6 if it may be beside the plane.
    fn cost(self, size: usize) -> usize {
        let Self { rows, columns } = self;
        let beyond = if self.count(size) > 1 { 2 } else { 0 };
        let (aside, load) = if columns < size.div_ceil(4) { (2, 6) } else { (0, 4) };
        let seen = rows + beyond;
        let own = 18 * rows * columns + 6 * seen * columns + load * seen * (columns + aside);
        self.count(size) * own
    }

    /// How many a plane of this size is.
    fn count(self, size: usize) -> usize {
        size.div_ceil(self.rows) * size.div_ceil(4).div_ceil(self.columns)
    }

    fn texels(self) -> usize {
        self.rows * self.columns
    }
}

/// Multiplications and additions of a convolution of so many images, done directly.
fn flops(inputs: Layer, outputs: Layer, images: usize) -> usize {
    2 * 9 * images * inputs.values() * outputs.channels
}
