//! `report.json`: all figures of a run, for programs to read.

use std::path::Path;

use serde::Serialize;

use dm_wgpu::{Accuracy, EvaluationSettings, report};

use super::{
    failure::Failure,
    record::{Adapter, MethodSettings},
};

#[derive(Debug, Clone, Serialize)]
pub struct Figures {
    /// Version of this program.
    pub version: String,
    pub dataset: String,
    /// Height and width that pictures were resampled to, and what part of them was set aside for
    /// the test, if either was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resize: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_fraction: Option<f64>,
    pub method: String,
    /// Images that networks are trained on.
    pub images: usize,
    pub seeds: Seeds,
    pub adapter: Adapter,
    /// Of the method; null when training on a whole data set.
    pub settings: Option<MethodSettings>,
    /// Of the evaluation; null if none was asked for.
    pub evaluation: Option<EvaluationSettings>,
    /// In per cent; null where it was not measured.
    pub accuracy: Option<Accuracy>,
    /// Accuracies on the way and at the end, if they were asked for.
    pub curve: Vec<Point>,
    pub completed_iterations: Option<u32>,
    pub loss: Option<Losses>,
    pub seconds: Seconds,
    /// Whether it ended before all was done that was asked for.
    pub interrupted: bool,
}

#[derive(Debug, Clone, Copy, Serialize)]
pub struct Seeds {
    pub run: u64,
    pub evaluation: Option<u64>,
}

/// Every iteration draws a network of its own, so that single losses are noisy. These are means
/// over the first and over the last iterations: half of all, but no more than 20.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Losses {
    pub first: f32,
    pub last: f32,
}

impl Losses {
    /// Of the iterations so far; none if there are none.
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

/// What the images were worth after so many iterations.
#[derive(Debug, Clone, Serialize)]
pub struct Point {
    pub iteration: u32,
    #[serde(flatten)]
    pub accuracy: Accuracy,
}

#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Seconds {
    /// Making the set: condensing or choosing.
    pub condensing: f64,
    /// All evaluations together.
    pub evaluating: f64,
}

impl Figures {
    pub fn write(&self, path: &Path) -> Result<(), Failure> {
        write_json(self, path)
    }
}

/// A value as a JSON file for people and programs.
pub fn write_json(value: &impl Serialize, path: &Path) -> Result<(), Failure> {
    let mut text = serde_json::to_string_pretty(value)
        .map_err(|error| Failure::Failed(format!("{}: {error}", path.display())))?;
    text.push('\n');
    Ok(report::write_whole(path, text.as_bytes())?)
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
