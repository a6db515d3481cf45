//! The names of the files in a run's folder, and reading them.

use std::{fs, io, path::Path};

use serde::Serialize;
use serde_json::Value;

use super::Result;
use crate::{Error, report};

/// The folder for runs without `--out`.
pub const RUNS: &str = "runs";
/// The record of a run: what was asked for.
pub const RECORD: &str = "run.toml";
/// The record of several runs with different seeds, beside their folders.
pub const SEEDS: &str = "runs.toml";
/// All figures of a run, or of several.
pub const FIGURES: &str = "report.json";
/// Accuracies by other kinds of network, if they were asked for. `architectures.rs` writes and reads it.
pub const ARCHITECTURES: &str = "architectures.json";
/// The page for people.
pub const PAGE: &str = "report.html";
/// A comparison's table, for programs.
pub const COMPARISON: &str = "compare.json";
/// A comparison's table, for people.
pub const COMPARISON_TABLE: &str = "compare.md";
/// The checkpoint from which a run is resumed.
pub const CHECKPOINT: &str = "checkpoint.safetensors";
/// The images.
pub const SET: &str = "synthetic.safetensors";
/// What a run of some classes leaves for joining it with others.
pub const SHARD: &str = "shard.json";
/// The folder of the shards of a run on several devices.
pub const SHARDS: &str = "shards";
/// The losses and accuracies by iteration.
pub const METRICS: &str = "metrics.csv";
/// All images as one picture.
pub const GRID: &str = "grid.png";
/// The images that are packed into those, as one picture.
pub const DECODED: &str = "decoded.png";
/// Each image by itself.
pub const IMAGES: &str = "images";
/// Snapshots: the images on the way.
pub const SNAPSHOTS: &str = "snapshots";
/// The same as an animation.
pub const ANIMATION: &str = "progress.png";
/// The lock file, which keeps other processes out. It is not removed, because otherwise two processes could lock
/// different files.
pub const LOCK: &str = ".lock";

/// Whether a folder is one of runs with several seeds.
pub fn are_several(folder: &Path) -> bool {
    folder.join(SEEDS).is_file()
}

/// Whether this folder, or a series of runs in it, can be resumed.
pub fn holds_a_run(folder: &Path) -> bool {
    folder.join(RECORD).is_file() || are_several(folder)
}

/// The text of a file of a run. A pipe or a device with its name is refused, because reading it could wait for ever.
pub fn text_of(path: &Path) -> io::Result<String> {
    match fs::metadata(path)?.is_file() {
        true => fs::read_to_string(path),
        false => Err(io::Error::other("a file is needed here, this is none")),
    }
}

/// The run's figures, if the path is a run's folder or one of its sets; otherwise null.
pub fn report_of(path: &Path) -> Value {
    let text = text_of(&run_of(path).join(FIGURES)).unwrap_or_default();
    // A report of another program is ignored.
    serde_json::from_str(&text).unwrap_or_default()
}

/// The run's folder, if the path is that or one of the sets in it.
pub fn run_of(path: &Path) -> &Path {
    let left_by_runs = [SET, IMAGES];
    let in_a_run = path.file_name().is_some_and(|name| left_by_runs.iter().any(|n| name == *n));
    if in_a_run { path.parent().unwrap_or(path) } else { path }
}

/// A value as a JSON file for people and programs.
pub fn write_json(value: &impl Serialize, path: &Path) -> Result<()> {
    let mut text = serde_json::to_string_pretty(value)
        .map_err(|error| Error::format(path, error.to_string()))?;
    text.push('\n');
    Ok(report::write_whole(path, text.as_bytes())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_a_run_get_its_report() {
        let place = tempfile::tempdir().unwrap();
        let run = place.path();
        std::fs::write(run.join("report.json"), r#"{"dataset": "glyphs"}"#).unwrap();
        for name in ["", "synthetic.safetensors", "images", "images/"] {
            assert_eq!(report_of(&run.join(name))["dataset"], "glyphs", "{name}");
        }
        for name in ["mine.npz", "pictures", "images/0"] {
            assert!(report_of(&run.join(name)).is_null(), "{name}");
        }
        std::fs::write(run.join("report.json"), "not JSON").unwrap();
        assert!(report_of(run).is_null());
        #[cfg(unix)]
        {
            std::fs::remove_file(run.join("report.json")).unwrap();
            let pipe = std::process::Command::new("mkfifo").arg(run.join("report.json")).status();
            assert!(pipe.unwrap().success());
            assert!(report_of(run).is_null());
        }
    }
}
