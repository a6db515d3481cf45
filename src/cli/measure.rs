//! What a program run works with, and the one way to measure accuracy.

use std::{sync::Arc, time::Duration};

use dm_wgpu::{
    Accuracy, Dataset, Error, Evaluation, EvaluationSettings, Gpu, Precision, TrainingSet,
    data::Known,
    project::{Adapter, Data, Machine, Method, Record},
    wgpu::DeviceType,
};

use super::{
    args::RunArgs,
    asked,
    console::Console,
    dataset,
    downloads::Downloads,
    events::{About, Event},
    failure::Failure,
    interrupt::Interrupt,
    outlook::{Device, Outlook},
    progress::{Pieces, Preparing},
};

/// Pieces that the GPU may be behind: enough to keep it busy, few enough to stop soon.
const IN_FLIGHT: u32 = 2;

/// Device, data, and who is told.
#[derive(Clone)]
pub struct Bench {
    pub gpu: Gpu,
    pub dataset: Arc<Dataset>,
    pub console: Console,
    pub interrupt: Interrupt,
    pub outlook: Outlook,
}

impl Bench {
    pub fn open(
        machine: &Machine,
        data: &Data,
        console: Console,
        interrupt: Interrupt,
    ) -> Result<Self, Failure> {
        // The quick check first: without an adapter nothing needs to be downloaded.
        let gpu = Gpu::headless_blocking(&machine.adapter_choice()?)?;
        let dataset = load(data, &console, &interrupt)?;
        let (dataset, outlook) = (Arc::new(dataset), Outlook::default());
        Ok(Self { gpu, dataset, console, interrupt, outlook })
    }

    /// For what these arguments ask.
    pub fn asked(args: &RunArgs, console: Console, interrupt: Interrupt) -> Result<Self, Failure> {
        let (machine, data) =
            (asked::machine(&args.machine), asked::data(args.dataset(), &args.machine));
        Self::open(&machine, &data, console, interrupt)
    }

    /// What they ask of this data set and device.
    pub fn record(&self, args: &RunArgs, method: Method, evaluate: bool) -> Record {
        asked::record(args, method, evaluate, &*self.dataset, Adapter::of(&self.gpu))
    }

    /// What speeds are measured on.
    pub fn device(&self) -> Device<'_> {
        Device { gpu: &self.gpu, dataset: &self.dataset, console: &self.console }
    }

    /// The same for one of two that are on the device at once: with half of the memory.
    pub fn shared(&self) -> Self {
        let half = self.gpu.memory_budget() / 2;
        Self { gpu: self.gpu.clone().with_memory_budget(half), ..self.clone() }
    }

    /// Says what there is to work with.
    pub fn introduce(&self) {
        let start = Event::Start {
            version: env!("CARGO_PKG_VERSION"),
            adapter: Adapter::of(&self.gpu),
            dataset: Some(About::of(&self.dataset)),
        };
        self.console.tell(&self.introduction(), &start);
    }

    /// Two lines.
    fn introduction(&self) -> String {
        let (dataset, adapter) = (&self.dataset, self.gpu.info());
        let cpu = match adapter.device_type {
            DeviceType::Cpu => ", a CPU: expect this to be slow",
            _ => "",
        };
        let f16 = match self.gpu.precision() {
            Precision::F16 => ", f16",
            _ => "",
        };
        let classes = match dataset.classes() {
            1 => "1 class".to_owned(),
            own => match Known::of(dataset.name()).map(|known| known.classes) {
                Some(all) if all != own => format!("{own} of {all} classes"),
                _ => format!("{own} classes"),
            },
        };
        format!(
            "data set  {}: {} + {} images of {}×{size}×{size} in {classes}\n\
             adapter   {} ({}, {} kernels{f16}{cpu})",
            dataset.name(),
            dataset.train().len(),
            dataset.test().len(),
            dataset.channels(),
            adapter.name,
            adapter.backend.to_str(),
            self.gpu.kernels().name(),
            size = dataset.size(),
        )
    }

    /// Trains and tests; nothing if it was interrupted.
    pub fn measure(
        &self,
        train: TrainingSet,
        settings: &EvaluationSettings,
        what: &str,
    ) -> Result<Option<Measured>, Failure> {
        let dataset = Arc::clone(&self.dataset);
        let whole = matches!(train, TrainingSet::Whole);
        let preparing = Preparing::start(&self.console, what);
        let mut evaluation = Evaluation::new(&self.gpu, dataset, train, settings.clone())?;
        // Every evaluation of a set takes as long.
        if whole || !self.outlook.knows_evaluations() {
            evaluation.estimate_blocking()?;
        }
        drop(preparing);
        let (share, all) = share(settings.epochs, evaluation.pieces(), evaluation.expected());
        let pieces = (evaluation.pieces(), "epochs and tests");
        let mut progress =
            Pieces::weighted(&self.console, what, pieces, Some(Box::new(share)), Some(all));
        while !evaluation.is_done() {
            if self.interrupt.requested() {
                progress.finish();
                return Ok(None);
            }
            let before = f64::from(evaluation.done() - evaluation.in_flight());
            let _ = evaluation.advance_blocking(&mut |part| {
                progress.at(before + part);
                self.interrupt.goes_on()
            })?;
            if self.interrupt.requested() {
                continue;
            }
            evaluation.wait_blocking(IN_FLIGHT)?;
            progress.at(f64::from(evaluation.done() - evaluation.in_flight()));
        }
        let accuracy = evaluation.accuracy_blocking()?;
        progress.at(evaluation.pieces().into());
        let seconds = progress.seconds();
        progress.finish();
        Ok(Some(Measured { accuracy, seconds }))
    }
}

/// The part of an evaluation that so many of its pieces are: epochs and a test, turn by turn. And how long it takes.
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
pub struct Measured {
    pub accuracy: Accuracy,
    pub seconds: f64,
}

/// Loads a data set, and tells of downloads.
pub fn load(data: &Data, console: &Console, interrupt: &Interrupt) -> Result<Dataset, Failure> {
    let mut downloads = Downloads::new(console);
    let loaded = dataset::load(data, &mut |progress| {
        interrupt.removes(progress.unfinished);
        downloads.progress(progress);
    });
    downloads.finish();
    loaded.map_err(|error| match error {
        Error::Setting { .. } => Failure::from(error),
        error => Failure::of_data(error),
    })
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
