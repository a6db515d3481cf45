//! Making a set by a method: condensing it, or choosing it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use dm_wgpu::{
    Checkpoint, Condensation, Error, Evaluation, EvaluationSettings, Selection, SelectionSettings,
    Settings, SyntheticSet, TrainingSet,
    project::{
        self, Checkpoints, History, OutputFolder, Record, Snapshots, Start, pictures,
        words::counted,
    },
    report::Measurement,
};

use super::{
    commands::resuming,
    events::Event,
    failure::Failure,
    measure::{Bench, Measured},
    outlook::Series,
    progress::{Evaluations, Pieces, Steps},
    rescue::no_checkpoint,
};

/// Iterations that the GPU may be behind: enough to keep it busy, few enough to stop soon.
const IN_FLIGHT: u32 = 2;

/// A set and how it came about.
pub struct Made {
    pub set: SyntheticSet,
    pub history: History,
    /// None if the method has no iterations.
    pub iterations: Option<u32>,
    /// Without those of evaluations.
    pub seconds: f64,
    /// What further iterations would go on from.
    pub checkpoint: Option<Checkpoint>,
}

impl Made {
    /// What was measured, a row an iteration; of a selection one row, if it was evaluated.
    pub fn rows(&self) -> Vec<Measurement> {
        let mut rows = self.history.rows();
        if self.iterations.is_none() {
            rows.iter_mut().for_each(|row| row.seconds = self.seconds);
        }
        rows
    }
}

/// Whether it could be condensed so, and evaluated on the way if that is asked for.
pub fn check_condensing(
    bench: &Bench,
    settings: &Settings,
    follow: Option<&EvaluationSettings>,
) -> Result<(), Failure> {
    let dataset = &bench.dataset;
    let Some(evaluation) = follow else {
        return Ok(Condensation::check(&bench.gpu, dataset, settings)?);
    };
    let shared = |error| match error {
        Error::Setting { name: "memory_budget", expected, .. } => Failure::from(Error::Setting {
            name: "memory_budget",
            given: format!("{} bytes", bench.gpu.memory_budget()),
            expected: format!("with --eval-every half of it must do, and {expected}"),
        }),
        other => other.into(),
    };
    let gpu = bench.shared().gpu;
    Condensation::check(&gpu, dataset, settings).map_err(shared)?;
    let images = settings.ipc * dataset.classes();
    Evaluation::check(&gpu, dataset, Some(images), evaluation).map_err(shared)
}

/// How to follow the accuracy on the way.
pub struct Follow {
    pub every: u32,
    pub settings: EvaluationSettings,
}

/// All iterations, or as many as there were before Ctrl-C; nothing if there was none. Goes on from the
/// checkpoint that is in the folder, and leaves one there. The record is written once it is known that
/// the run can begin.
pub fn condense(
    bench: &Bench,
    settings: &Settings,
    follow: Option<Follow>,
    snapshots: Snapshots,
    record: Record,
    folder: &mut OutputFolder,
    checkpoints: &mut Checkpoints,
) -> Result<Option<Made>, Failure> {
    // Both are on the device at once.
    let bench = &if follow.is_some() { bench.shared() } else { bench.clone() };
    let (gpu, dataset) = (&bench.gpu, Arc::clone(&bench.dataset));
    let start = checkpoints.load(folder)?;
    let done = start.as_ref().map_or(0, |start| start.checkpoint.iteration());
    let speeds = bench.outlook.of(&bench.device(), settings, &record, done)?;
    let (condensation, history) = match start {
        Some(Start { checkpoint, history }) => {
            let told = counted(done as usize, "iteration");
            if done > settings.iterations {
                let asked = settings.iterations;
                return Err(project::Error::TooFewIterations { asked, done }.into());
            }
            let checkpoint =
                checkpoint.with_settings(settings.clone()).map_err(Failure::of_data)?;
            bench.console.say(&format!("going on  after {told}"));
            let resumed = Condensation::resume(gpu, dataset, checkpoint);
            (resumed.map_err(|error| not_resumed(error, &record.data.name))?, history)
        }
        None => (Condensation::new(gpu, dataset, settings.clone())?, History::default()),
    };
    let evaluations = record.evaluation.as_ref().map(|_| Evaluations {
        every: follow.as_ref().map(|follow| follow.every),
        each: speeds.evaluation,
    });
    folder.begin(record)?;
    if !matches!(bench.outlook.series, Series::Methods { .. }) {
        bench.interrupt.resumes(folder.path());
    }
    bench.interrupt.working();
    let seconds = history.seconds.last().copied().unwrap_or_default();
    let (iterations, losses) = (settings.iterations, history.losses.clone());
    let console = &bench.console;
    let steps = Steps::start(console, iterations, losses, seconds, speeds.iteration, evaluations);
    let mut work = Work { bench, condensation, history, steps, snapshots, folder, checkpoints };
    let finished = work
        .iterate(follow.as_ref())
        .and_then(|()| work.end())
        .map_err(|failure| work.keep(failure));
    work.steps.finish();
    let Some((set, checkpoint, seconds)) = finished? else { return Ok(None) };
    let iterations = Some(checkpoint.iteration());
    let (checkpoint, history) = (Some(checkpoint), work.history);
    Ok(Some(Made { set, history, iterations, seconds, checkpoint }))
}

/// Why a run does not go on; of pictures, which are easily changed, also what to do.
fn not_resumed(error: Error, dataset: &str) -> Failure {
    let changed = matches!(&error, Error::Shape { what, .. } if what == "checkpoint");
    let failure = Failure::of_data(error);
    match pictures(dataset).filter(|_| changed) {
        None => failure,
        Some(path) => Failure::Failed(format!(
            "{failure}: pictures in {} were added, removed or changed since; put them back as they \
             were, or begin another run",
            path.display()
        )),
    }
}

/// A condensation with all that is noted of it.
struct Work<'a> {
    bench: &'a Bench,
    condensation: Condensation,
    history: History,
    steps: Steps,
    snapshots: Snapshots,
    folder: &'a mut OutputFolder,
    checkpoints: &'a mut Checkpoints,
}

impl Work<'_> {
    /// Until all iterations are submitted, or Ctrl-C.
    fn iterate(&mut self, follow: Option<&Follow>) -> Result<(), Failure> {
        while !self.condensation.is_done() && !self.bench.interrupt.requested() {
            let iteration = self.condensation.iteration();
            if let Some(Follow { every, settings }) = follow
                && iteration.is_multiple_of(*every)
                && !self.history.has_accuracy(iteration)
            {
                if !self.measure(iteration, settings)? {
                    break;
                }
                self.checkpoint()?;
            } else if self.checkpoints.due(iteration) {
                self.checkpoint()?;
            }
            if self.snapshots.due(iteration) {
                self.snapshots.take(iteration, &self.condensation.images_blocking()?);
            }
            let (steps, interrupt) = (&mut self.steps, &self.bench.interrupt);
            let begun = Instant::now();
            let _ = self.condensation.step_blocking(&mut |part| {
                steps.moved(iteration, part);
                interrupt.goes_on()
            })?;
            // Where iterations are long, the device can wait for the next one, but people not for a loss.
            let long = begun.elapsed() > Duration::from_secs(1);
            self.condensation.wait_blocking(if long { 0 } else { IN_FLIGHT })?;
            self.take_losses()?;
        }
        Ok(())
    }

    /// The images with their last checkpoint, and the seconds; nothing if no iteration was done.
    fn end(&mut self) -> Result<Option<(SyntheticSet, Checkpoint, f64)>, Failure> {
        if self.condensation.iteration() == 0 {
            return Ok(None);
        }
        let set = self.condensation.images_blocking()?;
        let seconds = self.steps.seconds();
        self.snapshots.last(self.condensation.iteration(), &set);
        // With the last losses, and with them whether the images are numbers at all.
        let checkpoint = self.checkpoint()?;
        Ok(Some((set, checkpoint, seconds)))
    }

    /// What there is after a failure that left the images alone, and how to go on with them.
    fn keep(&mut self, failure: Failure) -> Failure {
        let Failure::Library(Error::OutOfMemory { .. }) = failure else { return failure };
        match self.checkpoint() {
            Ok(checkpoint) => Failure::Failed(format!(
                "{failure}; {} are safe: {}",
                counted(checkpoint.iteration() as usize, "iteration"),
                resuming(self.folder.path())
            )),
            Err(_) => failure,
        }
    }

    fn take_losses(&mut self) -> Result<(), Failure> {
        for arrived in self.condensation.take_losses()? {
            self.steps.arrived(arrived.loss);
            self.history.losses.push(arrived.loss);
            self.history.seconds.push(self.steps.seconds());
        }
        Ok(())
    }

    fn checkpoint(&mut self) -> Result<Checkpoint, Failure> {
        let mut checkpoint = self.condensation.checkpoint_blocking()?;
        self.take_losses()?;
        self.snapshots.begun(checkpoint.iteration());
        let saved = self.checkpoints.save(self.folder, &mut checkpoint, &self.history);
        if let Err(error) = saved {
            self.bench.console.warn(&no_checkpoint(&error.into(), self.checkpoints));
        }
        Ok(checkpoint)
    }

    /// What the images are worth on the way; whether that came to its end.
    fn measure(&mut self, iteration: u32, settings: &EvaluationSettings) -> Result<bool, Failure> {
        let set = self.condensation.images_blocking()?;
        self.take_losses()?;
        let after = format!("after {}", counted(iteration as usize, "iteration"));
        let (bench, what) = (self.bench, format!("evaluating {after}"));
        let measured =
            self.steps.pause(|| bench.measure(TrainingSet::Synthetic(set), settings, &what))?;
        let Some(Measured { accuracy, seconds }) = measured else { return Ok(false) };
        let event = Event::Accuracy { iteration, accuracy: &accuracy };
        bench.console.tell(&format!("accuracy {after}: {accuracy}"), &event);
        self.history.evaluating += seconds;
        self.history.set_accuracy(iteration, accuracy);
        Ok(true)
    }
}

/// A selection, unless Ctrl-C was before its end: a part of one is of no use.
pub fn select(bench: &Bench, settings: SelectionSettings) -> Result<Option<Made>, Failure> {
    let dataset = Arc::clone(&bench.dataset);
    let classes = dataset.classes() as u32;
    let mut progress = Pieces::start(&bench.console, "choosing images", (classes, "classes"));
    let mut selection = Selection::new(&bench.gpu, dataset, settings)?;
    while !selection.is_done() {
        if bench.interrupt.requested() {
            progress.finish();
            return Ok(None);
        }
        let before = selection.done() as f64;
        let _ = selection.advance_blocking(&mut |part| {
            progress.at(before + part);
            bench.interrupt.goes_on()
        })?;
        progress.at(selection.done() as f64);
    }
    let set = selection.set_blocking()?;
    let seconds = progress.seconds();
    progress.finish();
    let history = History::default();
    Ok(Some(Made { set, history, iterations: None, seconds, checkpoint: None }))
}
