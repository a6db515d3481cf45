//! What a run left in its folder, read back: for pages, and to put runs side by side.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use dm_wgpu::{
    Accuracy, SyntheticSet,
    report::{Measurement, Sheet, read_metrics},
};

use super::{failure::Failure, folder::text_of, repeats, rescue::resuming, snapshots};

/// A run that has ended. Its figures are read by name from whatever version wrote them: what is not
/// there is null.
pub struct Past {
    pub folder: PathBuf,
    pub figures: Value,
    pub rows: Vec<Measurement>,
    /// The images; none where all of a data set was trained on.
    pub images: Option<Sheet>,
    /// The images on the way, after so many iterations.
    pub snapshots: Vec<(u32, Sheet)>,
    /// What repeats it.
    pub command: Option<String>,
}

impl Past {
    pub fn read(folder: &Path) -> Result<Self, Failure> {
        let refused = |why: &str| Failure::Failed(format!("{}: {why}", folder.display()));
        if !folder.is_dir() {
            return Err(refused("there is no such folder; name one that a run left"));
        }
        let at = |name: &str| folder.join(name);
        if let Some(why) = several_in(folder) {
            return Err(why);
        }
        let text = match text_of(&at("report.json")) {
            Ok(text) => text,
            Err(_) if at("run.toml").is_file() => return Err(unfinished(folder)),
            Err(_) => {
                return Err(refused("no run is in it: report.json is missing"));
            }
        };
        let figures: Value = serde_json::from_str(&text)
            .map_err(|error| refused(&format!("report.json is not a run's: {error}")))?;
        if !figures["method"].is_string() {
            return Err(refused("report.json is not a run's: it names no method"));
        }
        // Training on all there is leaves neither.
        let set = at("synthetic.safetensors");
        let images = match set.is_file() {
            true => Some(SyntheticSet::load(&set).and_then(|set| Sheet::of(&set))?),
            false => None,
        };
        let metrics = at("metrics.csv");
        let rows = if metrics.is_file() { read_metrics(&metrics)? } else { Vec::new() };
        let record = text_of(&at("run.toml")).unwrap_or_default();
        let command = record.lines().find_map(|line| line.strip_prefix("# dm-wgpu "));
        Ok(Self {
            snapshots: images
                .as_ref()
                .map(|like| snapshots::read(folder, like))
                .unwrap_or_default(),
            folder: folder.to_path_buf(),
            figures,
            rows,
            images,
            command: command.map(|rest| format!("dm-wgpu {rest}")),
        })
    }

    /// What it is called beside others: the last part of its path.
    pub fn name(&self) -> String {
        let whole = fs::canonicalize(&self.folder).unwrap_or_else(|_| self.folder.clone());
        let last = whole.file_name().map(|name| name.to_string_lossy().into_owned());
        last.unwrap_or_else(|| self.folder.display().to_string())
    }

    pub fn text(&self, name: &str) -> &str {
        self.figures[name].as_str().unwrap_or("?")
    }

    pub fn seconds(&self, what: &str) -> Option<f64> {
        self.figures["seconds"][what].as_f64()
    }

    pub fn interrupted(&self) -> bool {
        self.figures["interrupted"].as_bool().unwrap_or(false)
    }

    pub fn accuracy(&self) -> Option<Accuracy> {
        serde_json::from_value(self.figures["accuracy"].clone()).ok()
    }

    /// Iterations and what the images were worth after them.
    pub fn curve(&self) -> Vec<(u32, Accuracy)> {
        let point = |point: &Value| {
            let iteration = u32::try_from(point["iteration"].as_u64()?).ok()?;
            Some((iteration, serde_json::from_value(point.clone()).ok()?))
        };
        let points = self.figures["curve"].as_array();
        points.map(|points| points.iter().filter_map(point).collect()).unwrap_or_default()
    }

    /// Names and values of one part of the figures, such as `settings`, as people write them.
    pub fn part(&self, name: &str) -> Vec<(String, String)> {
        let written = |name: &str, value: &Value| match (name, value) {
            ("augment", Value::String(names)) => names.replace('_', ", "),
            (_, Value::String(text)) => text.clone(),
            (_, other) => other.to_string(),
        };
        // Earlier versions had the machine's memory among the settings, which decides nothing.
        let rows = self.figures[name].as_object().into_iter().flatten();
        rows.filter(|(name, _)| *name != "memory_budget")
            .map(|(name, value)| (name.clone(), written(name, value)))
            .collect()
    }
}

/// Refuses a folder that a run left without a set: what else is in it would be taken for pictures.
pub fn check_set(path: &Path) -> Result<(), Failure> {
    let at = |name: &str| path.join(name).is_file();
    if at("synthetic.safetensors") {
        return Ok(());
    }
    match several_in(path) {
        Some(why) => Err(why),
        None if at("run.toml") && at("report.json") => Err(Failure::Failed(format!(
            "{}: this run trained on a whole data set and left no images",
            path.display()
        ))),
        None if at("run.toml") => Err(unfinished(path)),
        None => Ok(()),
    }
}

fn unfinished(folder: &Path) -> Failure {
    Failure::Failed(format!(
        "{}: this run has not ended; go on with {}",
        folder.display(),
        resuming(folder)
    ))
}

/// Why a folder is not that of one run, if it is that of several.
fn several_in(folder: &Path) -> Option<Failure> {
    let what = if folder.join("compare.json").is_file() {
        "a comparison, not a run"
    } else if repeats::are_in(folder) {
        "runs with several seeds, not one run"
    } else {
        return None;
    };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut runs: Vec<_> = entries.filter(|path| path.join("report.json").is_file()).collect();
    runs.sort();
    let runs: Vec<_> = runs.iter().map(|path| path.display().to_string()).collect();
    let named = match runs.is_empty() {
        true => String::new(),
        false => format!(": {}", runs.join(", ")),
    };
    Some(Failure::Failed(format!("{}: {what}; name the runs in it{named}", folder.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_without_an_ended_run_are_told_apart() {
        let place = tempfile::tempdir().unwrap();
        let run = place.path().join("run");
        let why = || Past::read(&run).map(drop).unwrap_err().to_string();
        assert!(why().contains("no such folder"));
        fs::create_dir(&run).unwrap();
        assert!(why().contains("no run is in it"));
        fs::write(run.join("run.toml"), "# The same again:\n# dm-wgpu --ipc 1\n").unwrap();
        assert!(why().contains("run: this run has not ended; go on with dm-wgpu --resume "));
        let of_set = || check_set(&run).unwrap_err().to_string();
        assert_eq!(of_set(), why());
        for (file, what) in [
            ("compare.json", "a comparison, not a run"),
            ("runs.toml", "several seeds, not one run"),
        ] {
            fs::write(run.join(file), "{}").unwrap();
            fs::create_dir_all(run.join("seed7")).unwrap();
            fs::write(run.join("seed7/report.json"), "{}").unwrap();
            assert!(why().contains(what) && why().ends_with("seed7"), "{}", why());
            assert_eq!(of_set(), why());
            fs::remove_file(run.join(file)).unwrap();
        }
        fs::write(run.join("report.json"), "nothing").unwrap();
        assert!(why().contains("report.json is not a run's"));
        fs::write(run.join("report.json"), "{}").unwrap();
        assert!(why().contains("names no method"));

        let figures = r#"{"method": "whole", "accuracy": {"mean": 9.5, "std": 0.5, "runs": [9, 10]},
            "settings": {"ipc": 1, "augment": "flip_crop", "memory_budget": 1048576}}"#;
        fs::write(run.join("report.json"), figures).unwrap();
        let past = Past::read(&run).unwrap();
        assert_eq!((past.text("method"), past.text("dataset")), ("whole", "?"));
        assert_eq!(past.accuracy().unwrap().mean, 9.5);
        assert_eq!(past.name(), "run");
        assert_eq!(past.command.as_deref(), Some("dm-wgpu --ipc 1"));
        assert!(of_set().contains("left no images"), "{}", of_set());
        fs::write(run.join("synthetic.safetensors"), "").unwrap();
        assert!(check_set(&run).is_ok() && check_set(place.path()).is_ok());
        let settings = [("augment", "flip, crop"), ("ipc", "1")];
        assert_eq!(past.part("settings"), settings.map(|(a, b)| (a.into(), b.into())));
        assert!(past.part("evaluation").is_empty() && past.images.is_none());
    }
}
