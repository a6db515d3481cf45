//! Advancing a run: by submitting an iteration, or by encoding into the caller's encoder as much as there is time for.

use std::{ops::ControlFlow, time::Duration};

use super::{Condensation, Encoded, InFlight, plan::checked_plan};
use crate::{
    Error, Result,
    condense::engine::{Draw, Engine, EngineProgress, Work},
    gpu::{Between, Readback, Share, Submitted, WAITING, duration},
};

/// An iteration that was not submitted to its end.
#[derive(Debug)]
pub(super) struct Begun {
    draw: Draw,
    underway: Underway,
}

/// How far an iteration has come.
#[derive(Debug)]
struct Underway {
    progress: EngineProgress,
    /// What was submitted here; nothing if it is the caller who submits.
    submitted: Submitted,
    losses: Readback<f32>,
}

/// Calls of [`Condensation::encode_some`] whose work may wait for the GPU: those of frames that are drawn while the
/// next is prepared.
const FRAMES: usize = 3;

impl Condensation {
    /// Submits one iteration and returns without waiting for it. An iteration that [`encode_some`](Self::encode_some)
    /// left in the middle begins anew. The work is cut into submissions of about the device's
    /// [`submit_target`](crate::Gpu::submit_target).
    ///
    /// Steps are possible beyond the settings' `iterations`, after which [`is_done`](Self::is_done) is true.
    ///
    /// # Errors
    /// [`Error::Gpu`] if the device was lost, [`Error::OutOfMemory`] if it has too little memory left even for the
    /// smallest pieces: then the images are as the iteration before left them.
    pub fn step(&mut self) -> Result<()> {
        self.submit(None).map(drop)
    }

    /// As [`step`](Self::step), but waits so that only a few of its submissions are unfinished at a time, and calls
    /// `between` after each but the last with the part of the iteration, from 0 to 1, that the GPU is known to have done:
    /// never, if the iteration is a single submission. If `between` breaks, the iteration is abandoned, and the images
    /// stay as the one before made them; the next step begins it anew. So a program whose iterations take seconds can show
    /// progress, and can stop when it is asked to.
    ///
    /// ```no_run
    /// # fn condense(run: &mut dm_wgpu::Condensation) -> dm_wgpu::Result<()> {
    /// use std::{ops::ControlFlow, time::{Duration, Instant}};
    ///
    /// let deadline = Instant::now() + Duration::from_secs(3600);
    /// while !run.is_done() {
    ///     let stopped = run.step_blocking(&mut |done| {
    ///         eprint!("\r{:.0} %", 100.0 * done);
    ///         match Instant::now() < deadline {
    ///             true => ControlFlow::Continue(()),
    ///             false => ControlFlow::Break(()),
    ///         }
    ///     })?;
    ///     if stopped.is_break() {
    ///         break;
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`step`](Self::step).
    pub fn step_blocking(
        &mut self,
        between: &mut dyn FnMut(f64) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>> {
        self.submit(Some(between))
    }

    fn submit(&mut self, mut between: Option<Between<'_>>) -> Result<ControlFlow<()>> {
        self.collect()?;
        // The caller may not have submitted what it was given of this iteration.
        if let Some(begun) = &mut self.begun {
            begun.underway.progress = EngineProgress::default();
        }
        loop {
            let ended = self.advance(|matching, work, underway| {
                let Underway { progress, losses, submitted } = underway;
                let (ticket, ended) = matching.submit_some(work, progress, losses)?;
                submitted.push(ticket);
                Ok(ended)
            })?;
            if ended {
                return Ok(ControlFlow::Continue(()));
            }
            let (Some(between), Some(begun)) = (&mut between, &mut self.begun) else { continue };
            let Underway { progress, submitted, .. } = &mut begun.underway;
            submitted.wait_for_all_but(WAITING, &self.gpu, "condense")?;
            let (whole, left) = self.matching.expected(progress);
            let done = whole - left - submitted.expected();
            if between((done / whole).clamp(0.0, 1.0)).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
    }

    /// As [`step`](Self::step), which never waits, under the name that evaluations and selections use for it in
    /// browsers. Completes at once.
    ///
    /// # Errors
    /// As [`step`](Self::step).
    pub async fn step_async(&mut self) -> Result<()> {
        self.step()
    }

    /// How long the remaining iterations will take on this device, measured on a slice of each kernel. Measuring takes
    /// seconds if kernels must be compiled first, otherwise a moment. No image changes.
    ///
    /// # Errors
    /// [`Error::Gpu`] if the device was lost.
    pub fn estimate_blocking(&self) -> Result<Duration> {
        self.gpu.measure_paces(self.matching.recordings_but_the_update())?;
        Ok(self.estimated())
    }

    /// As [`estimate_blocking`](Self::estimate_blocking), completing as [`finished`](Self::finished) does.
    ///
    /// # Errors
    /// As [`estimate_blocking`](Self::estimate_blocking).
    pub async fn estimate(&self) -> Result<Duration> {
        self.gpu.measure_paces_async(self.matching.recordings_but_the_update()).await?;
        Ok(self.estimated())
    }

    fn estimated(&self) -> Duration {
        let left = f64::from(self.total().saturating_sub(self.done()));
        duration(left * self.matching.expected(&EngineProgress::default()).0)
    }

    /// Encodes one iteration into the caller's encoder. The caller submits it to the queue of
    /// [`Gpu::from_parts`](crate::Gpu::from_parts) at any time before a later [`step`](Self::step) or an encoder with a
    /// later iteration; one encoder may hold several iterations. Nothing is submitted or read back here, and no buffer
    /// is made once there are as many as the iterations in flight need.
    ///
    /// The iteration counts from now on. If its encoder is dropped instead, for instance because a frame can't be
    /// shown, the next call notices this and repeats the iteration, to the same bits as if nothing had happened. But if
    /// a later encoder was submitted nevertheless, the images have missed the iteration; from then on every call
    /// returns an error, and a checkpoint is the way back.
    ///
    /// The whole iteration is then one submission. On slow adapters it may take longer than a frame, or longer than
    /// drivers let a submission run (some seconds): [`encode_some`](Self::encode_some) encodes only as much as there is
    /// time for.
    ///
    /// ```no_run
    /// # fn frame(
    /// #     device: &wgpu::Device, queue: &wgpu::Queue, run: &mut dm_wgpu::Condensation,
    /// # ) -> dm_wgpu::Result<()> {
    /// # use dm_wgpu::wgpu;
    /// let mut encoder = device.create_command_encoder(&Default::default());
    /// run.encode_step(&mut encoder)?;
    /// // … what the frame shows, into the same encoder …
    /// queue.submit([encoder.finish()]);
    /// for loss in run.take_losses()? { // of earlier frames
    ///     println!("{}: {}", loss.iteration, loss.loss);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`step`](Self::step), and [`Error::Gpu`] if an encoder was dropped and a later one was submitted, or if wgpu
    /// refused a submission, for instance because of another command in the encoder; this is noticed when it would be done,
    /// and a checkpoint is the way back.
    pub fn encode_step(&mut self, encoder: &mut wgpu::CommandEncoder) -> Result<()> {
        self.collect()?;
        let (mut share, first) = (Share::unbounded(), self.iteration);
        let outcome = self.encode(encoder, &mut share);
        self.ends(encoder, share, first);
        outcome.map(drop)
    }

    /// Encodes about so much time's work into the caller's encoder and returns how long it should take: a part of
    /// an iteration, or several, but none beyond the settings' `iterations`. The encoder is submitted as with
    /// [`encode_step`](Self::encode_step); the next call goes on where this one stopped. An iteration counts
    /// once its end is encoded. What comes out is the same to the bit however it is cut.
    ///
    /// How long work takes is learned from earlier calls: exactly on a device with
    /// [`TIMESTAMP_QUERY`](wgpu::Features::TIMESTAMP_QUERY), which [`preferred_features`](crate::preferred_features)
    /// asks for; otherwise cautiously, from when work was seen to be done. The first calls use a guess that is meant
    /// for slow adapters. A call encodes at least a 256th of one dispatch, but nothing while the work of three earlier
    /// calls is not known to be done.
    ///
    /// ```no_run
    /// # fn frame(
    /// #     device: &wgpu::Device, queue: &wgpu::Queue, run: &mut dm_wgpu::Condensation,
    /// # ) -> dm_wgpu::Result<()> {
    /// # use dm_wgpu::wgpu;
    /// use std::time::Duration;
    ///
    /// let mut encoder = device.create_command_encoder(&Default::default());
    /// // … what the frame shows …
    /// run.encode_some(&mut encoder, Duration::from_millis(8))?;
    /// queue.submit([encoder.finish()]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`encode_step`](Self::encode_step).
    pub fn encode_some(
        &mut self,
        encoder: &mut wgpu::CommandEncoder,
        budget: Duration,
    ) -> Result<Duration> {
        self.collect()?;
        if self.encoded.len() >= FRAMES || self.is_done() {
            return Ok(Duration::ZERO);
        }
        let (mut share, first) = (Share::of(budget), self.iteration);
        let mut outcome = Ok(true);
        while matches!(outcome, Ok(true)) && !self.is_done() && share.has_room() {
            outcome = self.encode(encoder, &mut share);
        }
        let expected = share.expected();
        self.ends(encoder, share, first);
        outcome.map(|_| expected)
    }

    /// Encodes as much of an iteration as there is room for. Returns whether the iteration is complete.
    fn encode(&mut self, encoder: &mut wgpu::CommandEncoder, share: &mut Share) -> Result<bool> {
        self.advance(|matching, work, Underway { progress, losses, .. }| {
            matching.encode(encoder, share, work, progress, losses)
        })
    }

    /// Continues the iteration that was begun, or begins the next. Returns whether it is complete. If the device has no
    /// memory left, it begins again in smaller pieces, if there are smaller ones.
    fn advance(
        &mut self,
        mut issue: impl FnMut(&mut Engine, &Work<'_>, &mut Underway) -> Result<bool>,
    ) -> Result<bool> {
        let asked = self.settings.trajectories.unwrap_or_default() as usize;
        if self.trajectories.len() != asked {
            let reason = format!("{asked} are needed: `Condensation::along` takes them");
            return Err(Error::shape("trajectories", reason));
        }
        let mut begun = self.begin();
        loop {
            let work = Work {
                draw: &begun.draw,
                dataset: &self.dataset,
                settings: &self.settings,
                real_counts: &self.real_counts,
                trajectories: &self.trajectories,
            };
            match issue(&mut self.matching, &work, &mut begun.underway) {
                Ok(true) => {
                    let Underway { submitted, losses, .. } = begun.underway;
                    let iteration = self.iteration;
                    self.in_flight.push_back(InFlight { iteration, submitted, losses });
                    self.iteration += 1;
                    return Ok(true);
                }
                Ok(false) => {
                    self.begun = Some(begun);
                    return Ok(false);
                }
                Err(error @ Error::OutOfMemory { .. }) => {
                    begun.underway.progress = EngineProgress::default();
                    // The copy that was to take the losses may be lost.
                    begun.underway.losses = self.matching.loss_readback();
                    let plan = checked_plan(&self.gpu, &self.dataset, &self.settings)?;
                    self.matching.shrink(&plan, error)?;
                }
                Err(error) => {
                    self.begun = Some(begun);
                    return Err(error);
                }
            }
        }
    }

    /// The end of what is encoded in one call.
    fn ends(&mut self, encoder: &mut wgpu::CommandEncoder, share: Share, first: u32) {
        self.matching.end(encoder);
        self.encoded.push_back(Encoded { first, ticket: share.end(encoder) });
    }

    /// The inputs of the iteration that was begun, or of the next.
    fn begin(&mut self) -> Begun {
        if let Some(begun) = self.begun.take() {
            return begun;
        }
        let draw = self.matching.draw(&self.dataset, &self.settings, self.iteration);
        let losses = self.idle.pop().unwrap_or_else(|| self.matching.loss_readback());
        let (progress, submitted) = Default::default();
        Begun { draw, underway: Underway { progress, submitted, losses } }
    }
}
