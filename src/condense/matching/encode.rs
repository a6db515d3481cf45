//! Encoding a step: sending what it is about, then its stages, as far as there is room.

use super::{Matching, RealBatch, RealSource, Step};
use crate::{
    Error, Result,
    gpu::{Place, Readback, Share, Ticket},
    kernels::Item,
};

/// How far a step was encoded.
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

impl Matching {
    /// Submits the next part of a step, as long as a submission should be; whether that was the last. Then the
    /// losses are on their way to `readback`.
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

    /// Seconds that a step is expected to take, and what of them is behind `progress`.
    pub fn expected(&self, progress: &Progress) -> (f64, f64) {
        let at = match progress.stage {
            Stage::Network => 0,
            Stage::Pack => 1,
            Stage::Real(chunk) => 2 + chunk,
            Stage::Synthetic => 2 + self.chunks.len(),
            Stage::Update => 3 + self.chunks.len(),
        };
        let whole = self.gpu.expected(self.recordings());
        let mut left = self.recordings().skip(at);
        let begun = left.next().map_or(0.0, |first| first.expected(&self.gpu, progress.place));
        (whole, begun + self.gpu.expected(left))
    }

    /// Encodes what there is room for of a step; whether that was all. Then the losses are on their way to
    /// `readback`. Where the device has no memory left, the pixels were not moved.
    pub fn encode(
        &mut self,
        encoder: &mut wgpu::CommandEncoder,
        share: &mut Share,
        step: &Step<'_>,
        progress: &mut Progress,
        readback: &mut Readback<f32>,
    ) -> Result<bool> {
        if self.chunks.is_empty() {
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
                // As half of what moves them cannot be undone, nothing can be repeated.
                Err(Error::OutOfMemory { doing, reason }) if stage == Stage::Update => {
                    return Err(Error::gpu(doing, reason));
                }
                Err(error) => {
                    // The encoder may be another's, and holds what was sent so far.
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

    /// What there is room for of one stage; whether that was all, and the next one's turn.
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
        let (recording, label) = match progress.stage {
            Stage::Network => (self.weights.drawing(), "draw networks"),
            Stage::Pack => (self.weights.packing(), "pack weights"),
            Stage::Real(chunk) => (&self.chunks[chunk].recording, "real images"),
            Stage::Synthetic => (&self.synthetic, "synthetic images"),
            Stage::Update => {
                // Short, and nobody may see the pixels of two steps at once.
                self.update.encode_at_once(&gpu, share, encoder, "move the pixels");
                readback.record(encoder, &self.losses);
                *progress = Progress::default();
                return Ok(true);
            }
        };
        // A caller that brings its own weights wants no others drawn.
        let skipped = progress.stage == Stage::Network && step.network.is_none();
        if !skipped && !recording.encode_some(&gpu, &mut progress.place, share, encoder, label) {
            return Ok(false);
        }
        *progress = Progress::at(match progress.stage {
            Stage::Network => Stage::Pack,
            Stage::Pack => Stage::Real(0),
            Stage::Real(chunk) if chunk + 1 < self.chunks.len() => Stage::Real(chunk + 1),
            Stage::Real(_) => Stage::Synthetic,
            Stage::Synthetic | Stage::Update => Stage::Update,
        });
        Ok(true)
    }

    /// What is to follow each encoder that something was encoded into.
    pub fn end(&mut self, encoder: &wgpu::CommandEncoder) {
        self.belt.finish_and_recall_on_submit(encoder);
    }

    /// What a stage of a step needs to be on the device.
    fn send(
        &mut self,
        encoder: &mut wgpu::CommandEncoder,
        stage: Stage,
        step: &Step<'_>,
    ) -> Result<()> {
        match stage {
            Stage::Network => self.begin(encoder, step),
            Stage::Real(chunk) => self.send_real(encoder, chunk, &step.batch),
            Stage::Pack | Stage::Synthetic => Ok(()),
            Stage::Update => match self.changed_rates.take() {
                Some(rates) => self.rates.stage(&mut self.belt, encoder, &[rates]),
                None => Ok(()),
            },
        }
    }

    /// What the step is about.
    fn begin(&mut self, encoder: &mut wgpu::CommandEncoder, step: &Step<'_>) -> Result<()> {
        let Step { network, rows, real_counts, batch } = step;
        self.rows.stage(&mut self.belt, encoder, rows)?;
        let classes = (0u32..).zip(*real_counts).flat_map(|(k, &n)| std::iter::repeat_n(k, n));
        let items: Vec<_> = match (batch, &self.real_source) {
            (RealBatch::Indices { indices, .. }, RealSource::Resident(_)) => {
                indices.iter().zip(classes).map(|(&image, row)| Item { image, row }).collect()
            }
            // What is sent chunk by chunk is numbered within its chunk.
            _ => {
                let within = self.chunks.iter().flat_map(|c| 0..c.images.len() as u32);
                within.zip(classes).map(|(image, row)| Item { image, row }).collect()
            }
        };
        self.real_items.stage(&mut self.belt, encoder, &items)?;
        match network {
            Some(key) => self.weights.name_staged(&mut self.belt, encoder, *key),
            None => Ok(()),
        }
    }

    /// A chunk of the real images, unless they are on the device already.
    fn send_real(
        &mut self,
        encoder: &mut wgpu::CommandEncoder,
        chunk: usize,
        batch: &RealBatch<'_>,
    ) -> Result<()> {
        let Self { belt, real_source, chunks, .. } = self;
        let range = chunks[chunk].images.clone();
        match (batch, real_source) {
            (RealBatch::Indices { indices, all }, RealSource::StreamedPixels(room)) => {
                let len = room.len() / chunks[0].images.len();
                let image = |&i: &u32| all[i as usize * len..][..len].iter().copied();
                let gathered: Vec<u8> = indices[range].iter().flat_map(image).collect();
                room.stage(belt, encoder, &gathered)?;
            }
            (RealBatch::Values(values), RealSource::StreamedValues(room)) => {
                let len = room.len() / chunks[0].images.len();
                room.stage(belt, encoder, &values[range.start * len..range.end * len])?;
            }
            _ => {}
        }
        Ok(())
    }
}
