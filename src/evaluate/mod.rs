//! How good a set is: train fresh networks on it and test them on real images.

mod accuracy;
mod bench;
pub(crate) mod mixing;
mod order;
mod protocol;
mod run;
mod settings;
mod sizes;
mod train;

pub use accuracy::Accuracy;
pub use protocol::Protocol;
pub use run::{Evaluation, TrainingSet};
pub use settings::EvaluationSettings;
