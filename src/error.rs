//! The library's one error type: what was tried, with what, and what the user can do about it.

use std::path::{Path, PathBuf};

use crate::names::shown;

/// A [`Result`](std::result::Result) with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong, each with enough in its message to act on.
///
/// ```
/// use dm_wgpu::{Settings, data};
///
/// let dataset = data::glyphs(0)?;
/// let settings = Settings { ipc: 2000, ..Settings::for_dataset(&dataset) };
/// let error = settings.check(&dataset).unwrap_err();
/// assert!(error.is_usage()); // asked for wrongly, nothing was tried
/// println!("{error}"); // how many there are, and what else can be done
/// # Ok::<(), dm_wgpu::Error>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting that no run can have.
    #[error("{name} = {given}: {expected}")]
    Setting {
        /// The setting's name as in [`Settings`](crate::Settings), e.g. `batch_real`.
        name: &'static str,
        /// The value that was given.
        given: String,
        /// What is possible instead.
        expected: String,
    },

    /// Images or arrays whose shape does not fit.
    #[error("{what}: {reason}")]
    Shape {
        /// What was being shaped, e.g. `ConvNet of depth 5`.
        what: String,
        /// Why it does not fit and what would.
        reason: String,
    },

    /// A file whose content is not what its format or its name promises.
    #[error("{}: {reason}", shown(path))]
    Format {
        /// The file.
        path: PathBuf,
        /// What was expected and what was found.
        reason: String,
    },

    /// A data set that is not where it was looked for.
    #[error("{what} not found: {help}")]
    NotFound {
        /// The data set or file.
        what: String,
        /// Where it was looked for and how to provide it.
        help: String,
    },

    /// A download that did not succeed from any mirror.
    #[error("could not download {what}\n{reason}\n{help}")]
    Download {
        /// The file.
        what: String,
        /// What each mirror answered, a line each.
        reason: String,
        /// What to do by hand.
        help: String,
    },

    /// The operating system refused to read or write something.
    #[error("could not {doing} {}: {source}", shown(path))]
    Io {
        /// e.g. `write`.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's own answer.
        source: std::io::Error,
    },

    /// No adapter, or none that fits the request.
    #[error("{0}")]
    Adapter(String),

    /// The device refused or failed during the named work.
    #[error("the GPU failed to {doing}: {reason}")]
    Gpu {
        /// What was being done.
        doing: String,
        /// The driver's answer.
        reason: String,
    },

    /// The device has no memory left, in the smallest pieces that the work can be cut to neither.
    #[error(
        "the GPU has no memory left to {doing}: {reason}; close what else uses it, or ask for fewer or \
         narrower networks or fewer images"
    )]
    OutOfMemory {
        /// What was being done.
        doing: String,
        /// The driver's answer.
        reason: String,
    },

    /// The optimisation produced a number that is not finite.
    #[error(
        "the loss of class {class} is {loss} in iteration {}: lower lr_img, or change the seed",
        u64::from(*iteration) + 1
    )]
    Diverged {
        /// Zero-based iteration; the message counts from 1.
        iteration: u32,
        /// Class index.
        class: usize,
        /// The loss: NaN or infinite.
        loss: f32,
    },

    /// A classifier's training ended in weights that are no numbers.
    #[error(
        "network {} of the evaluation diverged: some of its weights are not finite, so that its accuracy means \
         nothing; lower eval_lr, or look at the set's values",
        network + 1
    )]
    NetworkDiverged {
        /// Zero-based; the message counts from 1.
        network: usize,
    },

    /// The optimisation drove pixels beyond what the networks can tell apart.
    #[error(
        "a pixel of class {class} is {value} after iteration {iteration}: lower lr_img, or change \
         the seed"
    )]
    PixelsDiverged {
        /// Iterations done when it was looked at.
        iteration: u32,
        /// Class index.
        class: usize,
        /// The pixel: NaN, infinite or huge.
        value: f32,
    },
}

impl Error {
    pub(crate) fn setting(
        name: &'static str,
        given: impl ToString,
        expected: impl Into<String>,
    ) -> Self {
        Self::Setting { name, given: given.to_string(), expected: expected.into() }
    }

    pub(crate) fn format(path: impl AsRef<Path>, reason: impl Into<String>) -> Self {
        Self::Format { path: path.as_ref().to_path_buf(), reason: reason.into() }
    }

    pub(crate) fn shape(what: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Shape { what: what.into(), reason: reason.into() }
    }

    pub(crate) fn gpu(doing: impl Into<String>, reason: impl ToString) -> Self {
        Self::Gpu { doing: doing.into(), reason: reason.to_string() }
    }

    /// For `map_err`: the system's error, with what was being done to which path.
    pub(crate) fn io(
        doing: &'static str,
        path: impl AsRef<Path>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.as_ref().to_path_buf();
        move |source| Self::Io { doing, path, source }
    }

    /// Whether the request itself was wrong (a program should exit with 2), not its execution (1).
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Setting { .. } | Self::Shape { .. })
    }
}
