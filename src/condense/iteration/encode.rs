//! Encoding a step: sending its inputs, then its stages, as far as the share has room.

use wgpu::util::StagingBelt;

use super::{Iteration, Recorded, Step};
use crate::{
    Error, Result,
    condense::{Progress, Staged},
    gpu::{Gpu, Readback, Share},
    nn::Weights,
};

/// How far a step was encoded.
pub(crate) type StepProgress = Progress<Stage>;

/// The stages of a step.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) enum Stage {
    #[default]
    Network,
    Pack,
    /// The statistics that freeze batch norms.
    Statistics,
    /// A chunk of real images.
    Real(usize),
    Synthetic,
    Update,
}

impl Staged for Iteration {
    type Stage = Stage;
    type Input<'a> = &'a Step<'a>;

    const LAST: Stage = Stage::Update;

    fn gpu(&self) -> &Gpu {
        &self.gpu
    }

    fn belt(&mut self) -> &mut StagingBelt {
        &mut self.belt
    }

    fn ready(&self) -> Result<()> {
        match self.recorded {
            Some(_) => Ok(()),
            None => Err(Error::OutOfMemory {
                doing: "take a step".into(),
                reason: "there was none when it was cut to smaller pieces".into(),
            }),
        }
    }

    fn encode_stage(
        &mut self,
        encoder: &mut wgpu::CommandEncoder,
        share: &mut Share,
        step: &Step<'_>,
        progress: &mut StepProgress,
        readback: &mut Readback<f32>,
    ) -> Result<bool> {
        let gpu = self.gpu.clone();
        if !progress.sent {
            self.send(encoder, progress.stage, step)?;
            progress.sent = true;
        }
        let Some(recorded) = &self.recorded else { return Ok(false) };
        let Recorded { statistics, chunks, synthetic, update } = recorded;
        let (recording, label) = match progress.stage {
            Stage::Network => (self.weights.drawing(), "draw networks"),
            Stage::Pack => (&self.packing, "pack weights"),
            Stage::Statistics => (statistics, "statistics of batch norms"),
            Stage::Real(chunk) => (&chunks[chunk].recording, "real images"),
            Stage::Synthetic => (synthetic, "synthetic images"),
            Stage::Update => {
                // It is short, and nobody may see pixels of two steps at once.
                update.encode_at_once(&gpu, share, encoder, "move the pixels");
                readback.record(encoder, self.objective.losses());
                *progress = StepProgress::default();
                return Ok(true);
            }
        };
        // If the caller brings its own weights, none are drawn.
        let skipped = progress.stage == Stage::Network && step.network.is_none();
        if !skipped && !recording.encode_some(&gpu, &mut progress.place, share, encoder, label) {
            return Ok(false);
        }
        *progress = Progress::at(match progress.stage {
            Stage::Network => Stage::Pack,
            Stage::Pack => Stage::Statistics,
            Stage::Statistics => Stage::Real(0),
            Stage::Real(chunk) if chunk + 1 < chunks.len() => Stage::Real(chunk + 1),
            Stage::Real(_) => Stage::Synthetic,
            Stage::Synthetic | Stage::Update => Stage::Update,
        });
        Ok(true)
    }
}

impl Iteration {
    /// Seconds that a step is expected to take, and how many of them remain after `progress`.
    pub fn expected(&self, progress: &StepProgress) -> (f64, f64) {
        let at = match progress.stage {
            Stage::Network => 0,
            Stage::Pack => 1,
            Stage::Statistics => 2,
            Stage::Real(chunk) => 3 + chunk,
            Stage::Synthetic => 3 + self.chunks(),
            Stage::Update => 4 + self.chunks(),
        };
        let whole = self.gpu.expected(self.recordings());
        let mut left = self.recordings().skip(at);
        let begun = left.next().map_or(0.0, |first| first.expected(&self.gpu, progress.place));
        (whole, begun + self.gpu.expected(left))
    }

    /// Sends the inputs that a stage of a step needs.
    fn send(
        &mut self,
        encoder: &mut wgpu::CommandEncoder,
        stage: Stage,
        step: &Step<'_>,
    ) -> Result<()> {
        let Self { belt, feed, weights, rates, changed_rates, recorded, .. } = self;
        let class_weights = self.class_weights.as_ref();
        let chunks = recorded.iter().flat_map(|recorded| &recorded.chunks);
        let mut chunks = chunks.map(|chunk| chunk.images.clone());
        match stage {
            Stage::Network => {
                feed.send(belt, encoder, (step.rows, step.real_counts), &step.batch, chunks)?;
                if !step.shown.is_empty() {
                    feed.send_shown(belt, encoder, step.shown)?;
                }
                if let Some([matching, class]) = step.given {
                    let class = class_weights.into_iter().flat_map(Weights::all).zip(class);
                    for (buffer, values) in weights.all().zip(matching).chain(class) {
                        buffer.stage(belt, encoder, values)?;
                    }
                }
                match step.network {
                    Some(key) => weights.name_staged(belt, encoder, key),
                    None => Ok(()),
                }
            }
            Stage::Real(chunk) => match chunks.nth(chunk) {
                Some(images) => feed.send_real(belt, encoder, &step.batch, images),
                None => Ok(()),
            },
            Stage::Statistics => feed.send_norm(belt, encoder, &step.batch),
            Stage::Synthetic => {
                // Pictures of which nothing is shown stay where they are.
                if !step.shown.is_empty() {
                    self.gradient.clear(encoder);
                }
                Ok(())
            }
            Stage::Pack => Ok(()),
            Stage::Update => match changed_rates.take() {
                Some(changed) => rates.stage(belt, encoder, &[changed]),
                None => Ok(()),
            },
        }
    }

    fn chunks(&self) -> usize {
        self.recorded.as_ref().map_or(0, |recorded| recorded.chunks.len())
    }
}
