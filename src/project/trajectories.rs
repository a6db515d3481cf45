//! The trajectories of networks, in a cache that runs share: a file per epoch, named by a number of all that they depend on.
//! A training that is stopped goes on after the last epoch that is there.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use sha2::{Digest, Sha256};

use super::{
    About, Adapter, Event, Job, Observer, Result, Setup,
    observer::{goes_on, prepare},
    record::short,
    trajectory_cache::{VELOCITY, snapshot, trajectory_folder},
};
use crate::{
    Error, Settings, Trajectory, TrajectoryTraining,
    condense::{Snapshot, epoch_of, identity_of, tensors, to_bytes},
    evaluate::Moment,
    files,
};

/// Counted up when other trajectories would come of the same settings.
const VERSION: u32 = 2;

/// What a run goes along.
pub(super) struct Along {
    pub trajectories: Vec<Arc<Trajectory>>,
    /// The seconds that training the networks took, in this run or in those that left them in the cache.
    pub seconds: f64,
}

/// Checks that those of these settings which are not in the cache can be trained.
pub(super) fn check(setup: &Setup, settings: &Settings) -> Result<()> {
    let epochs = settings.expert_epochs.unwrap_or_default();
    for number in 0..settings.trajectories.unwrap_or_default() {
        let folder = Cached::of(setup, settings, number)?.folder;
        if !folder.is_some_and(|folder| folder.join(snapshot(epochs)).is_file()) {
            return Ok(TrajectoryTraining::check(&setup.gpu, &setup.dataset, settings)?);
        }
    }
    Ok(())
}

/// Those of these settings: read, or trained now; `None` if that was stopped.
pub(super) fn trajectories(
    setup: &Setup,
    settings: &Settings,
    observer: &mut dyn Observer,
) -> Result<Option<Along>> {
    let count = settings.trajectories.unwrap_or_default();
    let mut all = Vec::new();
    let (mut folder, mut seconds) = (None, 0.0);
    for number in 0..count {
        let mut cached = Cached::of(setup, settings, number)?;
        let Some(trajectory) = cached.get(setup, settings, (number, count), observer)? else {
            return Ok(None);
        };
        all.push(Arc::new(trajectory));
        seconds += cached.about.seconds;
        folder = cached.folder;
    }
    if count > 0 {
        let bytes = all.iter().map(|trajectory| trajectory.bytes() as u64).sum();
        let folder = folder.as_deref().and_then(Path::parent);
        observer.see(Event::Trajectories { count, bytes, folder, seconds });
    }
    Ok(Some(Along { trajectories: all, seconds }))
}

/// The place of one.
struct Cached {
    /// `None` without a home folder.
    folder: Option<PathBuf>,
    about: About,
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
        let adapter = Adapter::of(&setup.gpu);
        let about = About {
            dataset: dataset.name().to_owned(),
            settings: training,
            adapter: format!("{} ({}, {})", adapter.name, adapter.backend, adapter.driver),
            seconds: 0.0,
        };
        Ok(Self { folder: trajectory_folder().map(|folder| folder.join(name)), about })
    }

    fn get(
        &mut self,
        setup: &Setup,
        settings: &Settings,
        (number, of): (u32, u32),
        observer: &mut dyn Observer,
    ) -> Result<Option<Trajectory>> {
        let epochs = settings.expert_epochs.unwrap_or_default();
        let mut found = self.read(epochs);
        let earlier = self.folder.as_deref().and_then(About::read).map_or(0.0, |own| own.seconds);
        if found.len() as u32 == epochs + 1 {
            self.about.seconds = earlier;
            return Ok(Some(Trajectory::of(found)));
        }
        let job = Job::Training { number: number + 1, of };
        let wanted = observer.wants_times();
        let mut training = prepare(observer, (job.clone(), false), |_| {
            let dataset = Arc::clone(&setup.dataset);
            let training = TrajectoryTraining::new(&setup.gpu, dataset, settings, number)?;
            if wanted {
                training.estimate_blocking()?;
            }
            Ok(training)
        })?;
        if let Some((done, velocities)) = self.state()
            && found.len() > done as usize
        {
            found.truncate(done as usize + 1);
            // Of another shape only if somebody changed it: then it begins anew.
            if let Err(error) = training.continue_from(found, &velocities) {
                log::warn!("{error}; the training begins anew");
            }
        }
        let expected = wanted.then(|| training.expected() * (epochs - training.done()));
        observer.see(Event::Began { job, pieces: epochs, expected });
        if training.done() > 0 {
            self.about.seconds = earlier;
        }
        let ended = self.train(&mut training, observer);
        observer.see(Event::Ended);
        Ok(ended?.then(|| training.trajectory()))
    }

    /// Whether it was completed.
    fn train(
        &mut self,
        training: &mut TrajectoryTraining,
        observer: &mut dyn Observer,
    ) -> Result<bool> {
        let (begun, before) = (Instant::now(), self.about.seconds);
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
            self.about.seconds = before + begun.elapsed().as_secs_f64();
            self.keep(training.done(), training);
        }
        Ok(true)
    }

    /// The epochs that are there without a gap.
    fn read(&self, epochs: u32) -> Vec<Snapshot> {
        let read = |epoch: u32| {
            let bytes = fs::read(self.file(&snapshot(epoch))?).ok()?;
            tensors(&bytes, epoch)
        };
        (0..=epochs).map_while(read).collect()
    }

    /// The last epoch that a training can go on after, and its velocities.
    fn state(&self) -> Option<(u32, Snapshot)> {
        let bytes = fs::read(self.file(VELOCITY)?).ok()?;
        let epoch = epoch_of(&bytes)?;
        Some((epoch, tensors(&bytes, epoch)?))
    }

    /// Writes what a training has come to. A cache that cannot be written costs time later, not the run.
    fn keep(&self, epoch: u32, training: &TrajectoryTraining) {
        let Some(folder) = &self.folder else { return };
        let keep = || -> Result<()> {
            fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
            let Moment { parameters, velocities } = training.moment_blocking()?;
            for (name, values) in [(snapshot(epoch), parameters), (VELOCITY.to_owned(), velocities)]
            {
                let bytes = to_bytes(&values, epoch)?;
                files::write_whole(folder.join(name), &bytes)?;
            }
            self.about.write(folder)
        };
        if let Err(error) = keep() {
            log::warn!("the training of the network is not kept: {error}");
        }
    }

    fn file(&self, name: &str) -> Option<PathBuf> {
        Some(self.folder.as_ref()?.join(name))
    }
}
