//! A run on several devices: its classes in shards, each a run of its own in a folder within the run's, which the next
//! idle device takes up. Joined, they are the run.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use super::{Made, Task, check_condensing};
use crate::{
    Checkpoint, Error as Failure, Selection,
    data::{ClassChoice, Classes, Shard},
    project::{
        Adapter, Device, Error, Event, Job, Left, MethodSettings, Observer, OutputFolder, Record,
        Result, Setup,
        devices::pieces,
        files::{CHECKPOINT, RECORD, SET, SHARD, SHARDS},
        outlook::{AllDevices, Outlook},
        pieces::Whole,
        record::OfShard,
        share_out::{Pieces, Seen, share_out},
        snapshots,
    },
    report::Sheet,
};

/// A shard and where it is.
struct Part {
    shard: Shard,
    classes: Classes,
    folder: PathBuf,
    /// What is asked of it.
    record: Record,
}

/// Refuses what cannot be shared out, or not on one of the devices.
pub(super) fn check(setup: &Setup, record: &Record) -> Result<()> {
    let wrong = |why: String| Error::from(Failure::setting("adapter", setup.asked(), why));
    if setup.dataset.part().is_some() {
        return Err(wrong(
            "a shard is made on one adapter; name one, or leave the choice of classes out".into(),
        ));
    }
    if record.eval_every.is_some() {
        let why = "on several adapters, images of all classes are together only at the end; leave it out, or name one adapter";
        return Err(
            Failure::setting("eval_every", record.eval_every.unwrap_or_default(), why).into()
        );
    }
    let per_class = match &record.settings {
        Some(MethodSettings::Condensing(settings)) => Some(&settings.per_class),
        Some(MethodSettings::Selection(settings)) => Some(&settings.per_class),
        None => None,
    };
    if per_class.is_some_and(|numbers| !numbers.is_even()) {
        return Err(wrong("a number of images for each class needs one adapter; name one".into()));
    }
    let images = images(setup);
    let of = pieces(images.len(), setup.devices.len());
    // What fits for the one with the most classes fits for all.
    let shards = (1..=of).map(|number| Shard::new(number, of)?.classes(&images));
    let shards = shards.collect::<crate::Result<Vec<_>>>()?;
    let Some(largest) = shards.iter().max_by_key(|classes| classes.numbers().len()) else {
        return Ok(());
    };
    let part = Arc::new(setup.dataset.of_classes(largest)?);
    for device in &setup.devices {
        let own = Setup::new(device.gpu.clone(), Arc::clone(&part));
        let checked = match &record.settings {
            Some(MethodSettings::Condensing(settings)) => check_condensing(&own, settings, None),
            Some(MethodSettings::Selection(settings)) => {
                Selection::check(&own.gpu, &own.dataset, settings).map_err(Error::from)
            }
            None => Ok(()),
        };
        checked.map_err(|error| match error {
            // Nobody asked for these classes.
            Error::Library(Failure::Setting { name: "classes", expected, .. }) => {
                Failure::wrong("adapter", setup.asked(), expected).into()
            }
            other => other,
        })?;
    }
    Ok(())
}

/// What was made, the shards that it was joined from, and the setup with the devices that did not fail; `None` if it was
/// stopped. Shards that are there already are resumed.
pub(super) fn make(
    task: &Task<'_>,
    folder: &mut OutputFolder,
    observer: &mut dyn Observer,
) -> Result<Option<(Made, Vec<OfShard>, Setup)>> {
    let Task { setup, record, .. } = task;
    if folder.path().join(CHECKPOINT).is_file() {
        let why = "this run was begun on one adapter, and goes on on one; name one";
        return Err(Failure::setting("adapter", setup.asked(), why).into());
    }
    let parts = parts(task, folder.path())?;
    folder.begin(Record { shards: Vec::new(), ..record.clone() })?;
    observer.see(Event::Resumable(folder.path()));
    let left = do_all(task, &parts, folder.path(), observer);
    let place = folder.path().join(SHARDS);
    // If it is empty.
    let _ = fs::remove_dir(&place);
    if place.is_dir() {
        folder.keep();
    }
    let Some(left) = left? else { return Ok(None) };
    let folders: Vec<_> = parts.into_iter().map(|part| part.folder).collect();
    let Whole { record, made, snapshots } = Whole::of(&folders)?;
    folder.restore()?;
    snapshots::join(&snapshots, &Sheet::of(&made.set)?, folder.path())?;
    Ok(Some((made, record.shards, left)))
}

/// Does all parts that are not finished. Returns the setup with the devices that did not fail, or `None` if it was stopped.
fn do_all(
    task: &Task<'_>,
    parts: &[Part],
    run: &Path,
    observer: &mut dyn Observer,
) -> Result<Option<Setup>> {
    let devices: Vec<_> =
        task.setup.devices().into_iter().map(|device| (device, Outlook::default())).collect();
    let weights: Vec<_> = parts.iter().map(|part| part.classes.numbers().len() as f64).collect();
    let pieces = Pieces {
        weights: &weights,
        parts: parts.iter().map(Part::done).collect(),
        open: (0..parts.len()).filter(|&at| !parts[at].is_finished()).collect(),
        resumed: task.record.iterations() > 0,
    };
    if pieces.open.is_empty() {
        return Ok(Some(task.setup.clone()));
    }
    let expected = expected(task, &devices, parts, &pieces, observer)?;
    let work = |device: usize, part: usize, relay: &mut dyn Observer| {
        one(task, &devices[device], &parts[part], relay)
    };
    let mut see = |observer: &mut dyn Observer, device: usize, seen: Seen<'_, f64>| {
        let (device, _) = &devices[device];
        let (part, seconds) = match seen {
            Seen::Lost(error) => return observer.see(Event::Lost { device, error }),
            Seen::Begun(part) => (part, None),
            Seen::Ended(part, seconds) => (part, Some(*seconds)),
        };
        let Part { shard, classes, .. } = &parts[part];
        observer.see(Event::Shard { shard: *shard, classes, device, seconds });
    };
    let (job, classes) = (Job::Sharing { devices: devices.len() }, weights.iter().sum::<f64>());
    observer.see(Event::Began { job, pieces: classes as u32, expected });
    let shared = share_out(devices.len(), pieces, &work, observer, &mut see);
    observer.see(Event::Ended);
    let shared = shared?;
    let (done, of) = (parts.iter().filter(|part| part.is_finished()).count(), parts.len());
    if done == of {
        let alive = devices.iter().zip(&shared.alive).filter(|(_, alive)| **alive);
        return Ok(Some(task.setup.on(alive.map(|((device, _), _)| device.clone()).collect())));
    }
    match shared.failure.filter(|_| !shared.alive.contains(&true)) {
        Some(failure) if parts.iter().any(|part| part.folder.is_dir()) => {
            Err(failure.with(Left::Shards { folder: run.into(), done, of }))
        }
        Some(failure) => Err(failure),
        None => Ok(None),
    }
}

/// How long all devices together will take for all classes, from the first iteration to the last, if that was measured.
fn expected(
    task: &Task<'_>,
    devices: &[(Device, Outlook)],
    parts: &[Part],
    pieces: &Pieces<'_>,
    observer: &mut dyn Observer,
) -> Result<Option<Duration>> {
    let Task { setup, record, .. } = task;
    let Some(MethodSettings::Condensing(settings)) = &record.settings else { return Ok(None) };
    let Some(&first) = pieces.open.first() else { return Ok(None) };
    let part = Arc::new(setup.dataset.of_classes(&parts[first].classes)?);
    let done = f64::from(settings.iterations) * pieces.done();
    let all = AllDevices { devices, dataset: &setup.dataset, part: &part };
    let each = setup.outlook.together(&all, settings, record, done as u32, observer)?;
    Ok(each.map(|each| each.saturating_mul(settings.iterations)))
}

/// One part, on one device: the seconds that its images took in all; `None` if it was stopped.
fn one(
    task: &Task<'_>,
    (device, outlook): &(Device, Outlook),
    part: &Part,
    observer: &mut dyn Observer,
) -> Result<Option<f64>> {
    let dataset = Arc::new(task.setup.dataset.of_classes(&part.classes)?);
    let mut setup = Setup::new(device.gpu.clone(), dataset);
    setup.outlook = outlook.clone();
    let mut record = part.record.clone();
    record.machine.adapter = device.adapter.clone().or(record.machine.adapter);
    let is = Adapter::of(&setup.gpu);
    let mut folder = match part.folder.is_dir() {
        true => OutputFolder::again(&part.folder)?,
        false => OutputFolder::reserve(Some(&part.folder), "", observer)?,
    };
    if part.folder.join(CHECKPOINT).is_file()
        && let Ok(Record { adapter: was, .. }) = Record::read(&part.folder.join(RECORD))
        && was != is
    {
        observer.see(Event::OtherAdapter { was: &was, is: &is });
    }
    let task = Task::new(&setup, &record, task.checkpoint_every)?;
    let figures = task.run(&mut folder, observer)?.figures;
    let figures = figures.filter(|figures| !figures.interrupted);
    Ok(figures.map(|figures| figures.seconds.condensing))
}

/// How many training images each class has.
fn images(setup: &Setup) -> Vec<usize> {
    let dataset = &setup.dataset;
    (0..dataset.classes()).map(|class| dataset.train().of_class(class).len()).collect()
}

/// The parts of a run. Once there is a folder of one of them, there are as many as its name says.
fn parts(task: &Task<'_>, run: &Path) -> Result<Vec<Part>> {
    let (place, images) = (run.join(SHARDS), images(task.setup));
    let names = fs::read_dir(&place).into_iter().flatten().flatten().map(|entry| entry.file_name());
    let of = |name: &str| -> Option<u32> { name.split_once("-of-")?.1.parse().ok() };
    let begun = names.filter_map(|name| of(name.to_str()?)).max();
    let of = begun.unwrap_or_else(|| pieces(images.len(), task.setup.devices().len()));
    let part = |number: u32| {
        let shard = Shard::new(number, of)?;
        let classes = shard.classes(&images)?;
        let mut record = Record { eval_every: None, shards: Vec::new(), ..task.record.clone() };
        record.data.classes = Some(ClassChoice::Classes(classes.clone()));
        Ok(Part { shard, classes, folder: place.join(format!("{number}-of-{of}")), record })
    };
    (1..=of).map(part).collect()
}

impl Part {
    /// Whether everything is there that joining needs.
    fn is_finished(&self) -> bool {
        let ended = Record::read(&self.folder.join(RECORD)).ok().and_then(|record| record.outcome);
        let there = [SHARD, SET].iter().all(|name| self.folder.join(name).is_file());
        there && Record { outcome: ended, ..self.record.clone() }.is_finished()
    }

    /// The part of it that is done, from 0 to 1.
    fn done(&self) -> f64 {
        if self.is_finished() {
            return 1.0;
        }
        let checkpoint = Checkpoint::load(&self.folder.join(CHECKPOINT)).ok();
        let done = checkpoint.map_or(0, |checkpoint| checkpoint.iteration());
        (f64::from(done) / f64::from(self.record.iterations().max(1))).min(1.0)
    }
}
