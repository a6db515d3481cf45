//! How the loops of this room report, and how they ask whether to stop.

use std::{
    fmt,
    ops::ControlFlow,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    Adapter, Error, Method, Record, Result,
    expected::{Evaluations, Expected},
    words::counted,
};
use crate::{Accuracy, Advance, Dataset, Gpu, data};

/// Who watches a run. Everything has a default, so that `()` watches nothing.
pub trait Observer {
    /// Something happened.
    fn see(&mut self, event: Event<'_>) {
        let _ = event;
    }

    /// Whether to stop soon and save the work so far. Asked after each piece of work, and within long ones.
    fn stops(&self) -> bool {
        false
    }

    /// Whether times left are of interest: measuring them takes some seconds.
    fn wants_times(&self) -> bool {
        false
    }

    /// An error in this program's words, for files that keep it.
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
    /// The data set is there, or can't be.
    Loaded,
    /// Folders that were made for what follows, the outermost first. A program that ends at once takes them away
    /// with [`remove_empty`](super::remove_empty).
    Made(&'a [PathBuf]),
    /// All that was asked is possible, and work begins.
    Begins {
        /// The device.
        gpu: &'a Gpu,
        /// The data set.
        dataset: &'a Dataset,
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
    /// This run needs nothing more.
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
        /// What it is asked.
        record: &'a Record,
        /// Where its results go.
        folder: &'a Path,
    },
    /// It goes on after so many iterations.
    Resumed(u32),
    /// Kernels are compiled and their speed is measured. `long` if what follows is not over in no time.
    Preparing {
        /// For this.
        job: Job,
        /// Whether there is much to do.
        long: bool,
    },
    /// That is done.
    Prepared,
    /// It will take long. Only where [`Observer::wants_times`].
    Expected(&'a Expected<'a>),
    /// Iterations begin.
    Iterating {
        /// In all.
        total: u32,
        /// Of those that an earlier part of the run did.
        losses: &'a [f32],
        /// That those took.
        seconds: f64,
        /// What an iteration takes, as it was measured.
        each: Duration,
        /// What else there is to do.
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
    /// So far it is.
    Progress {
        /// Pieces.
        done: f64,
        /// The part of the work, from 0 to 1: pieces are not alike.
        part: f64,
    },
    /// It ends, all done or not.
    Ended,
    /// What the images are worth on the way.
    Accuracy {
        /// After so many.
        iteration: u32,
        /// In per cent.
        accuracy: &'a Accuracy,
    },
    /// A checkpoint could not be written; the one after `saved` iterations stays.
    NoCheckpoint {
        /// Why.
        error: &'a Error,
        /// None if there was none.
        saved: Option<u32>,
    },
    /// A run goes on where it did not begin, so that bits may differ.
    OtherAdapter {
        /// Where it began.
        was: &'a Adapter,
        /// Where it goes on.
        is: &'a Adapter,
    },
    /// The same for the version of this crate that it began with.
    OtherVersion(&'a str),
}

/// Work that takes its time.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Job {
    /// Making ready for a condensation.
    Condensing,
    /// Choosing images, class by class.
    Choosing,
    /// Evaluating what is saved already.
    Evaluating,
    /// The same by one of several kinds of network.
    EvaluatingBy(String),
    /// Evaluating on the way, after so many iterations.
    EvaluatingAfter(u32),
}

impl Job {
    /// What its pieces are.
    pub fn unit(&self) -> &'static str {
        match self {
            Self::Choosing => "classes",
            Self::Condensing => "iterations",
            _ => "epochs and tests",
        }
    }
}

impl fmt::Display for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Condensing => f.write_str("preparing"),
            Self::Choosing => f.write_str("choosing images"),
            Self::Evaluating => f.write_str("evaluating"),
            Self::EvaluatingBy(net) => write!(f, "evaluating by {net}"),
            Self::EvaluatingAfter(done) => {
                write!(f, "evaluating after {}", counted(*done as usize, "iteration"))
            }
        }
    }
}

/// For work that asks in between whether it goes on.
pub(super) fn goes_on(observer: &dyn Observer) -> ControlFlow<()> {
    if observer.stops() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}

/// Does the steps that are left, and reports how far they are and which share of the time that is; whether it came to its
/// end.
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

/// Reports what is made ready, and its end however that goes.
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
