//! What can go wrong with a run's folder. Each error has the fields that a program needs to describe it in its own
//! words.

use std::{
    collections::BTreeMap,
    fmt, io,
    path::{Path, PathBuf},
};

use super::words::counted;

/// A [`Result`](std::result::Result) with this module's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a run's folder can't be made, read or resumed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An error of the library.
    #[error(transparent)]
    Library(#[from] crate::Error),

    /// A folder that cannot be used for results.
    #[error("{}: {fault}", path.display())]
    Place {
        /// The folder.
        path: PathBuf,
        /// Whether the user asked for it; otherwise it is the default folder.
        asked: bool,
        /// What is wrong with it.
        fault: PlaceFault,
    },

    /// Another process works in the folder.
    #[error("another process is at work on {}; wait for its end, or stop it", .0.display())]
    Busy(PathBuf),

    /// The lock file of a folder can't be made.
    #[error("{} can't be written: {source}", path.display())]
    Lock {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },

    /// A run's folder that was removed and can't be made again.
    #[error("{} is gone: {source}", path.display())]
    Gone {
        /// The folder.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },

    /// A folder that does not hold what was expected.
    #[error("{}: {fault}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What is wrong with it.
        fault: FolderFault,
    },

    /// A checkpoint from which its run can't be resumed.
    #[error("{0}; remove it to start the run again from the beginning")]
    Checkpoint(crate::Error),

    /// Data that are not what they should be. This is failed work, not a wrong request, whatever kind the error has.
    #[error(transparent)]
    Data(crate::Error),

    /// A data set without test images, where accuracy is asked for.
    #[error("data set {dataset}: it has no test images to count accuracy on")]
    NoTestImages {
        /// Its name.
        dataset: String,
        /// Whether it is a folder of pictures, of which a part can be set aside.
        pictures: bool,
    },

    /// A run's record that asks for something impossible.
    #[error("run.toml describes an impossible run: {0}")]
    Record(crate::Error),

    /// A number of iterations for a method that has none.
    #[error("{asked} iterations: {method} has no iterations")]
    NoIterations {
        /// In all.
        asked: u32,
        /// The method's name.
        method: String,
    },

    /// A run can't be resumed with another data set.
    #[error(
        "data set {asked}: the run continues with {was}; only a folder of pictures may have another path, \
         with the same name"
    )]
    OtherData {
        /// What was asked for.
        asked: String,
        /// What the run began with.
        was: String,
    },

    /// A run's pictures are missing.
    #[error("the run's pictures are not in {} any more", .0.display())]
    PicturesGone(PathBuf),

    /// A run's pictures have changed.
    #[error(
        "{source}: pictures in {} were added, removed or changed since; put them back as they were, or begin \
         another run",
        path.display()
    )]
    PicturesChanged {
        /// Where they are.
        path: PathBuf,
        /// How that was noticed.
        source: Box<crate::Error>,
    },

    /// One of several runs failed.
    #[error("seed {seed}: {source}")]
    Seed {
        /// Its seed.
        seed: u64,
        /// Where all of them are, and can be resumed.
        folder: PathBuf,
        /// Why.
        source: Box<Error>,
    },

    /// Shards that cannot be joined.
    #[error(transparent)]
    Join(#[from] JoinFault),

    /// Work that failed, and what can still be used.
    #[error("{source}; {left}")]
    Left {
        /// Why.
        source: Box<Error>,
        /// What is available.
        left: Left,
    },

    /// Fewer iterations were asked for than are done already.
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
    /// It does not exist, and nothing can be made in the nearest existing folder above it.
    Unreachable(PathBuf, io::ErrorKind),
    /// The system does not make it.
    Uncreatable(io::Error),
    /// Something is in it.
    NotEmpty,
    /// It lies among the pictures in this folder, so the next run would take the results for pictures.
    AmongPictures(PathBuf),
}

/// What is left of a run that failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum Left {
    /// This file of images in its folder; resuming does the rest.
    Images(PathBuf),
    /// A checkpoint with all iterations, in this folder, which had no room for the images.
    Checkpoint(PathBuf),
    /// The same in another folder, where it can be resumed.
    Refuge(PathBuf),
    /// Nothing, and why.
    Nothing(Box<Error>),
    /// A checkpoint.
    Iterations {
        /// Where it can be resumed.
        folder: PathBuf,
        /// Iterations in it.
        done: u32,
    },
    /// Some of its shards, when no device was left.
    Shards {
        /// Where it can be resumed.
        folder: PathBuf,
        /// So many are done.
        done: usize,
        /// Of so many.
        of: usize,
    },
    /// The last good checkpoint before a class diverged.
    Class {
        /// Which.
        class: usize,
        /// Its name.
        name: String,
        /// Where the checkpoint is.
        folder: PathBuf,
        /// Iterations in it; none if there is none.
        saved: Option<u32>,
    },
}

/// Why shards cannot be joined.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JoinFault {
    /// The folder does not exist.
    #[error("{}: there is no such folder", .0.display())]
    NotThere(PathBuf),
    /// No run began in it.
    #[error("{}: no run began there, it has no run.toml", .0.display())]
    NoRun(PathBuf),
    /// It is a run of all classes, or an evaluation by all networks.
    #[error("{}: this is a whole, not a shard", .0.display())]
    Whole(PathBuf),
    /// It has iterations left, or misses files that it leaves at its end.
    #[error("{}: this shard has not ended", .0.display())]
    NotEnded(PathBuf),
    /// It is of another run than the first.
    #[error(
        "{} and {} are not of one run, for they differ in {what}: {} and {}",
        first.0.display(), other.0.display(), first.1, other.1
    )]
    Foreign {
        /// In what they differ.
        what: String,
        /// The first shard, and what it has.
        first: (PathBuf, String),
        /// The other.
        other: (PathBuf, String),
    },
    /// Classes are in two of them.
    #[error("class {classes} is in {} and in {}; leave one of them out", first.display(), second.display())]
    Twice {
        /// Which.
        classes: String,
        /// In this.
        first: PathBuf,
        /// And in this.
        second: PathBuf,
    },
    /// Classes are in none of them.
    #[error("no shard has the classes {classes}")]
    Missing {
        /// Which.
        classes: String,
        /// The command that makes them.
        command: Option<String>,
    },
    /// Two files are of one shard of an evaluation.
    #[error("shard {shard} is in {} and in {}; leave one of them out", first.display(), second.display())]
    TwiceShard {
        /// Which.
        shard: String,
        /// In this file.
        first: PathBuf,
        /// And in this.
        second: PathBuf,
    },
    /// Shards of an evaluation are in no file.
    #[error(
        "the shards {0} are missing: `dm-wgpu evaluate PATH --shard K/N --out FILE` makes each"
    )]
    MissingShards(String),
    /// No evaluation was asked for.
    #[error("{} was asked for no evaluation", .0.display())]
    NoEvaluation(PathBuf),
}

impl JoinFault {
    /// The fault if two shards differ in something, by name, that all have in common.
    pub(super) fn foreign(
        first: (&Path, &BTreeMap<String, String>),
        other: (&Path, &BTreeMap<String, String>),
    ) -> Option<Self> {
        let value = |of: (&Path, &BTreeMap<String, String>), name: &String| {
            of.1.get(name).cloned().unwrap_or_else(|| "none".into())
        };
        let mut names = first.1.keys().chain(other.1.keys());
        let what = names.find(|name| value(first, name) != value(other, name))?.clone();
        let [first, other] = [first, other].map(|of| (of.0.to_path_buf(), value(of, &what)));
        Some(Self::Foreign { what, first, other })
    }
}

/// Why a folder is not that of a run, or not yet.
#[derive(Debug)]
#[non_exhaustive]
pub enum FolderFault {
    /// The folder does not exist.
    Missing,
    /// A file, where a run's folder is expected.
    NoFolder,
    /// There is no run to resume.
    NotThere,
    /// Nothing, where a set is expected.
    Nothing,
    /// No run began in it, but runs began in these folders inside it.
    NothingBegan(Vec<PathBuf>),
    /// It holds no `report.json`.
    NoRun,
    /// Its `report.json` is not a run's, and why.
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
    /// The file of its set is missing.
    SetGone,
    /// It holds the images of some classes alone.
    Shard,
    /// Its run was joined from shards, and has no checkpoint of its own.
    Joined,
}

impl Error {
    /// Whether the request itself was wrong (a program should exit with 2), not its execution (1).
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Library(error) => error.is_usage(),
            Self::Place { .. }
            | Self::NoTestImages { .. }
            | Self::NoIterations { .. }
            | Self::Join(
                JoinFault::NotThere(_)
                | JoinFault::NoRun(_)
                | JoinFault::Whole(_)
                | JoinFault::Foreign { .. }
                | JoinFault::Twice { .. }
                | JoinFault::Missing { .. }
                | JoinFault::TwiceShard { .. }
                | JoinFault::MissingShards(_)
                | JoinFault::NoEvaluation(_),
            )
            | Self::OtherData { .. }
            | Self::TooFewIterations { .. }
            | Self::Folder {
                fault:
                    FolderFault::NotThere
                    | FolderFault::Nothing
                    | FolderFault::NothingBegan(_)
                    | FolderFault::Missing
                    | FolderFault::NoFolder
                    | FolderFault::Shard
                    | FolderFault::Joined,
                ..
            } => true,
            _ => false,
        }
    }

    /// The same error, with what can still be used.
    pub(super) fn with(self, left: Left) -> Self {
        Self::Left { source: Box::new(self), left }
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
            // Although it exists: a folder of the system.
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

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let iterations = |count: u32| counted(count as usize, "iteration");
        match self {
            Self::Images(file) => write!(f, "the images are safe in {}", file.display()),
            Self::Checkpoint(_) => f.write_str("the run is safe in its checkpoint"),
            Self::Refuge(folder) => write!(f, "the run is safe in {}", folder.display()),
            Self::Nothing(error) => write!(f, "and it could not be saved elsewhere: {error}"),
            Self::Iterations { done, .. } => write!(f, "{} are safe", iterations(*done)),
            Self::Shards { done, of, .. } => {
                write!(f, "no adapter is left; {done} of {of} shards are done")
            }
            Self::Class { class, name, saved: None, .. } => {
                write!(f, "class {class} is {name:?}; there was no checkpoint to keep")
            }
            Self::Class { class, name, saved: Some(saved), .. } => {
                let after = iterations(*saved);
                write!(
                    f,
                    "class {class} is {name:?}; the last good checkpoint, after {after}, stays"
                )
            }
        }
    }
}

impl fmt::Display for FolderFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotThere => f.write_str("there is no such folder"),
            Self::Nothing => f.write_str(
                "there is no such file or folder; name a run's folder, the file of a set, or a \
                 folder of pictures",
            ),
            Self::NothingBegan(runs) if runs.is_empty() => {
                f.write_str("no run began there, it has no run.toml")
            }
            Self::NothingBegan(runs) => {
                let runs: Vec<_> = runs.iter().map(|run| run.display().to_string()).collect();
                write!(f, "no run itself, but there are {}", runs.join(", "))
            }
            Self::NoFolder => f.write_str("not a folder; name one that a run left"),
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
            Self::Shard => f.write_str("these are the images of some classes alone"),
            Self::Joined => f.write_str("this run was joined from shards, and only they go on"),
            Self::NoImages => {
                f.write_str("this run trained on a whole data set and left no images")
            }
            Self::SetGone => f.write_str("synthetic.safetensors is missing"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_differ_also_in_what_one_of_them_lacks() {
        let of = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let (plain, packed) = (of(&[("ipc", "1")]), of(&[("factor", "2"), ("ipc", "1")]));
        let [a, b] = ["a", "b"].map(Path::new);
        for (first, other, told) in
            [(&plain, &packed, "none and 2"), (&packed, &plain, "2 and none")]
        {
            let fault = JoinFault::foreign((a, first), (b, other)).unwrap().to_string();
            assert!(fault.contains("differ in factor") && fault.ends_with(told), "{fault}");
        }
        assert!(JoinFault::foreign((a, &plain), (b, &plain)).is_none());
    }
}
