//! Networks on their way through training on real images: what they were before it, and after each epoch.

use std::{ops::ControlFlow, sync::Arc};

use super::{Evaluation, EvaluationSettings, Protocol, TrainingSet};
use crate::{Dataset, Error, Gpu, Result, Settings, augment::Augmentation};

/// A network's parameters before its training and after each epoch.
#[derive(Debug, Clone, PartialEq)]
pub struct Trajectory {
    snapshots: Vec<Vec<Vec<f32>>>,
}

/// What a network was at some time: all its parameters, and how fast they moved.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Moment {
    pub parameters: Vec<Vec<f32>>,
    pub velocities: Vec<Vec<f32>>,
}

impl Trajectory {
    /// Epochs of training.
    pub fn epochs(&self) -> usize {
        self.snapshots.len() - 1
    }

    /// Bytes of all parameters.
    pub fn bytes(&self) -> usize {
        let values: usize = self.snapshots.iter().flatten().map(Vec::len).sum();
        values * size_of::<f32>()
    }

    /// After so many epochs: blocks before all other layers.
    pub(crate) fn after(&self, epochs: usize) -> &[Vec<f32>] {
        &self.snapshots[epochs]
    }
}

/// The training of a network whose [`Trajectory`] snapshots are matched along: on all real images of the data set, as IDC's
/// protocol trains, with color and crop. It follows from the data set, the network and its number alone.
#[derive(Debug)]
pub struct TrajectoryTraining {
    evaluation: Evaluation,
    trajectory: Trajectory,
}

impl TrajectoryTraining {
    /// Prepares the training of the network with this number for a condensation of these settings.
    ///
    /// # Errors
    /// As [`Evaluation::new`].
    pub fn new(gpu: &Gpu, dataset: Arc<Dataset>, settings: &Settings, number: u32) -> Result<Self> {
        let settings = Self::settings(&dataset, settings, number)?;
        let evaluation = Evaluation::untested(gpu, dataset, TrainingSet::Whole, settings)?;
        let start = evaluation.begin_blocking()?.parameters;
        Ok(Self { evaluation, trajectory: Trajectory { snapshots: vec![start] } })
    }

    /// By what it is trained. Everything that it depends on is here, in the data set, and in the device.
    pub(crate) fn settings(
        dataset: &Dataset,
        settings: &Settings,
        number: u32,
    ) -> Result<EvaluationSettings> {
        let epochs = settings.expert_epochs.ok_or_else(|| {
            Error::setting("expert_epochs", "none", "trajectories need it; a recipe has it")
        })?;
        let members = [Augmentation::Color, Augmentation::Crop].map(Augmentation::name);
        Ok(EvaluationSettings {
            protocol: Protocol::Idc,
            nets: 1,
            epochs,
            net: settings.net.clone(),
            width: settings.width,
            depth: settings.depth,
            batch: 64,
            lr: 0.01,
            augment: members.join("_").parse()?,
            seed: number.into(),
            ..EvaluationSettings::for_dataset(dataset)
        })
    }

    /// Continues one that was stopped after the last of these snapshots.
    pub(crate) fn continue_from(
        &mut self,
        snapshots: Vec<Vec<Vec<f32>>>,
        velocities: &[Vec<f32>],
    ) -> Result<()> {
        let Some(last) = snapshots.last() else { return Ok(()) };
        self.evaluation.restore(snapshots.len() as u32 - 1, last, velocities)?;
        self.trajectory = Trajectory { snapshots };
        Ok(())
    }

    /// Epochs of the whole training.
    pub fn total(&self) -> u32 {
        self.evaluation.settings().epochs
    }

    /// Epochs done.
    pub fn done(&self) -> u32 {
        self.trajectory.epochs() as u32
    }

    /// Does an epoch; `between` as [`Evaluation::step_blocking`] has it.
    ///
    /// # Errors
    /// [`Error::NetworkDiverged`] if a parameter is not finite afterwards, [`Error::Gpu`] if the device was lost.
    pub fn step_blocking(
        &mut self,
        between: &mut dyn FnMut(f64) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>> {
        if self.done() == self.total() {
            return Ok(ControlFlow::Continue(()));
        }
        if self.evaluation.step_blocking(between)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
        let parameters = self.evaluation.moment_blocking()?.parameters;
        if !parameters.iter().flatten().all(|value| value.is_finite()) {
            return Err(Error::NetworkDiverged { network: 0 });
        }
        self.trajectory.snapshots.push(parameters);
        Ok(ControlFlow::Continue(()))
    }

    /// The state after the last epoch that was done.
    pub(crate) fn moment_blocking(&self) -> Result<Moment> {
        self.evaluation.moment_blocking()
    }

    /// What there is of it so far.
    pub fn trajectory(self) -> Trajectory {
        self.trajectory
    }

    /// Seconds that an epoch is expected to take.
    pub fn expected(&self) -> std::time::Duration {
        self.evaluation.expected().0
    }
}

/// All parameters of a network.
pub(crate) type Snapshot = Vec<Vec<f32>>;

#[cfg(feature = "files")]
impl Trajectory {
    /// Of what was kept.
    pub(crate) fn of(snapshots: Vec<Snapshot>) -> Self {
        Self { snapshots }
    }
}

/// The file of a snapshot, or of velocities, after so many epochs.
#[cfg(feature = "files")]
pub(crate) fn to_bytes(tensors: &[Vec<f32>], epoch: u32) -> Result<Vec<u8>> {
    use safetensors::{Dtype, tensor::TensorView};

    let wrong = |error: safetensors::SafeTensorError| Error::shape("trajectory", error.to_string());
    let bytes: Vec<Vec<u8>> =
        tensors.iter().map(|all| all.iter().flat_map(|v| v.to_le_bytes()).collect()).collect();
    let views = tensors
        .iter()
        .zip(&bytes)
        .enumerate()
        .map(|(number, (values, bytes))| {
            let view = TensorView::new(Dtype::F32, vec![values.len()], bytes).map_err(wrong)?;
            Ok((format!("{number:04}"), view))
        })
        .collect::<Result<Vec<_>>>()?;
    let meta = [("epoch".to_owned(), epoch.to_string())].into();
    safetensors::serialize(views, Some(meta)).map_err(wrong)
}

/// The epochs before such a file.
#[cfg(feature = "files")]
pub(crate) fn epoch_of(bytes: &[u8]) -> Option<u32> {
    crate::condense::check_offsets(bytes).ok()?;
    let (_, header) = safetensors::SafeTensors::read_metadata(bytes).ok()?;
    header.metadata().as_ref()?.get("epoch")?.parse().ok()
}

/// What such a file holds; `None` if it is broken or of another epoch.
#[cfg(feature = "files")]
pub(crate) fn tensors(bytes: &[u8], epoch: u32) -> Option<Snapshot> {
    if epoch_of(bytes)? != epoch {
        return None;
    }
    let file = safetensors::SafeTensors::deserialize(bytes).ok()?;
    let mut names: Vec<_> = file.names().into_iter().map(str::to_owned).collect();
    names.sort();
    let read = |name: &String| {
        let tensor = file.tensor(name).ok()?;
        let words = tensor.data().chunks_exact(4).map(|b| [b[0], b[1], b[2], b[3]]);
        Some(words.map(f32::from_le_bytes).collect::<Vec<_>>())
            .filter(|values| values.iter().all(|value| value.is_finite()))
    };
    names.iter().map(read).collect()
}
