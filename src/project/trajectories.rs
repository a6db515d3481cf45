//! The trajectories of networks, in a cache that runs share: a file per epoch, named by a number of all that they depend on.
//! A training that is stopped goes on after the last epoch that is there.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use sha2::{Digest, Sha256};

use super::{Adapter, Event, Job, Observer, Result, Setup, observer::goes_on, record::short};
use crate::{
    Error, Settings, Trajectory, TrajectoryTraining,
    condense::{Snapshot, epoch_of, identity_of, tensors, to_bytes},
    data::user_cache,
    evaluate::Moment,
    files,
};

/// Counted up when other trajectories would come of the same settings.
const VERSION: u32 = 1;

/// Those of these settings: read, or trained now; `None` if that was stopped.
pub(super) fn trajectories(
    setup: &Setup,
    settings: &Settings,
    observer: &mut dyn Observer,
) -> Result<Option<Vec<Arc<Trajectory>>>> {
    let count = settings.trajectories.unwrap_or_default();
    let mut all = Vec::new();
    let mut folder = None;
    for number in 0..count {
        let cached = Cached::of(setup, settings, number)?;
        let Some(trajectory) = cached.get(setup, settings, (number, count), observer)? else {
            return Ok(None);
        };
        all.push(Arc::new(trajectory));
        folder = cached.folder;
    }
    if count > 0 {
        let bytes = all.iter().map(|trajectory| trajectory.bytes() as u64).sum();
        let folder = folder.as_deref().and_then(Path::parent);
        observer.see(Event::Trajectories { count, bytes, folder });
    }
    Ok(Some(all))
}

/// The place of one.
struct Cached {
    /// `None` without a home folder.
    folder: Option<PathBuf>,
}

impl Cached {
    fn of(setup: &Setup, settings: &Settings, number: u32) -> Result<Self> {
        let dataset = &setup.dataset;
        let training = TrajectoryTraining::settings(dataset, settings, number)?;
        let words = [
            VERSION.to_string(),
            identity_of(dataset),
            format!("{training:?}"),
            format!("{:?}", Adapter::of(&setup.gpu)),
        ];
        let digest = Sha256::digest(words.join("\n"));
        let name: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let name = format!("{}-{number}-{name}", short(dataset.name()));
        Ok(Self { folder: user_cache().map(|cache| cache.join("trajectories").join(name)) })
    }

    fn get(
        &self,
        setup: &Setup,
        settings: &Settings,
        (number, of): (u32, u32),
        observer: &mut dyn Observer,
    ) -> Result<Option<Trajectory>> {
        let epochs = settings.expert_epochs.unwrap_or_default();
        let mut found = self.read(epochs);
        if found.len() as u32 == epochs + 1 {
            return Ok(Some(Trajectory::of(found)));
        }
        let dataset = Arc::clone(&setup.dataset);
        let mut training = TrajectoryTraining::new(&setup.gpu, dataset, settings, number)?;
        if let Some((done, velocities)) = self.state()
            && found.len() > done as usize
        {
            found.truncate(done as usize + 1);
            // Of another shape only if somebody changed it: then it begins anew.
            if let Err(error) = training.continue_from(found, &velocities) {
                log::warn!("{error}; the training begins anew");
            }
        }
        let job = Job::Training { number: number + 1, of };
        let expected = training.expected() * (epochs - training.done());
        observer.see(Event::Began { job, pieces: epochs, expected: Some(expected) });
        let ended = self.train(&mut training, observer);
        observer.see(Event::Ended);
        Ok(ended?.then(|| training.trajectory()))
    }

    /// Whether it was completed.
    fn train(
        &self,
        training: &mut TrajectoryTraining,
        observer: &mut dyn Observer,
    ) -> Result<bool> {
        if training.done() == 0 {
            self.keep(0, training);
        }
        while training.done() < training.total() {
            let (done, total) = (f64::from(training.done()), f64::from(training.total()));
            let stopped = training.step_blocking(&mut |part| {
                let done = done + part;
                observer.see(Event::Progress { done, part: done / total });
                goes_on(observer)
            })?;
            if stopped.is_break() {
                return Ok(false);
            }
            self.keep(training.done(), training);
        }
        Ok(true)
    }

    /// The epochs that are there without a gap.
    fn read(&self, epochs: u32) -> Vec<Snapshot> {
        let read = |epoch: u32| {
            let bytes = fs::read(self.file(&format!("epoch{epoch:04}.safetensors"))?).ok()?;
            tensors(&bytes, epoch)
        };
        (0..=epochs).map_while(read).collect()
    }

    /// The last epoch that a training can go on after, and its velocities.
    fn state(&self) -> Option<(u32, Snapshot)> {
        let bytes = fs::read(self.file("velocity.safetensors")?).ok()?;
        let epoch = epoch_of(&bytes)?;
        Some((epoch, tensors(&bytes, epoch)?))
    }

    /// Writes what a training has come to. A cache that cannot be written costs time later, not the run.
    fn keep(&self, epoch: u32, training: &TrajectoryTraining) {
        let Some(folder) = &self.folder else { return };
        let keep = || -> crate::Result<()> {
            fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
            let Moment { parameters, velocities } = training.moment_blocking()?;
            for (name, values) in [
                (format!("epoch{epoch:04}.safetensors"), parameters),
                ("velocity.safetensors".to_owned(), velocities),
            ] {
                let bytes = to_bytes(&values, epoch)?;
                files::write_whole(folder.join(name), &bytes)?;
            }
            Ok(())
        };
        if let Err(error) = keep() {
            log::warn!("the training of the network is not kept: {error}");
        }
    }

    fn file(&self, name: &str) -> Option<PathBuf> {
        Some(self.folder.as_ref()?.join(name))
    }
}
