//! Beginning a run, and resuming one.

use std::{collections::VecDeque, sync::Arc};

use super::{
    Condensation,
    plan::{check_trajectories, checked_plan, initial_images},
};
use crate::{
    Dataset, Error, Gpu, Result,
    condense::{
        Checkpoint, Settings, Trajectory, checkpoint::Learned, engine::Engine, identity::Identity,
    },
    data::Classes,
    gpu::blocking,
};

const PREPARE: &str = "prepare the run";
const RESUME: &str = "resume the run";

impl Condensation {
    /// Checks the settings, makes every buffer, compiles every pipeline and sends the initial
    /// images. Nothing has been computed yet.
    ///
    /// # Errors
    /// [`Error::Setting`] or [`Error::Shape`] for settings that are impossible, for this data set,
    /// or within the device's memory budget; [`Error::OutOfMemory`] if the device has too little memory left even for
    /// the smallest pieces; [`Error::Gpu`] if it refuses.
    pub fn new(gpu: &Gpu, dataset: Arc<Dataset>, settings: Settings) -> Result<Self> {
        blocking(PREPARE, Self::new_async(gpu, dataset, settings))
    }

    /// As [`new`](Self::new), for some of the classes alone, without anything of the others: a
    /// shard of the work, on one of several devices. Its images are those of the whole run to the bit, on the same kind of
    /// device. [`SyntheticSet::join`](crate::SyntheticSet::join) puts the shards together.
    ///
    /// Distribution matching alone works class by class.
    ///
    /// ```no_run
    /// # use std::sync::Arc;
    /// # use dm_wgpu::{AdapterChoice, Condensation, Gpu, Settings, SyntheticSet, data::{self, Shard}};
    /// # let gpu = Gpu::headless_blocking(&AdapterChoice::default())?;
    /// let dataset = data::glyphs(0)?;
    /// let settings = Settings::for_dataset(&dataset).ipc(1).iterations(100);
    /// let images: Vec<_> = (0..10).map(|class| dataset.train().of_class(class).len()).collect();
    /// let mut shards = Vec::new();
    /// for number in 1..=3 {
    ///     let classes = Shard::new(number, 3)?.classes(&images)?;
    ///     let mut run = Condensation::for_classes(&gpu, &dataset, settings.clone(), &classes)?;
    ///     while !run.is_done() {
    ///         run.step()?;
    ///         run.wait_blocking(2)?;
    ///     }
    ///     shards.push((classes, run.images_blocking()?));
    /// }
    /// let set = SyntheticSet::join(shards)?;
    /// # Ok::<(), dm_wgpu::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`new`](Self::new); [`Error::Setting`] for classes that are not there, and for methods and networks that need all
    /// of them.
    pub fn for_classes(
        gpu: &Gpu,
        dataset: &Dataset,
        settings: Settings,
        classes: &Classes,
    ) -> Result<Self> {
        Self::new(gpu, Arc::new(dataset.of_classes(classes)?), settings)
    }

    /// As [`new`](Self::new), for browsers, which report only later whether the device accepted everything. Elsewhere
    /// it completes at once.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub async fn new_async(gpu: &Gpu, dataset: Arc<Dataset>, settings: Settings) -> Result<Self> {
        // Before the images are made, which may be too many for the host as well.
        Self::begun(gpu, dataset, settings, Vec::new()).await
    }

    /// As [`new`](Self::new), along the trajectories of networks, without which a run by
    /// [`Matching::Trajectory`](crate::Matching::Trajectory) cannot advance.
    ///
    /// # Errors
    /// As [`new`](Self::new), and [`Error::Shape`] if these are not as many trajectories of as many epochs as the settings
    /// say, or of another network.
    pub fn along(
        gpu: &Gpu,
        dataset: Arc<Dataset>,
        settings: Settings,
        trajectories: Vec<Arc<Trajectory>>,
    ) -> Result<Self> {
        settings.check(&dataset)?;
        check_trajectories(&dataset, &settings, &trajectories)?;
        blocking(PREPARE, Self::begun(gpu, dataset, settings, trajectories))
    }

    async fn begun(
        gpu: &Gpu,
        dataset: Arc<Dataset>,
        settings: Settings,
        trajectories: Vec<Arc<Trajectory>>,
    ) -> Result<Self> {
        checked_plan(gpu, &dataset, &settings)?;
        let images = initial_images(&dataset, &settings);
        Self::with_images(gpu, dataset, settings, trajectories, &images).await
    }

    /// Resumes a run from a checkpoint, as if it had never stopped: on the same adapter with the
    /// same driver it ends with the same bits. Losses that [`take_losses`](Self::take_losses) has
    /// returned before are not returned again.
    ///
    /// # Errors
    /// [`Error::Shape`] if this is not the data set that the checkpoint was made with; else as
    /// [`new`](Self::new).
    pub fn resume(gpu: &Gpu, dataset: Arc<Dataset>, checkpoint: Checkpoint) -> Result<Self> {
        blocking(RESUME, Self::resume_async(gpu, dataset, checkpoint))
    }

    /// As [`resume`](Self::resume), of a run [`along`](Self::along) these trajectories.
    ///
    /// # Errors
    /// As [`resume`](Self::resume) and [`along`](Self::along).
    pub fn resume_along(
        gpu: &Gpu,
        dataset: Arc<Dataset>,
        checkpoint: Checkpoint,
        trajectories: Vec<Arc<Trajectory>>,
    ) -> Result<Self> {
        blocking(RESUME, Self::resumed(gpu, dataset, checkpoint, trajectories))
    }

    /// As [`resume`](Self::resume), for browsers, as [`new_async`](Self::new_async) is.
    ///
    /// # Errors
    /// As [`resume`](Self::resume).
    pub async fn resume_async(
        gpu: &Gpu,
        dataset: Arc<Dataset>,
        checkpoint: Checkpoint,
    ) -> Result<Self> {
        Self::resumed(gpu, dataset, checkpoint, Vec::new()).await
    }

    async fn resumed(
        gpu: &Gpu,
        dataset: Arc<Dataset>,
        checkpoint: Checkpoint,
        trajectories: Vec<Arc<Trajectory>>,
    ) -> Result<Self> {
        let Checkpoint {
            images, velocity, learned, iteration, settings, dataset: made_with, ..
        } = checkpoint;
        if let Some(difference) = made_with.difference(&Identity::of(&dataset)) {
            return Err(Error::shape("checkpoint", format!("it was made with {difference}")));
        }
        let mut run = Self::with_images(gpu, dataset, settings, trajectories, &images).await?;
        gpu.checked(RESUME, || {
            run.matching.pixels().1.write(gpu, &velocity);
            if let (Some(state), Some(Learned { square, rates })) =
                (run.matching.unrolled(), &learned)
            {
                state.square.write(gpu, square);
                let buffers = [&state.raw, &state.raw_mean, &state.raw_square];
                buffers.iter().zip(rates).for_each(|(buffer, values)| buffer.write(gpu, values));
            }
            Ok(())
        })
        .await?;
        run.iteration = iteration;
        Ok(run)
    }

    async fn with_images(
        gpu: &Gpu,
        dataset: Arc<Dataset>,
        settings: Settings,
        trajectories: Vec<Arc<Trajectory>>,
        images: &[f32],
    ) -> Result<Self> {
        let plan = checked_plan(gpu, &dataset, &settings)?;
        // Without them it can be estimated, but not advance.
        if !trajectories.is_empty() {
            check_trajectories(&dataset, &settings, &trajectories)?;
        }
        let real_counts = plan.real_counts().to_vec();
        let matching = Engine::new(gpu, &plan, images).await?;
        Ok(Self {
            gpu: gpu.clone(),
            dataset,
            settings,
            trajectories,
            real_counts,
            matching,
            iteration: 0,
            begun: None,
            in_flight: VecDeque::new(),
            encoded: VecDeque::new(),
            idle: Vec::new(),
            arrived: Vec::new(),
            diverged: None,
        })
    }

    /// Whether [`new`](Self::new) would take these settings, without making anything.
    ///
    /// # Errors
    /// [`Error::Setting`] or [`Error::Shape`], as `new` gives them.
    pub fn check(gpu: &Gpu, dataset: &Dataset, settings: &Settings) -> Result<()> {
        checked_plan(gpu, dataset, settings).map(drop)
    }
}
