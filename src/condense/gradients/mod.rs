//! One iteration of gradient matching as recorded GPU work: a fresh network, and for some outer steps the distance of
//! gradients class by class, one move of the pixels, and some steps of the network's own training on them
//! (Zhao, Mopuri & Bilen, ICLR 2021; Zhao & Bilen, ICML 2021).
//!
//! Classes take turns, as many at a time as there is room for, each with a copy of the network: so a dispatch has work for
//! all of them, and each has a gradient and a direction of its own. Every turn goes through the same recordings: what differs
//! is copied before each. The pixels that others see are moved at the end of an iteration, all steps before work on a copy.

mod buffers;
mod encode;
mod record;

use std::{borrow::Cow, collections::BTreeMap, ops::Range};

use wgpu::util::StagingBelt;

use super::{RealBatch, RealFormat, cut};
use crate::{
    Error, Result,
    augment::Row,
    gpu::{Buffer, Gpu, Readback, Recording, blocking, staging_belt},
    kernels::{Distance, Item, NetworkKey, Packed, Rates},
    nn::{Program, Weights},
};

use buffers::{Buffers, Cut, Pixels};
pub(crate) use encode::GradientProgress;
use record::record;

/// Images that a network is trained on at a time, as published.
pub(in crate::condense) const BATCH: usize = 256;

/// What a [`GradientIteration`] is built for.
pub(crate) struct GradientPlan<'a> {
    /// From images to logits, with every layer an operation of its own, and with fast blocks.
    pub nets: [Program; 2],
    /// The label of each class that is matched.
    pub labels: Vec<u32>,
    /// Real images of each class in a batch.
    pub real_counts: Vec<usize>,
    /// Real images whose statistics freeze batch norms before each move; 0 if the network has no batch norm.
    pub norm_images: usize,
    /// Synthetic images of each class, as networks see them.
    pub counts: Vec<usize>,
    /// How these are packed into those that move; `None` if they are the same.
    pub packed: Option<Packed>,
    pub distance: Distance,
    /// Of the pixels.
    pub rates: Rates,
    /// Learning rate of the networks.
    pub lr_net: f32,
    /// Moves of the pixels in an iteration.
    pub outer: u32,
    /// Passes over the synthetic images that a network is trained for between two of them.
    pub inner: u32,
    pub real: RealFormat<'a>,
    /// Images at a time. It decides how sums over images are rounded, so it follows from the network alone.
    pub part: usize,
}

impl GradientPlan<'_> {
    /// Whether this adapter and its memory budget have room for it, before anything is made.
    pub fn check(&self, gpu: &Gpu) -> Result<()> {
        self.cut(gpu).map(drop)
    }

    /// Synthetic images, as networks see them.
    pub fn syns(&self) -> usize {
        self.counts.iter().sum()
    }

    /// The same, as they are stored.
    pub fn stored(&self) -> usize {
        self.syns() / self.tiles()
    }

    /// Images that are packed into one that moves.
    fn tiles(&self) -> usize {
        self.packed.as_ref().map_or(1, Packed::tiles)
    }

    /// Values of an image.
    pub fn image_len(&self) -> usize {
        self.nets[0].image_len()
    }

    /// Images that the network is trained on at once: with batch norm, where each depends on the others, a whole batch.
    fn trained_at_once(&self) -> usize {
        if self.norm_images > 0 { BATCH.min(self.syns()) } else { self.part }
    }

    /// Images in each step of a pass over the synthetic ones.
    fn batches(&self) -> Vec<Range<usize>> {
        cut(self.syns(), BATCH).collect()
    }
}

/// What changes from iteration to iteration, asked for when its turn comes.
pub(crate) trait Draws {
    /// The network to draw, or else the one that the weights hold by then.
    fn network(&self) -> Option<NetworkKey>;
    /// The augmentation of both sides of a class.
    fn row(&self, outer: u32, class: usize) -> Row;
    /// The real images of a class.
    fn real(&self, outer: u32, class: usize) -> Drawn<'_>;
    /// The real images whose statistics freeze batch norms.
    fn norm(&self, outer: u32) -> Drawn<'_>;
    /// Which synthetic images a network is trained on in a step, `images` of the order of its pass, and how they are
    /// augmented.
    fn inner(&self, outer: u32, pass: u32, images: Range<usize>) -> (Vec<u32>, Vec<Row>);
}

/// Real images of one class, or of those of a turn.
pub(crate) enum Drawn<'a> {
    /// Indices into the training set whose pixels are `all`.
    Indices { indices: Vec<u32>, all: &'a [u8] },
    /// Normalised values.
    Values(Cow<'a, [f32]>),
}

impl<'a> Drawn<'a> {
    /// The same images of each class, so many of each, one part after the other, in which class follows class.
    fn in_parts(each: &[Self], count: usize, parts: &[Part]) -> Self {
        let of = |part: &Part, len: usize| {
            let each = len / count;
            part.images.start * each..part.images.end * each
        };
        let (mut indices, mut values, mut pixels) = (Vec::new(), Vec::new(), None);
        for (part, drawn) in parts.iter().flat_map(|part| each.iter().map(move |own| (part, own))) {
            match drawn {
                Self::Indices { indices: own, all } => {
                    indices.extend_from_slice(&own[of(part, own.len())]);
                    pixels = Some(*all);
                }
                Self::Values(own) => values.extend_from_slice(&own[of(part, own.len())]),
            }
        }
        match pixels {
            Some(all) => Self::Indices { indices, all },
            None => Self::Values(values.into()),
        }
    }

    pub(super) fn batch(&self) -> RealBatch<'_> {
        match self {
            Drawn::Indices { indices, all } => RealBatch::Indices { indices, norm: &[], all },
            Drawn::Values(batch) => RealBatch::Values { batch, norm: &[] },
        }
    }

    /// As those that batch norms go by.
    fn norms(&self) -> RealBatch<'_> {
        match self {
            Drawn::Indices { indices, all } => {
                RealBatch::Indices { indices: &[], norm: indices, all }
            }
            Drawn::Values(norm) => RealBatch::Values { batch: &[], norm },
        }
    }
}

/// The buffers and recorded kernels of one iteration.
#[derive(Debug)]
pub(crate) struct GradientIteration {
    gpu: Gpu,
    cut: Cut,
    belt: StagingBelt,
    buffers: Buffers,
    /// Rates of the pixels to be sent with the next iteration.
    changed_rates: Option<Rates>,
    labels: Vec<u32>,
    real_counts: Vec<usize>,
    /// 0 without batch norms, which are frozen at the beginning of each outer step.
    norm_images: usize,
    /// The classes of each turn.
    turns: Vec<Range<usize>>,
    /// Values of each parameter.
    lens: Vec<usize>,
    /// Synthetic images of each class.
    counts: Vec<usize>,
    part: usize,
    outer: u32,
    inner: u32,
    batches: Vec<Range<usize>>,
    recorded: Recorded,
    /// What others see.
    pub images: Buffer<f32>,
    pub velocity: Buffer<f32>,
}

/// What an iteration submits after its network was drawn.
#[derive(Debug)]
struct Recorded {
    /// What freezes batch norms; nothing without them.
    statistics: Recording,
    /// Parts of a turn's real images, by how many classes it has, with how many each.
    real: BTreeMap<(usize, usize), Vec<Part>>,
    /// A turn's synthetic images, their distances and the gradients of these, by how many classes it has, with how many each.
    synthetic: BTreeMap<(usize, usize), Recording>,
    /// What moves the pixels.
    update: Recording,
    /// A step of training, by how many images it has.
    train: BTreeMap<usize, Recording>,
    /// What must follow when copies were made of the weights.
    pack: Recording,
}

#[derive(Debug)]
struct Part {
    /// Of each class.
    images: Range<usize>,
    recording: Recording,
}

/// The synthetic images that the next iteration begins with.
enum Start<'a> {
    Given(&'a [f32]),
    Kept(Pixels),
}

const PREPARE: &str = "prepare the iteration";

impl GradientIteration {
    /// Makes all buffers and compiles all pipelines. `images` are the synthetic ones, class-major.
    pub async fn new(gpu: &Gpu, plan: &GradientPlan<'_>, images: &[f32]) -> Result<Self> {
        Self::fitting(gpu, plan, plan.cut(gpu)?, &Start::Given(images)).await
    }

    /// As much at a time as the device has memory for.
    async fn fitting(
        gpu: &Gpu,
        plan: &GradientPlan<'_>,
        mut cut: Cut,
        start: &Start<'_>,
    ) -> Result<Self> {
        loop {
            let built = gpu.checked(PREPARE, || Self::build(gpu, plan, cut, start)).await;
            match (built, cut.smaller()) {
                (Err(Error::OutOfMemory { reason, .. }), Some(smaller)) => {
                    log::warn!("the GPU has no memory left for {cut}: {reason}; now {smaller}");
                    cut = smaller;
                }
                (built, _) => return built,
            }
        }
    }

    /// Goes on with less at a time after `error`, which said that the device has no memory left; an iteration that was begun
    /// begins again. If there is nothing less, no iteration can follow, but the pixels are still there.
    pub fn shrink(&mut self, plan: &GradientPlan<'_>, error: Error) -> Result<()> {
        let Some(smaller) = self.cut.smaller() else { return Err(error) };
        log::warn!("{error}; now {smaller}");
        let gpu = self.gpu.clone();
        let kept = Pixels { images: self.images.clone(), velocity: self.velocity.clone() };
        let start = Start::Kept(kept);
        *self = blocking(PREPARE, Self::fitting(&gpu, plan, smaller, &start))?;
        Ok(())
    }

    /// What its buffers take.
    #[cfg(feature = "testing")]
    pub fn table(&self, plan: &GradientPlan<'_>) -> crate::gpu::Table {
        plan.table(self.gpu.caps(), self.cut)
    }

    fn build(gpu: &Gpu, plan: &GradientPlan<'_>, cut: Cut, start: &Start<'_>) -> Result<Self> {
        let pixels = match start {
            Start::Given(values) => {
                let pixels = Pixels::new(gpu, plan);
                pixels.images.write(gpu, values);
                pixels
            }
            Start::Kept(Pixels { images, velocity }) => {
                Pixels { images: images.clone(), velocity: velocity.clone() }
            }
        };
        let mut buffers = Buffers::new(gpu, plan, cut);
        buffers.write(gpu, plan, cut);
        let turns = plan.turns(cut.classes);
        let recorded = record(gpu, plan, cut, &turns, &buffers)?;
        // Whatever one stage needs fits; what is larger gets a buffer of its own.
        let reals = cut.classes * plan.most_reals();
        let items = reals.max(plan.norm_images);
        let synthetic = cut.classes * plan.most_counts() * (size_of::<Item>() + 4);
        let send = buffers.feed.largest_send(cut.classes, items) + 4 * reals + synthetic + 256;
        let inner = BATCH.min(plan.syns()) * (size_of::<Row>() + size_of::<Item>() + 4) + 256;
        Ok(Self {
            gpu: gpu.clone(),
            cut,
            belt: staging_belt(gpu, send.max(inner)),
            buffers,
            changed_rates: None,
            labels: plan.labels.clone(),
            real_counts: plan.real_counts.clone(),
            norm_images: plan.norm_images,
            turns,
            lens: plan.nets[0].lens(),
            counts: plan.counts.clone(),
            part: plan.part,
            outer: plan.outer,
            inner: plan.inner,
            batches: plan.batches(),
            recorded,
            images: pixels.images,
            velocity: pixels.velocity,
        })
    }

    /// The network's parameters.
    pub fn weights(&self) -> &Weights {
        &self.buffers.weights
    }

    /// The gradient at the pixels that networks see, in the last move.
    pub fn gradient(&self) -> &Buffer<f32> {
        &self.buffers.gradient
    }

    /// Cross-entropy of each image in the last batch that a network was trained on.
    pub fn training_losses(&self) -> &Buffer<f32> {
        &self.buffers.inner.losses
    }

    /// From the next iteration on.
    pub fn set_rates(&mut self, rates: Rates) {
        self.changed_rates = Some(rates);
    }

    /// Room for the losses of one iteration on their way to the host.
    pub fn loss_readback(&self) -> Readback<f32> {
        let losses = self.buffers.matched.losses().len();
        Readback::new(&self.gpu, "losses on their way", losses)
    }

    /// Everything that is ever submitted, each recording once.
    pub fn recordings(&self) -> impl Iterator<Item = &Recording> {
        let Recorded { statistics, real, synthetic, update, train, pack } = &self.recorded;
        let weights = &self.buffers.weights;
        let real = real.values().flatten().map(|part| &part.recording);
        let own = [weights.drawing(), statistics, pack, update];
        own.into_iter().chain(synthetic.values()).chain(real).chain(train.values())
    }
}
