//! Resuming a run from its folder: from its last checkpoint, or from the start.

use std::{fs, path::Path, time::Duration};

use super::{
    Changes, Error, Event, FolderFault, Observer, OutputFolder, Ran, Record, Repeated, Result,
    changes::open,
    files::{CHECKPOINT, RECORD, SET, SHARDS, are_several, holds_a_run, report_of},
    run::Task,
    series,
};
use crate::SyntheticSet;

/// The outcome of resuming.
#[derive(Debug)]
pub enum Resumed {
    /// Nothing remained to be done.
    Finished(Box<Record>),
    /// One run was resumed.
    One(Box<Ran>),
    /// A series of runs was resumed.
    Several(Box<Repeated>),
}

/// Resumes the run in this folder, or the first of several that is not finished.
///
/// # Errors
/// [`Error::Folder`] if none began there; else as [`run`](super::run()).
pub fn resume(
    dir: &Path,
    changes: &Changes,
    checkpoint_every: Duration,
    observer: &mut dyn Observer,
) -> Result<Resumed> {
    if are_several(dir) {
        let repeated = series::resume(dir, changes, checkpoint_every, observer)?;
        return Ok(Resumed::Several(Box::new(repeated)));
    }
    check(dir)?;
    let mut record = changes.read(dir)?;
    changes.check(dir)?;
    let own_shards = dir.join(SHARDS).is_dir();
    if record.is_finished() && !has_results(dir, &record) {
        log::warn!("{}: its results are not all there, and are made again", dir.display());
        record.outcome = None;
    }
    if record.is_finished() {
        return Ok(Resumed::Finished(Box::new(record)));
    }
    if !record.shards.is_empty() && !own_shards {
        return Err(Error::folder(dir, FolderFault::Joined));
    }
    let mut folder = OutputFolder::again(dir)?;
    observer.see(Event::Resumable(dir));
    if record.iterations() > 0 && !own_shards && !dir.join(CHECKPOINT).is_file() {
        log::warn!("{}: there is no checkpoint, so the run begins again", dir.display());
    }
    let mut setup = open(&record, observer)?;
    if setup.is_shared_out() && changes.adapter.is_none() && dir.join(CHECKPOINT).is_file() {
        // There was but one when it began.
        log::warn!("this run was begun on one adapter, and goes on on the first of these");
        setup = setup.on(setup.devices().into_iter().take(1).collect());
    }
    setup.begins(observer);
    let task = Task::new(&setup, &record, checkpoint_every)?;
    task.run(&mut folder, observer).map(|ran| Resumed::One(Box::new(ran)))
}

/// Whether the files of a finished run that others read are there, and can be read.
fn has_results(dir: &Path, record: &Record) -> bool {
    let has_images = || SyntheticSet::load(&dir.join(SET)).is_ok();
    report_of(dir)["method"].is_string() && (record.settings.is_none() || has_images())
}

/// Refuses what can't be a run's folder.
fn check(dir: &Path) -> Result<()> {
    let refused = |fault| Err(Error::folder(dir, fault));
    if !dir.is_dir() {
        return refused(if dir.exists() { FolderFault::NoFolder } else { FolderFault::NotThere });
    }
    if holds_a_run(dir) {
        return Ok(());
    }
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let runs = entries.map(|entry| entry.path()).filter(|path| path.join(RECORD).is_file());
    let mut runs: Vec<_> = runs.collect();
    runs.sort();
    refused(FolderFault::NothingBegan(runs))
}
