//! Making a set by a method: condensing it, or choosing it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    Checkpoints, Error, Event, History, Job, Left, Measured, Observer, OutputFolder, Record,
    Result, Setup, Snapshots, Start,
    expected::{Evaluations, Series},
    observer::{finish, goes_on},
    record::pictures,
    trajectories::{self, trajectories},
};
use crate::{
    Checkpoint, Condensation, Error as Failure, Evaluation, EvaluationSettings, Selection,
    SelectionSettings, Settings, SyntheticSet, Text, TrainingSet, advance::IN_FLIGHT,
    report::Measurement,
};

/// A set and how it was made.
#[derive(Debug)]
pub(super) struct Made {
    pub set: SyntheticSet,
    pub history: History,
    /// `None` if the method has no iterations.
    pub iterations: Option<u32>,
    /// Without those of evaluations.
    pub seconds: f64,
    /// Those of them in which networks were trained to be matched along, perhaps in earlier runs.
    pub training: f64,
    /// The state from which further iterations could continue.
    pub checkpoint: Option<Checkpoint>,
}

impl Made {
    /// What was measured, a row per iteration; of a selection one row, if it was evaluated.
    pub fn rows(&self) -> Vec<Measurement> {
        let mut rows = self.history.rows();
        if self.iterations.is_none() {
            rows.iter_mut().for_each(|row| row.seconds = self.seconds);
        }
        rows
    }
}

/// Checks that it can be condensed in this way, and evaluated on the way if that is asked for.
pub(super) fn check_condensing(
    setup: &Setup,
    settings: &Settings,
    follow: Option<&EvaluationSettings>,
) -> Result<()> {
    let dataset = &setup.dataset;
    trajectories::check(setup, settings)?;
    let Some(evaluation) = follow else {
        return Ok(Condensation::check(&setup.gpu, dataset, settings)?);
    };
    let shared = |error| match error {
        Failure::Setting { name: "memory_budget", expected, .. } => Failure::wrong(
            "memory_budget",
            Text::default().bytes(setup.gpu.memory_budget()),
            Text::from("with ")
                .setting("eval_every")
                .then(" half of it must do, and ")
                .then(expected),
        ),
        other => other,
    };
    let gpu = setup.shared().gpu;
    Condensation::check(&gpu, dataset, settings).map_err(shared)?;
    let images = settings.stored(dataset.classes()) * settings.factor * settings.factor;
    Ok(Evaluation::check(&gpu, dataset, Some(images), evaluation).map_err(shared)?)
}

/// Does all iterations, or as many as fit in before it is stopped; `None` if there was none. Continues from the
/// checkpoint in the folder, and leaves one there. The record is written once it is known that the run can begin.
pub(super) fn condense(
    setup: &Setup,
    settings: &Settings,
    record: &Record,
    folder: &mut OutputFolder,
    checkpoints: &mut Checkpoints,
    observer: &mut dyn Observer,
) -> Result<Option<Made>> {
    let own = &record.of_part();
    let follow = own.eval_every.zip(own.evaluation.as_ref());
    let snapshots =
        Snapshots::new(folder.path(), record.snapshots.unwrap_or_default(), settings.iterations);
    // Both are on the device at once.
    let setup = &if follow.is_some() { setup.shared() } else { setup.clone() };
    let (gpu, dataset) = (&setup.gpu, Arc::clone(&setup.dataset));
    let start = checkpoints.load(folder)?;
    let done = start.as_ref().map_or(0, |start| start.checkpoint.iteration());
    let Some(along) = trajectories(setup, settings, observer)? else { return Ok(None) };
    let (along, training) = (along.trajectories, along.seconds);
    let speeds = setup.speeds(settings, own, done, observer)?;
    let (condensation, history) = match start {
        Some(Start { checkpoint, history }) => {
            if done > settings.iterations {
                return Err(Error::TooFewIterations { asked: settings.iterations, done });
            }
            let checkpoint = checkpoint.with_settings(settings.clone()).map_err(Error::Data)?;
            observer.see(Event::Resumed(done));
            let resumed = Condensation::resume_along(gpu, dataset, checkpoint, along);
            (resumed.map_err(|error| not_resumed(error, &record.data.name))?, history)
        }
        None => {
            let settings = settings.clone();
            (Condensation::along(gpu, dataset, settings, along)?, History::default())
        }
    };
    folder.begin(record.clone())?;
    if !matches!(setup.outlook.series, Series::Methods { .. }) {
        observer.see(Event::Resumable(folder.path()));
    }
    let seconds = history.seconds.last().copied().unwrap_or_default();
    observer.see(Event::Iterating {
        total: settings.iterations,
        losses: &history.losses,
        seconds,
        each: speeds.iteration,
        evaluations: own.evaluation.as_ref().map(|_| Evaluations {
            every: follow.map(|(every, _)| every),
            each: speeds.evaluation,
            beside: match setup.outlook.series {
                // Once for all of them.
                Series::Methods { .. } => Duration::ZERO,
                _ => speeds.beside,
            },
        }),
    });
    let clock = Clock::start(seconds);
    let mut work =
        Work { setup, condensation, history, clock, snapshots, folder, checkpoints, observer };
    let finished =
        work.iterate(follow).and_then(|()| work.end()).map_err(|failure| work.keep(failure));
    work.observer.see(Event::Iterated { seconds: work.clock.seconds() });
    let Some((set, checkpoint, seconds)) = finished? else { return Ok(None) };
    let iterations = Some(checkpoint.iteration());
    let (checkpoint, history) = (Some(checkpoint), work.history);
    Ok(Some(Made { set, history, iterations, seconds: seconds + training, training, checkpoint }))
}

/// Why a run can't be resumed; pictures are easily changed.
fn not_resumed(error: Failure, dataset: &str) -> Error {
    let changed = matches!(&error, Failure::Shape { what, .. } if what == "checkpoint");
    match pictures(dataset).filter(|_| changed) {
        None => Error::Data(error),
        Some(path) => Error::PicturesChanged { path: path.into(), source: Box::new(error) },
    }
}

/// The time of the iterations alone.
struct Clock {
    /// Of an earlier part of the run.
    before: Duration,
    started: Instant,
    paused: Duration,
}

impl Clock {
    fn start(seconds: f64) -> Self {
        // Values from a file may be anything.
        let before = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        Self { before, started: Instant::now(), paused: Duration::ZERO }
    }

    fn seconds(&self) -> f64 {
        (self.before + self.started.elapsed().saturating_sub(self.paused)).as_secs_f64()
    }
}

/// A condensation with everything that is recorded about it.
struct Work<'a> {
    setup: &'a Setup,
    condensation: Condensation,
    history: History,
    clock: Clock,
    snapshots: Snapshots,
    folder: &'a mut OutputFolder,
    checkpoints: &'a mut Checkpoints,
    observer: &'a mut dyn Observer,
}

impl Work<'_> {
    /// Runs until all iterations are submitted, or the observer asks to stop.
    fn iterate(&mut self, follow: Option<(u32, &EvaluationSettings)>) -> Result<()> {
        while !self.condensation.is_done() && !self.observer.stops() {
            let iteration = self.condensation.iteration();
            if let Some((every, settings)) = follow
                && iteration.is_multiple_of(every)
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
            let (observer, clock) = (&mut *self.observer, &self.clock);
            let begun = Instant::now();
            let _ = self.condensation.step_blocking(&mut |part| {
                let (iterations, seconds) = (iteration, clock.seconds());
                observer.see(Event::Moved { iterations, part, seconds });
                goes_on(observer)
            })?;
            // If iterations are long, their losses are collected at once, so that people see them early.
            let long = begun.elapsed() > Duration::from_secs(1);
            self.condensation.wait_blocking(if long { 0 } else { IN_FLIGHT })?;
            self.take_losses()?;
        }
        Ok(())
    }

    /// The images with their last checkpoint, and the seconds; `None` if no iteration was done.
    fn end(&mut self) -> Result<Option<(SyntheticSet, Checkpoint, f64)>> {
        if self.condensation.iteration() == 0 {
            return Ok(None);
        }
        let set = self.condensation.images_blocking()?;
        let seconds = self.clock.seconds();
        self.snapshots.last(self.condensation.iteration(), &set);
        // With the last losses, and with them whether the images are numbers at all.
        let checkpoint = self.checkpoint()?;
        Ok(Some((set, checkpoint, seconds)))
    }

    /// The state after a failure that did not change the images.
    fn keep(&mut self, failure: Error) -> Error {
        let Error::Library(Failure::OutOfMemory { .. }) = failure else { return failure };
        match self.checkpoint() {
            Ok(checkpoint) => failure.with(Left::Iterations {
                folder: self.folder.path().into(),
                done: checkpoint.iteration(),
            }),
            Err(_) => failure,
        }
    }

    fn take_losses(&mut self) -> Result<()> {
        for arrived in self.condensation.take_losses()? {
            let (loss, seconds) = (arrived.loss, self.clock.seconds());
            self.observer.see(Event::Loss { loss, seconds });
            self.history.losses.push(loss);
            if self.setup.dataset.part().is_some() {
                self.history.sums.push(arrived.sum);
            }
            self.history.seconds.push(seconds);
        }
        Ok(())
    }

    fn checkpoint(&mut self) -> Result<Checkpoint> {
        let mut checkpoint = self.condensation.checkpoint_blocking()?;
        self.take_losses()?;
        self.snapshots.begun(checkpoint.iteration());
        self.checkpoints.try_save(self.folder, &mut checkpoint, &self.history, self.observer);
        Ok(checkpoint)
    }

    /// Evaluates the images on the way. Returns whether the evaluation was completed.
    fn measure(&mut self, iteration: u32, settings: &EvaluationSettings) -> Result<bool> {
        let set = TrainingSet::as_made(self.condensation.images_blocking()?);
        self.take_losses()?;
        let (begun, job) = (Instant::now(), Job::EvaluatingAfter(iteration));
        let measured = self.setup.measure(set, settings, job, self.observer);
        self.clock.paused += begun.elapsed();
        let Some(Measured { accuracy, seconds }) = measured? else { return Ok(false) };
        self.observer.see(Event::Accuracy { iteration, accuracy: &accuracy });
        self.history.evaluating += seconds;
        self.history.set_accuracy(iteration, accuracy);
        Ok(true)
    }
}

/// A selection; `None` if it was stopped early, because a part of a selection is of no use.
pub(super) fn select(
    setup: &Setup,
    settings: SelectionSettings,
    observer: &mut dyn Observer,
) -> Result<Option<Made>> {
    let pieces = setup.dataset.classes() as u32;
    observer.see(Event::Began { job: Job::Choosing, pieces, expected: None });
    let made = choose(setup, settings, observer);
    observer.see(Event::Ended);
    made
}

fn choose(
    setup: &Setup,
    settings: SelectionSettings,
    observer: &mut dyn Observer,
) -> Result<Option<Made>> {
    let begun = Instant::now();
    let classes = setup.dataset.classes() as f64;
    let mut selection = Selection::new(&setup.gpu, Arc::clone(&setup.dataset), settings)?;
    if !finish(&mut selection, |done| done / classes.max(1.0), observer)? {
        return Ok(None);
    }
    let set = selection.set_blocking()?;
    let seconds = begun.elapsed().as_secs_f64();
    let history = History::default();
    let (iterations, training, checkpoint) = (None, 0.0, None);
    Ok(Some(Made { set, history, iterations, seconds, training, checkpoint }))
}
