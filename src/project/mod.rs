//! A run in a folder: the names of its files, what was asked for, checkpoints, figures, the page, and reading all of
//! it back.
//!
//! Nothing here prints, reads arguments or ends a program: it answers with values and with an [`Error`] whose fields
//! say what was wrong, for programs to put into words of their own.
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

mod checkpoints;
mod differences;
mod error;
mod figures;
pub mod files;
mod folder;
mod lock;
mod method;
pub mod page;
mod past;
mod record;
mod repeats;
mod snapshots;
pub mod words;

pub use checkpoints::{Checkpoints, History, Start};
pub use differences::Differences;
pub use error::{Error, FolderFault, PlaceFault, Result};
pub use figures::{Figures, Losses, Point, Seconds, Seeds};
pub use folder::{OutputFolder, remove_empty};
pub use method::Method;
pub use past::{Past, check_set};
pub use record::{Adapter, Data, Machine, MethodSettings, Outcome, Record, pictures};
pub use repeats::{OfSeed, Repeats, Together, over};
pub use snapshots::{Snapshots, animate};
