//! Results for people: a grid of pictures, single pictures, the losses as a table, and a page that shows everything.
//!
//! Every function writes its file or folder completely or not at all.

mod animation;
mod grid;
mod images;
mod lettering;
mod metrics;
mod names;
mod page;
mod png;
mod sheet;

pub use crate::{files::write_whole, names::printable};
pub use animation::write_animation;
pub use grid::{grid_png, write_grid};
pub use images::write_images;
pub(crate) use images::write_pictures;
pub use metrics::{Measurement, read_metrics, write_metrics};
pub(crate) use names::folders as class_folders;
pub(crate) use page::{Chart, Curve, Fact, Gallery, List, Page, Point, Row, Table, write_page};
pub use sheet::Sheet;
