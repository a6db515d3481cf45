//! What people look at after a run: a grid of pictures, single pictures, the losses as a table.
//!
//! Every function writes its file or folder whole or not at all.

mod animation;
mod grid;
mod images;
mod lettering;
mod metrics;
mod names;
mod png;
mod sheet;

pub use crate::files::write_whole;
pub use animation::write_animation;
pub use grid::{grid_png, write_grid};
pub use images::write_images;
pub(crate) use images::write_pictures;
pub use metrics::{Measurement, write_metrics};
pub(crate) use names::folders as class_folders;
pub use sheet::Sheet;
