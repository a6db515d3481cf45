//! The device and data set of runs, and the one function that measures accuracy.

use std::{
    ops::Range,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    Data, Error, Event, Job, Machine, Observer, Record, Result,
    expected::Speeds,
    observer::{finish, prepare},
    outlook::Outlook,
    record::pictures,
};
use crate::{
    Accuracy, Dataset, Error as Failure, Evaluation, EvaluationSettings, Gpu, Settings,
    TrainingSet,
    data::{self, Sources},
};

/// A device and a data set.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The device.
    pub gpu: Gpu,
    /// The data set.
    pub dataset: Arc<Dataset>,
    /// The options with which the device was opened.
    machine: Option<Machine>,
    pub(super) outlook: Outlook,
}

impl Setup {
    /// Of a device and a data set that are there.
    pub fn new(gpu: Gpu, dataset: Arc<Dataset>) -> Self {
        Self { gpu, dataset, machine: None, outlook: Outlook::default() }
    }

    /// Opens the device and loads the data set, which may be downloaded.
    pub fn open(machine: &Machine, data: &Data, observer: &mut dyn Observer) -> Result<Self> {
        // The quick check comes first: without an adapter nothing needs to be downloaded.
        let gpu = Gpu::headless_blocking(&machine.adapter_choice()?)?;
        let dataset = Arc::new(load(data, observer)?);
        Ok(Self { machine: Some(machine.clone()), ..Self::new(gpu, dataset) })
    }

    /// The same with another device where this one was opened here: one that was lost stays lost.
    pub(super) fn reopen(&mut self) -> Result<()> {
        if let Some(machine) = &self.machine {
            self.gpu = Gpu::headless_blocking(&machine.adapter_choice()?)?;
            self.outlook = Outlook::of(self.outlook.series.clone());
        }
        Ok(())
    }

    /// The same for one of two that are on the device at once: with half of the memory.
    pub(super) fn shared(&self) -> Self {
        let half = self.gpu.memory_budget() / 2;
        Self { gpu: self.gpu.clone().with_memory_budget(half), ..self.clone() }
    }

    /// Reports that work on it begins.
    pub fn begins(&self, observer: &mut dyn Observer) {
        observer.see(Event::Begins { gpu: &self.gpu, dataset: &self.dataset });
    }

    /// What the outlook measures, if it has not.
    pub(super) fn speeds(
        &self,
        settings: &Settings,
        record: &Record,
        done: u32,
        observer: &mut dyn Observer,
    ) -> Result<Speeds> {
        self.outlook.speeds((&self.gpu, &self.dataset), settings, record, done, observer)
    }

    /// Trains and tests; `None` if it was stopped.
    pub fn measure(
        &self,
        train: TrainingSet,
        settings: &EvaluationSettings,
        job: Job,
        observer: &mut dyn Observer,
    ) -> Result<Option<Measured>> {
        self.measure_networks(train, settings, None, job, observer)
    }

    /// The same with some of the networks only.
    pub(super) fn measure_networks(
        &self,
        train: TrainingSet,
        settings: &EvaluationSettings,
        networks: Option<Range<usize>>,
        job: Job,
        observer: &mut dyn Observer,
    ) -> Result<Option<Measured>> {
        let whole = matches!(train, TrainingSet::Whole);
        let mut evaluation = prepare(observer, (job.clone(), true), |_| {
            let dataset = Arc::clone(&self.dataset);
            let (gpu, settings) = (&self.gpu, settings.clone());
            let evaluation = match networks {
                None => Evaluation::new(gpu, dataset, train, settings)?,
                Some(some) => Evaluation::of_networks(gpu, dataset, train, settings, some)?,
            };
            // Every evaluation of a set by the same networks takes the same time.
            if whole || !self.outlook.knows(evaluation.settings()) {
                evaluation.estimate_blocking()?;
            }
            Ok(evaluation)
        })?;
        let pieces = evaluation.total();
        let (share, all) = share(evaluation.settings().epochs, pieces, evaluation.expected());
        observer.see(Event::Began { job, pieces, expected: Some(all) });
        let measured = train_and_test(&mut evaluation, &share, observer);
        observer.see(Event::Ended);
        measured
    }
}

fn train_and_test(
    evaluation: &mut Evaluation,
    share: &impl Fn(f64) -> f64,
    observer: &mut dyn Observer,
) -> Result<Option<Measured>> {
    let begun = Instant::now();
    if !finish(evaluation, share, observer)? {
        return Ok(None);
    }
    let accuracy = evaluation.accuracy_blocking()?;
    Ok(Some(Measured { accuracy, seconds: begun.elapsed().as_secs_f64() }))
}

/// The part of an evaluation's time that so many pieces take (epochs and a test, turn by turn), and the time of the
/// whole.
fn share(
    epochs: u32,
    pieces: u32,
    (epoch, test): (Duration, Duration),
) -> (impl Fn(f64) -> f64, Duration) {
    let (epochs, pieces) = (f64::from(epochs), f64::from(pieces));
    let (epoch, test) = (epoch.as_secs_f64(), test.as_secs_f64());
    let time = move |done: f64| {
        let (turn, done) = ((done / (epochs + 1.0)).floor(), done % (epochs + 1.0));
        turn * (epochs * epoch + test) + done.min(epochs) * epoch + (done - epochs).max(0.0) * test
    };
    let all = time(pieces);
    let share = move |done| (time(done) / all).clamp(0.0, 1.0);
    (share, Duration::try_from_secs_f64(all).unwrap_or(Duration::MAX))
}

/// An evaluation's result.
#[derive(Debug, Clone)]
pub struct Measured {
    /// In per cent.
    pub accuracy: Accuracy,
    /// What it took.
    pub seconds: f64,
}

/// Loads a data set, downloading it where it has to be.
pub fn load(asked: &Data, observer: &mut dyn Observer) -> Result<Dataset> {
    let loaded = data::load(&asked.name, &asked.sources(), &mut |progress| {
        observer.see(Event::Loading(progress));
    });
    observer.see(Event::Loaded);
    loaded.map_err(|error| match error {
        Failure::Setting { .. } => Error::Library(error),
        error => Error::Data(error),
    })
}

/// Refuses a data set without test images, and warns about classes without test images. `name` is the data set as it
/// was asked for.
pub fn check_test(name: &str, dataset: &Dataset) -> Result<()> {
    if dataset.test().is_empty() {
        let (dataset, pictures) = (dataset.name().to_owned(), pictures(name).is_some());
        return Err(Error::NoTestImages { dataset, pictures });
    }
    let of_class = |class: &usize| dataset.test().of_class(*class);
    let unseen = (0..dataset.classes()).filter(|class| of_class(class).is_empty());
    let names: Vec<_> = unseen.map(|class| dataset.class_names()[class].as_str()).collect();
    if !names.is_empty() {
        log::warn!(
            "data set {}: no test image is of the class {}; the accuracy is that of the others",
            dataset.name(),
            names.join(", ")
        );
    }
    Ok(())
}

impl Data {
    /// Where the data set is looked for, and how pictures are prepared.
    pub fn sources(&self) -> Sources {
        let Self { data_dir, resize, test_fraction, classes, .. } = self.clone();
        Sources { data_dir, resize, test_fraction, classes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_that_takes_long_is_no_epoch_among_others() {
        // Two turns of 4 epochs of a second and a test of 6.
        let (share, all) = share(4, 10, (Duration::from_secs(1), Duration::from_secs(6)));
        assert_eq!(all, Duration::from_secs(20));
        let told = [0.0, 2.0, 4.0, 4.5, 5.0, 7.0, 10.0].map(&share);
        assert_eq!(told, [0.0, 0.1, 0.2, 0.35, 0.5, 0.6, 1.0]);
    }
}
