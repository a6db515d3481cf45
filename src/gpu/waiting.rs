//! The only code that waits: for a future, or for the device.

use super::Gpu;
use crate::{Error, Result};

/// The result of a future that native devices complete at once, or after the driver was opened.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn blocking<T>(_doing: &str, future: impl Future<Output = Result<T>>) -> Result<T> {
    pollster::block_on(future)
}

/// A browser completes futures only after the program has returned to it.
#[cfg(target_arch = "wasm32")]
pub(crate) fn blocking<T>(doing: &str, _future: impl Future<Output = Result<T>>) -> Result<T> {
    Err(Error::gpu(doing, IN_A_BROWSER))
}

#[cfg(target_arch = "wasm32")]
const IN_A_BROWSER: &str =
    "nothing can wait in a browser; await the function's async form, as docs/library.md lists them";

impl Gpu {
    /// Waits for this submission, or for all submissions so far.
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
