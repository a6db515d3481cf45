//! The buffers of a step. Each is named once, for allocating and for counting memory.

use super::{Plan, feed::Feed, sizes::Sizes};
use crate::{
    gpu::{Caps, Gpu, Memory, Table},
    kernels::{Packed, Rates},
    nn::{Network, Ways, Weights},
    objective::MeanEmbeddings,
};

/// The synthetic images and their velocities. They stay in place however a step is cut.
#[derive(Debug)]
pub(super) struct Pixels<M: Memory = Gpu> {
    pub images: M::Buffer<f32>,
    pub velocity: M::Buffer<f32>,
}

/// Everything else.
#[derive(Debug)]
pub(super) struct Buffers<M: Memory = Gpu> {
    pub weights: Weights<M>,
    pub network: Network<M>,
    pub rates: M::Buffer<Rates>,
    pub feed: Feed<M>,
    pub objective: MeanEmbeddings<M>,
    pub gradient: M::Buffer<f32>,
}

impl<M: Memory> Pixels<M> {
    pub fn new(memory: &M, plan: &Plan<'_>) -> Self {
        let pixels = plan.stored() * plan.image_len();
        Self {
            images: memory.buffer("synthetic images", pixels),
            velocity: memory.buffer("velocity", pixels),
        }
    }
}

impl<M: Memory> Buffers<M> {
    pub fn new(memory: &M, plan: &Plan<'_>, sizes: Sizes) -> Self {
        let Sizes { chunk, syn_chunk, .. } = sizes;
        let Plan { net, real_counts, .. } = plan;
        Self {
            weights: Weights::room(memory, net, 1, Ways::ToImages),
            network: Network::new(
                memory,
                net,
                chunk.max(syn_chunk).max(plan.norm_images),
                syn_chunk,
            ),
            rates: memory.buffer("rates", 1),
            feed: Feed::room(memory, plan, sizes),
            objective: MeanEmbeddings::room(memory, net.features(), real_counts, plan.shown()),
            gradient: memory.buffer("gradient at the pixels", plan.stored() * plan.image_len()),
        }
    }
}

impl Plan<'_> {
    /// All buffers of a step that is cut like this, on such a device.
    pub(super) fn table(&self, caps: &Caps, sizes: Sizes) -> Table {
        let table = Table::new(caps);
        Pixels::new(&table, self);
        Buffers::new(&table, self, sizes);
        table
    }

    /// Real images in a batch.
    pub fn reals(&self) -> usize {
        self.real_counts.iter().sum()
    }

    /// Synthetic images as they are stored.
    pub fn stored(&self) -> usize {
        self.real_counts.len() * self.ipc
    }

    /// Synthetic images of each class, as networks see them.
    pub fn shown(&self) -> usize {
        self.ipc * self.packed.as_ref().map_or(1, Packed::tiles)
    }

    /// Synthetic images of all classes, as networks see them.
    pub fn syns(&self) -> usize {
        self.real_counts.len() * self.shown()
    }

    /// Values of an image.
    pub fn image_len(&self) -> usize {
        self.net.image_len()
    }
}
