//! Several methods with one seed, each in a folder of its own, and their table.

use std::path::{Path, PathBuf};

use super::{
    CHECKPOINT_EVERY, Comparison, Error, Event, Job, Method, MethodSettings, Observer,
    OutputFolder, Record, Result, Row, Setup, Worth,
    comparison::{INTERRUPTED, Random},
    expected::Series,
    files::SET,
    keep, names, page, random,
    record::short,
    run::Task,
};
use crate::{
    Architecture, Evaluation, EvaluationSettings, Selector, SyntheticSet, TrainingSet,
    data::name_of,
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
    setup.check_one("a comparison runs its methods on one adapter; name one")?;
    let measures = records.iter().any(Record::wants_baseline) && !records.iter().any(is_random);
    let all_kinds: Vec<_> = records.iter().map(|record| kinds(record, others)).collect();
    let several = all_kinds.iter().any(|kinds| kinds.len() > 1);
    let like = records.iter().zip(&all_kinds).find(|(record, _)| record.wants_baseline());
    // Random images once for all of them, not by each; other kinds below.
    let own =
        |record: &Record| Record { no_baseline: true, other_protocol: None, ..record.clone() };
    let records: Vec<_> = records.iter().map(own).collect();
    let mut setup = setup.clone();
    let mut tasks = Vec::new();
    for (record, kinds) in records.iter().zip(&all_kinds) {
        Task::new(&setup, record, CHECKPOINT_EVERY)?;
        let images = record.settings.as_ref().map(|own| own.images(setup.dataset.classes()));
        for settings in kinds.iter().skip(1) {
            Evaluation::check(&setup.gpu, &setup.dataset, images, settings)?;
        }
        tasks.extend(record.method().map(|method| (method, record, kinds)));
    }
    let seed = records[0].seed();
    let name = format!("compare-{}-ipc{ipc}-seed{seed}", short(&data.name));
    let mut folder = OutputFolder::reserve(out, &name, observer)?;
    let place = |method: Method| folder.path().join(method.name());
    setup.begins(observer);

    let whole = tasks.iter().find(|(method, ..)| *method == Method::Whole);
    setup.outlook.series = Series::Methods {
        methods: tasks.iter().map(|(method, ..)| *method).collect(),
        whole: whole.and_then(|(_, record, _)| record.evaluation.clone()),
        baseline: measures,
    };
    // Before the first of them, whichever that is. A failure here occurs again later, where it gets into the row.
    let mut condensing = tasks.iter().filter_map(|(_, record, kinds)| match &record.settings {
        Some(MethodSettings::Condensing(settings)) => Some((settings, *record, *kinds)),
        _ => None,
    });
    if let Some((settings, record, kinds)) = condensing.next() {
        let further = condensing.map(|(_, record, _)| record.clone()).collect();
        setup.outlook.besides = (further, kinds.iter().skip(1).cloned().collect());
        let _ = setup.speeds(settings, record, 0, observer);
    }

    let mut table = Comparison {
        version: env!("CARGO_PKG_VERSION"),
        dataset: name_of(&data.name),
        ipc,
        fewest: records.iter().find_map(fewest),
        seed,
        networks: if several { names(&all_kinds[0]) } else { Vec::new() },
        methods: Vec::new(),
        interrupted: false,
    };
    let (mut failures, mut worth_keeping) = (Vec::new(), false);
    for (number, &(method, record, kinds)) in (1..).zip(&tasks) {
        if table.interrupted || observer.stops() {
            table.interrupted = true;
            table.methods.push(Row::without(method, "not run".into()));
            continue;
        }
        observer.see(Event::Method { method, number, of: tasks.len() });
        let ran = OutputFolder::reserve(Some(&place(method)), "", observer).and_then(|mut own| {
            Task::new(&setup, record, CHECKPOINT_EVERY)?.run(&mut own, observer)
        });
        match ran.map(|ran| ran.figures) {
            Ok(Some(figures)) => {
                table.interrupted = figures.interrupted;
                let mut row = Row::of(method, figures);
                worth_keeping = true;
                if several && !table.interrupted {
                    match by_others(&setup, record, kinds, &mut row, &place(method), observer) {
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
    let made = table.methods.iter().find(|row| row.is_to_beat_random()).and_then(|row| row.folder);
    if let (Some((like, kinds)), Some(made), false) = (like, made, table.interrupted) {
        let set = folder.path().join(made).join(SET);
        let measured = match measures {
            true => by_random(&setup, &set, (like.seed(), kinds), observer),
            false => Ok(table.random_row()),
        };
        match measured {
            Ok(Some(random)) => {
                for row in &mut table.methods {
                    row.set_beside(&random);
                    if let (Some(own), false) = (row.folder, row.architectures.is_empty()) {
                        keep(&folder.path().join(own), row.architectures.clone())?;
                    }
                }
            }
            Ok(None) => table.interrupted |= measures,
            Err(failure) => failures.push(failure),
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

/// The evaluation of a record, then those by the other kinds of network; the same again by its other protocol.
fn kinds(record: &Record, others: &[Architecture]) -> Vec<EvaluationSettings> {
    let by_protocol = record.evaluations().into_iter().flat_map(|own| {
        let others = others.iter().map(|net| own.clone().net(net.clone()));
        [own.clone()].into_iter().chain(others)
    });
    by_protocol.collect()
}

/// Evaluates the set in a method's folder by the other kinds of network. Returns whether all of them are done.
fn by_others(
    setup: &Setup,
    record: &Record,
    kinds: &[EvaluationSettings],
    row: &mut Row,
    folder: &Path,
    observer: &mut dyn Observer,
) -> Result<bool> {
    let train = match record.settings {
        Some(_) => TrainingSet::Synthetic(SyntheticSet::load(&folder.join(SET))?),
        None => TrainingSet::Whole,
    };
    let names = names(kinds);
    let accuracy = row.ordinary_accuracy.as_ref().or(row.accuracy.as_ref());
    let (Some(accuracy), Some(seconds)) = (accuracy, &mut row.seconds) else {
        return Ok(true);
    };
    let first = Worth::of(&setup.dataset, &kinds[0], accuracy.clone(), seconds.evaluating);
    row.architectures.insert(names[0].clone(), first);
    // One by one, so that each result is kept even if the next fails.
    let mut all = true;
    for (name, settings) in names.iter().zip(kinds).skip(1) {
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

/// The images of the class with the fewest, where classes have different numbers.
fn fewest(record: &Record) -> Option<usize> {
    let numbers = match record.settings.as_ref()? {
        MethodSettings::Condensing(settings) => settings.per_class.numbers(),
        MethodSettings::Selection(settings) => settings.per_class.numbers(),
    };
    numbers.iter().min().copied()
}

fn is_random(record: &Record) -> bool {
    record.method() == Some(Method::Selection(Selector::Random))
}

/// What as many random images as this set stores reach, by each kind of network; `None` if it was stopped.
fn by_random(
    setup: &Setup,
    set: &Path,
    (seed, kinds): (u64, &[EvaluationSettings]),
    observer: &mut dyn Observer,
) -> Result<Option<Random>> {
    let random = random::of_equal_storage(setup, &SyntheticSet::load(set)?, seed)?;
    let (images, mut all) = (random.labels.len(), Vec::new());
    for settings in kinds {
        let train = TrainingSet::Synthetic(random.clone());
        let measured = setup.measure(train, settings, Job::EvaluatingRandom, observer)?;
        let Some(measured) = measured else { return Ok(None) };
        all.push(measured.accuracy);
    }
    Ok(Some(Random { images, by_kind: names(kinds).into_iter().zip(all).collect() }))
}
