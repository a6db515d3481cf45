//! Several methods with one seed, each in a folder of its own, and their table.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{
    CHECKPOINT_EVERY, Error, Event, Figures, Job, Method, MethodSettings, Observer, OutputFolder,
    Record, Result, Seconds, Setup, Worth, Worths,
    expected::Series,
    files::{COMPARISON, COMPARISON_TABLE, SET, write_json},
    keep, names, page,
    record::short,
    run::Task,
    words::counted,
};
use crate::{
    Accuracy, Architecture, Evaluation, EvaluationSettings, Selector, SyntheticSet, TrainingSet,
    data::name_of, report,
};

/// What came of several methods.
#[derive(Debug)]
pub struct Compared {
    /// Where their folders are.
    pub folder: PathBuf,
    /// Their page.
    pub page: PathBuf,
    /// Their results.
    pub table: Comparison,
    /// The errors of the methods that failed.
    pub failures: Vec<Error>,
}

/// `compare.json`.
#[derive(Debug, Serialize)]
pub struct Comparison {
    version: &'static str,
    dataset: String,
    ipc: usize,
    seed: u64,
    /// Kinds of network, where several were asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<String>,
    /// In the order in which they were asked for.
    pub methods: Vec<Row>,
    /// Whether methods are missing that were asked for.
    pub interrupted: bool,
}

/// The result of a method.
#[derive(Debug, Serialize)]
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
    /// The accuracies by each kind, if there are several, by the ordinary protocol.
    #[serde(skip_serializing_if = "Worths::is_empty")]
    pub architectures: Worths,
    /// How long it took.
    pub seconds: Option<Seconds>,
    /// Why there is no accuracy.
    pub error: Option<String>,
}

/// Runs each method's record and puts them side by side, in the folder `out` or in a new one. `ipc` is for names: training
/// on a whole data set has no such number. `others` are further kinds of network by which each set is evaluated, after
/// the kind of the records. Returns `None` if it was stopped before anything was saved.
///
/// # Errors
/// An impossible request, or the first failure if all methods fail. If only some fail, their errors are in
/// [`Compared::failures`].
pub fn compare(
    setup: &Setup,
    records: &[Record],
    ipc: usize,
    others: &[Architecture],
    out: Option<&Path>,
    observer: &mut dyn Observer,
) -> Result<Option<Compared>> {
    let Some(Record { data, .. }) = records.first() else { return Ok(None) };
    OutputFolder::check_for(out, &data.name)?;
    let mut setup = setup.clone();
    let mut tasks = Vec::new();
    for record in records {
        Task::new(&setup, record, CHECKPOINT_EVERY)?;
        let images = record.settings.as_ref().map(|own| own.images() * setup.dataset.classes());
        for settings in kinds(record, others).iter().skip(1) {
            Evaluation::check(&setup.gpu, &setup.dataset, images, settings)?;
        }
        tasks.extend(record.method().map(|method| (method, record)));
    }
    let seed = records[0].seed();
    let name = format!("compare-{}-ipc{ipc}-seed{seed}", short(&data.name));
    let mut folder = OutputFolder::reserve(out, &name)?;
    let place = |method: Method| folder.path().join(method.name());
    let mut made = folder.made().to_vec();
    made.extend(tasks.iter().map(|(method, _)| place(*method)));
    observer.see(Event::Made(&made));
    setup.begins(observer);

    let whole = tasks.iter().find(|(method, _)| *method == Method::Whole);
    setup.outlook.series = Series::Methods {
        methods: tasks.iter().map(|(method, _)| *method).collect(),
        whole: whole.and_then(|(_, record)| record.evaluation.clone()),
    };
    // Before the first of them, whichever that is. A failure here occurs again later, where it gets into the row.
    for (_, record) in &tasks {
        if let Some(MethodSettings::Condensing(settings)) = &record.settings {
            let _ = setup.speeds(settings, record, 0, observer);
        }
    }

    let mut table = Comparison {
        version: env!("CARGO_PKG_VERSION"),
        dataset: name_of(&data.name),
        ipc,
        seed,
        networks: match others {
            [] => Vec::new(),
            _ => names(&kinds(&records[0], others)),
        },
        methods: Vec::new(),
        interrupted: false,
    };
    let (mut failures, mut worth_keeping) = (Vec::new(), false);
    for (number, &(method, record)) in (1..).zip(&tasks) {
        if table.interrupted || observer.stops() {
            table.interrupted = true;
            table.methods.push(Row::without(method, "not run".into()));
            continue;
        }
        observer.see(Event::Method { method, number, of: tasks.len() });
        let ran = OutputFolder::reserve(Some(&place(method)), "").and_then(|mut own| {
            Task::new(&setup, record, CHECKPOINT_EVERY)?.run(&mut own, observer)
        });
        match ran.map(|ran| ran.figures) {
            Ok(Some(figures)) => {
                table.interrupted = figures.interrupted;
                let mut row = Row::of(method, figures);
                worth_keeping = true;
                if !others.is_empty() && !table.interrupted {
                    match by_others(&setup, record, others, &mut row, &place(method), observer) {
                        Ok(all) => table.interrupted = !all,
                        Err(failure) => {
                            observer.see(Event::Failed(method, &failure));
                            row.error = Some(observer.describe(&failure));
                            failures.push(failure);
                            setup.reopen()?;
                        }
                    }
                }
                table.methods.push(row);
            }
            Ok(None) => {
                table.interrupted = true;
                table.methods.push(Row::without(method, INTERRUPTED.into()));
            }
            Err(failure) => {
                observer.see(Event::Failed(method, &failure));
                table.methods.push(Row::without(method, observer.describe(&failure)));
                failures.push(failure);
                setup.reopen()?;
            }
        }
        // Written after each, so that its results survive a failure of the next.
        if worth_keeping {
            table.write(&folder)?;
        }
    }
    if !worth_keeping {
        // If all failed in the same way, that error is returned.
        return failures.into_iter().next().map_or(Ok(None), Err);
    }
    table.write(&folder)?;
    folder.keep();
    let page = page::write(folder.path())?;
    Ok(Some(Compared { folder: folder.path().into(), page, table, failures }))
}

/// The evaluation of a record, then those by the other kinds.
fn kinds(record: &Record, others: &[Architecture]) -> Vec<EvaluationSettings> {
    let first = record.evaluation.iter();
    let others =
        first.clone().flat_map(|own| others.iter().map(|net| own.clone().net(net.clone())));
    first.cloned().chain(others).collect()
}

/// Evaluates the set in a method's folder by the other kinds of network. Returns whether all of them are done.
fn by_others(
    setup: &Setup,
    record: &Record,
    others: &[Architecture],
    row: &mut Row,
    folder: &Path,
    observer: &mut dyn Observer,
) -> Result<bool> {
    let train = match record.settings {
        Some(_) => TrainingSet::Synthetic(SyntheticSet::load(&folder.join(SET))?),
        None => TrainingSet::Whole,
    };
    let kinds = kinds(record, others);
    let names = names(&kinds);
    let accuracy = row.ordinary_accuracy.as_ref().or(row.accuracy.as_ref());
    let (Some(accuracy), Some(seconds)) = (accuracy, &mut row.seconds) else {
        return Ok(true);
    };
    let first = Worth::of(&setup.dataset, &kinds[0], accuracy.clone(), seconds.evaluating);
    row.architectures.insert(names[0].clone(), first);
    // One by one, so that each result is kept even if the next fails.
    let mut all = true;
    for (name, settings) in names.iter().zip(&kinds).skip(1) {
        let job = Job::EvaluatingBy(name.clone());
        let Some(measured) = setup.measure(train.clone(), settings, job, observer)? else {
            all = false;
            break;
        };
        seconds.evaluating += measured.seconds;
        let worth = Worth::of(&setup.dataset, settings, measured.accuracy, measured.seconds);
        row.architectures.insert(name.clone(), worth);
        keep(folder, row.architectures.clone())?;
    }
    Ok(all)
}

/// The table's text for a method that was stopped.
const INTERRUPTED: &str = "interrupted";

impl Row {
    fn of(method: Method, figures: Figures) -> Self {
        let error = figures.accuracy.is_none().then(|| INTERRUPTED.to_owned());
        Self {
            method: method.name(),
            folder: Some(method.name()),
            images: Some(figures.images),
            accuracy: figures.accuracy,
            ordinary_accuracy: figures.ordinary_accuracy,
            architectures: Worths::new(),
            seconds: Some(figures.seconds),
            error,
        }
    }

    /// A method without results, and why.
    fn without(method: Method, error: String) -> Self {
        Self {
            method: method.name(),
            folder: None,
            images: None,
            accuracy: None,
            ordinary_accuracy: None,
            architectures: Worths::new(),
            seconds: None,
            error: Some(error),
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
        let accuracy = self.accuracy.as_ref().map_or_else(error, Accuracy::to_string);
        let mut cells = vec![
            self.method.to_owned(),
            self.images.map(|images| images.to_string()).unwrap_or_default(),
            accuracy,
        ];
        // The first kind is that of the method's own evaluation.
        cells.extend(networks.iter().skip(1).map(|name| {
            let worth = self.architectures.get(name);
            worth.map(|worth| worth.accuracy.to_string()).unwrap_or_default()
        }));
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
        let others = ["seconds to make", "seconds to evaluate"].map(str::to_owned);
        let first = ["method", "images"].map(str::to_owned);
        first.into_iter().chain(accuracies).chain(others).collect()
    }

    fn write(&self, folder: &OutputFolder) -> Result<()> {
        write_json(self, &folder.path().join(COMPARISON))?;
        let Self { dataset, ipc, seed, .. } = self;
        let images = counted(*ipc, "image");
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

    /// What the rows do not show: with one image per class, herding and k-center choose the same image; and distilled sets
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
        let notes: Vec<_> = same.into_iter().chain(distilled).collect();
        (!notes.is_empty()).then(|| notes.join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_what_is_missing() {
        let failed = Row::without(Method::Whole, "a | b\nc".into());
        assert_eq!(failed.cells(&[]), ["whole", "", "a   b c", "", ""]);
        let herding = Method::Selection(Selector::Herding);
        let mut row = Row::without(herding, INTERRUPTED.into());
        row.seconds = Some(Seconds { condensing: 0.25, evaluating: 0.0 });
        row.images = Some(10);
        assert_eq!(row.cells(&[]), ["herding", "10", "interrupted", "0.2", ""]);
        row.accuracy = Some(Accuracy::of(vec![89.0, 90.0]));
        assert_eq!(row.cells(&[])[2], "89.50 ± 0.50 %");
        let networks = ["convnet", "mlp"].map(str::to_owned);
        assert_eq!(row.cells(&networks)[2..4], ["89.50 ± 0.50 %", ""], "one is missing");
        let (dataset, seed, interrupted) = ("mnist".into(), 0, false);
        let (version, networks) = ("0", networks.to_vec());
        let methods = vec![row];
        let mut table =
            Comparison { version, dataset, ipc: 1, seed, networks, methods, interrupted };
        assert_eq!(table.header()[2..4], ["convnet", "mlp"]);
        assert!(table.note().is_none(), "one of the two is not there");
        let other = Method::Selection(Selector::KCenter);
        table.methods.push(Row::without(other, String::new()));
        assert!(table.note().is_some());
    }
}
