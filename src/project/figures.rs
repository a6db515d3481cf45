//! `report.json`: all figures of a run, for programs to read.

use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use super::{
    Baseline, Result, Worths,
    files::write_json,
    record::{Adapter, MethodSettings, OfShard, Outcome, Record},
};
use crate::{Accuracy, EvaluationSettings, data::ClassChoice};

/// Everything that is known about a run.
#[derive(Debug, Clone, Serialize)]
pub struct Figures {
    /// Version of this program.
    pub version: String,
    /// The data set's name.
    pub dataset: String,
    /// Height and width that pictures were resampled to, if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resize: Option<usize>,
    /// The part of each class that was set aside for the test, if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_fraction: Option<f64>,
    /// The classes that were condensed, if not all were.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classes: Option<ClassChoice>,
    /// The method's name.
    pub method: String,
    /// Images that networks are trained on.
    pub images: usize,
    /// The stored images that these are packed into, if they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packed_into: Option<usize>,
    /// The seeds from which everything random followed.
    pub seeds: Seeds,
    /// What it ran on.
    pub adapter: Adapter,
    /// The shards that it was joined from; left out if it was one run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub shards: Vec<OfShard>,
    /// Of the method; null when training on a whole data set.
    pub settings: Option<MethodSettings>,
    /// Of the evaluation; null if none was asked for.
    pub evaluation: Option<EvaluationSettings>,
    /// The accuracy in per cent; null if it was not measured. Of a set with a [`Course`](crate::Course) by that.
    pub accuracy: Option<Accuracy>,
    /// The accuracy of such a set by the ordinary protocol: in random order, at one rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ordinary_accuracy: Option<Accuracy>,
    /// What random images of equal storage reach; its improvement is that of `accuracy`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Baseline>,
    /// The accuracies by both protocols, if both were asked for; `accuracy` is by DM's.
    #[serde(skip_serializing_if = "Worths::is_empty")]
    pub architectures: Worths,
    /// Accuracies on the way and at the end, if they were asked for.
    pub curve: Vec<Point>,
    /// Iterations that were done; null if the method has none.
    pub completed_iterations: Option<u32>,
    /// The losses at both ends; null if the method has none.
    pub loss: Option<Losses>,
    /// How long it took.
    pub seconds: Seconds,
    /// Whether it ended before everything that was asked for was done.
    pub interrupted: bool,
}

/// A run's seeds.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Seeds {
    /// Of the run.
    pub run: u64,
    /// Of the evaluation, if there was one.
    pub evaluation: Option<u64>,
}

/// Every iteration draws a network of its own, so that single losses are noisy. These are means
/// over the first and over the last iterations: half of all, but no more than 20.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Losses {
    /// Over the first.
    pub first: f32,
    /// Over the last.
    pub last: f32,
}

impl Losses {
    /// Means over the iterations so far; `None` if there are none.
    pub fn of(losses: &[f32]) -> Option<Self> {
        let count = (losses.len() / 2).clamp(1, 20);
        let mean = |some: &[f32]| {
            let sum: f64 = some.iter().map(|&loss| f64::from(loss)).sum();
            (sum / count as f64) as f32
        };
        let last = losses.len().checked_sub(count)?;
        Some(Self { first: mean(&losses[..count]), last: mean(&losses[last..]) })
    }
}

/// The accuracy of the images after so many iterations.
#[derive(Debug, Clone, Serialize)]
pub struct Point {
    /// Iterations before it was measured.
    pub iteration: u32,
    /// In per cent.
    #[serde(flatten)]
    pub accuracy: Accuracy,
}

/// Seconds that a run took.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Seconds {
    /// Making the set: condensing or choosing.
    pub condensing: f64,
    /// The part of that in which networks were trained to be matched along, in this run or in those that left them in the
    /// cache; none if there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub training: Option<f64>,
    /// All evaluations together.
    pub evaluating: f64,
}

impl Figures {
    /// What is known of a run before it has come to anything: it makes so many images of this data set.
    pub(super) fn of(record: &Record, dataset: &str, images: usize) -> Self {
        let Record { version, method, data, settings, evaluation, adapter, shards, .. } =
            record.of_part();
        Self {
            version,
            dataset: dataset.to_owned(),
            resize: data.resize,
            test_fraction: data.test_fraction,
            classes: data.classes,
            method,
            images,
            packed_into: None,
            seeds: Seeds {
                run: record.seed(),
                evaluation: evaluation.as_ref().map(|settings| settings.seed),
            },
            adapter,
            shards,
            settings,
            evaluation,
            accuracy: None,
            ordinary_accuracy: None,
            baseline: None,
            architectures: Worths::new(),
            curve: Vec::new(),
            completed_iterations: None,
            loss: None,
            seconds: Seconds::default(),
            interrupted: false,
        }
    }

    /// The part of them that goes into the record.
    pub fn outcome(&self) -> Outcome {
        Outcome {
            completed_iterations: self.completed_iterations,
            first_loss: self.loss.map(|loss| loss.first),
            last_loss: self.loss.map(|loss| loss.last),
            seconds: self.seconds.condensing,
            interrupted: self.interrupted,
            accuracy: self.accuracy.clone(),
            baseline: self.baseline.clone(),
        }
    }

    /// Takes from an earlier `report.json` what was measured of the same images in the same way on the same device.
    pub(super) fn measured_before(&mut self, earlier: &Value) {
        let read = |name: &str| earlier[name].clone();
        let settings = serde_json::from_value::<EvaluationSettings>(read("evaluation")).ok();
        let adapter = serde_json::from_value::<Adapter>(read("adapter")).ok();
        let same = settings.is_some() && settings == self.evaluation;
        if !same || adapter.as_ref() != Some(&self.adapter) || earlier["version"] != *self.version {
            return;
        }
        self.accuracy = serde_json::from_value(read("accuracy")).ok();
        self.ordinary_accuracy = serde_json::from_value(read("ordinary_accuracy")).ok();
        self.baseline = serde_json::from_value(read("baseline")).ok();
        let evaluating = earlier["seconds"]["evaluating"].as_f64();
        self.seconds.evaluating = evaluating.unwrap_or(self.seconds.evaluating);
    }

    /// Writes them as a file.
    pub fn write(&self, path: &Path) -> Result<()> {
        write_json(self, path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_are_means_over_both_ends() {
        let of = |n: u32| {
            let losses: Vec<_> = (1..=n).map(|loss| loss as f32).collect();
            Losses::of(&losses).map(|Losses { first, last }| (first, last))
        };
        assert_eq!(of(0), None);
        assert_eq!(of(1), Some((1.0, 1.0)));
        assert_eq!(of(3), Some((1.0, 3.0)));
        assert_eq!(of(5), Some((1.5, 4.5)));
        // 1 to 20 and 981 to 1000.
        assert_eq!(of(1000), Some((10.5, 990.5)));
    }
}
