//! What an iteration is made of, whichever the objective: mean embeddings, gradients, or what training comes to.

use std::{ops::Range, sync::Arc};

use super::{
    Drawn, Draws, GradientIteration, GradientPlan, GradientProgress, Iteration, Lessons, Plan,
    RealBatch, Settings, Staged, Step, StepProgress, Trajectory, UnrolledIteration, UnrolledPlan,
    UnrolledProgress, sample, unrolled::State,
};
use crate::{
    Dataset, Error, Result,
    augment::{Row, draw_all},
    gpu::{Buffer, Gpu, Readback, Recording, Share, Ticket},
    kernels::{Moves, NetworkKey, Rates, packed_images},
    rng::{Purpose, Stream},
};

/// Real images per class whose statistics freeze the batch norms of an iteration, as published (Zhao et al., ICLR 2021).
pub(super) const NORM_IMAGES: usize = 16;

/// Of distillation, as published (Wang et al., 2018): Adam's moments, and how often in a run its learning rate is halved.
const MOMENTS: (f32, f32) = (0.5, 0.999);
const HALVINGS: u32 = 10;
/// How many epochs later the snapshot that recognises is at most, as published (TGDD, AAAI 2026).
const LATEST: u32 = 6;

/// The recorded iteration of an objective.
#[derive(Debug)]
pub(super) enum Engine {
    Embeddings(Box<Iteration>),
    Gradients(Box<GradientIteration>),
    Unrolled(Box<UnrolledIteration>),
}

/// What an [`Engine`] is built for.
pub(super) enum EnginePlan<'a> {
    Embeddings(Box<Plan<'a>>),
    Gradients(Box<GradientPlan<'a>>),
    Unrolled(Box<UnrolledPlan<'a>>),
}

/// How far an iteration was encoded, by whichever engine.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct EngineProgress {
    embeddings: StepProgress,
    gradients: GradientProgress,
    unrolled: UnrolledProgress,
}

/// What an iteration is about, as far as that is drawn at its beginning.
#[derive(Debug)]
pub(super) enum Draw {
    Embeddings {
        network: NetworkKey,
        rows: Vec<Row>,
        indices: Vec<u32>,
        /// What batch norms go by.
        norm: Vec<u32>,
        /// The trajectory, and after how many epochs it is matched and recognises.
        along: Option<[usize; 3]>,
        /// Which packed images are shown, if not all are.
        shown: Vec<u32>,
    },
    /// Of the others: they draw when the turns of their stages come.
    Later { iteration: u32 },
}

/// A [`Draw`] and what it is from.
pub(super) struct Work<'a> {
    pub draw: &'a Draw,
    pub dataset: &'a Dataset,
    pub settings: &'a Settings,
    pub real_counts: &'a [usize],
    pub trajectories: &'a [Arc<Trajectory>],
}

impl EnginePlan<'_> {
    pub fn check(&self, gpu: &Gpu) -> Result<()> {
        match self {
            Self::Embeddings(plan) => plan.check(gpu),
            Self::Gradients(plan) => plan.check(gpu),
            Self::Unrolled(plan) => plan.check(gpu),
        }
    }

    pub fn real_counts(&self) -> &[usize] {
        match self {
            Self::Embeddings(plan) => &plan.real_counts,
            Self::Gradients(plan) => &plan.real_counts,
            Self::Unrolled(plan) => &plan.real_counts,
        }
    }
}

impl Engine {
    pub async fn new(gpu: &Gpu, plan: &EnginePlan<'_>, images: &[f32]) -> Result<Self> {
        Ok(match plan {
            EnginePlan::Embeddings(plan) => {
                Self::Embeddings(Box::new(Iteration::new(gpu, plan, images).await?))
            }
            EnginePlan::Gradients(plan) => {
                Self::Gradients(Box::new(GradientIteration::new(gpu, plan, images).await?))
            }
            EnginePlan::Unrolled(plan) => {
                Self::Unrolled(Box::new(UnrolledIteration::new(gpu, plan, images).await?))
            }
        })
    }

    /// Goes on in smaller pieces after `error`, which said that the device has no memory left.
    pub fn shrink(&mut self, plan: &EnginePlan<'_>, error: Error) -> Result<()> {
        match (self, plan) {
            (Self::Embeddings(own), EnginePlan::Embeddings(plan)) => own.shrink(plan, error),
            (Self::Gradients(own), EnginePlan::Gradients(plan)) => own.shrink(plan, error),
            (Self::Unrolled(own), EnginePlan::Unrolled(plan)) => own.shrink(plan, error),
            _ => Err(error),
        }
    }

    /// The synthetic images, and their velocity.
    pub fn pixels(&self) -> (&Buffer<f32>, &Buffer<f32>) {
        match self {
            Self::Embeddings(own) => (&own.images, &own.velocity),
            Self::Gradients(own) => (&own.images, &own.velocity),
            Self::Unrolled(own) => (&own.state.images, &own.state.mean),
        }
    }

    /// What else lasts from one iteration to the next.
    pub fn unrolled(&self) -> Option<&State> {
        match self {
            Self::Unrolled(own) => Some(&own.state),
            Self::Embeddings(_) | Self::Gradients(_) => None,
        }
    }

    /// From the next iteration on.
    pub fn set_rates(&mut self, rates: Rates) {
        match self {
            Self::Embeddings(own) => own.set_rates(rates),
            Self::Gradients(own) => own.set_rates(rates),
            // It reads the settings in each iteration.
            Self::Unrolled(_) => {}
        }
    }

    /// Room for the losses of one iteration on their way to the host.
    pub fn loss_readback(&self) -> Readback<f32> {
        match self {
            Self::Embeddings(own) => own.loss_readback(),
            Self::Gradients(own) => own.loss_readback(),
            Self::Unrolled(own) => own.loss_readback(),
        }
    }

    /// Everything that an iteration submits; but for embeddings, each recording once.
    pub fn recordings(&self) -> Vec<&Recording> {
        match self {
            Self::Embeddings(own) => own.recordings().collect(),
            Self::Gradients(own) => own.recordings().collect(),
            Self::Unrolled(own) => own.recordings().collect(),
        }
    }

    /// What leaves the pixels that others see where they are.
    pub fn recordings_but_the_update(&self) -> Vec<&Recording> {
        match self {
            Self::Embeddings(own) => own.recordings_but_the_update().collect(),
            Self::Gradients(own) => own.recordings().collect(),
            Self::Unrolled(own) => own.recordings().collect(),
        }
    }

    /// What its buffers take.
    #[cfg(feature = "testing")]
    pub fn table(&self, plan: &EnginePlan<'_>) -> crate::gpu::Table {
        match (self, plan) {
            (Self::Embeddings(own), EnginePlan::Embeddings(plan)) => own.table(plan),
            (Self::Gradients(own), EnginePlan::Gradients(plan)) => own.table(plan),
            (Self::Unrolled(own), EnginePlan::Unrolled(plan)) => own.table(plan),
            _ => unreachable!("a plan for another objective"),
        }
    }

    /// Submits the next part of an iteration, as long as a submission should be; whether that was the last.
    pub fn submit_some(
        &mut self,
        work: &Work<'_>,
        progress: &mut EngineProgress,
        readback: &mut Readback<f32>,
    ) -> Result<(Ticket, bool)> {
        match self {
            Self::Embeddings(own) => {
                own.submit_some(&work.step(), &mut progress.embeddings, readback)
            }
            Self::Gradients(own) => own.submit_some(work, &mut progress.gradients, readback),
            Self::Unrolled(own) => own.submit_some(work, &mut progress.unrolled, readback),
        }
    }

    /// Encodes as much of an iteration as the share has room for; whether that was all.
    pub fn encode(
        &mut self,
        encoder: &mut wgpu::CommandEncoder,
        share: &mut Share,
        work: &Work<'_>,
        progress: &mut EngineProgress,
        readback: &mut Readback<f32>,
    ) -> Result<bool> {
        match self {
            Self::Embeddings(own) => {
                let step = work.step();
                own.encode(encoder, share, &step, &mut progress.embeddings, readback)
            }
            Self::Gradients(own) => {
                own.encode(encoder, share, work, &mut progress.gradients, readback)
            }
            Self::Unrolled(own) => {
                own.encode(encoder, share, work, &mut progress.unrolled, readback)
            }
        }
    }

    /// What is to follow each encoder that something was encoded into.
    pub fn end(&mut self, encoder: &wgpu::CommandEncoder) {
        match self {
            Self::Embeddings(own) => own.end(encoder),
            Self::Gradients(own) => own.end(encoder),
            Self::Unrolled(own) => own.end(encoder),
        }
    }

    /// Seconds that an iteration is expected to take, and what of them is behind `progress`.
    pub fn expected(&self, progress: &EngineProgress) -> (f64, f64) {
        match self {
            Self::Embeddings(own) => own.expected(&progress.embeddings),
            Self::Gradients(own) => own.expected(&progress.gradients),
            Self::Unrolled(own) => own.expected(&progress.unrolled),
        }
    }

    /// What an iteration is about.
    pub fn draw(&self, dataset: &Dataset, settings: &Settings, iteration: u32) -> Draw {
        let Self::Embeddings(own) = self else { return Draw::Later { iteration } };
        let (seed, size) = (settings.seed, dataset.size());
        let row = |class: u32| {
            let number = dataset.number(class as usize);
            let mut stream = Stream::new(seed, Purpose::Augment, iteration, number);
            settings.augment.draw(&mut stream, size)
        };
        let classes = dataset.classes() as u32;
        let along = settings.trajectories.zip(settings.expert_epochs).map(|(count, epochs)| {
            let mut stream = Stream::new(seed, Purpose::Snapshots, iteration, 0);
            let (number, from) = (stream.below(count), stream.below(epochs));
            let later = from + stream.below(LATEST.min(epochs - from) + 1);
            [number, from, later].map(|n| n as usize)
        });
        let rows = match along {
            None => (0..classes).map(row).collect(),
            // All of them, pass after pass.
            Some(_) => {
                let passes = settings.augment.passes();
                let mut rows = vec![Row::NONE; classes as usize * passes.len()];
                for class in 0..classes {
                    let mut stream = Stream::new(seed, Purpose::Augment, iteration, class);
                    for (pass, members) in passes.iter().enumerate() {
                        rows[pass * classes as usize + class as usize] =
                            draw_all(members, &mut stream, size);
                    }
                }
                rows
            }
        };
        let tiles = settings.factor * settings.factor;
        let shown = match settings.shown.filter(|shown| *shown < settings.ipc * tiles) {
            None => Vec::new(),
            Some(most) => {
                let of_class = |(class, own): (u32, Vec<u32>)| match own.len() > most {
                    true => {
                        let stream = Stream::new(seed, Purpose::Shown, iteration, class);
                        sample::draw(&own, most, stream)
                    }
                    false => own,
                };
                let counts = settings.per_class.counts(classes as usize, settings.ipc);
                (0..).zip(packed_images(tiles, &counts)).flat_map(of_class).collect()
            }
        };
        let images =
            |count, purpose| sample::draw_batch(dataset, count, (seed, purpose, iteration));
        let norm_images = if own.has_batch_norm() { NORM_IMAGES } else { 0 };
        Draw::Embeddings {
            network: NetworkKey::new(seed, Purpose::Weights, iteration),
            rows,
            along,
            shown,
            indices: images(settings.batch_real, Purpose::RealBatch),
            norm: images(norm_images, Purpose::NormStatistics),
        }
    }
}

impl Work<'_> {
    fn step(&self) -> Step<'_> {
        let Draw::Embeddings { network, rows, indices, norm, along, shown } = self.draw else {
            // Its steps are drawn elsewhere.
            let batch = RealBatch::Indices { indices: &[], norm: &[], all: &[] };
            let (network, given, shown, rows) = (None, None, &[][..], &[][..]);
            return Step { network, given, shown, rows, real_counts: self.real_counts, batch };
        };
        let given = along.and_then(|[number, from, later]| {
            let trajectory = self.trajectories.get(number)?;
            Some([trajectory.after(from), trajectory.after(later)])
        });
        let network = Some(*network).filter(|_| given.is_none());
        let all = self.dataset.train().pixels();
        let batch = RealBatch::Indices { indices, norm, all };
        Step { network, given, shown, rows, real_counts: self.real_counts, batch }
    }

    /// Random numbers of an outer step's class, or of one of its passes: those of step 0 are of the class itself.
    fn stream(&self, purpose: Purpose, outer: u32, number: u32, of: u32) -> Stream {
        Stream::new(self.settings.seed, purpose, self.iteration(), outer * of + number)
    }

    fn iteration(&self) -> u32 {
        match self.draw {
            Draw::Later { iteration } => *iteration,
            Draw::Embeddings { .. } => 0,
        }
    }
}

impl Draws for Work<'_> {
    fn network(&self) -> Option<NetworkKey> {
        match self.draw {
            Draw::Later { iteration } => {
                Some(NetworkKey::new(self.settings.seed, Purpose::Weights, *iteration))
            }
            Draw::Embeddings { .. } => None,
        }
    }

    fn row(&self, outer: u32, class: usize) -> Row {
        let classes = self.dataset.classes() as u32;
        let mut stream = self.stream(Purpose::Augment, outer, class as u32, classes);
        self.settings.augment.draw(&mut stream, self.dataset.size())
    }

    fn real(&self, outer: u32, class: usize) -> Drawn<'_> {
        let (train, classes) = (self.dataset.train(), self.dataset.classes() as u32);
        let stream = self.stream(Purpose::RealBatch, outer, class as u32, classes);
        let indices = sample::draw(train.of_class(class), self.settings.batch_real, stream);
        Drawn::Indices { indices, all: train.pixels() }
    }

    fn norm(&self, outer: u32) -> Drawn<'_> {
        let (train, classes) = (self.dataset.train(), self.dataset.classes());
        let of_class = |class: usize| {
            let stream = self.stream(Purpose::NormStatistics, outer, class as u32, classes as u32);
            sample::draw(train.of_class(class), NORM_IMAGES, stream)
        };
        Drawn::Indices { indices: (0..classes).flat_map(of_class).collect(), all: train.pixels() }
    }

    fn inner(&self, outer: u32, pass: u32, images: Range<usize>) -> (Vec<u32>, Vec<Row>) {
        let (settings, size) = (self.settings, self.dataset.size());
        let passes = settings.inner.unwrap_or_default();
        let syns: usize = settings.shown_of_classes(self.dataset.classes()).iter().sum();
        // One batch of all has no order.
        let order: Vec<_> = (0..syns as u32).collect();
        let order = match images.len() == syns {
            true => order,
            false => {
                sample::draw(&order, syns, self.stream(Purpose::TrainOrder, outer, pass, passes))
            }
        };
        // A batch has an augmentation, an image its parameters; batches of a pass follow one another.
        let mut stream = self.stream(Purpose::TrainAugment, outer, pass, passes);
        let mut first = 0;
        loop {
            let end = (first + super::BATCH).min(syns);
            let member = settings.augment.pick(&mut stream);
            let row = |_| member.map_or(Row::NONE, |member| member.draw(&mut stream, size));
            let rows: Vec<_> = (first..end).map(row).collect();
            if first >= images.start || end == syns {
                return (order[images].to_vec(), rows);
            }
            first = end;
        }
    }
}

impl Lessons for Work<'_> {
    fn network(&self) -> Option<NetworkKey> {
        let number = if self.settings.is_fixed() { 0 } else { self.iteration() };
        Some(NetworkKey::new(self.settings.seed, Purpose::TrainedWeights, number))
    }

    fn real(&self) -> (Drawn<'_>, Vec<u32>) {
        let (train, settings) = (self.dataset.train(), self.settings);
        let from = (settings.seed, Purpose::RealBatch, self.iteration());
        let indices = sample::draw_batch(self.dataset, settings.batch_real, from);
        let labels = indices.iter().map(|&image| train.labels()[image as usize]).collect();
        (Drawn::Indices { indices, all: train.pixels() }, labels)
    }

    fn moves(&self) -> Moves {
        let (settings, iteration) = (self.settings, self.iteration());
        let (done, all) = (u64::from(iteration), u64::from(settings.iterations.max(1)));
        let halvings = u64::from(HALVINGS) * done / all;
        let lr = f64::from(settings.lr_img) * 0.5f64.powf(halvings as f64);
        Moves::new(lr as f32, MOMENTS, iteration.saturating_add(1))
    }
}
