//! A run as its folder describes it, with the changes that are allowed when it is resumed.

use std::path::{Path, PathBuf};

use super::{
    Adapter, Error, Event, MethodSettings, Observer, Record, Result, Setup,
    files::{CHECKPOINT, RECORD},
    record::pictures,
};
use crate::{Checkpoint, data::name_of};

/// What may differ from the record: nothing on which results depend, except the number of iterations.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// In all.
    pub iterations: Option<u32>,
    /// Where the data set is.
    pub data_dir: Option<PathBuf>,
    /// Milliseconds.
    pub submit_target: Option<u32>,
    /// Bytes.
    pub memory_budget: Option<u64>,
    /// Another place of the same folder of pictures.
    pub dataset: Option<String>,
    /// Other adapters.
    pub adapter: Option<String>,
}

impl Changes {
    /// Refuses fewer iterations than the run in this folder has done, before anything is loaded.
    pub(super) fn check(&self, dir: &Path) -> Result<()> {
        let Some(asked) = self.iterations else { return Ok(()) };
        // Resuming reports what is wrong with a checkpoint.
        let last = Checkpoint::load(&dir.join(CHECKPOINT)).ok();
        match last.map(|checkpoint| checkpoint.iteration()) {
            Some(done) if done > asked => Err(Error::TooFewIterations { asked, done }),
            _ => Ok(()),
        }
    }
}

impl Changes {
    /// The run in this folder, with these changes.
    pub(super) fn read(&self, dir: &Path) -> Result<Record> {
        self.apply(Record::read(&dir.join(RECORD))?)
    }

    pub(super) fn apply(&self, mut record: Record) -> Result<Record> {
        if let Some(asked) = self.iterations {
            match &mut record.settings {
                Some(MethodSettings::Condensing(settings)) => settings.iterations = asked,
                _ => return Err(Error::NoIterations { asked, method: record.method }),
            }
        }
        if let Some(data_dir) = &self.data_dir {
            record.data.data_dir = Some(data_dir.clone());
        }
        let machine = &mut record.machine;
        machine.submit_target = self.submit_target.or(machine.submit_target);
        machine.memory_budget = self.memory_budget.or(machine.memory_budget);
        machine.adapter = self.adapter.clone().or(machine.adapter.take());
        if let Some(dataset) = &self.dataset {
            let was = &mut record.data.name;
            let moved = pictures(was).is_some() && name_of(dataset) == name_of(was);
            if dataset != was && !moved {
                return Err(Error::OtherData { asked: dataset.clone(), was: was.clone() });
            }
            was.clone_from(dataset);
        }
        // No run writes a record that this refuses, unless it was changed by hand.
        record.check().map_err(Error::Record)?;
        Ok(record)
    }
}

/// Opens the device and loads the data set, and reports every change on which the bits depend.
pub(super) fn open(record: &Record, observer: &mut dyn Observer) -> Result<Setup> {
    let Record { data, machine, adapter: was, version, .. } = record;
    if let Some(path) = pictures(&data.name).filter(|path| !path.is_dir()) {
        return Err(Error::PicturesGone(path.into()));
    }
    let setup = Setup::open(machine, data, observer)?;
    let is = &Adapter::of(&setup.gpu);
    if was != is {
        observer.see(Event::OtherAdapter { was, is });
    }
    if version != env!("CARGO_PKG_VERSION") {
        observer.see(Event::OtherVersion(version));
    }
    Ok(setup)
}

impl Record {
    /// Whether everything that was asked for is done.
    pub fn is_finished(&self) -> bool {
        let asked = match &self.settings {
            Some(MethodSettings::Condensing(settings)) => Some(settings.iterations),
            _ => None,
        };
        let done = self.outcome.as_ref().filter(|outcome| !outcome.interrupted);
        done.is_some_and(|outcome| outcome.completed_iterations == asked)
    }
}
