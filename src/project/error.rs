//! What can go wrong with a run's folder, each with the fields that a program needs to say it in its own words.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use super::words::counted;

/// A [`Result`](std::result::Result) with this room's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a run's folder can't be made, read or resumed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// What the library answered.
    #[error(transparent)]
    Library(#[from] crate::Error),

    /// A folder that results can't go into.
    #[error("{}: {fault}", path.display())]
    Place {
        /// The folder.
        path: PathBuf,
        /// Whether it was asked for, or is where runs go that were not told.
        asked: bool,
        /// What is wrong with it.
        fault: PlaceFault,
    },

    /// Another process works in the folder.
    #[error("another process is at work on {}; wait for its end, or stop it", .0.display())]
    Busy(PathBuf),

    /// The file that keeps others out of a folder can't be made.
    #[error("{} can't be written: {source}", path.display())]
    Lock {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },

    /// A run's folder that was taken away and can't be made again.
    #[error("{} is gone: {source}", path.display())]
    Gone {
        /// The folder.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },

    /// A folder without what was looked for there.
    #[error("{}: {fault}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What is there, or is not.
        fault: FolderFault,
    },

    /// A checkpoint that its run can't go on from.
    #[error("{0}; remove it to begin the run again from its start")]
    Checkpoint(crate::Error),

    /// Fewer iterations than there are can't be asked for.
    #[error("{asked} iterations: {} are done already", counted(*done as usize, "iteration"))]
    TooFewIterations {
        /// In all.
        asked: u32,
        /// So far.
        done: u32,
    },
}

/// What is wrong with a folder for results.
#[derive(Debug)]
#[non_exhaustive]
pub enum PlaceFault {
    /// Its path is empty.
    Nameless,
    /// The system does not read it as a folder.
    Unusable(io::Error),
    /// Nothing can be written into it.
    Unwritable(io::ErrorKind),
    /// It is not there, and nothing can be made in the nearest folder that is.
    Unreachable(PathBuf, io::ErrorKind),
    /// The system does not make it.
    Uncreatable(io::Error),
    /// Something is in it.
    NotEmpty,
    /// It lies among the pictures in this folder, where the next run would come upon its results.
    AmongPictures(PathBuf),
}

/// Why a folder is not that of a run, or not yet.
#[derive(Debug)]
#[non_exhaustive]
pub enum FolderFault {
    /// There is none.
    Missing,
    /// It holds no figures.
    NoRun,
    /// Its figures are not a run's, and why.
    NotFigures(String),
    /// Its run can be resumed.
    Unfinished,
    /// None of its runs has ended; they can be resumed.
    NoneEnded,
    /// It holds several runs: those that left figures.
    Several {
        /// Whether they are a comparison, or one run with several seeds.
        compared: bool,
        /// Their folders.
        runs: Vec<PathBuf>,
    },
    /// Its run trained on a whole data set.
    NoImages,
}

impl Error {
    /// Whether the request itself was wrong (a program should exit with 2), not its execution (1).
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Library(error) => error.is_usage(),
            Self::Place { .. } | Self::TooFewIterations { .. } => true,
            _ => false,
        }
    }

    pub(super) fn folder(folder: &Path, fault: FolderFault) -> Self {
        Self::Folder { folder: folder.to_path_buf(), fault }
    }
}

impl fmt::Display for PlaceFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nameless => f.write_str("a name is needed"),
            Self::Unusable(error) => write!(f, "it can't be used as a folder: {error}"),
            Self::Unwritable(kind) => write!(f, "not writable, {kind}"),
            // Although it is there: a folder of the system's.
            Self::Unreachable(nearest, io::ErrorKind::NotFound) => {
                write!(f, "nothing can be created in {}", nearest.display())
            }
            Self::Unreachable(nearest, kind) => {
                write!(f, "nothing can be created in {}, {kind}", nearest.display())
            }
            Self::Uncreatable(error) => write!(f, "it can't be created: {error}"),
            Self::NotEmpty => {
                f.write_str("it is not empty; name a new folder, nothing is overwritten")
            }
            Self::AmongPictures(pictures) => {
                write!(f, "it lies among the pictures in {}", pictures.display())
            }
        }
    }
}

impl fmt::Display for FolderFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("there is no such folder; name one that a run left"),
            Self::NoRun => f.write_str("no run is in it: report.json is missing"),
            Self::NotFigures(why) => write!(f, "report.json is not a run's: {why}"),
            Self::Unfinished => f.write_str("this run has not ended"),
            Self::NoneEnded => f.write_str("none of these runs has ended"),
            Self::Several { compared, runs } => {
                f.write_str(match compared {
                    true => "a comparison, not a run; name the runs in it",
                    false => "runs with several seeds, not one run; name the runs in it",
                })?;
                for (i, run) in runs.iter().enumerate() {
                    write!(f, "{} {}", if i == 0 { ":" } else { "," }, run.display())?;
                }
                Ok(())
            }
            Self::NoImages => {
                f.write_str("this run trained on a whole data set and left no images")
            }
        }
    }
}
