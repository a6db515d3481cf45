//! Where a program waits: for a future, or for the device. Nothing else does.

use super::Gpu;
use crate::{Error, Result};

/// What a future comes to that native devices complete at once, or while it waits for drivers to open.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn blocking<T>(_doing: &str, future: impl Future<Output = Result<T>>) -> Result<T> {
    pollster::block_on(future)
}

/// A browser answers only after the program has returned to it.
#[cfg(target_arch = "wasm32")]
pub(crate) fn blocking<T>(doing: &str, _future: impl Future<Output = Result<T>>) -> Result<T> {
    Err(Error::gpu(doing, IN_A_BROWSER))
}

#[cfg(target_arch = "wasm32")]
const IN_A_BROWSER: &str =
    "nothing can wait in a browser; await the function's async form, as docs/library.md lists them";

impl Gpu {
    /// Waits for this submission, or for all so far.
    pub(super) fn wait_for(
        &self,
        submission_index: Option<wgpu::SubmissionIndex>,
        doing: &str,
    ) -> Result<()> {
        #[cfg(target_arch = "wasm32")]
        if true {
            return Err(Error::gpu(doing, IN_A_BROWSER));
        }
        let wait = wgpu::PollType::Wait { submission_index, timeout: None };
        self.device().poll(wait).map(drop).map_err(|error| Error::gpu(doing, error))
    }
}
