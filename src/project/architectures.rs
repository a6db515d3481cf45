//! Accuracies of a set by several kinds of network: their table, and `architectures.json`, the file beside a run's
//! figures that keeps them.

use std::path::Path;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::{
    Baseline, Job, Measured, Observer, Result, Setup,
    files::{ARCHITECTURES, text_of},
    random,
    words::in_order,
};
use crate::{
    Accuracy, Architecture, Error as Failure, EvaluationSettings, Protocol, SyntheticSet,
    TrainingSet, condense::made_by, data::Dataset,
};

/// The results of networks of one kind.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Worth {
    /// In per cent.
    #[serde(flatten)]
    pub accuracy: Accuracy,
    /// Parameters of one network.
    pub parameters: usize,
    /// The seconds that it took, with those for random images if they were measured after it.
    pub seconds: f64,
    /// How they were trained.
    pub settings: EvaluationSettings,
    /// What random images of equal storage reach; none if it was not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Baseline>,
}

/// Results by the names of the kinds, in the order in which they were asked for.
pub type Worths = IndexMap<String, Worth>;

/// Sweeps: series of ConvNets that differ in one property.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sweep {
    /// ConvNets of width 32, 64, 128 and 256.
    Widths,
    /// Of 1 to 4 blocks.
    Depths,
    /// Of every activation.
    Activations,
    /// Of every pool.
    Pools,
    /// Of every norm.
    Norms,
}

impl Sweep {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Widths, Self::Depths, Self::Activations, Self::Pools, Self::Norms];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Widths => "widths",
            Self::Depths => "depths",
            Self::Activations => "activations",
            Self::Pools => "pools",
            Self::Norms => "norms",
        }
    }

    /// ConvNets like that of these settings that differ in this property (Zhao et al., ICLR 2021; Zhao & Bilen, ICML
    /// 2021).
    pub fn kinds(self, settings: &EvaluationSettings) -> Vec<EvaluationSettings> {
        let convnet = settings.clone().net(Architecture::default());
        let by = |vary: &dyn Fn(usize) -> EvaluationSettings, values: &[usize]| {
            values.iter().map(|&value| vary(value)).collect()
        };
        match self {
            Self::Widths => by(&|width| convnet.clone().width(width), &[32, 64, 128, 256]),
            Self::Depths => by(&|depth| convnet.clone().depth(depth), &[1, 2, 3, 4]),
            Self::Activations | Self::Pools | Self::Norms => {
                let all = Architecture::convnets(match self {
                    Self::Activations => "act",
                    Self::Pools => "pool",
                    _ => "norm",
                });
                all.into_iter().map(|net| convnet.clone().net(net)).collect()
            }
        }
    }
}

/// The names of these kinds in tables: the network, with its width or depth where the name alone is not unique.
pub fn names(kinds: &[EvaluationSettings]) -> Vec<String> {
    let name = |kind: &EvaluationSettings| {
        let mut name = kind.net.label();
        let alike = kinds.iter().filter(|other| other.net == kind.net);
        if alike.clone().any(|other| other.width != kind.width) {
            name += &format!(":width={}", kind.width);
        }
        if alike.clone().any(|other| other.depth != kind.depth) {
            name += &format!(":depth={}", kind.depth);
        }
        if kind.protocol != Protocol::default() {
            name += &format!(":protocol={}", kind.protocol);
        }
        name
    };
    kinds.iter().map(name).collect()
}

/// Trains networks by each of these settings and tests them, and with `baseline` also on random images of equal storage if
/// `train` is a set; fewer results if it was stopped or failed. A failure is returned beside the results before it, which may have
/// taken hours.
pub fn evaluate(
    setup: &Setup,
    train: &TrainingSet,
    kinds: &[EvaluationSettings],
    baseline: bool,
    observer: &mut dyn Observer,
) -> (Vec<(String, Worth)>, Result<()>) {
    let mut all = Vec::new();
    for (name, settings) in names(kinds).into_iter().zip(kinds) {
        let job = match kinds.len() {
            1 => Job::Evaluating,
            _ => Job::EvaluatingBy(name.clone()),
        };
        let mut own = Worths::new();
        let by = (name.clone(), settings);
        let set = match train {
            TrainingSet::Synthetic(set) | TrainingSet::InOrder(set) if baseline => Some(set),
            _ => None,
        };
        let ended = complete(setup, (train, set), by, job, &mut own, observer);
        all.extend(own);
        match ended {
            Ok(true) => {}
            Ok(false) => break,
            Err(failure) => return (all, Err(failure)),
        }
    }
    (all, Ok(()))
}

/// Measures what is missing of one kind among these results: its accuracy, and that of random images of equal storage if a
/// set to compare them with is given. Returns whether nothing is missing any more.
pub(super) fn complete(
    setup: &Setup,
    (train, set): (&TrainingSet, Option<&SyntheticSet>),
    (name, settings): (String, &EvaluationSettings),
    job: Job,
    worths: &mut Worths,
    observer: &mut dyn Observer,
) -> Result<bool> {
    if worths.get(&name).is_none_or(|worth| worth.settings != *settings) {
        let measured = setup.measure(train.clone(), settings, job, observer)?;
        let Some(Measured { accuracy, seconds }) = measured else { return Ok(false) };
        let worth = Worth::of(&setup.dataset, settings, accuracy, seconds);
        worths.insert(name.clone(), worth);
    }
    if let (Some(set), Some(worth)) = (set, worths.get_mut(&name))
        && worth.baseline.is_none()
    {
        let by = (settings, &worth.accuracy);
        let random = random::measure(setup, set, settings.seed, by, observer)?;
        let Some((random, seconds)) = random else { return Ok(false) };
        worth.baseline = Some(random);
        worth.seconds += seconds;
    }
    Ok(true)
}

/// Trains networks by a set's own course and tests them, and says how; `None` if it was stopped. Of the settings only the
/// number of networks and the seed count.
///
/// # Errors
/// A set without a course, or whose settings are not those of the run that made it.
pub fn evaluate_in_order(
    setup: &Setup,
    set: &SyntheticSet,
    settings: &EvaluationSettings,
    observer: &mut dyn Observer,
) -> Result<Option<(String, Measured)>> {
    let made = made_by(&set.settings)?;
    let train = TrainingSet::InOrder(set.clone());
    let measured = setup.measure(train, settings, Job::Evaluating, observer)?;
    Ok(measured.map(|measured| (in_order(&made, settings.nets), measured)))
}

/// The results that are kept in a run's folder.
///
/// # Errors
/// A file that cannot be read, which may hold the results of hours.
pub fn kept(folder: &Path) -> Result<Worths> {
    let path = folder.join(ARCHITECTURES);
    if !path.exists() {
        return Ok(Worths::new());
    }
    let read = text_of(&path).map_err(|error| error.to_string());
    let read = read.and_then(|text| serde_json::from_str(&text).map_err(|error| error.to_string()));
    Ok(read.map_err(|why| {
        Failure::format(&path, format!("{why}; remove it, and evaluate by these networks again"))
    })?)
}

impl Worth {
    /// The header above the [`cells`](Self::cells).
    pub const HEADER: [&str; 6] =
        ["network", "parameters", "accuracy", "over random", "nets × epochs", "seconds"];

    pub(super) fn of(
        dataset: &Dataset,
        settings: &EvaluationSettings,
        accuracy: Accuracy,
        seconds: f64,
    ) -> Self {
        // The network exists, because it was trained with these settings.
        let parameters = settings.network(dataset).map_or(0, |net| net.parameters());
        Self { accuracy, parameters, seconds, settings: settings.clone(), baseline: None }
    }

    /// One line of a table.
    pub fn cells(&self, name: &str) -> [String; 6] {
        let Self { accuracy, parameters, seconds, baseline, .. } = self;
        let over = baseline.as_ref().map(|baseline| baseline.beaten_by(accuracy));
        [
            name.to_owned(),
            parameters.to_string(),
            accuracy.to_string(),
            over.unwrap_or_default(),
            self.trained(),
            format!("{seconds:.1}"),
        ]
    }

    /// Networks and epochs: `3 × 300`.
    pub(super) fn trained(&self) -> String {
        format!("{} × {}", self.settings.nets, self.settings.epochs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Preset, Recipe, Subject};

    #[test]
    fn sweeps_differ_in_one_thing_and_are_named_by_it() {
        let subject = Subject::named("mnist").preset(Preset::Small);
        let base = EvaluationSettings::of(&Recipe::new(subject)).net(Architecture::LeNet);
        for (sweep, expected) in [
            (
                Sweep::Widths,
                "convnet:width=32 convnet:width=64 convnet:width=128 convnet:width=256",
            ),
            (Sweep::Depths, "convnet:depth=1 convnet:depth=2 convnet:depth=3 convnet:depth=4"),
            (Sweep::Pools, "convnet:pool=none convnet:pool=max convnet"),
            (
                Sweep::Activations,
                "convnet convnet:act=leaky_relu convnet:act=sigmoid convnet:act=swish",
            ),
            (
                Sweep::Norms,
                "convnet:norm=none convnet:norm=batch convnet:norm=layer convnet convnet:norm=group",
            ),
        ] {
            let kinds = sweep.kinds(&base);
            assert_eq!(names(&kinds).join(" "), expected, "{}", sweep.name());
            assert!(kinds.iter().all(|kind| kind.epochs == base.epochs && kind.nets == base.nets));
        }
        let both = [base.clone(), base.net(Architecture::Mlp).protocol(Protocol::Idc)];
        assert_eq!(names(&both), ["lenet", "mlp:protocol=idc"]);
    }
}
