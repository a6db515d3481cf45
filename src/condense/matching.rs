//! One step of distribution matching as recorded GPU work: chunks of real images, then the
//! synthetic ones, the difference of their mean embeddings, and its gradient down to the pixels.
//!
//! Everything that changes from step to step (which images, which augmentation, which network) is
//! a few bytes copied before it; pipelines, bind groups and buffers are made once.

mod buffers;
mod encode;
mod sizes;

use std::ops::Range;

use wgpu::util::StagingBelt;

use crate::{
    Error, Result,
    augment::Row,
    gpu::{Buffer, Gpu, Readback, Recording, Table},
    kernels::{
        Augment, Batch, Item, NetworkKey, Planes, Rates, Source, class_sum, mean_difference, sgd,
    },
    nn::{Mode, Program, Target, Weights},
};

use buffers::{Buffers, Pixels, RealSource};
pub(crate) use encode::Progress;
use sizes::Sizes;

/// What a [`Matching`] is built for.
pub(crate) struct Plan<'a> {
    /// From images to embeddings.
    pub net: Program,
    /// Real images of each class in a batch.
    pub real_counts: Vec<usize>,
    /// Synthetic images of each class.
    pub ipc: usize,
    pub rates: Rates,
    pub real: RealFormat<'a>,
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
pub(crate) struct Matching {
    gpu: Gpu,
    sizes: Sizes,
    /// Takes what changes to the device, in the order of the commands around it.
    belt: StagingBelt,
    pub weights: Weights,
    rates: Buffer<Rates>,
    /// Rates to be sent with the next step.
    changed_rates: Option<Rates>,
    rows: Buffer<Row>,
    real_items: Buffer<Item>,
    real_source: RealSource,
    chunks: Vec<Chunk>,
    synthetic: Recording,
    /// The last of a step, which moves the pixels.
    update: Recording,
    pub images: Buffer<f32>,
    pub velocity: Buffer<f32>,
    pub gradient: Buffer<f32>,
    losses: Buffer<f32>,
}

#[derive(Debug)]
struct Chunk {
    /// Which of the batch's real images.
    images: Range<usize>,
    recording: Recording,
}

/// What changes from step to step.
pub(crate) struct Step<'a> {
    /// The network to draw, or else the one that `weights` hold by then.
    pub network: Option<NetworkKey>,
    /// One row a class.
    pub rows: &'a [Row],
    /// Real images of each class.
    pub real_counts: &'a [usize],
    pub batch: RealBatch<'a>,
}

/// A batch of real images for one step, class after class.
pub(crate) enum RealBatch<'a> {
    /// Indices into the training set whose pixels are `all`.
    Indices { indices: &'a [u32], all: &'a [u8] },
    /// Normalised values of all images.
    Values(&'a [f32]),
}

/// The synthetic images that the next step begins with.
enum Start<'a> {
    Given(&'a [f32]),
    /// Those that were on the device before.
    Kept(Pixels),
}

impl Matching {
    /// Makes all buffers and compiles all pipelines. `images` are the synthetic ones, class-major.
    pub fn new(gpu: &Gpu, plan: &Plan<'_>, images: &[f32]) -> Result<Self> {
        Self::fitting(gpu, plan, Sizes::of(gpu, plan)?, &Start::Given(images))
    }

    /// In pieces of these sizes, or smaller ones as long as the device has no memory left for them.
    fn fitting(gpu: &Gpu, plan: &Plan<'_>, mut sizes: Sizes, start: &Start<'_>) -> Result<Self> {
        loop {
            let built =
                gpu.checked("prepare the step", || Ok(Self::build(gpu, plan, sizes, start)));
            match (built, sizes.smaller()) {
                (Err(Error::OutOfMemory { reason, .. }), Some(smaller)) => {
                    log::warn!("the GPU has no memory left for {sizes}: {reason}; now {smaller}");
                    sizes = smaller;
                }
                (built, _) => return built,
            }
        }
    }

    /// Goes on in smaller pieces after `error`, which said that the device has no memory left; a step
    /// that was begun begins again. If there are no smaller pieces, no step can follow, but the pixels
    /// are still there.
    pub fn shrink(&mut self, plan: &Plan<'_>, error: Error) -> Result<()> {
        let Some(smaller) = self.sizes.smaller() else { return Err(error) };
        log::warn!("{error}; now {smaller} instead of {}", self.sizes);
        let gpu = self.gpu.clone();
        // What there is makes room first.
        self.chunks.clear();
        (self.synthetic, self.update) = Default::default();
        self.real_source = RealSource::StreamedPixels(Buffer::zeros(&gpu, "none", 0));
        gpu.poll()?;
        let kept = Pixels { images: self.images.clone(), velocity: self.velocity.clone() };
        *self = Self::fitting(&gpu, plan, smaller, &Start::Kept(kept))?;
        Ok(())
    }

    /// What its buffers take.
    pub fn table(&self, plan: &Plan<'_>) -> Table {
        plan.table(self.gpu.caps(), self.sizes)
    }

    fn build(gpu: &Gpu, plan: &Plan<'_>, sizes: Sizes, start: &Start<'_>) -> Self {
        let net = &plan.net;
        let Sizes { chunk, syn_chunk, resident } = sizes;
        let (classes, reals, syns) = (plan.real_counts.len(), plan.reals(), plan.syns());
        log::info!(
            "at once {} of {reals} real images, {} of {syns} synthetic ones; the training set {}",
            chunk,
            syn_chunk,
            if resident { "stays on the device" } else { "is sent piece by piece" }
        );
        let features = net.features();
        let dense = Planes::dense(net.images.0, net.images.1);
        let Pixels { images, velocity } = match start {
            Start::Given(values) => {
                let pixels = Pixels::new(gpu, plan);
                pixels.images.write(gpu, values);
                pixels
            }
            Start::Kept(Pixels { images, velocity }) => {
                Pixels { images: images.clone(), velocity: velocity.clone() }
            }
        };
        let Buffers {
            mut weights,
            network,
            rates,
            rows,
            means,
            real_source,
            real_items,
            real_starts: real_starts_buffer,
            real_sums,
            syn_items,
            syn_starts: syn_starts_buffer,
            syn_sums,
            d_embedding,
            gradient,
            losses,
        } = Buffers::new(gpu, plan, sizes);
        weights.record(gpu);
        rates.write(gpu, &[plan.rates]);
        rows.write(gpu, &vec![Row::NONE; classes]);
        let (real_starts, syn_starts) =
            (starts(&plan.real_counts), starts(&vec![plan.ipc; classes]));
        real_starts_buffer.write(gpu, &real_starts);
        syn_starts_buffer.write(gpu, &syn_starts);
        let normalise = match plan.real {
            RealFormat::Pixels { all, mean, std } => {
                if let RealSource::Resident(pixels) = &real_source {
                    pixels.write(gpu, all);
                }
                Some((mean, std))
            }
            RealFormat::Values => None,
        };

        // Real images: each chunk is augmented, embedded and added to its classes' sums.
        let (input, layout) = network.input();
        let mut chunks = Vec::new();
        for first in (0..reals).step_by(chunk) {
            let range = first..reals.min(first + chunk);
            let mut recording = Recording::default();
            let source = match (&real_source, normalise) {
                (RealSource::StreamedValues(values), _) => Source::Values(values),
                (RealSource::Resident(bytes) | RealSource::StreamedPixels(bytes), mean_std) => {
                    let (mean, std) = mean_std.unwrap_or_default();
                    Source::Pixels { bytes, mean, std }
                }
            };
            let augment = Augment { items: &real_items, rows: &rows, means: &means };
            augment.forward(gpu, &mut recording, source, dense, input, layout, first, range.len());
            let batch = Batch { images: range.len(), nets: 1 };
            network.forward(gpu, &mut recording, &mut weights, batch, Mode::Test);
            recording.push(class_sum(
                gpu,
                &real_starts_buffer,
                network.output(),
                &real_sums,
                features,
                range.clone(),
                classes_of(&real_starts, &range),
                false,
            ));
            chunks.push(Chunk { images: range, recording });
        }

        // Synthetic images: embedded to their sums; then, chunk by chunk, backward. More than one
        // chunk means that the forward pass is computed again, to the same bits, before each.
        let items: Vec<_> =
            (0..syns as u32).map(|image| Item { image, row: image / plan.ipc as u32 }).collect();
        syn_items.write(gpu, &items);
        let augment = Augment { items: &syn_items, rows: &rows, means: &means };
        let syn_chunks: Vec<_> =
            (0..syns).step_by(syn_chunk).map(|first| first..syns.min(first + syn_chunk)).collect();
        let whole = syn_chunks.len() == 1;
        let mut recording = Recording::default();
        // Always as backward needs it, or the sums would be rounded otherwise when chunked.
        let forward = |recording: &mut Recording, weights: &mut Weights, range: &Range<usize>| {
            let source = Source::Values(&images);
            augment.forward(gpu, recording, source, dense, input, layout, range.start, range.len());
            let batch = Batch { images: range.len(), nets: 1 };
            network.forward(gpu, recording, weights, batch, Mode::Frozen);
        };
        for range in &syn_chunks {
            forward(&mut recording, &mut weights, range);
            recording.push(class_sum(
                gpu,
                &syn_starts_buffer,
                network.output(),
                &syn_sums,
                features,
                range.clone(),
                classes_of(&syn_starts, range),
                false,
            ));
        }
        let real = (&real_starts_buffer, &real_sums);
        let syn = (&syn_starts_buffer, &syn_sums);
        recording.push(mean_difference(gpu, real, syn, &d_embedding, &losses));
        for range in &syn_chunks {
            if !whole {
                forward(&mut recording, &mut weights, range);
            }
            let sharing = (range.start, plan.ipc);
            let batch = Batch { images: range.len(), nets: 1 };
            network.backward(
                gpu,
                &mut recording,
                &mut weights,
                Some((&d_embedding, sharing)),
                batch,
                Mode::Frozen,
                Target::INPUT,
            );
            let (d_input, d_layout) = network.d_input();
            augment.backward(
                gpu,
                &mut recording,
                d_input,
                d_layout,
                &gradient,
                dense,
                range.start,
                range.len(),
            );
        }
        let mut update = Recording::default();
        update.push(sgd(gpu, &rates, &images, &velocity, &gradient));

        // Whatever one chunk or one step needs fits; what is larger gets a buffer of its own.
        let changing = classes * size_of::<Row>() + reals * size_of::<Item>();
        let streamed = match &real_source {
            RealSource::Resident(_) => 0,
            RealSource::StreamedPixels(room) => room.len(),
            RealSource::StreamedValues(room) => 4 * room.len(),
        };
        let belt = StagingBelt::new(gpu.device().clone(), (changing.max(streamed) + 256) as u64);
        Self {
            gpu: gpu.clone(),
            sizes,
            belt,
            weights,
            rates,
            changed_rates: None,
            rows,
            real_items,
            real_source,
            chunks,
            synthetic: recording,
            update,
            images,
            velocity,
            gradient,
            losses,
        }
    }

    /// From the next step on.
    pub fn set_rates(&mut self, rates: Rates) {
        self.changed_rates = Some(rates);
    }

    /// Room for the losses of one step on their way to the host.
    pub fn loss_readback(&self) -> Readback<f32> {
        Readback::new(&self.gpu, "losses on their way", self.losses.len())
    }

    /// Everything that one step submits, in order.
    pub fn recordings(&self) -> impl Iterator<Item = &Recording> {
        self.recordings_but_the_update().chain([&self.update])
    }

    /// What leaves the pixels where they are.
    pub fn recordings_but_the_update(&self) -> impl Iterator<Item = &Recording> {
        let chunks = self.chunks.iter().map(|chunk| &chunk.recording);
        let network = [self.weights.drawing(), self.weights.packing()];
        network.into_iter().chain(chunks).chain([&self.synthetic])
    }
}

/// Where each class begins, and where the last ends.
fn starts(counts: &[usize]) -> Vec<u32> {
    let mut at = 0;
    let ends = counts.iter().map(|&n| {
        at += n as u32;
        at
    });
    std::iter::once(0).chain(ends).collect()
}

/// The classes that have images in `range`.
fn classes_of(starts: &[u32], range: &Range<usize>) -> Range<usize> {
    let first = starts.partition_point(|&s| s as usize <= range.start) - 1;
    let end = starts.partition_point(|&s| (s as usize) < range.end);
    first..end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_knows_its_classes() {
        let starts = starts(&[3, 1, 4]);
        assert_eq!(starts, [0, 3, 4, 8]);
        assert_eq!(classes_of(&starts, &(0..3)), 0..1);
        assert_eq!(classes_of(&starts, &(2..4)), 0..2);
        assert_eq!(classes_of(&starts, &(3..4)), 1..2);
        assert_eq!(classes_of(&starts, &(3..8)), 1..3);
        assert_eq!(classes_of(&starts, &(5..6)), 2..3);
    }
}
