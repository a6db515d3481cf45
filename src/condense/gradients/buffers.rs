//! The buffers of an iteration, named once, for the device and for the count.

use std::{fmt, ops::Range};

use super::{BATCH, GradientPlan};
use crate::{
    Error, Result, Text,
    augment::Row,
    condense::{Feed, Plan, RealFormat, Sizes, packed::PackedImages},
    gpu::{Buffer, Caps, Gpu, Memory, Table, most},
    kernels::{AugmentRoom, Item, Rates},
    nn::{Network, Program, Tangent, Ways, Weights},
    objective::MatchedGradients,
};

/// The synthetic images and how they move.
#[derive(Debug)]
pub(super) struct Pixels<M: Memory = Gpu> {
    pub images: M::Buffer<f32>,
    pub velocity: M::Buffer<f32>,
}

/// How much of an iteration is on the device at a time. It changes no bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cut {
    /// Classes at a time. Each has the network for itself, since it has a gradient and a direction of its own.
    pub classes: usize,
    /// Whether the training pixels are.
    pub resident: bool,
}

/// Everything else.
#[derive(Debug)]
pub(super) struct Buffers<M: Memory = Gpu> {
    /// The network that is drawn and trained, and the same with fast blocks, which trains.
    pub weights: Weights<M>,
    pub trained: Weights<M>,
    /// Copies of it, one for each class of a turn, and the direction of each.
    pub copies: Weights<M>,
    pub direction: Weights<M>,
    pub network: Network<M>,
    pub fast: Fast<M>,
    pub tangent: Tangent<M>,
    pub matched: MatchedGradients<M>,
    /// Of the classes of a turn.
    pub feed: Feed<M>,
    /// What an iteration moves, before others see it.
    pub work: Pixels<M>,
    pub packed: Option<PackedImages<M>>,
    /// At the images that networks see.
    pub gradient: M::Buffer<f32>,
    pub turn: TurnBuffers<M>,
    pub inner: Inner<M>,
    pub rates: M::Buffer<Rates>,
}

/// The same network with fast blocks, for gradients at the weights.
#[derive(Debug)]
pub(super) struct Fast<M: Memory = Gpu> {
    /// Those of the copies, in other forms.
    pub weights: Weights<M>,
    pub network: Network<M>,
}

/// What a turn of some classes is about.
#[derive(Debug)]
pub(super) struct TurnBuffers<M: Memory = Gpu> {
    pub images: M::Buffer<f32>,
    pub gradient: M::Buffer<f32>,
    /// Of each class.
    pub labels: M::Buffer<u32>,
    /// Of each real and each synthetic image, in the order of their parts.
    pub real_labels: M::Buffer<u32>,
    pub synthetic_labels: M::Buffer<u32>,
    pub losses: M::Buffer<f32>,
}

/// What a step of the network's training is about.
#[derive(Debug)]
pub(super) struct Inner<M: Memory = Gpu> {
    pub items: M::Buffer<Item>,
    pub rows: M::Buffer<Row>,
    pub labels: M::Buffer<u32>,
    pub losses: M::Buffer<f32>,
    pub room: AugmentRoom<M>,
    pub rates: M::Buffer<Rates>,
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { classes, resident } = self;
        write!(f, "{classes} classes at a time, the training set ")?;
        f.write_str(if *resident { "on the GPU" } else { "sent piece by piece" })
    }
}

impl Cut {
    const LEAST: Self = Self { classes: 1, resident: false };

    /// Half as many classes at a time, and the training set sent piece by piece; `None` if there is nothing smaller.
    pub fn smaller(self) -> Option<Self> {
        let smaller = Self { classes: self.classes.div_ceil(2), resident: false };
        (smaller != self).then_some(smaller)
    }
}

impl<M: Memory> Pixels<M> {
    pub fn new(memory: &M, plan: &GradientPlan<'_>) -> Self {
        Self::named(memory, plan, "synthetic images", "velocity")
    }

    fn named(memory: &M, plan: &GradientPlan<'_>, images: &str, velocity: &str) -> Self {
        let pixels = plan.stored() * plan.image_len();
        Self { images: memory.buffer(images, pixels), velocity: memory.buffer(velocity, pixels) }
    }
}

impl<M: Memory> Buffers<M> {
    pub fn new(memory: &M, plan: &GradientPlan<'_>, cut: Cut) -> Self {
        let ([net, fast], part, nets) = (&plan.nets, plan.part, cut.classes);
        let (of_turn, batch) = (nets * plan.most_counts(), BATCH.min(plan.syns()));
        let (images, reals) = (nets * part, nets * plan.most_reals());
        let pixels = of_turn * plan.image_len();
        let trained = plan.trained_at_once();
        let weights = Weights::plain_room(memory, net, 1);
        let copies = Weights::room(memory, net, nets, Ways::ToImages);
        Self {
            trained: Weights::sharing(memory, fast, Ways::ToWeights, &weights),
            weights,
            fast: Fast {
                weights: Weights::sharing(memory, fast, Ways::ToWeights, &copies),
                network: Network::new(
                    memory,
                    fast,
                    images.max(trained).max(plan.norm_images),
                    images.max(trained),
                ),
            },
            copies,
            direction: Weights::room(memory, net, nets, Ways::ToImages),
            network: Network::new(memory, net, images, images),
            tangent: Tangent::new(memory, net, images, nets),
            matched: MatchedGradients::room(
                memory,
                (net, fast),
                nets,
                plan.distance,
                net.features(),
            ),
            feed: Feed::room(memory, &plan.of_turn(nets), plan.sizes(cut)),
            work: Pixels::named(memory, plan, "moving images", "moving velocity"),
            packed: (plan.packed.as_ref())
                .map(|packed| PackedImages::room(memory, packed, plan.syns())),
            gradient: memory.buffer("gradient at the pixels", plan.syns() * plan.image_len()),
            turn: TurnBuffers {
                images: memory.buffer("images of a turn", pixels),
                gradient: memory.buffer("gradient at images of a turn", pixels),
                labels: memory.buffer("labels of a turn", nets),
                real_labels: memory.buffer("labels of real images", reals),
                synthetic_labels: memory.buffer("labels of synthetic images", of_turn),
                losses: memory.buffer("cross-entropies of a turn", reals.max(of_turn)),
            },
            inner: Inner {
                items: memory.buffer("items to train on", batch),
                rows: memory.buffer("augmentation rows to train on", batch),
                labels: memory.buffer("labels to train on", batch),
                losses: memory.buffer("cross-entropies in training", batch),
                room: AugmentRoom::new(memory, "images to train on", trained, plan.nets[0].images),
                rates: memory.buffer("rates of the network", 1),
            },
            rates: memory.buffer("rates", 1),
        }
    }
}

impl Buffers {
    /// Writes what does not change, and records how weights are drawn and rearranged.
    pub fn write(&mut self, gpu: &Gpu, plan: &GradientPlan<'_>, cut: Cut) {
        self.weights.record(gpu);
        for packed in
            [&mut self.trained, &mut self.copies, &mut self.fast.weights, &mut self.direction]
        {
            packed.record_packing(gpu);
        }
        if let Some(packed) = &self.packed {
            packed.write(gpu, &plan.counts);
        }
        self.rates.write(gpu, &[plan.rates]);
        self.inner.rates.write(gpu, &[Rates::new(plan.lr_net, 0.0, 0.0)]);
        self.feed.write(gpu, &plan.of_turn(cut.classes), plan.sizes(cut));
    }

    /// The images that networks see.
    pub fn shown(&self) -> &Buffer<f32> {
        self.packed.as_ref().map_or(&self.work.images, |packed| &packed.images)
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

    /// As a turn of so many classes looks to the feed.
    fn of_turn(&self, classes: usize) -> Plan<'a> {
        Plan {
            net: self.nets[1].clone(),
            real_counts: vec![self.most_reals(); classes],
            norm_images: self.norm_images,
            counts: vec![self.most_counts(); classes],
            packed: None,
            rates: self.rates,
            real: self.real,
            most_shown: usize::MAX,
            part: self.part,
            passes: 1,
            class: None,
            range: None,
        }
    }

    /// Real images of the class that has most.
    pub(super) fn most_reals(&self) -> usize {
        self.real_counts.iter().copied().max().unwrap_or(0)
    }

    /// Synthetic images of the class that has most.
    pub(super) fn most_counts(&self) -> usize {
        self.counts.iter().copied().max().unwrap_or(0)
    }

    fn sizes(&self, Cut { classes, resident }: Cut) -> Sizes {
        Sizes { chunk: classes * self.part, syn_chunk: classes * self.part, resident }
    }

    /// All buffers of an iteration, on such a device.
    pub(super) fn table(&self, caps: &Caps, cut: Cut) -> Table {
        let table = Table::new(caps);
        Pixels::new(&table, self);
        Buffers::new(&table, self, cut);
        table
    }

    /// As much at a time as there is room for.
    pub(super) fn cut(&self, gpu: &Gpu) -> Result<Cut> {
        let binding = gpu.max_binding();
        let pixels = (self.syns() * self.image_len()) as u64 * 4;
        if pixels > binding {
            return Err(Error::setting(
                "ipc",
                self.most_counts() / self.tiles(),
                Text::from("the synthetic images take ").bytes(pixels).then(format!(
                    ", this adapter binds at most {binding} at once; use fewer images per class"
                )),
            ));
        }
        let table = |cut| self.table(gpu.caps(), cut);
        let fits = |cut| gpu.has_room_for(&table(cut));
        let least = table(Cut::LEAST);
        gpu.check_room(&least, "these settings need")?;
        // Keeping the training set saves sending it piece by piece, but not at any price.
        let price = |bytes: usize| bytes as u64 <= (gpu.memory_budget() - least.bytes()) / 2;
        let resident = matches!(self.real, RealFormat::Pixels { all, .. } if price(all.len()))
            && fits(Cut { resident: true, ..Cut::LEAST });
        let classes = most(self.labels.len(), |classes| fits(Cut { classes, resident }));
        Ok(Cut { classes, resident })
    }

    /// The classes of each turn: at most so many that follow each other and have as many images of both kinds.
    pub(super) fn turns(&self, classes: usize) -> Vec<Range<usize>> {
        let mut turns = Vec::new();
        let mut first = 0;
        let both: Vec<_> = self.real_counts.iter().zip(&self.counts).collect();
        for alike in both.chunk_by(|a, b| a == b) {
            // Turns of one size, as nearly as can be.
            let size = alike.len().div_ceil(alike.len().div_ceil(classes));
            let of_turn = |own: Range<usize>| first + own.start..first + own.end;
            turns.extend(super::cut(alike.len(), size).map(of_turn));
            first += alike.len();
        }
        turns
    }
}
