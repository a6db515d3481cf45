//! Encoding a step: sending its inputs, then its stages, as far as the share has room.

use super::{Iteration, Recorded, Step};
use crate::{
    Error, Result,
    gpu::{Place, Readback, Share, Ticket},
    nn::Weights,
};

/// How far a step has been encoded.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Progress {
    stage: Stage,
    /// Whether the stage has what it needs.
    sent: bool,
    place: Place,
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
enum Stage {
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

impl Progress {
    fn at(stage: Stage) -> Self {
        Self { stage, ..Self::default() }
    }
}

impl Iteration {
    /// Submits the next part of a step, as much as a submission should hold. Returns whether that was the last part;
    /// then the losses are on their way to `readback`.
    pub fn submit_some(
        &mut self,
        step: &Step<'_>,
        progress: &mut Progress,
        readback: &mut Readback<f32>,
    ) -> Result<(Ticket, bool)> {
        let gpu = self.gpu.clone();
        let label = Some("a part of a step");
        let mut encoder =
            gpu.device().create_command_encoder(&wgpu::CommandEncoderDescriptor { label });
        let mut share = Share::of(gpu.submit_target());
        let ended = self.encode(&mut encoder, &mut share, step, progress, readback)?;
        self.end(&encoder);
        Ok((share.submit(&gpu, encoder), ended))
    }

    /// Seconds that a step is expected to take, and how many of them remain after `progress`.
    pub fn expected(&self, progress: &Progress) -> (f64, f64) {
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

    /// Encodes as much of a step as there is room for. Returns whether that was all; then the losses are on their way
    /// to `readback`. If the device has no memory left, the pixels were not moved.
    pub fn encode(
        &mut self,
        encoder: &mut wgpu::CommandEncoder,
        share: &mut Share,
        step: &Step<'_>,
        progress: &mut Progress,
        readback: &mut Readback<f32>,
    ) -> Result<bool> {
        if self.recorded.is_none() {
            return Err(Error::OutOfMemory {
                doing: "take a step".into(),
                reason: "there was none when it was cut to smaller pieces".into(),
            });
        }
        let gpu = self.gpu.clone();
        while share.has_room() {
            let stage = progress.stage;
            let work = || self.encode_stage(encoder, share, step, progress, readback);
            match gpu.with_enough_memory("take a step", work) {
                // An update that is half done cannot be undone, so the step cannot be repeated.
                Err(Error::OutOfMemory { doing, reason }) if stage == Stage::Update => {
                    return Err(Error::gpu(doing, reason));
                }
                Err(error) => {
                    // The encoder may be the caller's, and holds what was sent so far.
                    self.end(encoder);
                    return Err(error);
                }
                Ok(false) => return Ok(false),
                Ok(true) if stage == Stage::Update => return Ok(true),
                Ok(true) => {}
            }
        }
        Ok(false)
    }

    /// Encodes as much of one stage as there is room for. Returns whether the stage is complete.
    fn encode_stage(
        &mut self,
        encoder: &mut wgpu::CommandEncoder,
        share: &mut Share,
        step: &Step<'_>,
        progress: &mut Progress,
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
                *progress = Progress::default();
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

    /// Must be called after each encoder into which something was encoded.
    pub fn end(&mut self, encoder: &wgpu::CommandEncoder) {
        self.belt.finish_and_recall_on_submit(encoder);
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
