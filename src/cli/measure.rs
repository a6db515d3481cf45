//! What a program run works with, and the one way to measure accuracy.

use std::{path::Path, sync::Arc};

use dm_wgpu::{
    Accuracy, Dataset, Error, Evaluation, EvaluationSettings, Gpu, Precision, TrainingSet,
    data::Known, wgpu::DeviceType,
};

use super::{
    args::{MachineArgs, PictureArgs},
    console::Console,
    dataset,
    events::{About, Event},
    failure::Failure,
    interrupt::Interrupt,
    progress::{Downloads, Pieces},
    record::Adapter,
    say::counted,
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
}

impl Bench {
    pub fn open(
        machine: &MachineArgs,
        dataset: &str,
        console: Console,
        interrupt: Interrupt,
    ) -> Result<Self, Failure> {
        // The quick check first: without an adapter nothing needs to be downloaded.
        let gpu = Gpu::headless_blocking(&machine.adapter_choice())?;
        let data_dir = machine.data_dir.as_deref();
        let dataset = load(dataset, data_dir, machine.pictures, &console, &interrupt)?;
        Ok(Self { gpu, dataset: Arc::new(dataset), console, interrupt })
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
        let mut progress = Pieces::start(&self.console, what, 1);
        let mut evaluation = Evaluation::new(&self.gpu, dataset, train, settings.clone())?;
        progress.set_total(evaluation.pieces());
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

/// An evaluation's result.
pub struct Measured {
    pub accuracy: Accuracy,
    pub seconds: f64,
}

/// Loads a data set, and tells of downloads.
pub fn load(
    name: &str,
    data_dir: Option<&Path>,
    pictures: PictureArgs,
    console: &Console,
    interrupt: &Interrupt,
) -> Result<Dataset, Failure> {
    let mut downloads = Downloads::new(console);
    let loaded = dataset::load(name, data_dir, pictures, &mut |progress| {
        interrupt.removes(progress.unfinished);
        downloads.progress(progress);
    });
    downloads.finish();
    loaded.map_err(|error| match error {
        Error::Setting { .. } => Failure::from(error),
        error => Failure::of_data(error),
    })
}

/// `3 networks of width 128, 300 epochs`.
pub fn how(settings: &EvaluationSettings) -> String {
    let EvaluationSettings { nets, epochs, width, .. } = settings;
    let (nets, epochs) = (counted(*nets, "network"), counted(*epochs as usize, "epoch"));
    format!("{nets} of width {width}, {epochs}")
}
