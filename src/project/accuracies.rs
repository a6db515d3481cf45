//! The accuracies of some of an evaluation's networks, in a file, and joining several of these to those of all.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    Adapter, Job, JoinFault, Observer, Result, Setup,
    files::{text_of, write_json},
    shard::host,
};
use crate::{Accuracy, Error, EvaluationSettings, SyntheticSet, TrainingSet, data::Shard};

/// What some or all networks of an evaluation came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accuracies {
    /// Version of this program.
    pub version: String,
    /// The data set's name.
    pub dataset: String,
    /// A hash of the data set, as it is tested on.
    pub tested: String,
    /// A hash of the images that networks were trained on.
    pub trained: String,
    /// How many these are.
    pub images: usize,
    /// Of all networks.
    pub settings: EvaluationSettings,
    /// Which of the networks these are; `None` if all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shard: Option<Shard>,
    /// In per cent.
    pub accuracy: Accuracy,
    /// Of all devices together.
    pub seconds: f64,
    /// The machine's name, where the system says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The device.
    pub adapter: Adapter,
    /// The files that were joined.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<PathBuf>,
}

impl Accuracies {
    /// Measures those of one shard; `None` if that was stopped.
    ///
    /// # Errors
    /// [`Error::Setting`] for more shards than networks, and as [`Evaluation::new`](crate::Evaluation::new).
    pub fn measure(
        setup: &Setup,
        set: &SyntheticSet,
        settings: &EvaluationSettings,
        shard: Shard,
        observer: &mut dyn Observer,
    ) -> Result<Option<Self>> {
        let (first, count) = shard.part(settings.nets)?;
        let train = TrainingSet::Synthetic(set.clone());
        let networks = Some(first..first + count);
        let job = Job::Evaluating;
        let measured = setup.measure_networks(train, settings, networks, job, observer)?;
        let Some(measured) = measured else { return Ok(None) };
        let mut trained = Sha256::new();
        set.images.iter().for_each(|value| trained.update(value.to_le_bytes()));
        set.labels.iter().for_each(|label| trained.update(label.to_le_bytes()));
        Ok(Some(Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            dataset: setup.dataset.name().to_owned(),
            tested: setup.dataset.digest(),
            trained: trained.finalize().iter().map(|byte| format!("{byte:02x}")).collect(),
            images: set.trained_on(),
            settings: settings.clone(),
            shard: Some(shard),
            accuracy: measured.accuracy,
            seconds: measured.seconds,
            host: host(),
            adapter: Adapter::of(&setup.gpu),
            files: Vec::new(),
        }))
    }

    /// Writes them to a file, whole or not at all.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) when writing fails.
    pub fn write(&self, path: &Path) -> Result<()> {
        write_json(self, path)
    }

    /// Reads what [`write`](Self::write) wrote.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) and [`Error::Format`](crate::Error::Format).
    pub fn read(path: &Path) -> Result<Self> {
        let text = text_of(path).map_err(Error::io("read", path))?;
        let wrong = |why: String| Error::format(path, format!("no accuracies of networks: {why}"));
        let own: Self = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        let part = own.shard.and_then(|shard| shard.part(own.settings.nets).ok());
        match part.map_or(own.settings.nets, |(_, count)| count) == own.accuracy.runs.len() {
            true => Ok(own),
            false => {
                let told = own.accuracy.runs.len();
                Err(wrong(format!("{told} networks are not those that it was asked for")).into())
            }
        }
    }

    /// Those of all networks, from the files of all shards.
    ///
    /// # Errors
    /// [`JoinFault`] says which shard is missing, doubled or foreign.
    pub fn join(files: &[PathBuf]) -> Result<Self> {
        let mut of_shard: BTreeMap<u32, (PathBuf, Self)> = BTreeMap::new();
        let mut first: Option<(&PathBuf, Self)> = None;
        for file in files {
            let own = Self::read(file)?;
            let Some(shard) = own.shard else { return Err(JoinFault::Whole(file.clone()).into()) };
            let (expected, like) = first.get_or_insert_with(|| (file, own.clone()));
            let (common, other) = (like.common(), own.common());
            if let Some(fault) = JoinFault::foreign((expected, &common), (file, &other)) {
                return Err(fault.into());
            }
            if let Some((first, _)) = of_shard.insert(shard.number(), (file.clone(), own)) {
                let (shard, second) = (shard.to_string(), file.clone());
                return Err(JoinFault::TwiceShard { shard, first, second }.into());
            }
        }
        let Some((_, like)) = first else {
            return Err(JoinFault::MissingShards("1".into()).into());
        };
        let all = like.shard.map_or(1, Shard::of);
        // A file may claim any number of shards: only the first that are missing are named.
        const NAMED: usize = 20;
        let missing = (1..=all).filter(|number| !of_shard.contains_key(number));
        let mut missing: Vec<_> =
            missing.take(NAMED + 1).map(|number| format!("{number}/{all}")).collect();
        if missing.len() > NAMED {
            missing[NAMED] = "…".into();
        }
        if !missing.is_empty() {
            return Err(JoinFault::MissingShards(missing.join(", ")).into());
        }
        let runs = of_shard.values().flat_map(|(_, own)| own.accuracy.runs.clone()).collect();
        Ok(Self {
            shard: None,
            accuracy: Accuracy::of(runs),
            seconds: of_shard.values().map(|(_, own)| own.seconds).sum(),
            files: of_shard.into_values().map(|(file, _)| file).collect(),
            ..like
        })
    }

    /// What must be equal in all, by name.
    fn common(&self) -> BTreeMap<String, String> {
        let Self { version, dataset, tested, trained, settings, shard, .. } = self;
        let of = shard.map_or(1, Shard::of);
        let mut common: BTreeMap<String, String> = [
            ("version", version.clone()),
            ("data set", dataset.clone()),
            ("images or labels of the data set", tested.clone()),
            ("images that networks were trained on", trained.clone()),
            ("number of shards", of.to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        let settings = serde_json::to_value(settings).unwrap_or_default();
        for (name, value) in settings.as_object().into_iter().flatten() {
            common.insert(format!("eval {}", name.replace('_', " ")), value.to_string());
        }
        common
    }
}
