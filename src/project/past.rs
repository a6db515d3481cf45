//! Reads back the files of a run's folder: for pages, and to put runs side by side.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::{
    Baseline, Error, FolderFault, Method, Result, Worths,
    files::{COMPARISON, FIGURES, METRICS, RECORD, SET, are_several, report_of, text_of},
    kept, snapshots,
};
use crate::{
    Accuracy, EvaluationSettings, Protocol, Settings, SyntheticSet,
    report::{Measurement, Sheet, read_metrics},
};

/// A run that has ended. Its figures are read by name, whatever version wrote them: missing ones
/// are null.
pub struct Past {
    /// Where it is.
    pub folder: PathBuf,
    /// What is in `report.json`.
    pub figures: Value,
    /// Losses and accuracies by iteration.
    pub rows: Vec<Measurement>,
    /// The images; `None` if the run trained on the whole data set.
    pub images: Option<Sheet>,
    /// The images that are packed into these, if they are.
    pub decoded: Option<Sheet>,
    /// The images on the way, after so many iterations.
    pub snapshots: Vec<(u32, Sheet)>,
    /// Accuracies by other kinds of network, if they were asked for.
    pub worths: Worths,
    /// The command that repeats it.
    pub command: Option<String>,
}

impl Past {
    /// The run that ended in this folder.
    pub fn read(folder: &Path) -> Result<Self> {
        let refused = |fault| Error::folder(folder, fault);
        if !folder.is_dir() {
            let there = folder.exists();
            return Err(refused(if there { FolderFault::NoFolder } else { FolderFault::Missing }));
        }
        let at = |name: &str| folder.join(name);
        if let Some(why) = several_in(folder) {
            return Err(why);
        }
        let text = match text_of(&at(FIGURES)) {
            Ok(text) => text,
            Err(_) if at(RECORD).is_file() => return Err(refused(FolderFault::Unfinished)),
            Err(_) => return Err(refused(FolderFault::NoRun)),
        };
        let figures: Value = serde_json::from_str(&text)
            .map_err(|error| refused(FolderFault::NotFigures(error.to_string())))?;
        if !figures["method"].is_string() {
            return Err(refused(FolderFault::NotFigures("it names no method".into())));
        }
        let set = at(SET);
        let images = match set.is_file() {
            true => Some(SyntheticSet::load(&set)?),
            false if figures["method"] == Method::Whole.name() => None,
            false => return Err(refused(FolderFault::SetGone)),
        };
        let packed = images.clone().filter(|set| set.factor > 1);
        let decoded =
            packed.map(|set| set.decoded().and_then(|set| Sheet::of(&set))).transpose()?;
        let images = images.map(|set| Sheet::of(&set)).transpose()?;
        let metrics = at(METRICS);
        let rows = if metrics.is_file() { read_metrics(&metrics)? } else { Vec::new() };
        let record = text_of(&at(RECORD)).unwrap_or_default();
        let command = record.lines().find_map(|line| line.strip_prefix("# dm-wgpu "));
        Ok(Self {
            snapshots: images
                .as_ref()
                .map(|like| snapshots::read(folder, like))
                .unwrap_or_default(),
            folder: folder.to_path_buf(),
            worths: kept(folder)?,
            figures,
            rows,
            images,
            decoded,
            command: command.map(|rest| format!("dm-wgpu {rest}")),
        })
    }

    /// Its name beside other runs: the last part of its path.
    pub fn name(&self) -> String {
        let whole = fs::canonicalize(&self.folder).unwrap_or_else(|_| self.folder.clone());
        let last = whole.file_name().map(|name| name.to_string_lossy().into_owned());
        last.unwrap_or_else(|| self.folder.display().to_string())
    }

    /// A figure that is a text; `?` if there is none.
    pub fn text(&self, name: &str) -> &str {
        self.figures[name].as_str().unwrap_or("?")
    }

    /// Seconds of `condensing` or `evaluating`.
    pub fn seconds(&self, what: &str) -> Option<f64> {
        self.figures["seconds"][what].as_f64()
    }

    /// Whether it ended before everything that was asked for was done.
    pub fn interrupted(&self) -> bool {
        self.figures["interrupted"].as_bool().unwrap_or(false)
    }

    /// In per cent, if it was measured.
    pub fn accuracy(&self) -> Option<Accuracy> {
        serde_json::from_value(self.figures["accuracy"].clone()).ok()
    }

    /// Of a set that has a course of training of its own, the accuracy by the ordinary protocol.
    pub fn ordinary_accuracy(&self) -> Option<Accuracy> {
        serde_json::from_value(self.figures["ordinary_accuracy"].clone()).ok()
    }

    /// What the accuracy is of: `convnet`, `lenet, idc` by IDC's protocol, `convnet, in order` of a set that has a course of
    /// training of its own, with the accuracy by the ordinary protocol. Nothing without an evaluation.
    pub fn judged_by(&self) -> Option<String> {
        let asked =
            serde_json::from_value::<EvaluationSettings>(self.figures["evaluation"].clone());
        let EvaluationSettings { net, protocol, .. } = asked.ok()?;
        Some(match (self.ordinary_accuracy(), protocol) {
            // By networks of the kind that the set was made for.
            (Some(ordinary), _) => {
                let made = serde_json::from_value::<Settings>(self.figures["settings"].clone());
                let net = made.map_or(net, |made| made.net);
                format!("{}, in order (shuffled {ordinary})", net.label())
            }
            (None, Protocol::Dm) => net.label(),
            (None, Protocol::Idc) => format!("{}, idc", net.label()),
        })
    }

    /// The same of several runs, one for each, unless all are equal.
    pub fn judges(runs: &[(String, Self)]) -> Option<Vec<String>> {
        let all: Vec<_> = runs.iter().map(|(_, past)| past.judged_by()).collect();
        let mut known = all.iter().flatten();
        let first = known.next();
        known
            .any(|other| Some(other) != first)
            .then(|| all.into_iter().map(Option::unwrap_or_default).collect())
    }

    /// Stored images per class: `10`, or `1 to 10` where classes have different numbers.
    pub fn each_class(&self) -> Option<String> {
        let settings = &self.figures["settings"];
        let ipc = settings["ipc"].as_u64()?;
        let numbers = settings["per_class"].as_array().into_iter().flatten();
        Some(match numbers.filter_map(Value::as_u64).min() {
            Some(least) => format!("{least} to {ipc}"),
            None => ipc.to_string(),
        })
    }

    /// What random images of equal storage reach, if it was measured.
    pub fn baseline(&self) -> Option<Baseline> {
        serde_json::from_value(self.figures["baseline"].clone()).ok()
    }

    /// By how many points its accuracy is higher than that, as in `+12.30`.
    pub fn over_random(&self) -> Option<String> {
        Some(self.baseline()?.beaten_by(&self.accuracy()?))
    }

    /// Iterations, and the accuracy of the images after them.
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
        // Earlier versions had the memory budget among the settings; it does not influence results.
        let rows = self.figures[name].as_object().into_iter().flatten();
        let mut rows: Vec<_> = rows
            .filter(|(name, _)| *name != "memory_budget")
            .map(|(name, value)| (name.clone(), written(name, value)))
            .collect();
        // What the files leave out where it is as usual, but people must know.
        if name == "evaluation" && !rows.is_empty() {
            for (name, usual) in [("net", "convnet"), ("protocol", "dm")] {
                if rows.iter().all(|(other, _)| other != name) {
                    rows.push((name.to_owned(), usual.to_owned()));
                }
            }
        }
        rows
    }
}

/// Refuses a path where nothing is, and a run's folder without a set: its other files would be taken for pictures.
pub fn check_set(path: &Path) -> Result<()> {
    if fs::symlink_metadata(path).is_err_and(|error| error.kind() == ErrorKind::NotFound) {
        return Err(Error::folder(path, FolderFault::Nothing));
    }
    let at = |name: &str| path.join(name).is_file();
    if at(SET) {
        return Ok(());
    }
    match several_in(path) {
        Some(why) => Err(why),
        None if at(RECORD) && at(FIGURES) => {
            let whole = report_of(path)["method"] == Method::Whole.name();
            let fault = if whole { FolderFault::NoImages } else { FolderFault::SetGone };
            Err(Error::folder(path, fault))
        }
        None if at(RECORD) => Err(Error::folder(path, FolderFault::Unfinished)),
        None => Ok(()),
    }
}

/// The error for a folder of several runs where one run's is expected.
fn several_in(folder: &Path) -> Option<Error> {
    let compared = folder.join(COMPARISON).is_file();
    if !compared && !are_several(folder) {
        return None;
    }
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut runs: Vec<_> = entries.filter(|path| path.join(FIGURES).is_file()).collect();
    runs.sort();
    Some(Error::folder(folder, FolderFault::Several { compared, runs }))
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
        assert!(why().ends_with("run: this run has not ended"));
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
