//! A run in a folder: running, resuming, repeating and comparing; the names of its files, its record, checkpoints,
//! figures and page, and reading all of these back.
//!
//! Nothing here prints, reads arguments or ends a program. It reports to an [`Observer`] and returns values, or an
//! [`Error`] whose fields say what was wrong, so that programs can use their own words.
//!
//! ```no_run
//! use std::path::Path;
//! use dm_wgpu::project::Past;
//!
//! let past = Past::read(Path::new("runs/mnist-ipc10-seed0"))?;
//! if let Some(accuracy) = past.accuracy() {
//!     println!("{}: {accuracy}", past.name());
//! }
//! # Ok::<(), dm_wgpu::project::Error>(())
//! ```

mod accuracies;
mod architectures;
mod baseline;
mod changes;
mod checkpoints;
mod compare;
mod comparison;
mod devices;
mod differences;
mod error;
mod evaluate;
mod expected;
mod figures;
pub mod files;
mod folder;
mod join;
mod lock;
mod make;
mod method;
mod observer;
mod outlook;
pub mod page;
mod past;
mod pieces;
mod random;
mod record;
mod repeats;
mod resume;
mod run;
mod series;
pub mod settings;
mod setup;
mod shard;
mod share_out;
mod snapshots;
mod trajectories;
mod trajectory_cache;
pub mod words;

pub use accuracies::Accuracies;
pub use architectures::{Sweep, Worth, Worths, evaluate, evaluate_in_order, kept, names};
pub use baseline::{Baseline, points};
pub use changes::Changes;
pub use checkpoints::CHECKPOINT_EVERY;
use checkpoints::{Checkpoints, History, Start};
pub use compare::{Compared, compare};
pub use comparison::{Comparison, Row};
pub use devices::Device;
pub use differences::Differences;
pub use error::{Error, FolderFault, JoinFault, Left, PlaceFault, Result};
pub use evaluate::{Saved, WidthFrom, check_evaluations, keep};
pub use expected::{Evaluations, Expected, Series};
pub use figures::{Figures, Losses, Point, Seconds, Seeds};
pub use files::{report_of, run_of};
pub use folder::{OutputFolder, holds_results, remove_empty};
pub use join::{Joined, join};
pub use method::Method;
pub use observer::{Event, Job, Observer};
pub use past::{Past, check_set};
pub use random::is_random;
pub use record::{
    Adapter, Data, Machine, MethodSettings, OTHER_PROTOCOL, OfShard, Outcome, Record, pictures,
};
pub use repeats::{OfSeed, Repeats, Together, over};
pub use resume::{Resumed, resume};
pub use run::{Ran, run};
pub use series::{Repeated, repeat};
pub use setup::{Measured, Setup, load};
use snapshots::{Snapshots, animate};
pub use trajectory_cache::{About, KeptTrajectory, kept_trajectories, trajectory_folder};
pub use words::BOTH;
