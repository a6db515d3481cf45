//! The buffers of an iteration, named once, for the device and for the count.

use super::{BATCH, GradientPlan};
use crate::{
    Error, Result, Text,
    augment::Row,
    condense::{Feed, Plan, RealFormat, Sizes},
    gpu::{Caps, Gpu, Memory, Table},
    kernels::{Item, Rates},
    nn::{Network, Program, Tangent, Ways, Weights},
    objective::MatchedGradients,
};

/// The synthetic images and how they move.
#[derive(Debug)]
pub(super) struct Pixels<M: Memory = Gpu> {
    pub images: M::Buffer<f32>,
    pub velocity: M::Buffer<f32>,
}

/// Everything else.
#[derive(Debug)]
pub(super) struct Buffers<M: Memory = Gpu> {
    pub weights: Weights<M>,
    /// Of the shapes of the weights.
    pub direction: Weights<M>,
    pub network: Network<M>,
    pub fast: Fast<M>,
    pub tangent: Tangent<M>,
    pub matched: MatchedGradients<M>,
    /// Of one class at a time.
    pub feed: Feed<M>,
    /// What an iteration moves, before others see it.
    pub work: Pixels<M>,
    pub gradient: M::Buffer<f32>,
    pub class: Class<M>,
    pub inner: Inner<M>,
    pub rates: M::Buffer<Rates>,
}

/// The same network with fast blocks, for gradients at the weights.
#[derive(Debug)]
pub(super) struct Fast<M: Memory = Gpu> {
    /// Those of the other, in other forms.
    pub weights: Weights<M>,
    pub network: Network<M>,
}

/// What one class's turn is about.
#[derive(Debug)]
pub(super) struct Class<M: Memory = Gpu> {
    pub images: M::Buffer<f32>,
    pub gradient: M::Buffer<f32>,
    /// As many as a part has images.
    pub labels: M::Buffer<u32>,
    pub losses: M::Buffer<f32>,
}

/// What a step of the network's training is about.
#[derive(Debug)]
pub(super) struct Inner<M: Memory = Gpu> {
    pub items: M::Buffer<Item>,
    pub rows: M::Buffer<Row>,
    pub labels: M::Buffer<u32>,
    pub losses: M::Buffer<f32>,
    pub means: M::Buffer<f32>,
    pub rates: M::Buffer<Rates>,
}

impl<M: Memory> Pixels<M> {
    pub fn new(memory: &M, plan: &GradientPlan<'_>) -> Self {
        Self::named(memory, plan, "synthetic images", "velocity")
    }

    fn named(memory: &M, plan: &GradientPlan<'_>, images: &str, velocity: &str) -> Self {
        let pixels = plan.syns() * plan.image_len();
        Self { images: memory.buffer(images, pixels), velocity: memory.buffer(velocity, pixels) }
    }
}

impl<M: Memory> Buffers<M> {
    pub fn new(memory: &M, plan: &GradientPlan<'_>, resident: bool) -> Self {
        let ([net, fast], part) = (&plan.nets, plan.part);
        let (of_class, batch) = (plan.ipc * plan.image_len(), BATCH.min(plan.syns()));
        let weights = Weights::room(memory, net, 1, Ways::ToImages);
        Self {
            fast: Fast {
                weights: Weights::sharing(memory, fast, Ways::ToWeights, &weights),
                network: Network::new(memory, fast, part, part),
            },
            weights,
            direction: Weights::room(memory, net, 1, Ways::ToImages),
            network: Network::new(memory, net, part, part),
            tangent: Tangent::new(memory, net, part, 1),
            matched: MatchedGradients::room(memory, (net, fast), plan.distance, net.features()),
            feed: Feed::room(memory, &plan.of_class(), plan.sizes(resident)),
            work: Pixels::named(memory, plan, "moving images", "moving velocity"),
            gradient: memory.buffer("gradient at the pixels", plan.syns() * plan.image_len()),
            class: Class {
                images: memory.buffer("images of a class", of_class),
                gradient: memory.buffer("gradient at images of a class", of_class),
                labels: memory.buffer("labels of a class", part),
                losses: memory.buffer("cross-entropies of a class", part),
            },
            inner: Inner {
                items: memory.buffer("items to train on", batch),
                rows: memory.buffer("augmentation rows to train on", batch),
                labels: memory.buffer("labels to train on", batch),
                losses: memory.buffer("cross-entropies in training", batch),
                means: memory.buffer("image means to train on", part),
                rates: memory.buffer("rates of the network", 1),
            },
            rates: memory.buffer("rates", 1),
        }
    }
}

impl Buffers {
    /// Writes what does not change, and records how weights are drawn and rearranged.
    pub fn write(&mut self, gpu: &Gpu, plan: &GradientPlan<'_>) {
        self.weights.record(gpu);
        self.fast.weights.record_packing(gpu);
        self.direction.record_packing(gpu);
        self.rates.write(gpu, &[plan.rates]);
        self.inner.rates.write(gpu, &[Rates::new(plan.lr_net, 0.0, 0.0)]);
        self.feed.write(gpu, &plan.of_class(), plan.sizes(false));
    }
}

impl<'a> GradientPlan<'a> {
    /// Images at a time, for a network.
    pub fn part(caps: &Caps, [net, fast]: &[Program; 2]) -> usize {
        const PART_BYTES: u64 = 64 << 20;
        let content = |images: usize| {
            let table = Table::new(caps);
            Network::new(&table, net, images, images);
            Network::new(&table, fast, images, images);
            Tangent::new(&table, net, images, 1);
            table.content()
        };
        let fits = (PART_BYTES / (content(2) - content(1))).clamp(1, 64);
        1 << fits.ilog2()
    }

    /// As a class's turn looks to the feed.
    fn of_class(&self) -> Plan<'a> {
        Plan {
            net: self.nets[1].clone(),
            real_counts: vec![self.most_reals()],
            norm_images: 0,
            counts: vec![self.ipc],
            packed: None,
            rates: self.rates,
            real: self.real,
            most_shown: usize::MAX,
            passes: 1,
            class: None,
            range: None,
        }
    }

    /// Real images of the class that has most.
    pub(super) fn most_reals(&self) -> usize {
        self.real_counts.iter().copied().max().unwrap_or(0)
    }

    fn sizes(&self, resident: bool) -> Sizes {
        Sizes { chunk: self.part, syn_chunk: self.part, resident }
    }

    /// All buffers of an iteration, on such a device.
    pub(super) fn table(&self, caps: &Caps, resident: bool) -> Table {
        let table = Table::new(caps);
        Pixels::new(&table, self);
        Buffers::new(&table, self, resident);
        table
    }

    /// Whether the training pixels stay on the device, if everything else has room.
    pub(super) fn is_resident(&self, gpu: &Gpu) -> Result<bool> {
        let binding = gpu.max_binding();
        let pixels = (self.syns() * self.image_len()) as u64 * 4;
        if pixels > binding {
            return Err(Error::setting(
                "ipc",
                self.ipc,
                Text::from("the synthetic images take ").bytes(pixels).then(format!(
                    ", this adapter binds at most {binding} at once; use fewer images per class"
                )),
            ));
        }
        let least = self.table(gpu.caps(), false);
        gpu.check_room(&least, "these settings need")?;
        // Keeping the training set saves sending it piece by piece, but not at any price.
        let price = |bytes: usize| bytes as u64 <= (gpu.memory_budget() - least.bytes()) / 2;
        Ok(matches!(self.real, RealFormat::Pixels { all, .. } if price(all.len()))
            && gpu.has_room_for(&self.table(gpu.caps(), true)))
    }
}
