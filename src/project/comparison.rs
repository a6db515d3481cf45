//! The table of a comparison: a row per method, for programs and for people.

use serde::Serialize;

use super::{
    Baseline, Figures, Method, OutputFolder, Result, Seconds, Worths,
    files::{COMPARISON, COMPARISON_TABLE, write_json},
    words::counted,
};
use crate::{Accuracy, Selector, report};

/// `compare.json`.
#[derive(Debug, Serialize)]
pub struct Comparison {
    pub(super) version: &'static str,
    pub(super) dataset: String,
    pub(super) ipc: usize,
    /// The images of the class that has the fewest, where classes have different numbers; `ipc` is the most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fewest: Option<usize>,
    pub(super) seed: u64,
    /// Kinds of network, where several were asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<String>,
    /// In the order in which they were asked for.
    pub methods: Vec<Row>,
    /// Whether methods are missing that were asked for.
    pub interrupted: bool,
}

/// The result of a method.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// Its name.
    pub method: &'static str,
    /// Its folder, beside this file; null if nothing was saved.
    pub folder: Option<&'static str>,
    /// Images on which networks are trained.
    pub images: Option<usize>,
    /// The accuracy in per cent, by the first kind of network if there are several.
    pub accuracy: Option<Accuracy>,
    /// Of a set with a course of training of its own, the accuracy by the ordinary protocol; `accuracy` is by the course.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ordinary_accuracy: Option<Accuracy>,
    /// What random images of equal storage reach, by the kind of `accuracy`; measured once for all methods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Baseline>,
    /// The accuracies by each kind, if there are several, by the ordinary protocol.
    #[serde(skip_serializing_if = "Worths::is_empty")]
    pub architectures: Worths,
    /// How long it took.
    pub seconds: Option<Seconds>,
    /// Why there is no accuracy.
    pub error: Option<String>,
}

/// The results of random images by each kind of network, the first that of the methods' own evaluations.
pub(super) struct Random {
    pub images: usize,
    pub by_kind: Vec<(String, Accuracy)>,
}

/// The table's text for a method that was stopped.
pub(super) const INTERRUPTED: &str = "interrupted";

impl Row {
    pub(super) fn of(method: Method, figures: Figures) -> Self {
        let error = figures.accuracy.is_none().then(|| INTERRUPTED.to_owned());
        Self {
            method: method.name(),
            folder: Some(method.name()),
            images: Some(figures.images),
            accuracy: figures.accuracy,
            ordinary_accuracy: figures.ordinary_accuracy,
            baseline: None,
            architectures: Worths::new(),
            seconds: Some(figures.seconds),
            error,
        }
    }

    /// A method without results, and why.
    pub(super) fn without(method: Method, error: String) -> Self {
        Self {
            method: method.name(),
            folder: None,
            images: None,
            accuracy: None,
            ordinary_accuracy: None,
            baseline: None,
            architectures: Worths::new(),
            seconds: None,
            error: Some(error),
        }
    }

    /// Whether it has a set that is to be compared with random images.
    pub(super) fn is_to_beat_random(&self) -> bool {
        self.folder.is_some() && Method::named(self.method).is_some_and(Method::beats_random)
    }

    /// Puts the accuracies beside those of random images, by each kind of network.
    pub(super) fn set_beside(&mut self, random: &Random) {
        if !self.is_to_beat_random() {
            return;
        }
        let beside = |measured: &Accuracy, accuracy: &Accuracy| {
            Some(Baseline::new(measured.clone(), random.images, accuracy))
        };
        // Of a set with a course of its own, `accuracy` is by networks of its own kind, which may be none of these.
        let of_these = self.ordinary_accuracy.is_none() || self.architectures.is_empty();
        if let (Some(accuracy), Some((_, first)), true) =
            (&self.accuracy, random.by_kind.first(), of_these)
        {
            self.baseline = beside(first, accuracy);
        }
        for (name, measured) in &random.by_kind {
            if let Some(worth) = self.architectures.get_mut(name) {
                worth.baseline = beside(measured, &worth.accuracy);
            }
        }
    }

    /// The cells below [`Comparison::header`], if these kinds of network were asked for.
    pub fn cells(&self, networks: &[String]) -> Vec<String> {
        // Zero seconds means that it was not done.
        let seconds = |of: fn(&Seconds) -> f64| match self.seconds.as_ref().map(of) {
            Some(seconds) if seconds > 0.0 => format!("{seconds:.1}"),
            _ => String::new(),
        };
        let error = || self.error.as_deref().unwrap_or_default().replace(['|', '\n'], " ");
        let over = |accuracy: &Accuracy, baseline: &Option<Baseline>| match baseline {
            Some(random) => format!("{accuracy} ({})", random.beaten_by(accuracy)),
            None => accuracy.to_string(),
        };
        let by = |name: &String| {
            self.architectures.get(name).map(|worth| over(&worth.accuracy, &worth.baseline))
        };
        // The first kind is that of the method's own evaluation, unless its set has a course of its own.
        let own = || self.accuracy.as_ref().map(|accuracy| over(accuracy, &self.baseline));
        let accuracy = networks.first().and_then(by).or_else(own).unwrap_or_else(error);
        let mut cells = vec![
            self.method.to_owned(),
            self.images.map(|images| images.to_string()).unwrap_or_default(),
            accuracy,
        ];
        cells.extend(networks.iter().skip(1).map(|name| by(name).unwrap_or_default()));
        cells.extend([seconds(|s| s.condensing), seconds(|s| s.evaluating)]);
        cells
    }
}

impl Comparison {
    /// What the columns are.
    pub fn header(&self) -> Vec<String> {
        let accuracies = match &self.networks[..] {
            [] => vec!["accuracy".to_owned()],
            networks => networks.to_vec(),
        };
        let others = ["to make (s)", "to evaluate (s)"].map(str::to_owned);
        let first = ["method", "images"].map(str::to_owned);
        first.into_iter().chain(accuracies).chain(others).collect()
    }

    /// What the row of random images says, if there is one with results.
    pub(super) fn random_row(&self) -> Option<Random> {
        let row = self.methods.iter().find(|row| row.method == Selector::Random.name())?;
        let (accuracy, images) = (row.accuracy.clone()?, row.images?);
        let by_kind = match &self.networks[..] {
            [] => vec![(String::new(), accuracy)],
            names => names
                .iter()
                .filter_map(|name| {
                    Some((name.clone(), row.architectures.get(name)?.accuracy.clone()))
                })
                .collect(),
        };
        Some(Random { images, by_kind })
    }

    pub(super) fn write(&self, folder: &OutputFolder) -> Result<()> {
        write_json(self, &folder.path().join(COMPARISON))?;
        let Self { dataset, ipc, seed, .. } = self;
        let images = match self.fewest {
            Some(fewest) => format!("{fewest} to {ipc} images"),
            None => counted(*ipc, "image"),
        };
        let mut text = format!("{dataset}, {images} per class, seed {seed}\n\n");
        let header = self.header();
        let right = "--:|".repeat(header.len() - 1);
        text += &format!("| {} |\n|---|{right}\n", header.join(" | "));
        for row in &self.methods {
            text += &format!("| {} |\n", row.cells(&self.networks).join(" | "));
        }
        if let Some(note) = self.note() {
            text += &format!("\n{note}\n");
        }
        Ok(report::write_whole(folder.path().join(COMPARISON_TABLE), text.as_bytes())?)
    }

    /// What the points in brackets are above, of each kind of network.
    fn random_note(&self) -> Option<String> {
        let of_kind = |name: &String| {
            let of = |row: &Row| row.architectures.get(name)?.baseline.clone();
            Some((self.methods.iter().find_map(of)?, format!(" by {name}")))
        };
        let own = || self.methods.iter().find_map(|row| row.baseline.clone());
        let mut all: Vec<_> = self.networks.iter().filter_map(of_kind).collect();
        if all.is_empty() {
            all.extend(own().map(|baseline| (baseline, String::new())));
        }
        let (first, _) = all.first()?;
        let many = counted(first.images, "real image");
        let reached = |(random, by): &(Baseline, String)| format!("{}{by}", random.accuracy);
        let reached = all.iter().map(reached).collect::<Vec<_>>().join(", ");
        Some(format!(
            "In brackets: points above {many} drawn at random, with which networks reach {reached}."
        ))
    }

    /// What the rows do not show: what they are compared with; with one image per class, herding and k-center choose the same image; and distilled sets
    /// were judged by a training of their own.
    pub fn note(&self) -> Option<String> {
        let has = |by: Selector| self.methods.iter().any(|row| row.method == by.name());
        let both = has(Selector::Herding) && has(Selector::KCenter);
        let same = (self.ipc == 1 && both).then(|| {
            "With one image per class, herding and k-center choose the same image: the one nearest to the \
             class's mean."
                .to_owned()
        });
        let distilled = self.methods.iter().find_map(|row| {
            let (own, ordinary) = (row.method, row.ordinary_accuracy.as_ref()?);
            let by_course = format!("on the images of {own} in their order at their rates");
            Some(match (self.networks.is_empty(), &row.accuracy) {
                (false, Some(accuracy)) => format!(
                    "The table has the ordinary protocol; trained {by_course}, networks of its own kind reach \
                     {accuracy}."
                ),
                _ => format!(
                    "Networks are trained {by_course}; by the ordinary protocol they reach {ordinary}."
                ),
            })
        });
        let random = self.random_note();
        let notes: Vec<_> = random.into_iter().chain(same).chain(distilled).collect();
        (!notes.is_empty()).then(|| notes.join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EvaluationSettings, Matching, Recipe, Subject, project::Worth};

    #[test]
    fn a_row_says_what_is_missing() {
        let failed = Row::without(Method::Whole, "a | b\nc".into());
        assert_eq!(failed.cells(&[]), ["whole", "", "a   b c", "", ""]);
        let herding = Method::Selection(Selector::Herding);
        let mut row = Row::without(herding, INTERRUPTED.into());
        row.folder = Some("herding");
        row.seconds = Some(Seconds { condensing: 0.25, training: None, evaluating: 0.0 });
        row.images = Some(10);
        assert_eq!(row.cells(&[]), ["herding", "10", "interrupted", "0.2", ""]);
        row.accuracy = Some(Accuracy::of(vec![89.0, 90.0]));
        assert_eq!(row.cells(&[])[2], "89.50 ± 0.50 %");
        let networks = ["convnet", "mlp"].map(str::to_owned);
        assert_eq!(row.cells(&networks)[2..4], ["89.50 ± 0.50 %", ""], "one is missing");
        let kind = |name: &str, runs: &[f64]| (name.to_owned(), Accuracy::of(runs.into()));
        let by_kind = vec![kind("convnet", &[80.0]), kind("mlp", &[50.0])];
        let mut beside = row.clone();
        beside.set_beside(&Random { images: 100, by_kind });
        assert_eq!(beside.cells(&networks)[2..4], ["89.50 ± 0.50 % (+9.50)", ""]);
        let (dataset, seed, interrupted) = ("mnist".into(), 0, false);
        let (version, networks, fewest) = ("0", networks.to_vec(), None);
        let methods = vec![row];
        let mut table =
            Comparison { version, dataset, ipc: 1, fewest, seed, networks, methods, interrupted };
        assert_eq!(table.header()[2..4], ["convnet", "mlp"]);
        assert!(table.note().is_none(), "one of the two is not there");
        let other = Method::Selection(Selector::KCenter);
        table.methods.push(Row::without(other, String::new()));
        assert!(table.note().is_some());
        table.ipc = 2;
        assert!(table.note().is_none());
        table.methods.push(beside);
        let note = table.note().unwrap();
        assert!(note.contains("above 100 real images") && note.contains("reach 80.00 %"), "{note}");
    }

    #[test]
    fn each_kind_of_network_is_compared_with_its_own_random_images() {
        let one = |accuracy: f64| Accuracy::of(vec![accuracy]);
        let settings = EvaluationSettings::of(&Recipe::new(Subject::named("mnist")));
        let worth = |accuracy| Worth {
            accuracy: one(accuracy),
            parameters: 0,
            seconds: 0.0,
            settings: settings.clone(),
            baseline: None,
        };
        let mut row = Row::without(Method::Condensing(Matching::Dd), String::new());
        (row.folder, row.error) = (Some("dd"), None);
        row.architectures = [("mlp", 10.0), ("lenet", 30.0)]
            .map(|(name, accuracy)| (name.to_owned(), worth(accuracy)))
            .into();
        // In its order, by networks of its own kind.
        (row.accuracy, row.ordinary_accuracy) = (Some(one(90.0)), Some(one(10.0)));
        let by_kind = [("mlp", 11.0), ("lenet", 20.0)];
        let by_kind = by_kind.map(|(name, accuracy)| (name.to_owned(), one(accuracy))).into();
        row.set_beside(&Random { images: 10, by_kind });
        let networks: Vec<_> = ["mlp", "lenet"].map(str::to_owned).into();
        assert_eq!(row.cells(&networks)[2..4], ["10.00 % (-1.00)", "30.00 % (+10.00)"]);
        assert!(row.baseline.is_none(), "of a kind that was not measured");
        let table = Comparison {
            version: "0",
            dataset: "mnist".into(),
            ipc: 1,
            fewest: None,
            seed: 0,
            networks,
            methods: vec![row],
            interrupted: false,
        };
        let note = table.note().unwrap();
        assert!(
            note.contains("with which networks reach 11.00 % by mlp, 20.00 % by lenet."),
            "{note}"
        );
        assert!(note.contains("networks of its own kind reach 90.00 %"), "{note}");
    }
}
