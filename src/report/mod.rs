//! What people look at after a run: a grid of pictures, single pictures, the losses as a table.
//!
//! Every function writes its file or folder whole or not at all.

mod grid;
mod images;
mod metrics;
mod names;
mod png;

pub use crate::files::write_whole;
pub use grid::write_grid;
pub use images::write_images;
pub(crate) use images::write_pictures;
pub use metrics::{Measurement, write_metrics};
pub(crate) use names::folders as class_folders;
