//! What a record is made of: data, machine, settings, device, outcome, shards.

use std::{path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    Accuracy, AdapterChoice, Error, Gpu, Kernels, Precision, SelectionSettings, Settings,
    data::{ClassChoice, Classes},
    project::Baseline,
};

/// A shard of a run that was joined from several.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfShard {
    /// Its folder.
    pub folder: PathBuf,
    /// Its classes.
    pub classes: Classes,
    /// The machine's name, where the system says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Making its images took so many.
    pub seconds: f64,
    /// Which of the machine's adapters it was, as it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<String>,
    /// The device.
    pub adapter: Adapter,
}

/// Which data, from where.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// Its name as it was asked for.
    pub name: String,
    /// Where the data set was looked for, if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_dir: Option<PathBuf>,
    /// Height and width that pictures were resampled to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resize: Option<usize>,
    /// Part of each class to test on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_fraction: Option<f64>,
    /// Only these of its classes. A record names them, whatever shard they were asked for as.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classes: Option<ClassChoice>,
}

/// What was asked of the machine; [`Adapter`] is what was found.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// A part of its name, or its index; or several, as [`AdapterChoice::each_blocking`] takes them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adapter: Option<String>,
    /// The graphics API.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend: Option<String>,
    /// The family of kernels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernels: Option<String>,
    /// What convolutions round their factors to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub precision: Option<String>,
    /// Milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub submit_target: Option<u32>,
    /// Bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_budget: Option<u64>,
}

/// The settings of the method.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum MethodSettings {
    /// To condense.
    Condensing(Settings),
    /// To choose real images.
    Selection(SelectionSettings),
}

/// The device on which a run was carried out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adapter {
    /// The device's name.
    pub name: String,
    /// The graphics API.
    pub backend: String,
    /// The driver and its version.
    pub driver: String,
    /// The family of kernels that was used.
    pub kernels: String,
    /// The type to which convolutions rounded their factors.
    pub precision: String,
}

/// The outcome of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// Iterations that were done: fewer than asked for if the run was interrupted; `None` if the method has no
    /// iterations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completed_iterations: Option<u32>,
    /// As [`Losses`](crate::project::Losses) has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_loss: Option<f32>,
    /// The same over the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_loss: Option<f32>,
    /// Without those of the evaluation.
    pub seconds: f64,
    /// Whether it ended before all was done that was asked for.
    pub interrupted: bool,
    /// In per cent; none if it was not measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<Accuracy>,
    /// What random images of equal storage reach; none if it was not measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Baseline>,
}

impl MethodSettings {
    /// Images of so many classes that networks are trained on.
    pub fn images(&self, classes: usize) -> usize {
        match self {
            Self::Condensing(settings) => {
                settings.stored(classes) * settings.factor * settings.factor
            }
            Self::Selection(settings) => settings.per_class.total(classes, settings.ipc),
        }
    }

    /// `ipc10`, or `ipc1to10` where classes have different numbers.
    pub(super) fn each(&self) -> String {
        let (ipc, per_class) = match self {
            Self::Condensing(settings) => (settings.ipc, &settings.per_class),
            Self::Selection(settings) => (settings.ipc, &settings.per_class),
        };
        match per_class.numbers().iter().min() {
            Some(least) => format!("ipc{least}to{ipc}"),
            None => format!("ipc{ipc}"),
        }
    }
}

impl Adapter {
    /// This one.
    pub fn of(gpu: &Gpu) -> Self {
        let info = gpu.info();
        Self {
            name: info.name.clone(),
            backend: info.backend.to_str().to_owned(),
            driver: format!("{} {}", info.driver, info.driver_info).trim().to_owned(),
            kernels: gpu.kernels().name().to_owned(),
            precision: gpu.precision().name().to_owned(),
        }
    }
}

impl Machine {
    /// The device that was asked for. Names that this version does not know are refused.
    pub fn adapter_choice(&self) -> crate::Result<AdapterChoice> {
        let kernels = self.kernels.as_deref().map(|name| {
            let known = Kernels::ALL.into_iter().find(|kernels| kernels.name() == name);
            let possible =
                || format!("possible are {}", Kernels::ALL.map(Kernels::name).join(", "));
            known.ok_or_else(|| Error::setting("kernels", name, possible()))
        });
        let precision = self.precision.as_deref().map(|name| {
            let known = Precision::ALL.into_iter().find(|precision| precision.name() == name);
            let possible =
                || format!("possible are {}", Precision::ALL.map(Precision::name).join(", "));
            known.ok_or_else(|| Error::setting("precision", name, possible()))
        });
        Ok(AdapterChoice {
            adapter: self.adapter.clone(),
            backend: self.backend.clone(),
            kernels: kernels.transpose()?,
            precision: precision.transpose()?.unwrap_or_default(),
            submit_target: self.submit_target.map(|ms| Duration::from_millis(ms.into())),
            memory_budget: self.memory_budget,
        })
    }

    /// Whether nothing was asked for.
    pub(super) fn is_open(&self) -> bool {
        *self == Self::default()
    }
}
