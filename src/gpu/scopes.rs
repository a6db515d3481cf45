//! Errors of the device: what it reports while work is prepared or encoded, and what nothing caught.

use std::sync::atomic::Ordering;

use super::{Gpu, unpoisoned};
use crate::{Error, Result};

impl Gpu {
    /// Runs `work` and turns what the device reports meanwhile into an error.
    pub(crate) fn checked<T>(&self, doing: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        self.suffices()?;
        use wgpu::ErrorFilter::{Internal, OutOfMemory, Validation};
        let scopes =
            [Validation, Internal, OutOfMemory].map(|f| self.shared.device.push_error_scope(f));
        let before = *unpoisoned(&self.shared.made);
        let result = work();
        let after = *unpoisoned(&self.shared.made);
        if after.pipelines > before.pipelines {
            log::info!(
                "to {doing}: {} pipelines compiled in {:.2} s, {} MiB of buffers",
                after.pipelines - before.pipelines,
                after.compiling.saturating_sub(before.compiling).as_secs_f64(),
                after.bytes.saturating_sub(before.bytes) >> 20
            );
        }
        // All of them, in this order: wgpu ends the program where another is left on top. On native backends
        // the futures are ready at once.
        let errors: Vec<_> =
            scopes.into_iter().rev().filter_map(|scope| pollster::block_on(scope.pop())).collect();
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

    /// Runs `work`, and tells where the device has no memory left for what it needs on the way.
    pub(crate) fn with_enough_memory<T>(
        &self,
        doing: &str,
        work: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        let scope = self.device().push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let result = work();
        match pollster::block_on(scope.pop()) {
            Some(error) => Err(out_of_memory(doing, error)),
            None => self.pretended(doing).and(result),
        }
    }

    /// Of the checks that follow, so many find no memory left. For tests.
    pub(crate) fn pretend_out_of_memory(&self, times: u32) {
        self.shared.pretended.store(times, Ordering::Relaxed);
    }

    fn pretended(&self, doing: &str) -> Result<()> {
        let one_less = |times: u32| times.checked_sub(1);
        match self.shared.pretended.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less) {
            Ok(_) => Err(out_of_memory(doing, "so a test pretends")),
            Err(_) => Ok(()),
        }
    }

    /// An error if something went wrong on the device since it was opened.
    pub(crate) fn check(&self, doing: &str) -> Result<()> {
        match &*unpoisoned(&self.shared.fault) {
            Some(fault) => Err(Error::gpu(doing, fault)),
            None => Ok(()),
        }
    }
}

fn out_of_memory(doing: &str, reason: impl ToString) -> Error {
    Error::OutOfMemory { doing: doing.to_owned(), reason: reason.to_string() }
}
