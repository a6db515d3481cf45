//! One iteration of gradient matching as recorded GPU work: a fresh network, and for some outer steps the distance of
//! gradients class by class, one move of the pixels, and some steps of the network's own training on them
//! (Zhao, Mopuri & Bilen, ICLR 2021; Zhao & Bilen, ICML 2021).
//!
//! Every class goes through the same recordings: what differs is copied before each. The pixels that others see are moved
//! at the end of an iteration, all steps before work on a copy.

mod buffers;
mod encode;

use std::{
    collections::{BTreeMap, btree_map::Entry},
    ops::Range,
};

use wgpu::util::StagingBelt;

use super::{RealBatch, RealFormat, cut};
use crate::{
    Error, Result,
    augment::Row,
    gpu::{Buffer, Gpu, Readback, Recording, blocking},
    kernels::{
        Augment, Batch, Distance, Item, NetworkKey, Planes, Rates, Source, sgd,
        softmax_cross_entropy,
    },
    nn::{Along, Mode, Network, Program, Target, Weights},
    objective::Side,
};

use buffers::{Buffers, Fast, Pixels};
pub(crate) use encode::GradientProgress;

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
    /// Synthetic images of each class.
    pub ipc: usize,
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
        self.is_resident(gpu).map(drop)
    }

    /// Synthetic images.
    pub fn syns(&self) -> usize {
        self.labels.len() * self.ipc
    }

    /// Values of an image.
    pub fn image_len(&self) -> usize {
        self.nets[0].image_len()
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
    /// Which synthetic images a network is trained on in a step, `images` of the order of its pass, and how they are
    /// augmented.
    fn inner(&self, outer: u32, pass: u32, images: Range<usize>) -> (Vec<u32>, Vec<Row>);
}

/// Real images of one class.
pub(crate) enum Drawn<'a> {
    /// Indices into the training set whose pixels are `all`.
    Indices { indices: Vec<u32>, all: &'a [u8] },
    /// Normalised values.
    Values(&'a [f32]),
}

impl Drawn<'_> {
    pub(super) fn batch(&self) -> RealBatch<'_> {
        match self {
            Drawn::Indices { indices, all } => RealBatch::Indices { indices, norm: &[], all },
            Drawn::Values(batch) => RealBatch::Values { batch, norm: &[] },
        }
    }
}

/// The buffers and recorded kernels of one iteration.
#[derive(Debug)]
pub(crate) struct GradientIteration {
    gpu: Gpu,
    resident: bool,
    belt: StagingBelt,
    buffers: Buffers,
    /// Rates of the pixels to be sent with the next iteration.
    changed_rates: Option<Rates>,
    labels: Vec<u32>,
    real_counts: Vec<usize>,
    ipc: usize,
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
    /// Parts of a class's real images, by how many it has.
    real: BTreeMap<usize, Vec<Part>>,
    /// A class's synthetic images, the distance and its gradient.
    synthetic: Recording,
    /// What moves the pixels.
    update: Recording,
    /// A step of training, by how many images it has.
    train: BTreeMap<usize, Recording>,
    /// What must follow every change of the weights.
    pack: Recording,
}

#[derive(Debug)]
struct Part {
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
        let resident = plan.is_resident(gpu)?;
        let start = Start::Given(images);
        match gpu.checked(PREPARE, || Self::build(gpu, plan, resident, &start)).await {
            Err(Error::OutOfMemory { reason, .. }) if resident => {
                log::warn!(
                    "the GPU has no memory left for the training set: {reason}; now it is sent piece by piece"
                );
                gpu.checked(PREPARE, || Self::build(gpu, plan, false, &start)).await
            }
            built => built,
        }
    }

    /// Goes on without the training set on the device after `error`, which said that it has no memory left; an iteration
    /// that was begun begins again. If the set is not there, no iteration can follow, but the pixels are still there.
    pub fn shrink(&mut self, plan: &GradientPlan<'_>, error: Error) -> Result<()> {
        if !self.resident {
            return Err(error);
        }
        log::warn!("{error}; now the training set is sent piece by piece");
        let gpu = self.gpu.clone();
        let kept = Pixels { images: self.images.clone(), velocity: self.velocity.clone() };
        let start = Start::Kept(kept);
        let built = gpu.checked(PREPARE, || Self::build(&gpu, plan, false, &start));
        *self = blocking(PREPARE, built)?;
        Ok(())
    }

    /// What its buffers take.
    #[cfg(feature = "testing")]
    pub fn table(&self, plan: &GradientPlan<'_>) -> crate::gpu::Table {
        plan.table(self.gpu.caps(), self.resident)
    }

    fn build(
        gpu: &Gpu,
        plan: &GradientPlan<'_>,
        resident: bool,
        start: &Start<'_>,
    ) -> Result<Self> {
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
        let mut buffers = Buffers::new(gpu, plan, resident);
        buffers.write(gpu, plan);
        let recorded = record(gpu, plan, &buffers)?;
        // Whatever one stage needs fits; what is larger gets a buffer of its own.
        let send = buffers.feed.largest_send(1, plan.most_reals()) + 256;
        let inner = BATCH.min(plan.syns()) * (size_of::<Row>() + size_of::<Item>() + 4) + 256;
        Ok(Self {
            gpu: gpu.clone(),
            resident,
            belt: StagingBelt::new(gpu.device().clone(), send.max(inner) as u64),
            buffers,
            changed_rates: None,
            labels: plan.labels.clone(),
            real_counts: plan.real_counts.clone(),
            ipc: plan.ipc,
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

    /// The gradient at the pixels in the last move.
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
        let Recorded { real, synthetic, update, train, pack } = &self.recorded;
        let weights = &self.buffers.weights;
        let real = real.values().flatten().map(|part| &part.recording);
        let own = [weights.drawing(), pack, synthetic, update];
        own.into_iter().chain(real).chain(train.values())
    }
}

/// Records what an iteration is made of, from the weights that are drawn and packed by then.
fn record(gpu: &Gpu, plan: &GradientPlan<'_>, buffers: &Buffers) -> Result<Recorded> {
    let Buffers { weights, direction, network, tangent, fast, matched, feed, work, class, .. } =
        buffers;
    let classes = plan.nets[0].features();
    let of = |images: &Range<usize>| Batch { images: images.len(), nets: 1 };
    // The gradient at the logits, of the mean over so many images of one class.
    let loss =
        |recording: &mut Recording, network: &Network, images: &Range<usize>, count: usize| {
            let (labels, losses) = (&class.labels, &class.losses);
            // The last layer is linear, so there is such a gradient.
            let Some(d_logits) = network.d_output() else { return };
            let logits = (network.output(), classes);
            let images = images.len();
            recording.push(softmax_cross_entropy(
                gpu, logits, labels, losses, d_logits, images, count, 0,
            ));
        };
    let gradient = |recording: &mut Recording, side: Side, images: &Range<usize>, count: usize| {
        fast.network.forward(gpu, recording, &fast.weights, of(images), Mode::Frozen)?;
        loss(recording, &fast.network, images, count);
        let gradients = matched.side(gpu, side, images.len(), images.start > 0);
        let (batch, target) = (of(images), Target::weights(&gradients));
        fast.network.backward(gpu, recording, &fast.weights, None, batch, Mode::Frozen, target)
    };

    let mut real = BTreeMap::new();
    for &count in &plan.real_counts {
        if real.contains_key(&count) {
            continue;
        }
        let parts = cut(count, plan.part).map(|images| {
            let mut recording = Recording::default();
            feed.real(gpu, &mut recording, fast.network.input(), &images);
            gradient(&mut recording, Side::Real, &images, count)?;
            Ok(Part { images, recording })
        });
        let parts: Result<Vec<_>> = parts.collect();
        real.insert(count, parts?);
    }

    let mut synthetic = Recording::default();
    let parts: Vec<_> = cut(plan.ipc, plan.part).collect();
    let show = |recording: &mut Recording, network: &Network, images: &Range<usize>| {
        feed.synthetic(gpu, recording, &class.images, network.input(), images);
    };
    for images in &parts {
        show(&mut synthetic, &fast.network, images);
        gradient(&mut synthetic, Side::Synthetic, images, plan.ipc)?;
    }
    let share = 1.0 / plan.outer as f32;
    matched.compare(gpu, &mut synthetic, &class.labels, share, direction);
    synthetic.extend(direction.packing());
    let along = Along { network, weights, direction };
    for images in &parts {
        let (batch, mode) = (of(images), Mode::Frozen);
        // Again, with all that changes along the direction there to be read.
        show(&mut synthetic, network, images);
        network.forward(gpu, &mut synthetic, weights, batch, mode)?;
        loss(&mut synthetic, network, images, plan.ipc);
        tangent.forward(gpu, &mut synthetic, along, batch, mode)?;
        tangent.loss(gpu, &mut synthetic, network, images.len(), plan.ipc);
        tangent.backward(gpu, &mut synthetic, along, batch, mode, Target::INPUT)?;
        let d_input = tangent.d_input(network);
        feed.back(gpu, &mut synthetic, d_input, &class.gradient, images, false);
    }

    let mut update = Recording::default();
    update.push(sgd(gpu, &buffers.rates, &work.images, &work.velocity, &buffers.gradient));

    let mut pack = weights.packing().clone();
    pack.extend(fast.weights.packing());
    let mut train = BTreeMap::new();
    for count in plan.batches().iter().map(Range::len) {
        if let Entry::Vacant(vacant) = train.entry(count) {
            vacant.insert(training(gpu, plan, buffers, &pack, count)?);
        }
    }
    Ok(Recorded { real, synthetic, update, train, pack })
}

/// A step of the network's training on so many synthetic images.
fn training(
    gpu: &Gpu,
    plan: &GradientPlan<'_>,
    buffers: &Buffers,
    pack: &Recording,
    count: usize,
) -> Result<Recording> {
    let Buffers { fast: Fast { weights, network }, matched, work, inner, .. } = buffers;
    let (channels, size) = plan.nets[0].images;
    let dense = Planes::dense(channels, size);
    let augment = Augment { items: &inner.items, rows: &inner.rows, means: &inner.means };
    let mut recording = Recording::default();
    for images in cut(count, plan.part) {
        let batch = Batch { images: images.len(), nets: 1 };
        let ((input, layout), source) = (network.input(), Source::Values(&work.images));
        let (first, len) = (images.start, images.len());
        augment.forward(gpu, &mut recording, source, dense, input, layout, first, len);
        network.forward(gpu, &mut recording, weights, batch, Mode::Train)?;
        if let Some(d_logits) = network.d_output() {
            let logits = (network.output(), plan.nets[0].features());
            let losses = &inner.losses;
            recording.push(softmax_cross_entropy(
                gpu,
                logits,
                &inner.labels,
                losses,
                d_logits,
                len,
                count,
                first,
            ));
        }
        let gradients = matched.side(gpu, Side::Synthetic, len, first > 0);
        let target = Target::weights(&gradients);
        network.backward(gpu, &mut recording, weights, None, batch, Mode::Train, target)?;
    }
    let gradients = matched.values(Side::Synthetic);
    // Without momentum a velocity is the gradient: that of real images has been used by now.
    let velocities = matched.values(Side::Real);
    let all = buffers.weights.all();
    for (values, (velocity, gradient)) in all.zip(velocities.iter().zip(gradients)) {
        if gradient.len() > 0 {
            recording.push(sgd(gpu, &inner.rates, values, velocity, gradient));
        }
    }
    recording.extend(pack);
    Ok(recording)
}
