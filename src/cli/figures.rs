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
    pub interrupted: bool,
}

#[derive(Debug, Clone, Copy, Serialize)]
pub struct Seeds {
    pub run: u64,
    pub evaluation: Option<u64>,
}

#[derive(Debug, Clone, Copy, Serialize)]
pub struct Losses {
    pub first: f32,
    pub last: f32,
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
