//! How good a set is: train fresh networks on it and test them on real images.

mod accuracy;
mod bench;
mod order;
mod run;
mod settings;
mod sizes;
mod train;

pub use accuracy::Accuracy;
pub use run::{Evaluation, TrainingSet};
pub use settings::EvaluationSettings;
