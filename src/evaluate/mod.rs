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
mod trajectory;

pub use accuracy::Accuracy;
pub use protocol::Protocol;
pub use run::{Evaluation, TrainingSet};
pub use settings::EvaluationSettings;
pub(crate) use trajectory::Moment;
#[cfg(feature = "files")]
pub(crate) use trajectory::{Snapshot, epoch_of, tensors, to_bytes};
pub use trajectory::{Trajectory, TrajectoryTraining};
