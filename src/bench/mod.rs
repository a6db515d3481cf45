//! How long the work takes on a device: iterations of a condensation, epochs of an evaluation, and
//! the kernels in them beside what the device can do at most.
//!
//! ```no_run
//! use std::ops::ControlFlow;
//! use dm_wgpu::{AdapterChoice, bench::{Bench, Shape}};
//!
//! let bench = Bench { iterations: 20, ..Bench::of(Shape::Cifar10) };
//! let go_on = &mut |_| ControlFlow::Continue(());
//! if let Some(report) = bench.run_blocking(&AdapterChoice::default(), go_on)? {
//!     println!("{:.1} ms per iteration", report.iteration.median_ms);
//! }
//! # Ok::<(), dm_wgpu::Error>(())
//! ```

mod ceiling;
mod phase;
mod report;
mod shape;

use std::{ops::ControlFlow, sync::Arc};

pub use report::{BenchAdapter, Ceiling, KernelTime, Phase, Report, Start, TimedBy};
pub use shape::Shape;

use crate::{
    AdapterChoice, Architecture, Condensation, Dataset, Error, Evaluation, EvaluationSettings, Gpu,
    Matching, Recipe, Result, Settings, Subject, SyntheticSet, TrainingSet, Trajectory,
    TrajectoryTraining, clock::Instant, gpu::Clock,
};
use phase::{WARM_UP, ms, profile, watch};

/// What is timed: the published method and protocol, on made-up images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bench {
    /// Channels, size and number of the images.
    pub shape: Shape,
    /// The method that condenses.
    pub method: Matching,
    /// Classes, which share out the shape's images.
    pub classes: usize,
    /// Synthetic images per class.
    pub ipc: usize,
    /// Tiles of a side that each of these is packed with; `None` for as many as suit the method.
    pub factor: Option<usize>,
    /// The kind of network.
    pub net: Architecture,
    /// Channels of every convolution of a ConvNet.
    pub width: usize,
    /// Real images per class and iteration.
    pub batch_real: usize,
    /// Iterations and epochs that are timed, after three that are not.
    pub iterations: u32,
}

/// Why a benchmark stopped early.
enum Stop {
    Asked,
    Failed(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// The progress of a benchmark.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Progress {
    /// The adapter was opened.
    Opened(BenchAdapter),
    /// A phase begins that has so many pieces.
    Begun(&'static str, u32),
    /// So many pieces of the phase are done.
    Done(u32),
}

impl Bench {
    /// The published settings for a shape, with ten timed iterations and epochs.
    pub fn of(shape: Shape) -> Self {
        Self {
            shape,
            method: Matching::default(),
            classes: shape.classes(),
            ipc: 10,
            factor: None,
            net: Architecture::default(),
            width: 128,
            batch_real: 256,
            iterations: 10,
        }
    }

    /// Opens an adapter and measures. Blocks until all is done, or until `progress` breaks: then there is
    /// no report.
    ///
    /// # Errors
    /// [`Error::Adapter`] when there is none, [`Error::Setting`] for numbers that are impossible or
    /// need more memory than the choice's budget, [`Error::Gpu`] if the device fails.
    pub fn run_blocking(
        &self,
        choice: &AdapterChoice,
        progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Option<Report>> {
        let mut tell = |what| match progress(what) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Stop::Asked),
        };
        match self.measure(choice, &mut tell) {
            Ok(report) => Ok(Some(report)),
            Err(Stop::Asked) => Ok(None),
            Err(Stop::Failed(error)) => Err(error),
        }
    }

    fn measure(
        &self,
        choice: &AdapterChoice,
        progress: &mut dyn FnMut(Progress) -> Result<(), Stop>,
    ) -> Result<Report, Stop> {
        let (most, _) = self.shape.images_per_class(self.classes);
        if self.batch_real > most {
            let classes = self.classes;
            let expected = format!("one of {classes} classes of {} has {most} images", self.shape);
            return Err(Error::setting("batch_real", self.batch_real, expected).into());
        }
        let begun = Instant::now();
        let gpu = Gpu::headless_blocking(choice)?;
        let open_ms = ms(begun.elapsed());
        let adapter = adapter(&gpu);
        progress(Progress::Opened(adapter.clone()))?;

        let dataset = Arc::new(self.shape.dataset(self.classes)?);
        let settings = self.settings(&dataset);
        let (iteration, run) = watch(
            &gpu,
            || {
                let along = trajectories(&gpu, &dataset, &settings)?;
                Condensation::along(&gpu, dataset.clone(), settings.clone(), along)
            },
            self.iterations,
            &mut |done| progress(self.piece("iterations", done)),
        )?;
        progress(Progress::Begun("kernels", 0))?;
        let (arithmetic, clock) = ceiling::clock(&gpu)?;
        let iteration_kernels = profile(&gpu, clock, &run.recordings(), iteration.median_ms)?;
        drop(run);

        let evaluation = self.evaluation(&dataset);
        let set = TrainingSet::Synthetic(self.set(&dataset, &settings)?);
        let (epoch, run) = watch(
            &gpu,
            || Evaluation::new(&gpu, dataset.clone(), set, evaluation),
            self.iterations,
            &mut |done| progress(self.piece("epochs", done)),
        )?;
        progress(Progress::Begun("kernels", 0))?;
        let epoch_kernels = profile(&gpu, clock, &run.recordings(), epoch.median_ms)?;
        drop(run);
        let ceiling = ceiling::measure(&gpu, &arithmetic, clock, gpu.memory_budget())?;

        let total_ms = open_ms + iteration.prepare_ms + iteration.first_ms;
        Ok(Report {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            adapter,
            shape: self.shape,
            method: self.method,
            classes: self.classes,
            ipc: self.ipc,
            factor: settings.factor,
            net: self.net.clone(),
            width: self.width,
            depth: settings.depth,
            batch_real: self.batch_real,
            start: Start { open_ms, total_ms },
            peak_bytes: iteration.peak_bytes.max(epoch.peak_bytes),
            iteration,
            epoch,
            timed_by: match clock {
                Clock::Timestamps => TimedBy::Timestamps,
                Clock::Waiting => TimedBy::Waiting,
            },
            kernels: phase::beside(&ceiling, iteration_kernels),
            epoch_kernels: phase::beside(&ceiling, epoch_kernels),
            ceiling,
        })
    }

    fn piece(&self, what: &'static str, done: u32) -> Progress {
        match done {
            0 => Progress::Begun(what, self.pieces()),
            done => Progress::Done(done),
        }
    }

    /// Pieces of each phase, timed or not.
    fn pieces(&self) -> u32 {
        self.iterations.saturating_add(1 + WARM_UP)
    }

    fn settings(&self, dataset: &Dataset) -> Settings {
        let Self { ipc, width, batch_real, .. } = *self;
        let net = self.net.clone();
        let iterations = self.pieces().saturating_add(1);
        let subject = Subject::from(dataset).method(self.method).ipc(Some(ipc));
        let mut suited = Settings::of(&Recipe::new(subject));
        suited.factor = self.factor.unwrap_or(suited.factor);
        if self.method == Matching::Trajectory {
            (suited.trajectories, suited.expert_epochs) = (Some(1), Some(1));
        }
        Settings { ipc, iterations, net, width, batch_real, ..suited }
    }

    fn evaluation(&self, dataset: &Dataset) -> EvaluationSettings {
        EvaluationSettings {
            nets: 1,
            // One is in flight after the last that is timed.
            epochs: self.pieces().saturating_add(1),
            net: self.net.clone(),
            width: self.width,
            ..EvaluationSettings::for_dataset(dataset)
        }
    }

    /// The first images of each class: the time does not depend on what they show.
    fn set(&self, dataset: &Dataset, settings: &Settings) -> Result<SyntheticSet> {
        let train = dataset.train();
        let mut images = Vec::new();
        for class in 0..dataset.classes() {
            for &index in train.of_class(class).iter().cycle().take(self.ipc) {
                images.extend(dataset.normalised(train.image(index as usize)));
            }
        }
        let set = SyntheticSet::of(dataset, &vec![self.ipc; dataset.classes()], images, settings)?;
        Ok(SyntheticSet { factor: settings.factor, ..set })
    }
}

/// What a method needs that matches along trajectories. The time does not depend on what the networks have learnt, so they have
/// learnt nothing.
fn trajectories(
    gpu: &Gpu,
    dataset: &Arc<Dataset>,
    settings: &Settings,
) -> Result<Vec<Arc<Trajectory>>> {
    if settings.method != Matching::Trajectory {
        return Ok(Vec::new());
    }
    let untrained = TrajectoryTraining::new(gpu, dataset.clone(), settings, 0)?.trajectory();
    let both = vec![untrained.after(0).to_vec(); 2];
    Ok(vec![Arc::new(Trajectory::of(both))])
}

/// The most that a device can do, measured in a moment.
pub(crate) fn ceiling_blocking(gpu: &Gpu) -> Result<Ceiling> {
    let (arithmetic, clock) = ceiling::clock(gpu)?;
    ceiling::measure(gpu, &arithmetic, clock, 128 << 20)
}

fn adapter(gpu: &Gpu) -> BenchAdapter {
    let info = gpu.info();
    BenchAdapter {
        name: info.name.clone(),
        backend: info.backend.to_str().to_owned(),
        driver: format!("{} {}", info.driver, info.driver_info).trim().to_owned(),
        cpu: gpu.caps().cpu,
        kernels: gpu.kernels().name().to_owned(),
        precision: gpu.precision().name().to_owned(),
    }
}
