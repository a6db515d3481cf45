//! The same run with several seeds, each in a folder of its own, one after the other.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    Changes, Error, Event, Observer, OfSeed, OutputFolder, Record, Repeats, Result, Setup,
    Together,
    changes::open,
    expected::Series,
    files::{RECORD, SEEDS},
    kept, names, page,
    run::Task,
};
use crate::Error as Failure;

/// The outcome of several runs.
#[derive(Debug)]
pub struct Repeated {
    /// Where their folders are.
    pub folder: PathBuf,
    /// Their common figures.
    pub together: Together,
}

/// Runs what the record asks for with so many seeds: the record's seed and those after it.
///
/// # Errors
/// As [`run`](super::run()); [`Error::Seed`] if one of them fails.
pub fn repeat(
    setup: &Setup,
    record: Record,
    runs: u32,
    out: Option<&Path>,
    checkpoint_every: Duration,
    observer: &mut dyn Observer,
) -> Result<Repeated> {
    let seed = record.seed();
    Repeats::check(runs, seed)?;
    if setup.dataset.part().is_some() {
        let why =
            "the shards of each seed are joined by themselves: give each run its seed instead";
        return Err(Failure::setting("runs", runs, why).into());
    }
    OutputFolder::check_for(out, &record.data.name)?;
    Task::new(setup, &record, checkpoint_every)?;
    let name = format!("{}-seed{seed}-runs{runs}", record.name());
    let mut folder = OutputFolder::reserve(out, &name, observer)?;
    let repeats = Repeats { runs, seed, run: record.begun_on(&setup.gpu) };
    repeats.write(&folder.path().join(SEEDS))?;
    folder.keep();
    observer.see(Event::Resumable(folder.path()));
    setup.begins(observer);
    carry_out(&repeats, setup, &Changes::default(), checkpoint_every, folder.path(), observer)
}

/// Resumes the series with the first run that is not finished.
pub(super) fn resume(
    dir: &Path,
    changes: &Changes,
    checkpoint_every: Duration,
    observer: &mut dyn Observer,
) -> Result<Repeated> {
    let repeats = Repeats::read(&dir.join(SEEDS))?;
    for (_, own) in repeats.folders(dir) {
        changes.check(&own)?;
    }
    let folder = OutputFolder::again(dir)?;
    observer.see(Event::Resumable(dir));
    let setup = open(&changes.apply(repeats.run.clone())?, observer)?;
    setup.begins(observer);
    carry_out(&repeats, &setup, changes, checkpoint_every, folder.path(), observer)
}

/// Does the missing runs, one after the other.
fn carry_out(
    repeats: &Repeats,
    setup: &Setup,
    changes: &Changes,
    checkpoint_every: Duration,
    dir: &Path,
    observer: &mut dyn Observer,
) -> Result<Repeated> {
    let (mut setup, runs) = (setup.clone(), repeats.runs);
    let mut together = Together::new(&repeats.run);
    for (number, (seed, path)) in (1..).zip(repeats.folders(dir)) {
        observer.see(Event::Seed { seed, number, of: runs });
        setup.outlook.series = Series::Runs { asked: runs, left: runs + 1 - number };
        let record = match path.join(RECORD).is_file() {
            true => changes.read(&path)?,
            false => changes.apply(repeats.with_seed(seed))?,
        };
        let record = one(&record, &setup, checkpoint_every, &path, observer)?;
        let Some(outcome) = record.and_then(|record| record.outcome) else { break };
        let stopped = outcome.interrupted;
        let both = repeats.run.protocols().map(|kinds| names(&kinds)).unwrap_or_default();
        let worths = kept(&path)?.into_iter().filter(|(name, _)| both.contains(name)).collect();
        together.runs.push(OfSeed::of(seed, outcome, worths));
        together.interrupted = stopped || number < runs;
        // Written after each, so that its results survive a failure of the next.
        together.write(dir)?;
        page::write(dir)?;
        if stopped {
            break;
        }
    }
    Ok(Repeated { folder: dir.into(), together })
}

/// One of them, if it is not finished: its record then, or nothing if it left none.
fn one(
    asked: &Record,
    setup: &Setup,
    checkpoint_every: Duration,
    path: &Path,
    observer: &mut dyn Observer,
) -> Result<Option<Record>> {
    if asked.is_finished() {
        observer.see(Event::Finished(asked));
        return Ok(Some(asked.clone()));
    }
    if observer.stops() {
        return Ok(None);
    }
    let mut folder = match path.is_dir() {
        true => OutputFolder::again(path)?,
        false => OutputFolder::reserve(Some(path), "", observer)?,
    };
    let ran = Task::new(setup, asked, checkpoint_every)
        .and_then(|task| task.run(&mut folder, observer))
        .map_err(|error| Error::Seed {
            seed: asked.seed(),
            folder: path.parent().unwrap_or(path).into(),
            source: Box::new(error),
        })?;
    match ran.figures {
        Some(_) => Ok(Some(Record::read(&path.join(RECORD))?)),
        None => Ok(None),
    }
}
