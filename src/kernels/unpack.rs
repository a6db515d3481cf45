//! Packed pictures: decoding their tiles to images, and the transpose.

use super::wgsl;
use crate::gpu::{Buffer, Dispatch, Gpu, Kernel, Slot, fold, params};

params! {
    struct Params {
        padding: [f32; 4],
        channels: u32,
        size: u32,
        factor: u32,
        tile: u32,
        first: u32,
        images: u32,
        pad0: u32,
        pad1: u32,
    }
}

const SLOTS: [Slot; 4] = [Slot::params::<Params>(), Slot::Read, Slot::Read, Slot::Write];

pub(super) const FORWARD: Kernel = Kernel {
    name: "unpack",
    source: wgsl!("shared/grid", "shared/team", "shared/walk", "shared/tiles", "unpack"),
    slots: &SLOTS,
};

pub(super) const BACKWARD: Kernel = Kernel {
    name: "unpack_backward",
    source: wgsl!("shared/grid", "shared/team", "shared/walk", "shared/tiles", "unpack_backward"),
    slots: &SLOTS,
};

/// How pictures are packed: each of factor × factor tiles, of which each is an image.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Packed {
    /// Channels and size of a picture, which are those of an image.
    pub images: (usize, usize),
    pub factor: usize,
    /// What stands for 0.5 in each channel.
    pub padding: [f32; 4],
}

impl Packed {
    /// Height and width of a tile.
    pub fn tile(&self) -> usize {
        self.images.1.div_ceil(self.factor)
    }

    /// Images of a picture.
    pub fn tiles(&self) -> usize {
        self.factor * self.factor
    }

    /// Values of an image.
    pub fn image_len(&self) -> usize {
        self.images.0 * self.images.1 * self.images.1
    }

    fn params(&self, first: usize, images: usize) -> Params {
        Params {
            padding: self.padding,
            channels: self.images.0 as u32,
            size: self.images.1 as u32,
            factor: self.factor as u32,
            tile: self.tile() as u32,
            first: first as u32,
            images: images as u32,
            pad0: 0,
            pad1: 0,
        }
    }
}

/// Of each class, with so many pictures of so many tiles each, the images in them, as the kernels number them: those in the
/// first tile of all pictures come first.
pub(crate) fn packed_images(tiles: usize, counts: &[usize]) -> Vec<Vec<u32>> {
    let mut first = 0;
    let of_class = |&count: &usize| {
        let pictures = first..first + count;
        first += count;
        let in_tile = |tile: usize| pictures.clone().map(move |at| (at * tiles + tile) as u32);
        (0..tiles).flat_map(in_tile).collect()
    };
    counts.iter().map(of_class).collect()
}

/// Decodes `images` of the images that `shown` names, from place `first` on, to consecutive ones of `result`.
pub(crate) fn unpack(
    gpu: &Gpu,
    packed: &Packed,
    shown: &Buffer<u32>,
    pictures: &Buffer<f32>,
    result: &Buffer<f32>,
    (first, images): (usize, usize),
) -> Dispatch {
    let params = Buffer::params(gpu, "unpack params", &packed.params(first, images));
    let bindings = [params.binding(), shown.binding(), pictures.binding(), result.binding()];
    let bytes = 2 * images * packed.image_len() * size_of::<f32>();
    FORWARD.dispatch(gpu, &[], &bindings, fold(images)).bytes(bytes)
}

/// The transpose: from the gradient at these images to the one at their tiles, which is replaced.
pub(crate) fn unpack_backward(
    gpu: &Gpu,
    packed: &Packed,
    shown: &Buffer<u32>,
    d_images: &Buffer<f32>,
    d_pictures: &Buffer<f32>,
    (first, images): (usize, usize),
) -> Dispatch {
    let params = Buffer::params(gpu, "unpack params", &packed.params(first, images));
    let bindings = [params.binding(), shown.binding(), d_images.binding(), d_pictures.binding()];
    let bytes = 2 * images * packed.image_len() * size_of::<f32>();
    BACKWARD.dispatch(gpu, &[], &bindings, fold(images)).bytes(bytes)
}
