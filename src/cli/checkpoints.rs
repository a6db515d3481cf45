//! The checkpoints of a run: what is in them beside the images, when they are due, and where they are.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use dm_wgpu::{Accuracy, Checkpoint, Dataset, Error, report::Measurement};

use super::{
    console::Console, failure::Failure, folder::OutputFolder, record::quoted, say::counted,
};

/// Between checkpoints, unless something else is asked for.
pub const USUAL: Duration = Duration::from_secs(30);

/// In a run's folder.
pub const FILE: &str = "checkpoint.safetensors";

/// What was measured of a run so far.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct History {
    /// Of each iteration.
    pub losses: Vec<f32>,
    /// Until each iteration, without those of evaluations and of pauses between processes.
    pub seconds: Vec<f64>,
    /// What the images were worth after so many iterations.
    pub curve: Vec<(u32, Accuracy)>,
    /// Seconds that evaluations on the way took.
    pub evaluating: f64,
}

impl History {
    /// A row an iteration, and one before the first if the images were measured then.
    pub fn rows(&self) -> Vec<Measurement> {
        let accuracy = |iteration| {
            let at = self.curve.iter().find(|(measured, _)| *measured == iteration);
            at.map(|(_, accuracy)| accuracy.clone())
        };
        let start = accuracy(0).map(|accuracy| Measurement {
            iteration: 0,
            loss: None,
            seconds: 0.0,
            accuracy: Some(accuracy),
        });
        let steps = (1..).zip(self.losses.iter().zip(&self.seconds)).map(
            |(iteration, (&loss, &seconds))| Measurement {
                iteration,
                loss: Some(loss),
                seconds,
                accuracy: accuracy(iteration),
            },
        );
        start.into_iter().chain(steps).collect()
    }

    /// Whether it is known what the images after so many iterations are worth.
    pub fn has_accuracy(&self, iteration: u32) -> bool {
        self.curve.iter().any(|(measured, _)| *measured == iteration)
    }

    /// The images after so many iterations are worth this, whatever was thought before.
    pub fn set_accuracy(&mut self, iteration: u32, accuracy: Accuracy) {
        self.curve.retain(|(measured, _)| *measured != iteration);
        self.curve.push((iteration, accuracy));
    }

    /// Of this checkpoint, whose run wrote it down there.
    fn of(checkpoint: &Checkpoint) -> Result<Self, String> {
        let history: Self = serde_json::from_str(&checkpoint.notes)
            .map_err(|error| format!("its notes are not those of a run here: {error}"))?;
        let told = (history.losses.len(), history.seconds.len());
        let done = checkpoint.iteration() as usize;
        match told == (done, done) {
            true => Ok(history),
            false => Err(format!("its notes tell of {told:?} iterations, it has {done}")),
        }
    }
}

/// Fewer iterations than there are can't be asked for.
pub fn too_few(asked: u32, done: u32) -> Failure {
    let done = counted(done as usize, "iteration");
    Failure::Usage(format!("--iterations {asked}: {done} are done already"))
}

/// Where a run goes on.
pub struct Start {
    pub checkpoint: Checkpoint,
    pub history: History,
}

/// The run's keeper of checkpoints: one file, always the last good one.
pub struct Checkpoints {
    console: Console,
    every: Duration,
    last: Instant,
    /// Iterations of the one that is in the folder.
    saved: Option<u32>,
}

impl Checkpoints {
    /// Zero is never.
    pub fn new(console: Console, every: Duration) -> Self {
        Self { console, every, last: Instant::now(), saved: None }
    }

    /// The one that is in the folder, if there is one.
    pub fn load(&mut self, folder: &OutputFolder) -> Result<Option<Start>, Failure> {
        let path = folder.path().join(FILE);
        if !path.exists() {
            return Ok(None);
        }
        let advice = "remove it to begin the run again from its start";
        let checkpoint = Checkpoint::load(&path)
            .map_err(|error| Failure::Failed(format!("{error}; {advice}")))?;
        let history = History::of(&checkpoint)
            .map_err(|why| Failure::Failed(format!("{}: {why}; {advice}", path.display())))?;
        self.saved = Some(checkpoint.iteration());
        Ok(Some(Start { checkpoint, history }))
    }

    /// Whether one is due by the time that has passed, and would tell anything new.
    pub fn due(&self, iteration: u32) -> bool {
        let new = iteration > self.saved.unwrap_or(0);
        new && !self.every.is_zero() && self.last.elapsed() >= self.every
    }

    /// Iterations of the last one in the folder.
    pub fn saved(&self) -> Option<u32> {
        self.saved
    }

    /// Takes the place of the last one. That it could not be written is told, and no more: the run can
    /// go on, and the one before is still there.
    pub fn save(
        &mut self,
        folder: &mut OutputFolder,
        checkpoint: &mut Checkpoint,
        history: &History,
    ) {
        let written = serde_json::to_string(history)
            .map_err(|error| Failure::Failed(error.to_string()))
            .and_then(|notes| {
                checkpoint.notes = notes;
                folder.restore()?;
                Ok(checkpoint.save(&folder.path().join(FILE))?)
            });
        // Also after a failure: the next try is no earlier.
        self.last = Instant::now();
        match written {
            Ok(()) => {
                self.saved = Some(checkpoint.iteration());
                folder.keep();
            }
            Err(failure) => {
                self.console.warn(&format!("no checkpoint: {failure}; {}", self.still()))
            }
        }
    }

    /// What there is to go on from.
    fn still(&self) -> String {
        match self.saved {
            Some(iterations) => {
                format!("the one after {} stays", counted(iterations as usize, "iteration"))
            }
            None => "there is none yet".into(),
        }
    }

    /// A failure with what is left of the run.
    pub fn explain(&self, failure: Failure, dataset: &Dataset, folder: &OutputFolder) -> Failure {
        let Failure::Library(error) = &failure else { return failure };
        let (Error::Diverged { class, .. } | Error::PixelsDiverged { class, .. }) = error else {
            return failure;
        };
        let name = dataset.class_names().get(*class).map(String::as_str).unwrap_or_default();
        let left = match self.saved {
            Some(0) | None => "there was no checkpoint to keep".to_owned(),
            Some(iterations) => format!(
                "the last good checkpoint, after {}, stays in {}, and dm-wgpu --resume {} \
                 --iterations {iterations} makes results of it",
                counted(iterations as usize, "iteration"),
                folder.path().join(FILE).display(),
                quoted(&folder.path().to_string_lossy()),
            ),
        };
        Failure::Failed(format!("{failure} (class {class} is {name:?}); {left}"))
    }
}
