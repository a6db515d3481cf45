//! How good a set is: train fresh networks on it and test them on real images.

mod accuracy;
mod bench;
pub(crate) mod mixing;
mod order;
mod run;
mod schedule;
mod settings;
mod sizes;
mod train;
mod trajectory;

pub use accuracy::Accuracy;
pub use run::Evaluation;
#[cfg(feature = "files")]
pub(crate) use run::Moment;
pub use settings::EvaluationSettings;
pub use train::TrainingSet;
pub use trajectory::TrajectoryTraining;
