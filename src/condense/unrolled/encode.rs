//! Encoding an iteration: sending what each stage is about, then the stage, as far as there is room.

use wgpu::util::StagingBelt;

use super::{Lessons, UnrolledIteration};
use crate::{
    Result,
    augment::Row,
    condense::{Progress, Staged, copy},
    gpu::{Gpu, Place, Readback, Recording, Share},
    kernels::Rates,
};

/// How far an iteration was encoded.
pub(crate) type UnrolledProgress = Progress<Stage>;

/// The stages of an iteration.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) enum Stage {
    #[default]
    Network,
    /// What the rates of the steps are, and what images networks see.
    Begin,
    /// A step of the training.
    Train(usize),
    /// A part of the real images that judge it.
    Real(usize),
    /// A step of the training again, whose weights were not kept.
    Again(usize),
    /// Back through a step.
    Back(usize),
    /// Images and rates move, where nobody sees it yet.
    Move,
    /// Others see what has become of them.
    End,
}

impl Staged for UnrolledIteration {
    type Stage = Stage;
    type Input<'a> = &'a dyn Lessons;

    const LAST: Stage = Stage::End;

    fn gpu(&self) -> &Gpu {
        &self.gpu
    }

    fn belt(&mut self) -> &mut StagingBelt {
        &mut self.belt
    }

    fn pauses_at(&self, progress: &UnrolledProgress) -> bool {
        self.pauses && self.is_trained(progress)
    }

    fn encode_stage(
        &mut self,
        encoder: &mut wgpu::CommandEncoder,
        share: &mut Share,
        lessons: &dyn Lessons,
        progress: &mut UnrolledProgress,
        readback: &mut Readback<f32>,
    ) -> Result<bool> {
        let (gpu, stage) = (self.gpu.clone(), progress.stage);
        if !progress.sent {
            self.send(encoder, stage, lessons)?;
            progress.sent = true;
        }
        if stage == Stage::End {
            for (moved, seen) in self.buffers.work.all().into_iter().zip(self.state.all()) {
                copy(encoder, (moved, 0), (seen, 0), seen.len());
            }
            readback.record(encoder, &self.buffers.real.losses);
            *progress = UnrolledProgress::default();
            return Ok(true);
        }
        // A caller that brings its own weights wants no others drawn.
        let skipped = stage == Stage::Network && lessons.network().is_none();
        let (recording, label) = self.recording(stage);
        if !skipped && !recording.encode_some(&gpu, &mut progress.place, share, encoder, label) {
            return Ok(false);
        }
        if let Stage::Back(t) = stage {
            let step = &self.buffers.step;
            self.copy_step(encoder, t, |encoder, first, image, count| {
                copy(encoder, (&step.gradient, first), (&self.buffers.gradient, image), count);
            });
            let count = step.products.len();
            copy(encoder, (&step.products, 0), (&self.buffers.products, t * count), count);
        }
        *progress = UnrolledProgress::at(self.after(stage));
        Ok(true)
    }
}

impl UnrolledIteration {
    /// Whether the training has ended, and nothing came after it.
    pub fn is_trained(&self, progress: &UnrolledProgress) -> bool {
        progress.stage == Stage::Real(0) && !progress.sent
    }

    /// What a stage runs, and its name.
    fn recording(&self, stage: Stage) -> (&Recording, &'static str) {
        let recorded = &self.recorded;
        match stage {
            Stage::Network => (self.buffers.weights.drawing(), "draw networks"),
            Stage::Begin => (&recorded.begin, "learning rates"),
            Stage::Train(_) => (&recorded.train, "train the network"),
            Stage::Real(part) => (&recorded.real[part].recording, "real images"),
            // The last weights before the next that were kept lead to those.
            Stage::Again(t) if t + 1 == self.end_of(t) => (&recorded.nothing, "keep weights"),
            Stage::Again(_) => (&recorded.train, "train the network again"),
            Stage::Back(_) => (&recorded.back, "back through a step"),
            Stage::Move => (&recorded.update, "move the pixels"),
            Stage::End => (&recorded.nothing, "end"),
        }
    }

    fn after(&self, stage: Stage) -> Stage {
        let (total, stride) = (self.total(), self.cut.stride);
        // On the way back, from the step that ends there.
        let back_from = |end: usize| match (end, stride) {
            (0, _) => Stage::Move,
            (_, 1) => Stage::Back(end - 1),
            _ => Stage::Again((end - 1) / stride * stride),
        };
        match stage {
            Stage::Network => Stage::Begin,
            Stage::Begin => Stage::Train(0),
            Stage::Train(t) if t + 1 < total => Stage::Train(t + 1),
            Stage::Train(_) => Stage::Real(0),
            Stage::Real(part) if part + 1 < self.recorded.real.len() => Stage::Real(part + 1),
            Stage::Real(_) => back_from(total),
            Stage::Again(t) if t + 1 < self.end_of(t) => Stage::Again(t + 1),
            Stage::Again(t) => Stage::Back(t),
            Stage::Back(t) if t % stride == 0 => back_from(t),
            Stage::Back(t) => Stage::Back(t - 1),
            Stage::Move => Stage::End,
            Stage::End => Stage::Network,
        }
    }

    /// Steps of all passes.
    fn total(&self) -> usize {
        self.order.len() * self.passes
    }

    /// The step before which weights are kept again, or the end.
    fn end_of(&self, t: usize) -> usize {
        ((t / self.cut.stride + 1) * self.cut.stride).min(self.total())
    }

    /// Where the weights before a step are kept for its way back.
    fn slot(&self, t: usize) -> usize {
        match self.cut.stride {
            1 => t,
            stride => self.total().div_ceil(stride) + t % stride,
        }
    }

    /// What a stage needs to be on the device.
    fn send(
        &mut self,
        encoder: &mut wgpu::CommandEncoder,
        stage: Stage,
        lessons: &dyn Lessons,
    ) -> Result<()> {
        let stride = self.cut.stride;
        match stage {
            Stage::Network => {
                for (moved, seen) in self.buffers.work.all().into_iter().zip(self.state.all()) {
                    copy(encoder, (seen, 0), (moved, 0), seen.len());
                }
                let Self { belt, buffers, .. } = self;
                buffers.gradient.clear(encoder);
                buffers.moves.stage(belt, encoder, &[lessons.moves()])?;
                match lessons.network() {
                    Some(key) => {
                        buffers.weights.reset_affines_staged(belt, encoder)?;
                        buffers.weights.name_staged(belt, encoder, key)
                    }
                    None => Ok(()),
                }
            }
            Stage::Train(t) => {
                if t % stride == 0 {
                    self.keep(encoder, t / stride);
                }
                self.send_step(encoder, t)
            }
            Stage::Real(part) => {
                let Self { belt, buffers, recorded, .. } = self;
                let parts = recorded.real.iter().map(|part| part.images.clone());
                let (drawn, labels) = lessons.real();
                let batch = drawn.batch();
                if part == 0 {
                    let (rows, counts) = ([Row::NONE], [labels.len()]);
                    let about = (&rows[..], &counts[..]);
                    buffers.feed.send(belt, encoder, about, &batch, parts)?;
                    buffers.real.labels.stage(belt, encoder, &labels)?;
                }
                let images = recorded.real[part].images.clone();
                buffers.feed.send_real(belt, encoder, &batch, images)
            }
            Stage::Again(t) => {
                if t % stride == 0 {
                    self.take(encoder, t / stride);
                }
                self.keep(encoder, self.slot(t));
                self.send_step(encoder, t)
            }
            Stage::Back(t) => {
                self.take(encoder, self.slot(t));
                let buffers = &self.buffers;
                self.copy_step(encoder, t, |encoder, first, image, count| {
                    let from = (&buffers.gradient, image);
                    copy(encoder, from, (&buffers.step.gradient, first), count);
                });
                self.send_step(encoder, t)
            }
            Stage::Begin | Stage::Move | Stage::End => Ok(()),
        }
    }

    /// The images of a step, their labels and its rate.
    fn send_step(&mut self, encoder: &mut wgpu::CommandEncoder, t: usize) -> Result<()> {
        let (step, rates) = (&self.buffers.step, &self.buffers.rates);
        self.copy_step(encoder, t, |encoder, first, image, count| {
            copy(encoder, (self.buffers.shown(), image), (&step.images, first), count);
        });
        let bytes = size_of::<Rates>() as u64;
        let at = t as u64 * bytes;
        encoder.copy_buffer_to_buffer(rates.raw(), at, step.rate.raw(), 0, bytes);
        let runs = self.order[t % self.order.len()].iter();
        let labels: Vec<_> =
            runs.flat_map(|run| self.labels[run.clone()].iter().copied()).collect();
        step.labels.stage(&mut self.belt, encoder, &labels)
    }

    /// Copies a step's values by `one`, run by run: where they begin among the step's and among all, and how many.
    fn copy_step(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        t: usize,
        one: impl Fn(&mut wgpu::CommandEncoder, usize, usize, usize),
    ) {
        let mut first = 0;
        for run in &self.order[t % self.order.len()] {
            let count = run.len() * self.image_len;
            one(encoder, first, run.start * self.image_len, count);
            first += count;
        }
    }

    /// Keeps the weights.
    fn keep(&self, encoder: &mut wgpu::CommandEncoder, slot: usize) {
        let mut first = 0;
        for values in self.buffers.weights.all() {
            copy(encoder, (values, 0), (&self.buffers.kept[slot], first), values.len());
            first += values.len();
        }
    }

    /// Takes weights that were kept.
    fn take(&self, encoder: &mut wgpu::CommandEncoder, slot: usize) {
        let mut first = 0;
        for values in self.buffers.weights.all() {
            copy(encoder, (&self.buffers.kept[slot], first), (values, 0), values.len());
            first += values.len();
        }
    }

    /// Seconds that an iteration is expected to take, and what of them is behind `progress`.
    pub fn expected(&self, progress: &UnrolledProgress) -> (f64, f64) {
        let of = |stage: Stage| self.recording(stage).0.expected(&self.gpu, Place::default());
        // Steps take as long as one another.
        let (train, back) = (of(Stage::Train(0)), of(Stage::Back(0)));
        let seconds = |stage: Stage| match stage {
            Stage::Train(_) => train,
            Stage::Again(t) if t + 1 < self.end_of(t) => train,
            Stage::Back(_) => back,
            other => of(other),
        };
        let (mut whole, mut left, mut stage) = (0.0, 0.0, Stage::default());
        let mut ahead = true;
        while stage != Stage::End {
            let own = seconds(stage);
            whole += own;
            if stage == progress.stage {
                ahead = false;
                left = self.recording(stage).0.expected(&self.gpu, progress.place);
            } else if !ahead {
                left += own;
            }
            stage = self.after(stage);
        }
        (whole, left)
    }
}
