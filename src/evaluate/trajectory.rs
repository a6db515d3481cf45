//! The training of networks on real images, with a snapshot after each epoch.

use std::{ops::ControlFlow, sync::Arc, time::Duration};

#[cfg(feature = "files")]
use super::run::Moment;
#[cfg(feature = "files")]
use super::sizes::{Load, Sizes};
use super::{Evaluation, EvaluationSettings, TrainingSet};
#[cfg(feature = "files")]
use crate::condense::Snapshot;
use crate::{Dataset, Error, Gpu, Protocol, Result, Settings, Trajectory, augment::Augmentation};

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
        Ok(Self { evaluation, trajectory: Trajectory::of(vec![start]) })
    }

    /// Checks that there is memory for one, without preparing anything.
    #[cfg(feature = "files")]
    pub(crate) fn check(gpu: &Gpu, dataset: &Dataset, settings: &Settings) -> Result<()> {
        let settings = &Self::settings(dataset, settings, 0)?;
        let net = &settings.network(dataset)?;
        Sizes::of(gpu, &Load { dataset, net, settings, images: None }).map(drop)
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
    #[cfg(feature = "files")]
    pub(crate) fn continue_from(
        &mut self,
        snapshots: Vec<Snapshot>,
        velocities: &[Vec<f32>],
    ) -> Result<()> {
        let Some(last) = snapshots.last() else { return Ok(()) };
        self.evaluation.restore(snapshots.len() as u32 - 1, last, velocities)?;
        self.trajectory = Trajectory::of(snapshots);
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
        self.trajectory.push(parameters);
        Ok(ControlFlow::Continue(()))
    }

    /// The state after the last epoch that was done.
    #[cfg(feature = "files")]
    pub(crate) fn moment_blocking(&self) -> Result<Moment> {
        self.evaluation.moment_blocking()
    }

    /// The snapshots so far.
    pub fn trajectory(self) -> Trajectory {
        self.trajectory
    }

    /// How long an epoch is expected to take: as [`estimate_blocking`](Self::estimate_blocking) measured it, or a guess before
    /// that.
    pub fn expected(&self) -> Duration {
        self.evaluation.expected().0
    }

    /// How long an epoch will take on this device, measured on a slice of each kernel. Call it before the first epoch.
    ///
    /// # Errors
    /// [`Error::Gpu`] if the device was lost, or an epoch is done already.
    pub fn estimate_blocking(&self) -> Result<Duration> {
        self.evaluation.estimate_blocking()?;
        // Kernels that are measured leave anything in the network.
        self.evaluation.begin_blocking()?;
        Ok(self.expected())
    }
}
