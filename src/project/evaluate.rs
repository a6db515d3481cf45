//! Evaluating saved sets, by networks like those of their run's evaluation or by others.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{
    Data, Error, Figures, FolderFault, Job, Observer, Record, Result, Setup, Worth,
    architectures::complete,
    check_set,
    files::{ARCHITECTURES, RECORD, SHARD, report_of, run_of, write_json},
    kept, names, page,
    setup::check_test,
};
use crate::{
    Evaluation, EvaluationSettings, Preset, Protocol, Recipe, Subject, SyntheticSet, TrainingSet,
    data::name_of,
};

/// A set, with the record and figures of its run, if a run made it.
#[derive(Debug)]
pub struct Saved {
    path: PathBuf,
    /// The run's `report.json`; null without one.
    pub report: Value,
}

/// Where the networks' width comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WidthFrom {
    /// From the run's own evaluation.
    Evaluation,
    /// From the networks that made the set.
    Making,
    /// From the data set's recipe.
    Recipe,
}

impl Saved {
    /// Reads the set at this path.
    ///
    /// # Errors
    /// Reports what is there instead, such as a comparison.
    pub fn at(path: &Path) -> Result<Self> {
        check_set(path)?;
        if run_of(path).join(SHARD).is_file() {
            return Err(Error::folder(path, FolderFault::Shard));
        }
        Ok(Self { path: path.into(), report: report_of(path) })
    }

    /// The data set that the set was made from, as its run asked for it: pictures have their path in no other place.
    /// `told` is what the set says itself.
    pub fn dataset(&self, told: Option<&str>) -> Option<String> {
        let name = told.or(self.report["dataset"].as_str())?;
        let record = Record::read(&run_of(&self.path).join(RECORD));
        let asked = record.ok().map(|record| record.data.name);
        Some(asked.filter(|asked| name_of(asked) == name).unwrap_or_else(|| name.to_owned()))
    }

    /// The same pictures as in the run, unless others are asked for.
    pub fn data(&self, asked: Data) -> Data {
        let Self { report, .. } = self;
        if report["dataset"].as_str().map(name_of) != Some(name_of(&asked.name)) {
            return asked;
        }
        let resize = report["resize"].as_u64().and_then(|size| usize::try_from(size).ok());
        Data {
            resize: asked.resize.or(resize),
            test_fraction: asked.test_fraction.or(report["test_fraction"].as_f64()),
            ..asked
        }
    }

    /// The networks are like those of the run's evaluation or, if there was none, like the one that
    /// made the set, if either is known.
    pub fn settings(
        &self,
        set: &SyntheticSet,
        setup: &Setup,
        (preset, protocol): (Preset, Protocol),
    ) -> (EvaluationSettings, WidthFrom) {
        let made: Value = serde_json::from_str(&set.settings).unwrap_or_default();
        let sources = [
            (&self.report["evaluation"], WidthFrom::Evaluation),
            (&self.report["settings"], WidthFrom::Making),
            (&made, WidthFrom::Making),
        ];
        let known = |name: &str| {
            let number =
                |settings: &Value| settings[name].as_u64().and_then(|n| usize::try_from(n).ok());
            sources.iter().find_map(|(settings, from)| Some((number(settings)?, *from)))
        };
        let subject = Subject { preset, protocol, ..Subject::from(&*setup.dataset) };
        let suited = EvaluationSettings::of(&Recipe::new(subject));
        let (width, from) = known("width").unwrap_or((suited.width, WidthFrom::Recipe));
        let depth = known("depth").map_or(suited.depth, |(depth, _)| depth);
        // A record without a kind of network is from an earlier version, or means the default.
        let first = sources.iter().find(|(settings, _)| settings["width"].is_u64());
        let net = first.map_or(suited.net, |(settings, _)| {
            settings["net"].as_str().and_then(|name| name.parse().ok()).unwrap_or_default()
        });
        (EvaluationSettings { net, width, depth, ..suited }, from)
    }
}

/// Refuses evaluations that are impossible. `name` is the data set as it was asked for.
pub fn check_evaluations(
    setup: &Setup,
    name: &str,
    images: usize,
    kinds: &[EvaluationSettings],
) -> Result<()> {
    check_test(name, &setup.dataset)?;
    for settings in kinds {
        Evaluation::check(&setup.gpu, &setup.dataset, Some(images), settings)?;
    }
    Ok(())
}

/// Measures a run's accuracy by the other protocol, if both were asked for, and keeps the rows of both in its folder. Returns
/// whether that is complete.
pub(super) fn by_other_protocol(
    (setup, record): (&Setup, &Record),
    (train, set): (&TrainingSet, Option<&SyntheticSet>),
    figures: &mut Figures,
    folder: &Path,
    observer: &mut dyn Observer,
) -> Result<bool> {
    let Some(kinds) = record.protocols() else { return Ok(true) };
    let Some(accuracy) = figures.ordinary_accuracy.as_ref().or(figures.accuracy.as_ref()) else {
        return Ok(false);
    };
    let (names, seconds) = (names(&kinds), figures.seconds.evaluating);
    let mut own = Worth::of(&setup.dataset, &kinds[0], accuracy.clone(), seconds);
    own.baseline = figures.baseline.clone().map(|random| random.beside(accuracy));
    let mut both = kept(folder)?;
    both.retain(|name, _| *name == names[1]);
    let by = (names[1].clone(), &kinds[1]);
    let set = set.filter(|_| record.wants_baseline());
    let job = Job::EvaluatingBy(names[1].clone());
    let ended = complete(setup, (train, set), by, job, &mut both, observer);
    both.shift_insert(0, names[0].clone(), own);
    // Before a failure is returned, so that nothing is lost.
    keep(folder, both.clone())?;
    let ended = ended?;
    if ended {
        figures.seconds.evaluating += both.get(&names[1]).map_or(0.0, |worth| worth.seconds);
        figures.architectures = both;
    }
    Ok(ended)
}

/// Writes them to `architectures.json` in a run's folder, replacing earlier results of the same kinds, and shows them
/// on the run's page.
pub fn keep(folder: &Path, worths: impl IntoIterator<Item = (String, Worth)>) -> Result<()> {
    let mut all = kept(folder)?;
    all.extend(worths);
    write_json(&all, &folder.join(ARCHITECTURES))?;
    page::write(folder).map(drop)
}
