//! Why the program ends early: the message, which names flags and commands, and the exit code.

use std::fmt;

use dm_wgpu::{
    Error, Words,
    project::{
        self, FolderFault, JoinFault, Left, PlaceFault,
        files::{CHECKPOINT, RECORD, SET},
        words::{counted, memory_text, quoted},
    },
};

use super::commands::{evaluating, resuming};

/// The exit code that shells expect of an interrupted program.
pub const INTERRUPTED: u8 = 130;

/// Why a command failed.
#[derive(Debug)]
pub enum Failure {
    /// The request was wrong.
    Usage(String),
    /// Carrying it out failed.
    Failed(String),
    /// An error of the library.
    Library(Error),
    /// An error of the library about a run's folder.
    Project(project::Error),
}

impl Failure {
    pub fn code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Library(error) if error.is_usage() => 2,
            Self::Project(error) if error.is_usage() => 2,
            Self::Library(_) | Self::Project(_) | Self::Failed(_) => 1,
        }
    }

    /// For errors in files: exit code 1, even if the library reports a wrong request.
    pub fn of_data(error: Error) -> Self {
        Self::Failed(of_library(&error))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Library(error)
    }
}

impl From<project::Error> for Failure {
    fn from(error: project::Error) -> Self {
        match error {
            project::Error::Library(error) => Self::Library(error),
            error => Self::Project(error),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(message) | Self::Failed(message) => f.write_str(message),
            Self::Library(error) => f.write_str(&of_library(error)),
            Self::Project(error) => f.write_str(&in_commands(error)),
        }
    }
}

/// Errors about folders, with the flags and commands that help.
pub fn in_commands(error: &project::Error) -> String {
    use project::Error::{
        Checkpoint, Data, Folder, Library, NoIterations, NoTestImages, OtherData, PicturesChanged,
        PicturesGone, Place, Record, Seed, TooFewIterations,
    };
    match error {
        Place { path, asked, fault } => {
            let path = path.display();
            match (fault, asked) {
                (PlaceFault::AmongPictures(_), true) => {
                    format!("--out {path}: {fault}; name a folder outside of them with --out")
                }
                (PlaceFault::AmongPictures(pictures), false) => format!(
                    "results go into the folder {path} by default, which lies among the pictures in {}; \
                     name a folder outside of them with --out",
                    pictures.display()
                ),
                (PlaceFault::Uncreatable(error), false) => format!(
                    "the folder {path} can't be created: {error}; name another one with --out"
                ),
                (_, true) => format!("--out {path}: {fault}"),
                (_, false) => format!(
                    "results go into the folder {path} by default, but {fault}; name another with --out"
                ),
            }
        }
        Folder { folder, fault: FolderFault::Unfinished | FolderFault::NoneEnded } => {
            format!("{error}; resume it with {}", resuming(folder))
        }
        Folder { folder, fault: FolderFault::SetGone | FolderFault::NotFigures(_) } => {
            format!("{error}; {} writes it again", resuming(folder))
        }
        Folder { fault: FolderFault::Shard, .. } => {
            format!("{error}; join all shards with `dm-wgpu join OUT SHARD...`, then evaluate OUT")
        }
        Folder { fault: FolderFault::Joined, .. } => {
            format!("{error}: resume each shard with --iterations, and join them again")
        }
        project::Error::Join(fault) => match fault {
            JoinFault::NotEnded(folder) => {
                format!("{error}; resume it with {}", resuming(folder))
            }
            JoinFault::Missing { command: Some(command), .. } => {
                format!("{error}: name their folders, or make them with\n  {command}")
            }
            JoinFault::NoEvaluation(folder) => {
                let folder = quoted(&folder.to_string_lossy());
                format!("{error}: leave --evaluate out, and say `dm-wgpu evaluate {folder}`")
            }
            _ => error.to_string(),
        },
        TooFewIterations { asked, done } => {
            let done = counted(*done as usize, "iteration");
            format!("--iterations {asked}: {done} are done already")
        }
        Folder {
            folder,
            fault: fault @ (FolderFault::NotThere | FolderFault::NothingBegan(_)),
        } => {
            format!("--resume {}: {fault}", folder.display())
        }
        Library(error) => of_library(error),
        Data(error) => in_flags(error),
        Checkpoint(error) => {
            format!("{}; remove it to start the run again from the beginning", in_flags(error))
        }
        Record(error) => format!("run.toml describes an impossible run: {}", in_flags(error)),
        NoTestImages { pictures, .. } => {
            let more = if *pictures { "raise --test-fraction, add pictures, or " } else { "" };
            format!("{error}; {more}run it with --no-eval")
        }
        NoIterations { asked, method } => {
            format!("--iterations {asked}: {method} has no iterations")
        }
        OtherData { asked, was } => format!(
            "--dataset {asked}: the run continues with {was}; only a folder of pictures may have another \
             path, with the same name"
        ),
        PicturesGone(_) => {
            format!("{error}: put them back, or add --dataset folder:PATH with their new path")
        }
        PicturesChanged { path, source } => format!(
            "{}: pictures in {} were added, removed or changed since; put them back as they were, or \
             start another run",
            in_flags(source),
            path.display()
        ),
        Seed { seed, folder, source } => {
            format!("seed {seed}: {}; {} resumes all runs", in_commands(source), resuming(folder))
        }
        project::Error::Left { source, left } => {
            let (failure, left_so) = (in_commands(source), in_commands_left(left));
            match left {
                // Resuming would train the same networks by the same rate.
                Left::Images(file)
                    if matches!(
                        source.as_ref(),
                        project::Error::Library(Error::NetworkDiverged { .. })
                    ) =>
                {
                    let folder = evaluating(file.parent().unwrap_or(file));
                    format!("{failure}; {left}, {folder} --eval-lr RATE evaluates them")
                }
                Left::Class { class, name, .. } => {
                    format!("{failure} (class {class} is {name:?}); {left_so}")
                }
                _ => format!("{failure}; {left_so}"),
            }
        }
        _ => error.to_string(),
    }
}

/// What is left of a run, with the command that goes on from it.
fn in_commands_left(left: &Left) -> String {
    match left {
        Left::Images(file) => {
            let folder = file.parent().unwrap_or(file);
            format!("{left}, {} does the rest", resuming(folder))
        }
        Left::Checkpoint(folder) => format!("{left}: make room, then {}", resuming(folder)),
        Left::Refuge(folder) | Left::Iterations { folder, .. } | Left::Shards { folder, .. } => {
            format!("{left}: {}", resuming(folder))
        }
        Left::Nothing(error) => {
            format!("and it could not be saved elsewhere: {}", in_commands(error))
        }
        Left::Class { saved: None, .. } => "there was no checkpoint to keep".to_owned(),
        Left::Class { folder, saved: Some(iterations), .. } => format!(
            "the last good checkpoint, after {}, stays in {}, and {} --iterations {iterations} makes \
             results of it",
            counted(*iterations as usize, "iteration"),
            folder.join(CHECKPOINT).display(),
            resuming(folder),
        ),
        _ => left.to_string(),
    }
}

/// The library says `batch_real`; the user typed `--batch-real`.
struct Flags;

impl Words for Flags {
    fn setting(&self, name: &str) -> String {
        // The environment's variables are not flags.
        match name.starts_with("DM_WGPU_") {
            true => name.to_owned(),
            false => format!("--{}", name.replace('_', "-")),
        }
    }

    fn value(&self, name: &str) -> String {
        format!("{} ", self.setting(name))
    }

    /// As `--memory-budget` takes it.
    fn size(&self, number: u64, unit: &str) -> String {
        match unit {
            "bytes" => memory_text(number),
            unit => format!("{number}{unit}"),
        }
    }
}

/// The library's error in flags; if the set of a run is damaged, with the command that makes it again.
fn of_library(error: &Error) -> String {
    let said = in_flags(error);
    let set = match error {
        Error::Format { path, .. } if path.file_name() == Some(SET.as_ref()) => path,
        _ => return said,
    };
    match set.parent().filter(|folder| folder.join(RECORD).is_file()) {
        Some(folder) if folder.as_os_str().is_empty() => {
            format!("{said}; {} writes it again", resuming(".".as_ref()))
        }
        Some(folder) => format!("{said}; {} writes it again", resuming(folder)),
        None => said,
    }
}

fn in_flags(error: &Error) -> String {
    error.in_words(&Flags)
}

#[cfg(test)]
mod tests {
    use super::*;
    use dm_wgpu::Text;

    #[test]
    fn settings_are_named_as_typed() {
        let setting = |name, given: Text, expected: Text| {
            Failure::from(Error::Setting { name, given: Some(given), expected })
        };
        let raise = Text::from("lower it, or raise ").setting("memory_budget");
        let failure = setting("batch_real", "9000".into(), raise);
        assert_eq!(failure.to_string(), "--batch-real 9000: lower it, or raise --memory-budget");
        assert_eq!(failure.code(), 2);
        let least = Text::from("these settings need at least ").mebibytes(9);
        assert_eq!(
            setting("memory_budget", Text::default().bytes(1048576), least.clone()).to_string(),
            "--memory-budget 1MiB: these settings need at least 9MiB"
        );
        let error = Error::Setting { name: "memory_budget", given: None, expected: least };
        assert_eq!(error.to_string(), "these settings need at least 9 MiB");
        let failure = Failure::from(Error::Missing {
            name: "kernels",
            given: "tiles",
            adapter: "Small with memory_budget in its name".into(),
            missing: Text::default().bytes(16384).then(" of workgroup memory, but ").bytes(8192),
            possible: "possible: plain".into(),
        });
        assert_eq!(
            failure.to_string(),
            "--kernels tiles: Small with memory_budget in its name has no 16KiB of workgroup memory, but 8KiB; \
             possible: plain"
        );
        let noise = Text::from("they take more than ").bytes(134_217_728).then("; or set ");
        assert_eq!(
            setting("ipc", "7".into(), noise.value("init", "noise")).to_string(),
            "--ipc 7: they take more than 128MiB; or set --init noise"
        );

        let diverged =
            Failure::from(Error::Diverged { iteration: 3, class: 1, loss: f32::INFINITY });
        assert!(diverged.to_string().contains("--lr-img"), "{diverged}");
        assert!(diverged.to_string().contains("in iteration 4"), "{diverged}");
        let network = || project::Error::from(Error::NetworkDiverged { network: 0 });
        let left = project::Left::Images("my runs/a/synthetic.safetensors".into());
        let left = project::Error::Left { source: Box::new(network()), left };
        let left = Failure::from(left).to_string();
        assert!(
            left.ends_with("dm-wgpu evaluate 'my runs/a' --eval-lr RATE evaluates them"),
            "{left}"
        );
        let diverged = Failure::from(network());
        assert!(diverged.to_string().contains("lower --eval-lr,"), "{diverged}");
        assert_eq!(diverged.code(), 1);
    }

    #[test]
    fn folders_are_named_as_typed() {
        let place = |asked, fault| {
            let error = project::Error::Place { path: "runs".into(), asked, fault };
            let failure = Failure::from(error);
            assert_eq!(failure.code(), 2);
            failure.to_string()
        };
        assert_eq!(place(true, PlaceFault::Nameless), "--out runs: a name is needed");
        assert_eq!(
            place(false, PlaceFault::AmongPictures("pets".into())),
            "results go into the folder runs by default, which lies among the pictures in pets; name a \
             folder outside of them with --out"
        );
        let fault = FolderFault::Unfinished;
        let unfinished = Failure::from(project::Error::Folder { folder: "a b".into(), fault });
        let told = "a b: this run has not ended; resume it with dm-wgpu --resume 'a b'";
        assert_eq!((unfinished.to_string().as_str(), unfinished.code()), (told, 1));
        let few = Failure::from(project::Error::TooFewIterations { asked: 1, done: 2 });
        assert_eq!(few.to_string(), "--iterations 1: 2 iterations are done already");
    }

    #[test]
    fn broken_data_is_not_the_users_mistake() {
        let shape = || Error::Shape { what: "labels".into(), reason: "too few".into() };
        assert_eq!(Failure::from(shape()).code(), 2);
        assert_eq!(Failure::of_data(shape()).code(), 1);
    }
}
