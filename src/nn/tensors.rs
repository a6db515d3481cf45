//! The memory of a network's tensors.

use super::program::{Slot, Slots};
use crate::gpu::{Gpu, Memory, Values};

/// Room for the tensors of a network, or for the gradients at them.
#[derive(Debug)]
pub(super) struct Tensors<M: Memory = Gpu> {
    buffers: Vec<M::Buffer<f32>>,
    textures: Vec<M::Texels>,
}

impl<M: Memory> Tensors<M> {
    /// Of so many images; with `staging` if any lie in textures.
    pub fn new(
        memory: &M,
        label: &str,
        slots: &Slots,
        images: usize,
        staging: Option<&M::Staging>,
    ) -> Self {
        let buffer =
            |(i, len): (usize, &usize)| memory.buffer(&format!("{label} {i}"), images * len);
        let texels = |(i, len): (usize, &usize)| {
            let (label, len) = (format!("{label} {i}, texels"), images * len / 4);
            staging.map(|staging| memory.texels(&label, len, staging))
        };
        Self {
            buffers: slots.buffers.iter().enumerate().map(buffer).collect(),
            textures: slots.textures.iter().enumerate().filter_map(texels).collect(),
        }
    }
}

impl Tensors {
    pub fn get(&self, slot: Slot) -> Values<'_> {
        match slot {
            Slot::Buffer(own) => (&self.buffers[own]).into(),
            Slot::Texture(own) => (&self.textures[own]).into(),
        }
    }
}
