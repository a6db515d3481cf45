//! What condensations, selections and evaluations have in common: they advance in steps.

use std::{ops::ControlFlow, time::Duration};

use crate::{Condensation, Evaluation, Result, Selection, wgpu};

/// Steps that may be in flight: enough to keep the GPU busy, few enough to stop soon.
pub(crate) const IN_FLIGHT: u32 = 2;

/// Work that advances in steps, for programs that drive any of it by one function. The methods have the same names and
/// meanings as the types' own methods.
///
/// | work | a step is |
/// |---|---|
/// | [`Condensation`] | an iteration |
/// | [`Selection`] | choosing from a class |
/// | [`Evaluation`] | an epoch, or the test, of the networks that train at once |
///
/// ```no_run
/// use std::ops::ControlFlow;
/// use dm_wgpu::Advance;
///
/// /// Does all of it, and shows how far it is.
/// fn finish(work: &mut dyn Advance) -> dm_wgpu::Result<()> {
///     println!("about {:.0} s", work.estimate_blocking()?.as_secs_f64());
///     let total = work.total();
///     let _ = work.run_blocking(&mut |done| {
///         eprint!("\r{done:.1} of {total}");
///         ControlFlow::Continue(())
///     })?;
///     Ok(())
/// }
/// ```
pub trait Advance {
    /// The number of steps.
    fn total(&self) -> u32;

    /// Steps submitted so far.
    fn done(&self) -> u32;

    /// Whether every step has been submitted.
    fn is_done(&self) -> bool {
        self.done() >= self.total()
    }

    /// Steps submitted that the GPU is not known to have finished.
    fn in_flight(&self) -> u32;

    /// Submits the next step, and waits so that only a few of its submissions are unfinished at a time. Calls `between`
    /// after each submission with the part of the step, from 0 to 1, that the GPU is known to have done. If `between`
    /// breaks, the step is abandoned: a condensation or a selection begins it anew the next time, an evaluation is
    /// over.
    ///
    /// # Errors
    /// [`Error::Gpu`](crate::Error::Gpu) if the device was lost, [`Error::OutOfMemory`](crate::Error::OutOfMemory) if it
    /// has no memory left.
    fn step_blocking(
        &mut self,
        between: &mut dyn FnMut(f64) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>>;

    /// Waits until at most so many steps are in flight.
    ///
    /// # Errors
    /// [`Error::Gpu`](crate::Error::Gpu) if the device was lost.
    fn wait_blocking(&mut self, at_most: u32) -> Result<()>;

    /// How long the remaining steps will take on this device, measured on a slice of each kernel. Measuring takes
    /// seconds if kernels must be compiled first, otherwise a moment.
    ///
    /// # Errors
    /// [`Error::Gpu`](crate::Error::Gpu) if the device was lost, or if an evaluation has already
    /// begun.
    fn estimate_blocking(&self) -> Result<Duration>;

    /// Does the remaining steps and waits for them. Calls `between` several times per step with the number of steps
    /// that are done, such as 2.5. The fractional part is an estimate that improves; the number that is reported never
    /// decreases. If `between` breaks, the work is abandoned as [`step_blocking`](Self::step_blocking) does.
    ///
    /// # Errors
    /// As [`step_blocking`](Self::step_blocking).
    fn run_blocking(
        &mut self,
        between: &mut dyn FnMut(f64) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>> {
        let mut most = 0.0_f64;
        let mut see = |done: f64| {
            most = most.max(done);
            between(most)
        };
        while !self.is_done() {
            let before = f64::from(self.done() - self.in_flight());
            if self.step_blocking(&mut |part| see(before + part))?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
            self.wait_blocking(if self.is_done() { 0 } else { IN_FLIGHT })?;
            let finished = f64::from(self.done() - self.in_flight());
            if see(finished).is_break() && !self.is_done() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Submits the next step, for programs that must not block. For a selection, the future completes when the step is
    /// done.
    ///
    /// # Errors
    /// As [`step_blocking`](Self::step_blocking).
    fn step_async(&mut self) -> impl Future<Output = Result<()>> + wgpu::WasmNotSend
    where
        Self: Sized;

    /// Completes when at most so many steps are in flight. This needs somebody to poll the device: a program that draws
    /// does so in every frame, others call [`Gpu::poll`](crate::Gpu::poll) now and then.
    ///
    /// # Errors
    /// As [`wait_blocking`](Self::wait_blocking).
    fn finished(&mut self, at_most: u32) -> impl Future<Output = Result<()>> + wgpu::WasmNotSend
    where
        Self: Sized;

    /// As [`estimate_blocking`](Self::estimate_blocking), completing as [`finished`](Self::finished) does.
    ///
    /// # Errors
    /// As [`estimate_blocking`](Self::estimate_blocking).
    fn estimate(&self) -> impl Future<Output = Result<Duration>> + wgpu::WasmNotSend
    where
        Self: Sized;
}

/// Forwards to the types' own methods of the same names.
macro_rules! advance {
    ($($work:ident),+) => {$(
        impl Advance for $work {
            fn total(&self) -> u32 {
                self.total()
            }
            fn done(&self) -> u32 {
                self.done()
            }
            fn in_flight(&self) -> u32 {
                self.in_flight()
            }
            fn step_blocking(
                &mut self,
                between: &mut dyn FnMut(f64) -> ControlFlow<()>,
            ) -> Result<ControlFlow<()>> {
                self.step_blocking(between)
            }
            fn wait_blocking(&mut self, at_most: u32) -> Result<()> {
                self.wait_blocking(at_most)
            }
            fn estimate_blocking(&self) -> Result<Duration> {
                self.estimate_blocking()
            }
            fn step_async(&mut self) -> impl Future<Output = Result<()>> + wgpu::WasmNotSend {
                self.step_async()
            }
            fn finished(
                &mut self,
                at_most: u32,
            ) -> impl Future<Output = Result<()>> + wgpu::WasmNotSend {
                self.finished(at_most)
            }
            fn estimate(&self) -> impl Future<Output = Result<Duration>> + wgpu::WasmNotSend {
                self.estimate()
            }
        }
    )+};
}
advance!(Condensation, Evaluation, Selection);
