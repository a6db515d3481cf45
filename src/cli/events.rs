//! Progress and results for programs: with `--json`, one JSON object per line on stdout.

use std::path::Path;

use serde::Serialize;

use dm_wgpu::{
    Accuracy, Dataset, EvaluationSettings,
    data::{Classes, Shard},
    project::{Adapter, MethodSettings},
};

use super::say;

/// A line. The last one is an [`Answer`] or an error.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event<'a> {
    /// The machine, and the data to be worked on.
    Start {
        version: &'a str,
        adapter: Adapter,
        /// All of them, if there are several.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        adapters: Vec<Adapter>,
        dataset: Option<About<'a>>,
    },
    /// One of several adapters begins with a shard, or ends it: then with the seconds that its images took.
    Shard {
        shard: Shard,
        classes: &'a Classes,
        index: Option<&'a str>,
        adapter: Adapter,
        seconds: Option<f64>,
    },
    /// A method begins, with all its settings.
    Method {
        method: &'a str,
        folder: &'a Path,
        settings: Option<&'a MethodSettings>,
        evaluation: Option<&'a EvaluationSettings>,
    },
    /// A set was read, and is about to be evaluated.
    Set { path: &'a Path, images: usize, evaluation: &'a EvaluationSettings },
    /// So many iterations are done. Losses are noisy, so the mean is over the last ones.
    Iteration {
        iteration: u32,
        /// The part of the next iteration that is done.
        #[serde(skip_serializing_if = "is_nothing")]
        of_next: f64,
        total: u32,
        loss: Option<f32>,
        mean_loss: Option<f32>,
        seconds: f64,
        /// Time left for the iterations, and separately for the evaluations on the way and at the end; `null` while it
        /// is unknown.
        seconds_left: Option<f64>,
        evaluation_seconds_left: Option<f64>,
    },
    /// So many pieces of other work are done.
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
    /// The accuracy of the images after so many iterations, in per cent.
    Accuracy {
        iteration: u32,
        #[serde(flatten)]
        accuracy: &'a Accuracy,
    },
    /// Text for people that has no event of its own.
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

/// The result, as the last line. It is not an [`Event`]: serialising it through a JSON value would widen its numbers.
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
    /// Writes the line. If nobody reads it, the error shows when the result is written.
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
