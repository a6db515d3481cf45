//! The buffers of a step. Each is named once, for allocating and for counting memory.

use std::ops::Range;

use super::{ClassPlan, Plan, feed::Feed, sizes::Sizes};
use crate::{
    Result,
    gpu::{Caps, Gpu, Memory, Recording, Table},
    kernels::{Batch, Rates, Shares, mixed_cross_entropy},
    nn::{Mode, Network, Target, Ways, Weights},
    objective::{MeanEmbeddings, starts},
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
    pub class: Option<Class<M>>,
}

/// The network that images are to be recognised by, and what it says of them. It reads them where the one that embeds them
/// does.
#[derive(Debug)]
pub(super) struct Class<M: Memory = Gpu> {
    pub weights: Weights<M>,
    pub network: Network<M>,
    classes: usize,
    targets: M::Buffer<Shares>,
    /// Of each image, as it counts.
    pub losses: M::Buffer<f32>,
    /// Where each class begins, and where the last ends.
    pub starts: M::Buffer<u32>,
}

impl Class {
    /// What does not change from step to step.
    pub fn write(&self, gpu: &Gpu, plan: &Plan<'_>) {
        let shown = plan.shown_of_classes();
        let alpha = plan.class.as_ref().map_or(0.0, |class| class.alpha);
        // The mean over the images of a class counts that much.
        let of_class =
            |(class, &count): (u32, &usize)| vec![Shares::of(class, alpha / count as f32); count];
        let targets: Vec<_> = (0..).zip(&shown).flat_map(of_class).collect();
        self.targets.write(gpu, &targets);
        self.starts.write(gpu, &starts(&shown));
    }

    /// Records the way of images through the network, their cross-entropy, and its gradient back to the network's input.
    pub fn recognise(
        &self,
        gpu: &Gpu,
        recording: &mut Recording,
        images: &Range<usize>,
    ) -> Result<()> {
        let Self { weights, network, targets, losses, .. } = self;
        let batch = Batch { images: images.len(), nets: 1 };
        network.forward(gpu, recording, weights, batch, Mode::Frozen)?;
        let Some(d_logits) = network.d_output() else { return Ok(()) };
        let (logits, part) = ((network.output(), self.classes), (images.start, images.len()));
        recording.push(mixed_cross_entropy(gpu, logits, targets, losses, d_logits, part, 1.0));
        let mode = Mode::Frozen;
        network.backward(gpu, recording, weights, None, batch, mode, Target::INPUT)
    }
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
        let images = chunk.max(syn_chunk).max(plan.norm_images);
        let weights = Weights::room(memory, net, 1, Ways::ToImages);
        let network = Network::new(memory, net, images, syn_chunk);
        let beside =
            |class: &ClassPlan| Network::beside(memory, &class.net, syn_chunk, syn_chunk, &network);
        Self {
            weights,
            rates: memory.buffer("rates", 1),
            feed: Feed::room(memory, plan, sizes),
            objective: MeanEmbeddings::room(
                memory,
                net.features(),
                real_counts,
                plan.shown_of_classes(),
            ),
            gradient: memory.buffer("gradient at the pixels", plan.stored() * plan.image_len()),
            class: plan.class.as_ref().map(|class| Class {
                weights: Weights::room(memory, &class.net, 1, Ways::ToImages),
                network: beside(class),
                classes: real_counts.len(),
                targets: memory.buffer("targets", plan.syns()),
                losses: memory.buffer("cross-entropies", plan.syns()),
                starts: memory.buffer("starts of classes", real_counts.len() + 1),
            }),
            network,
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
        self.counts.iter().sum()
    }

    /// Synthetic images of each class, as networks see them.
    pub fn shown_of_classes(&self) -> Vec<usize> {
        let shown = |&count: &usize| match &self.packed {
            Some(packed) => (count * packed.tiles()).min(self.most_shown),
            None => count,
        };
        self.counts.iter().map(shown).collect()
    }

    /// Synthetic images of all classes, as networks see them.
    pub fn syns(&self) -> usize {
        self.shown_of_classes().iter().sum()
    }

    /// Values of an image.
    pub fn image_len(&self) -> usize {
        self.net.image_len()
    }
}
