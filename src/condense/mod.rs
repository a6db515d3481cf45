//! A method turns (data set, settings, device) into a [`SyntheticSet`].

mod matching;
mod run;
mod sample;
mod select;
mod set;
mod settings;

pub(crate) use matching::{Matching, Plan, RealBatch, RealFormat};
pub use run::{Condensation, Loss};
pub use select::{Selection, SelectionSettings, Selector};
pub use set::SyntheticSet;
pub(crate) use set::{FORMAT, MAX_FILE, check_offsets, read_file};
pub(crate) use settings::as_text;
pub use settings::{Init, Settings};
