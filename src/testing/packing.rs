//! Packed pictures on a device, from and to host memory.

use super::{Images, run};
use crate::{
    Gpu, Result,
    gpu::Buffer,
    kernels::{Packed, packed_images, unpack, unpack_backward},
};

/// How pictures are packed, for these functions.
#[derive(Debug, Clone, Copy)]
pub struct Packs {
    /// Tiles of a side.
    pub factor: usize,
    /// Pictures of a class.
    pub pictures: usize,
    /// What is beyond a picture, in every channel.
    pub padding: f32,
}

impl Packs {
    fn of(self, images: &Images) -> Packed {
        let Self { factor, padding, .. } = self;
        let images = (images.channels, images.size);
        Packed { images, factor, padding: [padding; 4] }
    }

    /// Images numbered in their order, as the kernels number them.
    fn numbers(self, shown: &[u32]) -> Vec<u32> {
        let tiles = self.factor * self.factor;
        let last = shown.iter().max().map_or(0, |&image| image as usize);
        let classes = last / (self.pictures * tiles) + 1;
        let all = packed_images(tiles, &vec![self.pictures; classes]).concat();
        shown.iter().map(|&image| all[image as usize]).collect()
    }
}

/// Those of the images in `x` that `shown` names.
pub fn unpacked(gpu: &Gpu, x: &Images, packs: Packs, shown: &[u32]) -> Result<Images> {
    let pictures = Buffer::from_slice(gpu, "pictures", &x.values);
    let result = Buffer::zeros(gpu, "images", shown.len() * x.values.len() / x.n);
    let numbers = Buffer::from_slice(gpu, "shown", &packs.numbers(shown));
    run(gpu, |r| {
        let images = (0, shown.len());
        r.push(unpack(gpu, &packs.of(x), &numbers, &pictures, &result, images));
    })?;
    Ok(Images { values: result.read_blocking(gpu)?, n: shown.len(), ..*x })
}

/// `before`, a gradient at pictures, with what `dy` at those images makes in place of their tiles.
pub fn unpacked_backward(
    gpu: &Gpu,
    dy: &Images,
    packs: Packs,
    shown: &[u32],
    before: &Images,
) -> Result<Images> {
    let d_images = Buffer::from_slice(gpu, "dy", &dy.values);
    let d_pictures = Buffer::from_slice(gpu, "dx", &before.values);
    let numbers = Buffer::from_slice(gpu, "shown", &packs.numbers(shown));
    run(gpu, |r| {
        let (packed, images) = (packs.of(dy), (0, shown.len()));
        r.push(unpack_backward(gpu, &packed, &numbers, &d_images, &d_pictures, images));
    })?;
    Ok(Images { values: d_pictures.read_blocking(gpu)?, ..*before })
}
