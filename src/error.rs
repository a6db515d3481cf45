//! The library's one error type: what was tried, with what, and what the user can do about it.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use crate::{
    names::shown,
    text::{Text, Words},
};

/// A [`Result`](std::result::Result) with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong. Each message says enough to act on.
///
/// ```
/// use dm_wgpu::{Settings, data};
///
/// let dataset = data::glyphs(0)?;
/// let settings = Settings::for_dataset(&dataset).ipc(2000);
/// let error = settings.check(&dataset).unwrap_err();
/// assert!(error.is_usage()); // asked for wrongly, nothing was tried
/// println!("{error}"); // how many there are, and what else can be done
/// # Ok::<(), dm_wgpu::Error>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// A setting that no run can have.
    Setting {
        /// The setting's name as in [`Settings`](crate::Settings), e.g. `batch_real`.
        name: &'static str,
        /// The value that was given, if there was one.
        given: Option<Text>,
        /// What is possible instead.
        expected: Text,
    },

    /// A setting that needs what the adapter does not have.
    Missing {
        /// The setting's name, such as `kernels`.
        name: &'static str,
        /// The value that was given.
        given: &'static str,
        /// The adapter's name.
        adapter: String,
        /// What it does not have.
        missing: Text,
        /// What it has, as a sentence.
        possible: String,
    },

    /// Images or arrays whose shape does not fit.
    Shape {
        /// What has the shape, e.g. `ConvNet of depth 5`.
        what: String,
        /// Why it does not fit and what would.
        reason: Text,
    },

    /// A file whose content is not what its format or its name promises.
    Format {
        /// The file.
        path: PathBuf,
        /// What was expected and what was found.
        reason: String,
    },

    /// A data set that is not where it was looked for.
    NotFound {
        /// The data set or file.
        what: String,
        /// Where it was looked for and how to provide it.
        help: String,
    },

    /// A download that did not succeed from any mirror.
    Download {
        /// The file.
        what: String,
        /// What each mirror answered, one line per mirror.
        reason: String,
        /// What to do by hand.
        help: String,
    },

    /// The operating system refused to read or write something.
    Io {
        /// e.g. `write`.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's own answer.
        source: std::io::Error,
    },

    /// No adapter, or none that fits the request.
    Adapter(String),

    /// The device refused or failed during the named work.
    Gpu {
        /// What was being done.
        doing: String,
        /// The driver's answer.
        reason: String,
    },

    /// The device has no memory left, even for the smallest pieces into which the work can be cut.
    OutOfMemory {
        /// What was being done.
        doing: String,
        /// The driver's answer.
        reason: String,
    },

    /// The optimisation produced a number that is not finite.
    Diverged {
        /// Zero-based iteration; the message counts from 1.
        iteration: u32,
        /// Class index.
        class: usize,
        /// The loss: NaN or infinite.
        loss: f32,
    },

    /// The training of a network ended with weights that are not finite.
    NetworkDiverged {
        /// Zero-based; the message counts from 1.
        network: usize,
    },

    /// The optimisation drove pixels beyond what the networks can tell apart.
    PixelsDiverged {
        /// Iterations done when the pixels were checked.
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
        expected: impl Into<Text>,
    ) -> Self {
        Self::wrong(name, given.to_string(), expected)
    }

    /// The same, with a value or a possibility that names a size or a setting.
    pub(crate) fn wrong(
        name: &'static str,
        given: impl Into<Text>,
        expected: impl Into<Text>,
    ) -> Self {
        Self::Setting { name, given: Some(given.into()), expected: expected.into() }
    }

    /// For a required setting that was not given.
    #[cfg(feature = "files")]
    pub(crate) fn needed(name: &'static str, expected: impl Into<Text>) -> Self {
        Self::Setting { name, given: None, expected: expected.into() }
    }

    pub(crate) fn format(path: impl AsRef<Path>, reason: impl Into<String>) -> Self {
        Self::Format { path: path.as_ref().to_path_buf(), reason: reason.into() }
    }

    pub(crate) fn shape(what: impl Into<String>, reason: impl Into<Text>) -> Self {
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
        matches!(self, Self::Setting { .. } | Self::Missing { .. } | Self::Shape { .. })
    }

    /// The message, with settings and sizes written in a program's own words.
    pub fn in_words(&self, words: &dyn Words) -> String {
        self.text().in_words(words)
    }

    fn text(&self) -> Text {
        match self {
            Self::Setting { name, given: Some(given), expected } => {
                Text::default().value(name, given.clone()).then(": ").then(expected.clone())
            }
            Self::Setting { given: None, expected, .. } => expected.clone(),
            Self::Missing { name, given, adapter, missing, possible } => Text::default()
                .value(name, *given)
                .then(format!(": {adapter} has no "))
                .then(missing.clone())
                .then(format!("; {possible}")),
            Self::Shape { what, reason } => Text::from(format!("{what}: ")).then(reason.clone()),
            Self::Format { path, reason } => format!("{}: {reason}", shown(path)).into(),
            Self::NotFound { what, help } => format!("{what} not found: {help}").into(),
            Self::Download { what, reason, help } => {
                format!("could not download {what}\n{reason}\n{help}").into()
            }
            Self::Io { doing, path, source } => {
                format!("could not {doing} {}: {source}", shown(path)).into()
            }
            Self::Adapter(why) => why.clone().into(),
            Self::Gpu { doing, reason } => format!("the GPU failed to {doing}: {reason}").into(),
            Self::OutOfMemory { doing, reason } => format!(
                "the GPU has no memory left to {doing}: {reason}; close what else uses it, or ask for fewer or \
                 narrower networks or fewer images"
            )
            .into(),
            Self::Diverged { iteration, class, loss } => {
                let iteration = u64::from(*iteration) + 1;
                Text::from(format!("the loss of class {class} is {loss} in iteration {iteration}"))
                    .then(": lower ")
                    .setting("lr_img")
                    .then(", or change the seed")
            }
            Self::NetworkDiverged { network } => Text::from(format!(
                "network {} of the evaluation diverged: some of its weights are not finite, so that its accuracy \
                 means nothing; lower ",
                network + 1
            ))
            .setting("eval_lr")
            .then(", or look at the set's values"),
            Self::PixelsDiverged { iteration, class, value } => {
                Text::from(format!("a pixel of class {class} is {value} after iteration {iteration}"))
                    .then(": lower ")
                    .setting("lr_img")
                    .then(", or change the seed")
            }
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text().fmt(f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}
