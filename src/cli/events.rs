//! Progress and results for programs: with `--json`, one JSON object a line on stdout.

use std::path::Path;

use serde::Serialize;

use dm_wgpu::{
    Accuracy, Dataset, EvaluationSettings,
    project::{Adapter, MethodSettings},
};

use super::say;

/// A line. The last one is an [`Answer`] or an error.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event<'a> {
    /// The machine, and the data to be worked on.
    Start { version: &'a str, adapter: Adapter, dataset: Option<About<'a>> },
    /// A method begins, with all that it was told.
    Method {
        method: &'a str,
        folder: &'a Path,
        settings: Option<&'a MethodSettings>,
        evaluation: Option<&'a EvaluationSettings>,
    },
    /// A set was read, and is about to be evaluated.
    Set { path: &'a Path, images: usize, evaluation: &'a EvaluationSettings },
    /// So many iterations are done. Losses are noisy: the mean is over the last ones.
    Iteration {
        iteration: u32,
        /// The part of the next one that is done.
        #[serde(skip_serializing_if = "is_nothing")]
        of_next: f64,
        total: u32,
        loss: Option<f32>,
        mean_loss: Option<f32>,
        seconds: f64,
        /// Of the iterations, and beside them of the evaluations on the way and at the end; none as long as it is not
        /// known.
        seconds_left: Option<f64>,
        evaluation_seconds_left: Option<f64>,
    },
    /// So many pieces are done of something else.
    Progress {
        what: &'a str,
        done: u64,
        #[serde(skip_serializing_if = "is_nothing")]
        of_next: f64,
        total: Option<u64>,
        /// What `done` and `total` count.
        unit: &'a str,
        seconds: f64,
        seconds_left: Option<f64>,
    },
    /// What the images are worth after so many iterations, in per cent.
    Accuracy {
        iteration: u32,
        #[serde(flatten)]
        accuracy: &'a Accuracy,
    },
    /// What people are told and has no event of its own.
    Message { text: &'a str },
    /// Why there is no result.
    Error { message: &'a str, exit_code: u8 },
}

fn is_nothing(part: &f64) -> bool {
    *part <= 0.0
}

/// A data set.
#[derive(Debug, Serialize)]
pub struct About<'a> {
    name: &'a str,
    images: usize,
    test_images: usize,
    channels: usize,
    size: usize,
    classes: usize,
}

impl<'a> About<'a> {
    pub fn of(dataset: &'a Dataset) -> Self {
        Self {
            name: dataset.name(),
            images: dataset.train().len(),
            test_images: dataset.test().len(),
            channels: dataset.channels(),
            size: dataset.size(),
            classes: dataset.classes(),
        }
    }
}

/// What was asked for, as the last line. Not an [`Event`]: a value in between would widen its numbers.
#[derive(Serialize)]
pub struct Answer<'a, T> {
    event: &'static str,
    #[serde(flatten)]
    value: &'a T,
}

impl<'a, T: Serialize> Answer<'a, T> {
    pub fn of(value: &'a T) -> Self {
        Self { event: "result", value }
    }
}

impl Event<'_> {
    /// Writes the line. That nobody reads it is found out when the result is written.
    pub fn tell(&self) {
        if let Ok(line) = serde_json::to_string(self) {
            let _ = say::json(&line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn events_say_which_they_are() {
        let line = |event: &Event<'_>| serde_json::to_value(event).unwrap();
        let accuracy = Accuracy::of(vec![50.0]);
        assert_eq!(
            line(&Event::Accuracy { iteration: 5, accuracy: &accuracy }),
            json!({"event": "accuracy", "iteration": 5, "mean": 50.0, "std": 0.0, "runs": [50.0]})
        );
        assert_eq!(
            serde_json::to_value(Answer::of(&json!({"a": 1}))).unwrap(),
            json!({"event": "result", "a": 1})
        );
    }
}
