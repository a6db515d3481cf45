//! One iteration as recorded GPU work: chunks of real images, the synthetic ones, the objective's loss, and its
//! gradient down to the pixels. With batch norm, real images come first whose statistics freeze the norms.
//!
//! Everything that changes from step to step (which images, which augmentation, which network) is
//! a few bytes copied before it; pipelines, bind groups and buffers are made once.

mod buffers;
mod encode;
mod feed;
mod sizes;

use std::ops::Range;

use wgpu::util::StagingBelt;

use crate::{
    Error, Result,
    augment::Row,
    gpu::{Buffer, Gpu, Readback, Recording, blocking, staging_belt},
    kernels::{
        Batch, NetworkKey, Packed, PixelRange, Rates, class_sum, layers::add, sgd, sgd_clamped,
    },
    nn::{Mode, Program, Target, Weights},
    objective::MeanEmbeddings,
};

use buffers::{Buffers, Pixels};
pub(crate) use encode::StepProgress;
pub(super) use feed::{Feed, classes_in_parts};
pub(super) use sizes::Sizes;

/// What a [`Iteration`] is built for.
pub(crate) struct Plan<'a> {
    /// From images to embeddings.
    pub net: Program,
    /// Real images of each class in a batch.
    pub real_counts: Vec<usize>,
    /// Real images whose statistics freeze batch norms; 0 if the network has no batch norm.
    pub norm_images: usize,
    /// Synthetic images of each class, as they are stored.
    pub counts: Vec<usize>,
    /// How networks' images are packed into those; `None` if they are the same.
    pub packed: Option<Packed>,
    pub rates: Rates,
    pub real: RealFormat<'a>,
    /// Synthetic images of each class that a step shows at most, if they are packed.
    pub most_shown: usize,
    /// Images of a class that follow each other in a batch: parts of so many, in which class follows class.
    pub part: usize,
    /// Passes of augmentation that each image goes through, one after the other.
    pub passes: usize,
    /// The network whose cross-entropy counts as well; images are packed then, if only by a factor of 1.
    pub class: Option<ClassPlan>,
    /// How pixels are kept in what a picture can show; `None` if they are not.
    pub range: Option<PixelRange>,
}

/// A network that images are to be recognised by.
pub(crate) struct ClassPlan {
    /// From images to logits.
    pub net: Program,
    /// How much a class's mean cross-entropy counts.
    pub alpha: f32,
}

impl Plan<'_> {
    /// Whether this adapter and its memory budget have room for it, before anything is made.
    pub fn check(&self, gpu: &Gpu) -> Result<()> {
        Sizes::of(gpu, self).map(drop)
    }
}

/// In what form real images arrive.
#[derive(Clone, Copy)]
pub(crate) enum RealFormat<'a> {
    /// 8-bit pixels and what normalises them; `all` of the training set is kept on the device if
    /// it fits, else each batch is sent.
    Pixels { all: &'a [u8], mean: &'a [f32], std: &'a [f32] },
    /// Normalised values, sent with each batch.
    Values,
}

/// The buffers and recorded kernels of one step.
#[derive(Debug)]
pub(crate) struct Iteration {
    gpu: Gpu,
    sizes: Sizes,
    norm_images: usize,
    /// Takes what changes to the device, in the order of the commands around it.
    belt: StagingBelt,
    pub weights: Weights,
    /// Of the network that images are to be recognised by.
    pub class_weights: Option<Weights>,
    /// The packing of all weights.
    packing: Recording,
    rates: Buffer<Rates>,
    /// Rates to be sent with the next step.
    changed_rates: Option<Rates>,
    feed: Feed,
    objective: MeanEmbeddings,
    /// `None` once the device had no memory left even for smaller pieces.
    recorded: Option<Recorded>,
    pub images: Buffer<f32>,
    pub velocity: Buffer<f32>,
    pub gradient: Buffer<f32>,
}

/// What a step submits after its network was drawn, in this order.
#[derive(Debug)]
struct Recorded {
    /// Empty without batch norms.
    statistics: Recording,
    chunks: Vec<Chunk>,
    synthetic: Recording,
    /// What moves the pixels.
    update: Recording,
}

#[derive(Debug)]
struct Chunk {
    /// Which of the batch's real images.
    images: Range<usize>,
    recording: Recording,
}

/// What changes from step to step.
pub(crate) struct Step<'a> {
    /// The network to draw; `None` for the one that `weights` already hold.
    pub network: Option<NetworkKey>,
    /// Values of all parameters of the network, and of the one that images are to be recognised by, where these are not
    /// drawn.
    pub given: Option<[&'a [Vec<f32>]; 2]>,
    /// Which of the packed images are shown, class after class; empty for those that were shown before, at first all.
    pub shown: &'a [u32],
    /// One row per class, pass after pass.
    pub rows: &'a [Row],
    /// Real images of each class.
    pub real_counts: &'a [usize],
    pub batch: RealBatch<'a>,
}

/// A batch of real images for one step, class after class.
pub(crate) enum RealBatch<'a> {
    /// Indices into the training set whose pixels are `all`; `norm` are those whose statistics batch norms take.
    Indices { indices: &'a [u32], norm: &'a [u32], all: &'a [u8] },
    /// Normalised values of all images, and of those whose statistics batch norms take.
    Values { batch: &'a [f32], norm: &'a [f32] },
}

/// The synthetic images that the next step begins with.
enum Start<'a> {
    Given(&'a [f32]),
    /// Those that were on the device before.
    Kept(Pixels),
}

const PREPARE: &str = "prepare the step";

impl Iteration {
    /// Makes all buffers and compiles all pipelines. `images` are the synthetic ones, class-major.
    pub async fn new(gpu: &Gpu, plan: &Plan<'_>, images: &[f32]) -> Result<Self> {
        Self::fitting(gpu, plan, Sizes::of(gpu, plan)?, &Start::Given(images)).await
    }

    /// In pieces of these sizes, or in smaller ones if the device has no memory left for these.
    async fn fitting(
        gpu: &Gpu,
        plan: &Plan<'_>,
        mut sizes: Sizes,
        start: &Start<'_>,
    ) -> Result<Self> {
        loop {
            let built = gpu.checked(PREPARE, || Self::build(gpu, plan, sizes, start)).await;
            match (built, sizes.smaller()) {
                (Err(Error::OutOfMemory { reason, .. }), Some(smaller)) => {
                    log::warn!("the GPU has no memory left for {sizes}: {reason}; now {smaller}");
                    sizes = smaller;
                }
                (built, _) => return built,
            }
        }
    }

    /// Continues in smaller pieces after `error`, which reported that the device has no memory left; an unfinished step
    /// begins again. If there are no smaller pieces, no step can follow, but the pixels are kept.
    pub fn shrink(&mut self, plan: &Plan<'_>, error: Error) -> Result<()> {
        let Some(smaller) = self.sizes.smaller() else { return Err(error) };
        log::warn!("{error}; now {smaller} instead of {}", self.sizes);
        let gpu = self.gpu.clone();
        // The existing buffers are freed first.
        self.recorded = None;
        self.feed = Feed::room(&gpu, plan, Sizes::NOTHING);
        gpu.poll()?;
        let kept = Pixels { images: self.images.clone(), velocity: self.velocity.clone() };
        let start = Start::Kept(kept);
        *self = blocking(PREPARE, Self::fitting(&gpu, plan, smaller, &start))?;
        Ok(())
    }

    /// The memory that its buffers take.
    #[cfg(feature = "testing")]
    pub fn table(&self, plan: &Plan<'_>) -> crate::gpu::Table {
        plan.table(self.gpu.caps(), self.sizes)
    }

    fn build(gpu: &Gpu, plan: &Plan<'_>, sizes: Sizes, start: &Start<'_>) -> Result<Self> {
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
        let mut buffers = Buffers::new(gpu, plan, sizes);
        buffers.weights.record(gpu);
        let mut packing = buffers.weights.packing().clone();
        if let Some(class) = &mut buffers.class {
            class.weights.record(gpu);
            packing.extend(class.weights.packing());
            class.write(gpu, plan);
        }
        buffers.rates.write(gpu, &[plan.rates]);
        buffers.feed.write(gpu, plan, sizes);
        buffers.objective.write(gpu);
        let recorded = record(gpu, plan, sizes, &buffers, &pixels)?;
        let Buffers { weights, rates, feed, objective, gradient, class, .. } = buffers;
        // Everything that one chunk or one step sends fits; larger sends get a buffer of their own.
        let send = feed.largest_send(plan.real_counts.len(), plan.reals()) + 256;
        Ok(Self {
            gpu: gpu.clone(),
            sizes,
            norm_images: plan.norm_images,
            belt: staging_belt(gpu, send),
            weights,
            class_weights: class.map(|class| class.weights),
            packing,
            rates,
            changed_rates: None,
            feed,
            objective,
            recorded: Some(recorded),
            images: pixels.images,
            velocity: pixels.velocity,
            gradient,
        })
    }

    /// Whether steps need images for batch norms to go by.
    pub fn has_batch_norm(&self) -> bool {
        self.norm_images > 0
    }

    /// From the next step on.
    pub fn set_rates(&mut self, rates: Rates) {
        self.changed_rates = Some(rates);
    }

    /// Room for the losses of one step on their way to the host.
    pub fn loss_readback(&self) -> Readback<f32> {
        Readback::new(&self.gpu, "losses on their way", self.objective.losses().len())
    }

    /// Everything that one step submits, in order.
    pub fn recordings(&self) -> impl Iterator<Item = &Recording> {
        let update = self.recorded.iter().map(|recorded| &recorded.update);
        self.recordings_but_the_update().chain(update)
    }

    /// All recordings of a step but the last, which moves the pixels.
    pub fn recordings_but_the_update(&self) -> impl Iterator<Item = &Recording> {
        let network = [self.weights.drawing(), &self.packing];
        let images = self.recorded.iter().flat_map(|recorded| {
            let chunks = recorded.chunks.iter().map(|chunk| &chunk.recording);
            [&recorded.statistics].into_iter().chain(chunks).chain([&recorded.synthetic])
        });
        network.into_iter().chain(images)
    }
}

/// Records a step, from drawn and packed weights to the pixels. The order of these lines is the order in which
/// everything runs.
fn record(
    gpu: &Gpu,
    plan: &Plan<'_>,
    Sizes { chunk, syn_chunk, resident }: Sizes,
    buffers: &Buffers,
    pixels: &Pixels,
) -> Result<Recorded> {
    let Buffers { weights, network, feed, objective, rates, gradient, class, .. } = buffers;
    let (reals, syns) = (plan.reals(), plan.syns());
    log::info!(
        "at once {chunk} of {reals} real images, {syn_chunk} of {syns} synthetic ones; the training set {}",
        if resident { "stays on the device" } else { "is sent piece by piece" }
    );
    let of = |images: &Range<usize>| Batch { images: images.len(), nets: 1 };

    // In one piece, because each batch norm needs all images before the next layer can begin. These statistics freeze
    // the batch norms for the rest of the iteration.
    let mut statistics = Recording::default();
    if plan.norm_images > 0 {
        let images = 0..plan.norm_images;
        feed.norm(gpu, &mut statistics, network.input(), &images);
        network.forward(gpu, &mut statistics, weights, of(&images), Mode::Measure)?;
    }

    let mut chunks = Vec::new();
    for images in cut(reals, chunk) {
        let mut recording = Recording::default();
        feed.real(gpu, &mut recording, network.input(), &images);
        network.forward(gpu, &mut recording, weights, of(&images), Mode::Test)?;
        objective.absorb_real(gpu, &mut recording, network.output(), images.clone());
        chunks.push(Chunk { images, recording });
    }

    let mut synthetic = Recording::default();
    // In the form that backward needs, even where no backward follows, so that the sums do not depend on how images are
    // cut.
    let forward = |recording: &mut Recording, images: &Range<usize>| {
        feed.synthetic(gpu, recording, &pixels.images, network.input(), images);
        network.forward(gpu, recording, weights, of(images), Mode::Frozen)
    };
    let syn_chunks = objective.cut(syn_chunk);
    for images in &syn_chunks {
        forward(&mut synthetic, images)?;
        objective.absorb_synthetic(gpu, &mut synthetic, network.output(), images.clone());
    }
    objective.compare(gpu, &mut synthetic);
    for images in &syn_chunks {
        // With several chunks, each is embedded again, to the same bits.
        if syn_chunks.len() > 1 {
            forward(&mut synthetic, images)?;
        }
        let d_output = Some(objective.gradient(images));
        let (batch, mode) = (of(images), Mode::Frozen);
        network.backward(gpu, &mut synthetic, weights, d_output, batch, mode, Target::INPUT)?;
        let d_input = network.d_input();
        if let Some(class) = class {
            let r = &mut synthetic;
            class.recognise(gpu, r, images)?;
            let (more, count) = (class.network.d_input().0, images.len() * d_input.1.image_len());
            r.push(add(gpu, more, d_input.0, count));
        }
        feed.back(gpu, &mut synthetic, d_input, gradient, images);
    }
    if let Some(class) = class {
        let (losses, all) = (objective.losses(), 0..plan.syns());
        let classes = 0..plan.real_counts.len();
        synthetic.push(class_sum(gpu, &class.starts, &class.losses, losses, 1, all, classes, true));
    }

    let mut update = Recording::default();
    let (images, velocity) = (&pixels.images, &pixels.velocity);
    update.push(match &plan.range {
        Some(range) => sgd_clamped(gpu, range, rates, images, velocity, gradient),
        None => sgd(gpu, rates, images, velocity, gradient),
    });
    Ok(Recorded { statistics, chunks, synthetic, update })
}

/// So many images in chunks of at most so many.
pub(super) fn cut(images: usize, chunk: usize) -> impl Iterator<Item = Range<usize>> {
    (0..images).step_by(chunk.max(1)).map(move |first| first..images.min(first + chunk))
}
