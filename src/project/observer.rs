//! How this module's loops report, and how they ask whether to stop.

use std::{
    fmt,
    ops::ControlFlow,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    Adapter, Device, Error, Method, Record, Result,
    expected::{Evaluations, Expected},
    words::counted,
};
use crate::{
    Accuracy, Advance, Dataset, Gpu,
    data::{self, Classes},
};

/// Receives the reports of a run. Every method has a default, and `()` ignores everything.
pub trait Observer {
    /// Something happened.
    fn see(&mut self, event: Event<'_>) {
        let _ = event;
    }

    /// Whether to stop soon and save the work so far. Asked after each piece of work, and within long ones.
    fn stops(&self) -> bool {
        false
    }

    /// Whether the remaining time should be estimated: measuring for that takes some seconds.
    fn wants_times(&self) -> bool {
        false
    }

    /// An error in this program's words, for files that record it.
    fn describe(&self, error: &Error) -> String {
        error.to_string()
    }
}

impl Observer for () {}

/// What happens, in about this order.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// Files are downloaded, or pictures decoded.
    Loading(data::Progress<'a>),
    /// The data set was loaded, or loading failed.
    Loaded,
    /// Folders that were made for what follows, the outermost first. A program that ends at once takes them away
    /// with [`remove_empty`](super::remove_empty).
    Made(&'a [PathBuf]),
    /// Everything that was asked for is possible, and work begins.
    Begins {
        /// The device; of several, the first.
        gpu: &'a Gpu,
        /// The data set.
        dataset: &'a Dataset,
        /// All devices, if there are several.
        devices: &'a [Device],
    },
    /// From here on this folder can be resumed, whatever happens.
    Resumable(&'a Path),
    /// One of several runs is next.
    Seed {
        /// Its seed.
        seed: u64,
        /// From 1.
        number: u32,
        /// In all.
        of: u32,
    },
    /// This run is finished already.
    Finished(&'a Record),
    /// One of several methods is next.
    Method {
        /// Which.
        method: Method,
        /// From 1.
        number: usize,
        /// In all.
        of: usize,
    },
    /// A method failed, and the next one follows.
    Failed(Method, &'a Error),
    /// A run begins or goes on.
    Run {
        /// Its record: what is asked for.
        record: &'a Record,
        /// Where its results go.
        folder: &'a Path,
    },
    /// It goes on after so many iterations.
    Resumed(u32),
    /// Kernels are compiled and their speed is measured. `long`: whether the work that follows takes a while.
    Preparing {
        /// The work that is prepared.
        job: Job,
        /// Whether there is much to do.
        long: bool,
    },
    /// The preparation is done.
    Prepared,
    /// It will take long. Only where [`Observer::wants_times`].
    Expected(&'a Expected<'a>),
    /// Iterations begin.
    Iterating {
        /// In all.
        total: u32,
        /// The losses of an earlier part of the run.
        losses: &'a [f32],
        /// The seconds that those iterations took.
        seconds: f64,
        /// What an iteration takes, as it was measured.
        each: Duration,
        /// What else is to be done.
        evaluations: Option<Evaluations>,
    },
    /// A part of an iteration is done.
    Moved {
        /// Whole ones before it.
        iterations: u32,
        /// From 0 to 1.
        part: f64,
        /// Since the start, without pauses.
        seconds: f64,
    },
    /// The loss of the next iteration is known.
    Loss {
        /// What it is.
        loss: f32,
        /// Since the start, without pauses.
        seconds: f64,
    },
    /// Iterations end, all done or not.
    Iterated {
        /// Since the start, without pauses.
        seconds: f64,
    },
    /// Work in pieces begins; if it is an evaluation on the way, iterations pause for it.
    Began {
        /// Which.
        job: Job,
        /// In all.
        pieces: u32,
        /// What they will take, if it was measured.
        expected: Option<Duration>,
    },
    /// Its progress so far.
    Progress {
        /// Pieces.
        done: f64,
        /// The part of the work, from 0 to 1: pieces are not alike.
        part: f64,
    },
    /// It ends, all done or not.
    Ended,
    /// The accuracy of the images on the way.
    Accuracy {
        /// After so many.
        iteration: u32,
        /// In per cent.
        accuracy: &'a Accuracy,
    },
    /// The networks along whose trajectories a run goes are trained.
    Trajectories {
        /// How many.
        count: u32,
        /// What their snapshots take.
        bytes: u64,
        /// Where they are kept for other runs; none without a home folder.
        folder: Option<&'a Path>,
        /// What training them took, now or in the runs that left them there; part of this run's seconds.
        seconds: f64,
    },
    /// A checkpoint could not be written; the one after `saved` iterations stays.
    NoCheckpoint {
        /// Why.
        error: &'a Error,
        /// None if there was none.
        saved: Option<u32>,
    },
    /// One of several devices begins with a shard, or ends it.
    Shard {
        /// Which.
        shard: data::Shard,
        /// Its classes.
        classes: &'a Classes,
        /// The device.
        device: &'a Device,
        /// Making its images took so many seconds, perhaps on several devices; `None` at the beginning.
        seconds: Option<f64>,
    },
    /// One of several devices failed. What it was at work on goes on elsewhere, from its last checkpoint.
    Lost {
        /// Which.
        device: &'a Device,
        /// How.
        error: &'a Error,
    },
    /// A run continues on another device or driver, so that bits may differ.
    OtherAdapter {
        /// Where it began.
        was: &'a Adapter,
        /// Where it continues.
        is: &'a Adapter,
    },
    /// The same for the version of this crate that it began with.
    OtherVersion(&'a str),
}

/// Work that takes some time.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Job {
    /// Preparing a condensation.
    Condensing,
    /// Training a network on the real images, epoch by epoch.
    Training {
        /// From 1.
        number: u32,
        /// In all.
        of: u32,
    },
    /// Condensing or choosing on several devices, class by class.
    Sharing {
        /// How many devices.
        devices: usize,
    },
    /// Choosing images, class by class.
    Choosing,
    /// Evaluating what is saved already.
    Evaluating,
    /// The same by one of several kinds of network.
    EvaluatingBy(String),
    /// Evaluating random real images, which a set is compared with.
    EvaluatingRandom,
    /// Evaluating on the way, after so many iterations.
    EvaluatingAfter(u32),
}

impl Job {
    /// The unit of its pieces.
    pub fn unit(&self) -> &'static str {
        match self {
            Self::Choosing | Self::Sharing { .. } => "classes",
            Self::Condensing => "iterations",
            Self::Training { .. } => "epochs",
            _ => "epochs and tests",
        }
    }
}

impl fmt::Display for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Condensing => f.write_str("preparing"),
            Self::Choosing => f.write_str("choosing images"),
            Self::Sharing { devices: 1 } => f.write_str("classes"),
            Self::Sharing { devices } => write!(f, "classes on {devices} adapters"),
            Self::Training { of: 1, .. } => f.write_str("training a network on the real images"),
            Self::Training { number, of } => {
                write!(f, "training network {number} of {of} on the real images")
            }
            Self::Evaluating => f.write_str("evaluating"),
            Self::EvaluatingBy(net) => write!(f, "evaluating by {net}"),
            Self::EvaluatingRandom => f.write_str("evaluating random images"),
            Self::EvaluatingAfter(done) => {
                write!(f, "evaluating after {}", counted(*done as usize, "iteration"))
            }
        }
    }
}

/// A callback for work that asks whether to continue.
pub(super) fn goes_on(observer: &dyn Observer) -> ControlFlow<()> {
    if observer.stops() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}

/// Does the remaining steps, and reports their progress and the share of the time that it is. Returns whether the work
/// was completed.
pub(super) fn finish(
    work: &mut dyn Advance,
    share: impl Fn(f64) -> f64,
    observer: &mut dyn Observer,
) -> Result<bool> {
    let mut see = |done: f64| {
        observer.see(Event::Progress { done, part: share(done) });
        goes_on(observer)
    };
    Ok(see(0.0).is_continue() && work.run_blocking(&mut see)?.is_continue())
}

/// Reports the beginning of a preparation, and its end even if it fails.
pub(super) fn prepare<T>(
    observer: &mut dyn Observer,
    (job, long): (Job, bool),
    work: impl FnOnce(&mut dyn Observer) -> Result<T>,
) -> Result<T> {
    observer.see(Event::Preparing { job, long });
    let prepared = work(observer);
    observer.see(Event::Prepared);
    prepared
}
