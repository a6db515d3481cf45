//! Errors of the device: those that it reports while work is prepared or encoded, and those that nothing caught.

#[cfg(feature = "testing")]
use std::sync::atomic::Ordering;

use super::{Gpu, compile::compile_all, unpoisoned};
use crate::{Error, Result};

impl Gpu {
    /// Runs `work` and turns what the device reports meanwhile into an error.
    pub(crate) async fn checked<T>(
        &self,
        doing: &str,
        work: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        self.suffices()?;
        let scopes = self.scopes();
        let before = *unpoisoned(&self.shared.made);
        let result = work();
        let mut errors = Vec::new();
        if result.is_ok() {
            errors = compile_all(self);
        } else {
            // What follows may need the memory that was meant for this.
            self.pipelines().values().for_each(|made| made.unbind());
        }
        let after = *unpoisoned(&self.shared.made);
        if after.pipelines > before.pipelines {
            log::info!(
                "to {doing}: {} pipelines compiled in {:.2} s, {} MiB of buffers",
                after.pipelines - before.pipelines,
                after.compiling.saturating_sub(before.compiling).as_secs_f64(),
                after.bytes.saturating_sub(before.bytes) >> 20
            );
        }
        for answer in answers(scopes) {
            errors.extend(answer.await);
        }
        if let Some(error) = errors.into_iter().next() {
            // One of them may be the pipeline that failed.
            self.pipelines().clear();
            return Err(match error {
                wgpu::Error::OutOfMemory { .. } => out_of_memory(doing, error),
                other => Error::gpu(doing, other),
            });
        }
        self.pretended(doing)?;
        result
    }

    fn scopes(&self) -> [wgpu::ErrorScopeGuard; 3] {
        use wgpu::ErrorFilter::{Internal, OutOfMemory, Validation};
        [Validation, Internal, OutOfMemory].map(|filter| self.device().push_error_scope(filter))
    }

    /// What the device reports while this thread does `work`.
    #[cfg(not(target_arch = "wasm32"))]
    pub(super) fn errors_of(&self, work: impl FnOnce()) -> Vec<wgpu::Error> {
        let scopes = self.scopes();
        work();
        answers(scopes).into_iter().filter_map(pollster::block_on).collect()
    }

    /// Runs `work`, and returns an error if the device has no memory left for it. A browser reports that later; then
    /// the next call that checks the device returns the error.
    pub(crate) fn with_enough_memory<T>(
        &self,
        doing: &str,
        work: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        let scope = self.device().push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let result = work();
        match self.answer(doing, scope.pop()) {
            Some(error) => Err(out_of_memory(doing, error)),
            None => self.pretended(doing).and(result),
        }
    }

    /// The error that a scope caught. On native backends it is known at once.
    #[cfg(not(target_arch = "wasm32"))]
    fn answer(
        &self,
        _doing: &str,
        caught: impl Future<Output = Option<wgpu::Error>>,
    ) -> Option<wgpu::Error> {
        pollster::block_on(caught)
    }

    /// In a browser it is known later, and looked at when the device is checked.
    #[cfg(target_arch = "wasm32")]
    fn answer(
        &self,
        doing: &str,
        caught: impl Future<Output = Option<wgpu::Error>> + 'static,
    ) -> Option<wgpu::Error> {
        unpoisoned(&self.shared.unanswered).push((doing.to_owned(), Box::pin(caught)));
        None
    }

    /// Turns what scopes have caught meanwhile into an error that every later call returns.
    #[cfg(target_arch = "wasm32")]
    fn hear(&self) {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        unpoisoned(&self.shared.unanswered).retain_mut(|(doing, caught)| {
            let std::task::Poll::Ready(error) = caught.as_mut().poll(&mut context) else {
                return true;
            };
            if let Some(error) = error {
                let error = out_of_memory(doing, error).to_string();
                unpoisoned(&self.shared.fault).get_or_insert(error);
            }
            false
        });
    }

    /// So many of the following checks report that no memory is left. For tests.
    #[cfg(feature = "testing")]
    pub(crate) fn pretend_out_of_memory(&self, times: u32) {
        self.shared.pretended.store(times, Ordering::Relaxed);
    }

    #[cfg(not(feature = "testing"))]
    fn pretended(&self, _doing: &str) -> Result<()> {
        Ok(())
    }

    #[cfg(feature = "testing")]
    fn pretended(&self, doing: &str) -> Result<()> {
        let one_less = |times: u32| times.checked_sub(1);
        match self.shared.pretended.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less) {
            Ok(_) => Err(out_of_memory(doing, "so a test pretends")),
            Err(_) => Ok(()),
        }
    }

    /// An error if something went wrong on the device since it was opened.
    pub(crate) fn check(&self, doing: &str) -> Result<()> {
        #[cfg(target_arch = "wasm32")]
        self.hear();
        match &*unpoisoned(&self.shared.fault) {
            Some(fault) => Err(Error::gpu(doing, fault)),
            None => Ok(()),
        }
    }
}

/// What each scope caught. All are popped at once, in this order: wgpu panics if a scope is popped that is not the
/// innermost.
fn answers(
    scopes: [wgpu::ErrorScopeGuard; 3],
) -> Vec<impl Future<Output = Option<wgpu::Error>> + wgpu::WasmNotSend> {
    scopes.into_iter().rev().map(wgpu::ErrorScopeGuard::pop).collect()
}

fn out_of_memory(doing: &str, reason: impl ToString) -> Error {
    Error::OutOfMemory { doing: doing.to_owned(), reason: reason.to_string() }
}
