//! The names of the files in a run's folder, and reading them.

use std::{fs, io, path::Path};

use serde::Serialize;

use super::Result;
use crate::{Error, report};

/// Where runs go that were not told.
pub const RUNS: &str = "runs";
/// What a run was asked, in its folder.
pub const RECORD: &str = "run.toml";
/// What several runs with different seeds were asked, beside their folders.
pub const SEEDS: &str = "runs.toml";
/// All figures of a run, or of several.
pub const FIGURES: &str = "report.json";
/// What the set is worth to other kinds of network, where that was asked.
pub const ARCHITECTURES: &str = "architectures.json";
/// The page for people.
pub const PAGE: &str = "report.html";
/// A comparison's table, for programs.
pub const COMPARISON: &str = "compare.json";
/// The same for people.
pub const COMPARISON_TABLE: &str = "compare.md";
/// What a run goes on from.
pub const CHECKPOINT: &str = "checkpoint.safetensors";
/// The images.
pub const SET: &str = "synthetic.safetensors";
/// The losses and accuracies by iteration.
pub const METRICS: &str = "metrics.csv";
/// All images as one picture.
pub const GRID: &str = "grid.png";
/// Each image by itself.
pub const IMAGES: &str = "images";
/// The images on the way.
pub const SNAPSHOTS: &str = "snapshots";
/// The same as an animation.
pub const ANIMATION: &str = "progress.png";
/// Keeps other processes out. It stays there: removing it would let two processes lock different files.
pub const LOCK: &str = ".lock";

/// Whether a folder is one of runs with several seeds.
pub fn are_several(folder: &Path) -> bool {
    folder.join(SEEDS).is_file()
}

/// Whether this folder, or a series of runs in it, can be resumed.
pub fn holds_a_run(folder: &Path) -> bool {
    folder.join(RECORD).is_file() || are_several(folder)
}

/// The text of a file that a run left. A pipe or a device of its name would keep its reader waiting.
pub fn text_of(path: &Path) -> io::Result<String> {
    match fs::metadata(path)?.is_file() {
        true => fs::read_to_string(path),
        false => Err(io::Error::other("a file is needed here, this is none")),
    }
}

/// A value as a JSON file for people and programs.
pub fn write_json(value: &impl Serialize, path: &Path) -> Result<()> {
    let mut text = serde_json::to_string_pretty(value)
        .map_err(|error| Error::format(path, error.to_string()))?;
    text.push('\n');
    Ok(report::write_whole(path, text.as_bytes())?)
}
