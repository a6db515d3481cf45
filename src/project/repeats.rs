//! The same run with several seeds: the record, the folder of each run, and the common figures.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{
    Baseline, Result, Worth, Worths,
    files::{FIGURES, text_of, write_json},
    record::{MethodSettings, Outcome, Record, parse},
    words::counted,
};
use crate::{Accuracy, Error, Text, data::name_of, report};

/// `runs.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Repeats {
    /// How many.
    pub runs: u32,
    /// Of the first; each further one has the next.
    pub seed: u64,
    /// The record of each run, here with the first seed.
    pub run: Record,
}

/// `report.json` of all of them.
#[derive(Debug, Serialize)]
pub struct Together {
    version: &'static str,
    dataset: String,
    method: String,
    /// The runs that have ended, and the one that was interrupted.
    pub runs: Vec<OfSeed>,
    /// In per cent: mean and standard deviation over all networks of all runs, as the field gives them.
    pub accuracy: Option<Accuracy>,
    /// The same over the means of the runs.
    pub means: Option<Accuracy>,
    /// What random images of equal storage reach, over all networks of all runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Baseline>,
    /// The accuracies by both protocols over all networks of all runs, if both were asked for.
    #[serde(skip_serializing_if = "Worths::is_empty")]
    pub architectures: Worths,
    /// Whether runs are missing that were asked for, or their accuracies.
    pub interrupted: bool,
}

/// One of them.
#[derive(Debug, Serialize)]
pub struct OfSeed {
    /// Its seed.
    pub seed: u64,
    /// Beside this file.
    pub folder: String,
    /// None if the method has no iterations.
    pub completed_iterations: Option<u32>,
    /// In per cent; none if it was not measured.
    pub accuracy: Option<Accuracy>,
    /// What random images of equal storage reach; none if it was not measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Baseline>,
    /// Without those of the evaluation.
    pub seconds: f64,
    /// The accuracies by both protocols, if both were asked for.
    #[serde(skip_serializing_if = "Worths::is_empty")]
    pub architectures: Worths,
}

/// `all 6 networks of 2 runs; over their means 86.00 ± 4.00 %`.
pub fn over(all: &Accuracy, means: &Accuracy) -> String {
    let networks = counted(all.runs.len(), "network");
    let runs = counted(means.runs.len(), "run");
    format!("all {networks} of {runs}; over their means {means}")
}

impl Repeats {
    /// Refuses more seeds than there are from this one on.
    pub fn check(runs: u32, seed: u64) -> Result<()> {
        match seed.checked_add(runs.into()).filter(|last| *last <= i64::MAX as u64) {
            Some(_) => Ok(()),
            None => {
                let why = Text::from("there are not so many seeds after ")
                    .setting("seed")
                    .then(format!(" {seed}"));
                Err(Error::setting("runs", runs, why).into())
            }
        }
    }

    /// What this file holds.
    pub fn read(path: &Path) -> Result<Self> {
        let failed = |why: String| Error::format(path, why);
        let text = text_of(path).map_err(|error| failed(error.to_string()))?;
        Ok(parse(&text).map_err(|error| failed(format!("no record of runs: {error}")))?)
    }

    /// Writes it.
    pub fn write(&self, path: &Path) -> Result<()> {
        let text = toml::to_string(self).map_err(|error| Error::format(path, error.to_string()))?;
        Ok(report::write_whole(path, text.as_bytes())?)
    }

    /// Each seed with its folder in this one.
    pub fn folders(&self, dir: &Path) -> impl Iterator<Item = (u64, PathBuf)> {
        (self.seed..).take(self.runs as usize).map(move |seed| (seed, dir.join(named(seed))))
    }

    /// The record of the run with this seed.
    pub fn with_seed(&self, seed: u64) -> Record {
        let mut record = self.run.clone();
        match &mut record.settings {
            Some(MethodSettings::Condensing(settings)) => settings.seed = seed,
            Some(MethodSettings::Selection(settings)) => settings.seed = seed,
            None => {}
        }
        for evaluation in record.evaluation.iter_mut().chain(&mut record.other_protocol) {
            evaluation.seed = seed;
        }
        record
    }
}

/// The name of a seed's folder.
fn named(seed: u64) -> String {
    format!("seed{seed}")
}

impl OfSeed {
    /// The run with this seed, and its outcome.
    pub fn of(seed: u64, outcome: Outcome, architectures: Worths) -> Self {
        let Outcome { completed_iterations, accuracy, baseline, seconds, .. } = outcome;
        Self {
            seed,
            folder: named(seed),
            completed_iterations,
            accuracy,
            baseline,
            seconds,
            architectures,
        }
    }
}

impl Together {
    /// Of none so far.
    pub fn new(run: &Record) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            dataset: name_of(&run.data.name),
            method: run.method.clone(),
            runs: Vec::new(),
            accuracy: None,
            means: None,
            baseline: None,
            architectures: Worths::new(),
            interrupted: true,
        }
    }

    /// Counts them together and writes the file into their folder.
    pub fn write(&mut self, dir: &Path) -> Result<()> {
        let measured: Vec<_> = self.runs.iter().filter_map(|row| row.accuracy.as_ref()).collect();
        if !measured.is_empty() {
            let all = measured.iter().flat_map(|accuracy| accuracy.runs.iter().copied());
            self.accuracy = Some(Accuracy::of(all.collect()));
            self.means =
                Some(Accuracy::of(measured.iter().map(|accuracy| accuracy.mean).collect()));
        }
        if let Some(accuracy) = &self.accuracy {
            self.baseline = over_all(self.runs.iter().map(|row| row.baseline.as_ref()), accuracy);
        }
        let kinds = self.runs.first().map(|row| row.architectures.clone()).unwrap_or_default();
        for (name, first) in kinds {
            let all: Option<Vec<_>> =
                self.runs.iter().map(|row| row.architectures.get(&name)).collect();
            // Of all runs, as the others are.
            let Some(all) = all else { continue };
            let runs = all.iter().flat_map(|worth| worth.accuracy.runs.iter().copied());
            let accuracy = Accuracy::of(runs.collect());
            let baseline = over_all(all.iter().map(|worth| worth.baseline.as_ref()), &accuracy);
            let seconds = all.iter().map(|worth| worth.seconds).sum();
            let together = Worth { accuracy, baseline, seconds, ..first };
            self.architectures.insert(name, together);
        }
        write_json(self, &dir.join(FIGURES))
    }
}

/// The random images of all runs, beside an accuracy over all of them; `None` if a run lacks them, or both would not compare.
fn over_all<'a>(
    random: impl Iterator<Item = Option<&'a Baseline>>,
    accuracy: &Accuracy,
) -> Option<Baseline> {
    let random: Vec<_> = random.collect::<Option<_>>()?;
    let all = random.iter().flat_map(|random| random.accuracy.runs.iter().copied());
    Some(Baseline::new(Accuracy::of(all.collect()), random.first()?.images, accuracy))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::{
        files::{SEEDS, are_several},
        record::tests::sample,
    };

    #[test]
    fn a_seed_changes_all_that_follows_from_it() {
        let repeats = Repeats { runs: 3, seed: 0, run: sample(0) };
        assert_eq!(repeats.with_seed(2), sample(2));
        let folders: Vec<_> = repeats.folders(Path::new("x")).map(|(_, path)| path).collect();
        assert_eq!(folders, ["x/seed0", "x/seed1", "x/seed2"].map(PathBuf::from));
    }

    #[test]
    fn a_report_of_repeats_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(SEEDS);
        let repeats = Repeats { runs: 3, seed: 5, run: sample(0) };
        assert!(!are_several(folder.path()));
        repeats.write(&path).unwrap();
        assert!(are_several(folder.path()));
        assert_eq!(Repeats::read(&path).unwrap(), repeats);
        std::fs::write(&path, "runs = 3").unwrap();
        let last = i64::MAX as u64;
        assert!(Repeats::check(1, last - 1).is_ok() && Repeats::check(2, last - 1).is_err());
        let refused = Repeats::read(&path).unwrap_err().to_string();
        assert!(refused.contains("runs.toml: no record of runs: "), "{refused}");
    }

    #[test]
    fn the_accuracy_counts_all_networks_and_the_mean_of_each_run() {
        let folder = tempfile::tempdir().unwrap();
        let mut report = Together::new(&sample(0));
        let row = |seed, accuracy: &[f64]| OfSeed {
            seed,
            folder: format!("seed{seed}"),
            completed_iterations: Some(7),
            accuracy: Some(Accuracy::of(accuracy.to_vec())),
            baseline: (seed != 2).then(|| Baseline {
                accuracy: Accuracy::of(vec![70.0 + seed as f64]),
                images: 20,
                improvement: 0.0,
            }),
            seconds: 1.0,
            architectures: Worths::new(),
        };
        report.runs = vec![row(0, &[80.0, 84.0]), row(1, &[90.0, 90.0])];
        report.interrupted = false;
        report.write(folder.path()).unwrap();
        let (all, means) = (report.accuracy.as_ref().unwrap(), report.means.as_ref().unwrap());
        assert_eq!((all.mean, all.runs.len()), (86.0, 4));
        // √((36 + 4 + 16 + 16) / 4), and half of 90 − 82.
        assert!((all.std - 18f64.sqrt()).abs() < 1e-12);
        assert_eq!((means.mean, means.std, &means.runs[..]), (86.0, 4.0, &[82.0, 90.0][..]));
        assert_eq!(over(all, means), "all 4 networks of 2 runs; over their means 86.00 ± 4.00 %");
        let random = report.baseline.as_ref().unwrap();
        assert_eq!((random.accuracy.mean, random.improvement), (70.5, 15.5));
        assert_eq!(random.images, 20);
        report.baseline = None;
        report.runs.push(row(2, &[90.0]));
        report.write(folder.path()).unwrap();
        assert_eq!(report.baseline, None, "not of all runs");
    }
}
