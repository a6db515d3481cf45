//! The checkpoints of a run: what they hold beside the images (`History`, as their notes), when they are due, and where
//! they are. The file format is in `condense/checkpoint.rs`.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::{Error, Event, Observer, OutputFolder, Result, files::CHECKPOINT};
use crate::{Accuracy, Checkpoint, Error as Failure, report::Measurement};

/// The time between two checkpoints, unless something else is asked for.
pub const CHECKPOINT_EVERY: Duration = Duration::from_secs(30);

/// Everything measured in a run so far.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct History {
    /// The loss of each iteration.
    pub losses: Vec<f32>,
    /// Of a part of the classes, the sum of their losses in each iteration.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sums: Vec<f64>,
    /// Seconds until each iteration, without evaluations and pauses between processes.
    pub seconds: Vec<f64>,
    /// The accuracy of the images after so many iterations.
    pub curve: Vec<(u32, Accuracy)>,
    /// Seconds that evaluations on the way took.
    pub evaluating: f64,
}

impl History {
    /// A row per iteration, and one before the first if the images were measured then.
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

    /// Whether the accuracy of the images after so many iterations is known.
    pub fn has_accuracy(&self, iteration: u32) -> bool {
        self.curve.iter().any(|(measured, _)| *measured == iteration)
    }

    /// Sets the accuracy of the images after so many iterations, replacing an earlier one.
    pub fn set_accuracy(&mut self, iteration: u32, accuracy: Accuracy) {
        self.curve.retain(|(measured, _)| *measured != iteration);
        self.curve.push((iteration, accuracy));
    }

    /// Reads it from the notes of a checkpoint.
    fn of(checkpoint: &Checkpoint) -> Result<Self, String> {
        let history: Self = serde_json::from_str(&checkpoint.notes)
            .map_err(|error| format!("its notes are not those of a run here: {error}"))?;
        let told = (history.losses.len(), history.seconds.len());
        let done = checkpoint.iteration() as usize;
        let sums = [0, done].contains(&history.sums.len());
        match told == (done, done) && sums {
            true => Ok(history),
            false => Err(format!("its notes tell of {told:?} iterations, it has {done}")),
        }
    }
}

/// Where a run continues.
pub struct Start {
    /// The images.
    pub checkpoint: Checkpoint,
    /// What was measured so far.
    pub history: History,
}

/// The run's keeper of checkpoints: one file, always the last good one.
#[derive(Debug)]
pub struct Checkpoints {
    every: Duration,
    last: Instant,
    /// Iterations of the one that is in the folder.
    saved: Option<u32>,
}

impl Checkpoints {
    /// Time between two checkpoints. Zero means never.
    pub fn new(every: Duration) -> Self {
        Self { every, last: Instant::now(), saved: None }
    }

    /// The one that is in the folder, if there is one.
    pub fn load(&mut self, folder: &OutputFolder) -> Result<Option<Start>> {
        let path = folder.path().join(CHECKPOINT);
        if !path.exists() {
            return Ok(None);
        }
        let checkpoint = Checkpoint::load(&path).map_err(Error::Checkpoint)?;
        let history = History::of(&checkpoint)
            .map_err(|why| Error::Checkpoint(Failure::format(&path, why)))?;
        self.saved = Some(checkpoint.iteration());
        Ok(Some(Start { checkpoint, history }))
    }

    /// Whether one is due by the time that has passed, and would hold anything new.
    pub fn due(&self, iteration: u32) -> bool {
        let new = iteration > self.saved.unwrap_or(0);
        new && !self.every.is_zero() && self.last.elapsed() >= self.every
    }

    /// Iterations of the last one in the folder.
    pub fn saved(&self) -> Option<u32> {
        self.saved
    }

    /// Replaces the last one. If it cannot be written, the observer is warned and the run continues; the one before is
    /// still there.
    pub fn save(
        &mut self,
        folder: &mut OutputFolder,
        checkpoint: &mut Checkpoint,
        history: &History,
    ) -> Result<()> {
        // Also after a failure, so that the next attempt is not earlier.
        self.last = Instant::now();
        checkpoint.notes = serde_json::to_string(history)
            .map_err(|error| Failure::format(CHECKPOINT, error.to_string()))?;
        folder.restore()?;
        let saved = checkpoint.save(&folder.path().join(CHECKPOINT));
        // The time that writing took does not count.
        self.last = Instant::now();
        saved?;
        self.saved = Some(checkpoint.iteration());
        folder.keep();
        Ok(())
    }

    /// The same, but returns the error if it could not be written.
    pub(super) fn try_save(
        &mut self,
        folder: &mut OutputFolder,
        checkpoint: &mut Checkpoint,
        history: &History,
        observer: &mut dyn Observer,
    ) {
        if let Err(error) = self.save(folder, checkpoint, history) {
            observer.see(Event::NoCheckpoint { error: &error, saved: self.saved });
        }
    }
}
