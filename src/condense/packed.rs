//! Images that are packed into those that move: decoded once per move, for what goes through all of them.

use crate::{
    gpu::{Buffer, Gpu, Memory, Recording},
    kernels::{Packed, packed_images, unpack, unpack_backward},
};

/// The images that networks see, where those that move are packed.
#[derive(Debug)]
pub(super) struct PackedImages<M: Memory = Gpu> {
    packed: Packed,
    /// The number of each, class after class.
    shown: M::Buffer<u32>,
    pub images: M::Buffer<f32>,
    /// At the pixels that move.
    pub gradient: M::Buffer<f32>,
}

impl<M: Memory> PackedImages<M> {
    /// Room for so many images, as networks see them.
    pub fn room(memory: &M, packed: &Packed, images: usize) -> Self {
        let pixels = images * packed.image_len();
        Self {
            packed: packed.clone(),
            shown: memory.buffer("images shown", images),
            images: memory.buffer("decoded images", pixels),
            gradient: memory.buffer("gradient at packed pixels", pixels / packed.tiles()),
        }
    }
}

impl PackedImages {
    /// Writes what does not change: which images there are, of each class so many as networks see them.
    pub fn write(&self, gpu: &Gpu, counts: &[usize]) {
        let tiles = self.packed.tiles();
        let stored: Vec<_> = counts.iter().map(|count| count / tiles).collect();
        self.shown.write(gpu, &packed_images(tiles, &stored).concat());
    }

    /// Records how they are decoded from those that move.
    pub fn decode(&self, gpu: &Gpu, recording: &mut Recording, moving: &Buffer<f32>) {
        let all = (0, self.shown.len());
        recording.push(unpack(gpu, &self.packed, &self.shown, moving, &self.images, all));
    }

    /// Records the way back from the gradient at them to that at the pixels that move.
    pub fn back(&self, gpu: &Gpu, recording: &mut Recording, gradient: &Buffer<f32>) {
        let all = (0, self.shown.len());
        let to = &self.gradient;
        recording.push(unpack_backward(gpu, &self.packed, &self.shown, gradient, to, all));
    }
}
