//! The device and data set of runs, and the one function that measures accuracy.

use std::{
    ops::Range,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    Data, Device, Error, Event, Job, Machine, Observer, Record, Result,
    devices::{opened, pieces},
    expected::Speeds,
    observer::{finish, prepare},
    outlook::Outlook,
    record::pictures,
    share_out::{Pieces, Seen, share_out},
};
use crate::{
    Accuracy, Dataset, Error as Failure, Evaluation, EvaluationSettings, Gpu, Settings,
    TrainingSet,
    data::{self, Shard, Sources},
};

/// A device and a data set.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The device; if there are several, the first.
    pub gpu: Gpu,
    /// All of them, if there are several, among which work is shared out.
    pub(super) devices: Vec<Device>,
    /// The data set.
    pub dataset: Arc<Dataset>,
    /// The options with which the device was opened.
    machine: Option<Machine>,
    pub(super) outlook: Outlook,
}

impl Setup {
    /// Of a device and a data set that are there.
    pub fn new(gpu: Gpu, dataset: Arc<Dataset>) -> Self {
        Self { gpu, devices: Vec::new(), dataset, machine: None, outlook: Outlook::default() }
    }

    /// The same with further devices, among which runs share out their classes, and evaluations their networks.
    #[must_use]
    pub fn with_others(mut self, others: impl IntoIterator<Item = Gpu>) -> Self {
        let all = [self.gpu.clone()].into_iter().chain(others);
        self.devices = all.map(|gpu| Device { adapter: None, gpu }).collect();
        self.devices.truncate(if self.devices.len() > 1 { usize::MAX } else { 0 });
        self
    }

    /// Opens the devices and loads the data set, which may be downloaded.
    pub fn open(machine: &Machine, data: &Data, observer: &mut dyn Observer) -> Result<Self> {
        // The quick check comes first: without an adapter nothing needs to be downloaded.
        let mut devices = opened(&machine.adapter_choice()?)?;
        let gpu = devices[0].gpu.clone();
        if devices.len() == 1 {
            devices.clear();
        }
        let dataset = Arc::new(load(data, observer)?);
        Ok(Self { devices, machine: Some(machine.clone()), ..Self::new(gpu, dataset) })
    }

    /// Whether there are several devices.
    pub fn is_shared_out(&self) -> bool {
        !self.devices.is_empty()
    }

    /// Its devices, one or several.
    pub(super) fn devices(&self) -> Vec<Device> {
        match self.is_shared_out() {
            true => self.devices.clone(),
            false => {
                let adapter = self.machine.as_ref().and_then(|machine| machine.adapter.clone());
                vec![Device { adapter, gpu: self.gpu.clone() }]
            }
        }
    }

    /// The same with these devices.
    pub(super) fn on(&self, mut devices: Vec<Device>) -> Self {
        let gpu = devices.first().map_or_else(|| self.gpu.clone(), |first| first.gpu.clone());
        if devices.len() == 1 {
            devices.clear();
        }
        Self { gpu, devices, ..self.clone() }
    }

    /// Refuses several devices for what needs one.
    pub(super) fn check_one(&self, why: &str) -> Result<()> {
        match self.is_shared_out() {
            true => Err(Failure::setting("adapter", self.asked(), why).into()),
            false => Ok(()),
        }
    }

    /// The adapters as they were asked for.
    pub(super) fn asked(&self) -> String {
        let asked = self.machine.as_ref().and_then(|machine| machine.adapter.clone());
        asked.unwrap_or_else(|| format!("{} devices", self.devices().len()))
    }

    /// The same with another device where this one was opened here: one that was lost stays lost.
    pub(super) fn reopen(&mut self) -> Result<()> {
        if let Some(machine) = &self.machine {
            self.gpu = opened(&machine.adapter_choice()?)?.swap_remove(0).gpu;
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
        let Self { gpu, dataset, devices, .. } = self;
        observer.see(Event::Begins { gpu, dataset, devices });
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
        let asked = networks.clone().unwrap_or(0..settings.nets);
        if self.is_shared_out() && asked.len() > 1 {
            return self.measure_on_all(train, settings, asked, job, observer);
        }
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

    /// The same with the networks shared out among all devices.
    fn measure_on_all(
        &self,
        train: TrainingSet,
        settings: &EvaluationSettings,
        networks: Range<usize>,
        job: Job,
        observer: &mut dyn Observer,
    ) -> Result<Option<Measured>> {
        let of = pieces(networks.len(), self.devices.len());
        let parts = (1..=of).map(|number| {
            let (first, count) = Shard::new(number, of)?.part(networks.len())?;
            Ok(networks.start + first..networks.start + first + count)
        });
        let parts = parts.collect::<Result<Vec<_>>>()?;
        let outlooks: Vec<_> = self.devices.iter().map(|_| Outlook::default()).collect();
        let work = |device: usize, part: usize, relay: &mut dyn Observer| {
            let (gpu, outlook) = (self.devices[device].gpu.clone(), outlooks[device].clone());
            let mut own = Self::new(gpu, Arc::clone(&self.dataset));
            own.outlook = outlook;
            let some = Some(parts[part].clone());
            own.measure_networks(train.clone(), settings, some, job.clone(), relay)
        };
        // Nothing is prepared here; this reports what begins.
        prepare(observer, (job.clone(), true), |_| Ok(()))?;
        let total = (networks.len() * (settings.epochs as usize + 1)) as u32;
        observer.see(Event::Began { job: job.clone(), pieces: total, expected: None });
        let weights: Vec<_> =
            parts.iter().map(|part| (part.len() * (settings.epochs as usize + 1)) as f64).collect();
        let parts_done = vec![0.0; parts.len()];
        let open = (0..parts.len()).collect();
        let pieces = Pieces { weights: &weights, parts: parts_done, open, resumed: false };
        let shared = share_out(
            self.devices.len(),
            pieces,
            &work,
            observer,
            &mut |observer, device, seen| {
                if let Seen::Lost(error) = seen {
                    observer.see(Event::Lost { device: &self.devices[device], error });
                }
            },
        );
        observer.see(Event::Ended);
        let shared = shared?;
        match shared.done.into_iter().collect::<Option<Vec<Measured>>>() {
            Some(all) => {
                let runs = all.iter().flat_map(|measured| measured.accuracy.runs.clone()).collect();
                let seconds = all.iter().map(|measured| measured.seconds).sum();
                Ok(Some(Measured { accuracy: Accuracy::of(runs), seconds }))
            }
            None if shared.alive.contains(&true) => Ok(None),
            None => shared.failure.map_or(Ok(None), Err),
        }
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
