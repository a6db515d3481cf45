//! What the iterations of all objectives have in common: they are encoded stage by stage, as far as there is room.

use wgpu::util::StagingBelt;

use crate::{
    Error, Result,
    gpu::{Gpu, Place, Readback, Share, Ticket},
};

/// How far an iteration was encoded.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Progress<S> {
    pub stage: S,
    /// Whether the stage has what it needs.
    pub sent: bool,
    pub place: Place,
}

impl<S> Progress<S> {
    pub fn at(stage: S) -> Self {
        Self { stage, sent: false, place: Place::default() }
    }
}

/// An iteration that was recorded stage by stage.
pub(crate) trait Staged {
    /// Its stages.
    type Stage: Copy + Default + PartialEq;
    /// What changes from iteration to iteration.
    type Input<'a>: Copy;

    /// The stage after which others see what has become of the pixels.
    const LAST: Self::Stage;

    fn gpu(&self) -> &Gpu;

    fn belt(&mut self) -> &mut StagingBelt;

    /// Encodes as much of one stage as there is room for. Returns whether it ended and the next one follows; after the
    /// last the losses are on their way to `readback`.
    fn encode_stage(
        &mut self,
        encoder: &mut wgpu::CommandEncoder,
        share: &mut Share,
        input: Self::Input<'_>,
        progress: &mut Progress<Self::Stage>,
        readback: &mut Readback<f32>,
    ) -> Result<bool>;

    /// Whether nothing stands in the way of an iteration.
    fn ready(&self) -> Result<()> {
        Ok(())
    }

    /// Whether a submission is to end here, so that the state after this stage can be read.
    fn pauses_at(&self, _: &Progress<Self::Stage>) -> bool {
        false
    }

    /// Submits the next part of an iteration, as long as a submission should be. Returns whether that was the last part;
    /// then the losses are on their way to `readback`.
    fn submit_some(
        &mut self,
        input: Self::Input<'_>,
        progress: &mut Progress<Self::Stage>,
        readback: &mut Readback<f32>,
    ) -> Result<(Ticket, bool)> {
        let gpu = self.gpu().clone();
        let label = Some("a part of an iteration");
        let mut encoder =
            gpu.device().create_command_encoder(&wgpu::CommandEncoderDescriptor { label });
        let mut share = Share::of(gpu.submit_target());
        let ended = self.encode(&mut encoder, &mut share, input, progress, readback)?;
        self.end(&encoder);
        Ok((share.submit(&gpu, encoder), ended))
    }

    /// Encodes as much of an iteration as the share has room for. Returns whether that was all; then the losses are on
    /// their way to `readback`. If the device has no memory left, what others see was not moved.
    fn encode(
        &mut self,
        encoder: &mut wgpu::CommandEncoder,
        share: &mut Share,
        input: Self::Input<'_>,
        progress: &mut Progress<Self::Stage>,
        readback: &mut Readback<f32>,
    ) -> Result<bool> {
        self.ready()?;
        let gpu = self.gpu().clone();
        while share.has_room() {
            let last = progress.stage == Self::LAST;
            let work = || self.encode_stage(encoder, share, input, progress, readback);
            match gpu.with_enough_memory("take a step", work) {
                // A move that is half done cannot be undone, so the iteration cannot be repeated.
                Err(Error::OutOfMemory { doing, reason }) if last => {
                    return Err(Error::gpu(doing, reason));
                }
                Err(error) => {
                    // The encoder may be the caller's, and holds what was sent so far.
                    self.end(encoder);
                    return Err(error);
                }
                Ok(false) => return Ok(false),
                Ok(true) if last => return Ok(true),
                Ok(true) if self.pauses_at(progress) => return Ok(false),
                Ok(true) => {}
            }
        }
        Ok(false)
    }

    /// Must be called after each encoder into which something was encoded.
    fn end(&mut self, encoder: &wgpu::CommandEncoder) {
        self.belt().finish_and_recall_on_submit(encoder);
    }
}
