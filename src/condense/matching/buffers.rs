//! The buffers of a step, named once, for the device and for the count.

use super::{Plan, RealFormat, sizes::Sizes};
use crate::{
    augment::Row,
    gpu::{Caps, Gpu, Memory, Table},
    kernels::{Item, Rates},
    nn::{Network, Ways, Weights},
};

/// The synthetic images and how they move, which stay where they are however a step is cut.
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
    /// One row a class: siamese augmentation.
    pub rows: M::Buffer<Row>,
    pub means: M::Buffer<f32>,
    pub real_source: RealSource<M>,
    pub real_items: M::Buffer<Item>,
    pub real_starts: M::Buffer<u32>,
    pub real_sums: M::Buffer<f32>,
    pub syn_items: M::Buffer<Item>,
    pub syn_starts: M::Buffer<u32>,
    pub syn_sums: M::Buffer<f32>,
    pub d_embedding: M::Buffer<f32>,
    pub gradient: M::Buffer<f32>,
    pub losses: M::Buffer<f32>,
}

#[derive(Debug)]
pub(super) enum RealSource<M: Memory = Gpu> {
    Resident(M::Buffer<u8>),
    StreamedPixels(M::Buffer<u8>),
    StreamedValues(M::Buffer<f32>),
}

impl<M: Memory> Pixels<M> {
    pub fn new(memory: &M, plan: &Plan<'_>) -> Self {
        let pixels = plan.syns() * plan.image_len();
        Self {
            images: memory.buffer("synthetic images", pixels),
            velocity: memory.buffer("velocity", pixels),
        }
    }
}

impl<M: Memory> Buffers<M> {
    pub fn new(memory: &M, plan: &Plan<'_>, sizes: Sizes) -> Self {
        let Sizes { chunk, syn_chunk, resident } = sizes;
        let (net, image_len, most) = (&plan.net, plan.image_len(), chunk.max(syn_chunk));
        let (classes, reals, syns) = (plan.real_counts.len(), plan.reals(), plan.syns());
        let sums = |label: &str| memory.buffer(label, classes * net.features());
        Self {
            weights: Weights::room(memory, net, 1, Ways::ToImages),
            network: Network::new(memory, net, most, syn_chunk),
            rates: memory.buffer("rates", 1),
            rows: memory.buffer("augmentation rows", classes),
            means: memory.buffer("image means", most),
            real_source: match plan.real {
                RealFormat::Pixels { all, .. } if resident => {
                    RealSource::Resident(memory.buffer("training pixels", all.len()))
                }
                RealFormat::Pixels { .. } => {
                    RealSource::StreamedPixels(memory.buffer("real pixels", chunk * image_len))
                }
                RealFormat::Values => {
                    RealSource::StreamedValues(memory.buffer("real values", chunk * image_len))
                }
            },
            real_items: memory.buffer("real items", reals),
            real_starts: memory.buffer("real starts", classes + 1),
            real_sums: sums("sums of real embeddings"),
            syn_items: memory.buffer("synthetic items", syns),
            syn_starts: memory.buffer("synthetic starts", classes + 1),
            syn_sums: sums("sums of synthetic embeddings"),
            d_embedding: sums("d embedding"),
            gradient: memory.buffer("gradient at the pixels", syns * image_len),
            losses: memory.buffer("losses", classes),
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

    /// Synthetic images.
    pub fn syns(&self) -> usize {
        self.real_counts.len() * self.ipc
    }

    /// Values of an image.
    pub fn image_len(&self) -> usize {
        self.net.image_len()
    }
}
