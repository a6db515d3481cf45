//! Flags of a run: what is condensed, how, and on which machine.

use std::path::PathBuf;

use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser},
};

use dm_wgpu::{
    AdapterChoice, Dataset, EvaluationSettings, Init, Kernels, Precision, SelectionSettings,
    Selector, Settings, augment::Strategy,
};

use super::{BACKENDS, EvalArgs, kernels, precision};
use crate::cli::{
    dataset,
    method::Method,
    values::{self, count},
};

/// The flags of a run.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The data set to condense.
    #[arg(
        long, value_name = "NAME", required = true, help_heading = "Task",
        value_parser = PossibleValuesParser::new(dataset::NAMES)
    )]
    pub dataset: Option<String>,
    /// Synthetic images per class, or chosen ones.
    #[arg(
        long, value_name = "N", default_value_t = 10, help_heading = "Task",
        allow_negative_numbers = true, value_parser = count::<usize>(1_000_000)
    )]
    pub ipc: usize,
    /// Steps of condensing; each draws a fresh random network.
    #[arg(
        long, value_name = "N", default_value_t = 1000, help_heading = "Task",
        allow_negative_numbers = true, value_parser = count::<u32>(u32::MAX.into())
    )]
    pub iterations: u32,
    /// Everything random follows from it: the same seed on the same adapter, the same images.
    #[arg(
        long, value_name = "N", default_value_t = 0, help_heading = "Task",
        allow_negative_numbers = true,
        value_parser = values::seed
    )]
    pub seed: u64,
    /// Folder for the results, new or empty [default: a new one, e.g. runs/mnist-ipc10-seed0].
    #[arg(long, short, value_name = "DIR", help_heading = "Task")]
    pub out: Option<PathBuf>,

    /// How the synthetic images begin: as real ones drawn at random, or as noise.
    #[arg(
        long, value_name = "START", default_value = "real", help_heading = "Method",
        value_parser = PossibleValuesParser::new(["real", "noise"])
            .map(|name| if name == "noise" { Init::Noise } else { Init::Real })
    )]
    pub init: Init,
    /// Augmentations of which one is drawn for each iteration and class: any of color, crop, cutout,
    /// flip, scale, rotate, joined by comma or underscore, or none [default: all; without flip for
    /// one-channel images, digits and letters].
    #[arg(long, value_name = "NAMES", help_heading = "Method", value_parser = values::strategy)]
    pub augment: Option<Strategy>,
    /// Real images per class and iteration; a smaller class gives all it has.
    #[arg(
        long, value_name = "N", default_value_t = 256, help_heading = "Method",
        allow_negative_numbers = true, value_parser = count::<usize>(1_000_000)
    )]
    pub batch_real: usize,
    /// Learning rate of the pixels.
    #[arg(
        long, value_name = "RATE", default_value = "1.0", help_heading = "Method",
        allow_negative_numbers = true, value_parser = values::positive
    )]
    pub lr_img: f32,
    /// Channels of each of the network's convolutions.
    #[arg(
        long, value_name = "N", default_value_t = 128, help_heading = "Method",
        allow_negative_numbers = true, value_parser = count::<usize>(4096)
    )]
    pub width: usize,
    /// Blocks of the network, 1 to 5 [default: 3; 4 for images of 64×64 and larger].
    #[arg(
        long, value_name = "N", help_heading = "Method",
        allow_negative_numbers = true, value_parser = count::<usize>(5)
    )]
    pub depth: Option<usize>,

    #[command(flatten)]
    pub eval: EvalArgs,
    /// Also evaluate before the first iteration and after every N, to follow the accuracy.
    #[arg(
        long, value_name = "N", help_heading = "Evaluation",
        allow_negative_numbers = true, value_parser = count::<u32>(u32::MAX.into())
    )]
    pub eval_every: Option<u32>,
    /// Pictures of the images on the way, besides those at the start, more of them early than late:
    /// for report.html and progress.png.
    #[arg(
        long, value_name = "N", default_value_t = 10, help_heading = "Task",
        allow_negative_numbers = true, value_parser = values::whole::<u32>(0..=1000)
    )]
    pub snapshots: u32,

    #[command(flatten)]
    pub machine: MachineArgs,
}

/// The flags of a run that `compare` has no use for.
#[derive(Debug, Clone, Copy, PartialEq, Args)]
pub struct MethodArgs {
    /// What makes the set: dm condenses; random, herding and k-center choose real images; whole
    /// trains on all of them, as an upper bound.
    #[arg(
        long, value_name = "NAME", default_value = "dm", help_heading = "Task",
        value_parser = Method::parser()
    )]
    pub method: Method,
    /// Leave the accuracy out.
    #[arg(
        long, help_heading = "Evaluation",
        conflicts_with_all = ["eval_nets", "eval_epochs", "eval_width", "eval_every"]
    )]
    pub no_eval: bool,
    /// Print JSON, one object per line: events as they come, then the result; with --quiet it alone.
    #[arg(long, help_heading = "Machine")]
    pub json: bool,
}

/// The flags that are about this machine.
#[derive(Debug, Args)]
pub struct MachineArgs {
    /// The adapter: part of its name, or its index in `dm-wgpu adapters` [default: the best].
    #[arg(long, value_name = "NAME-OR-INDEX", help_heading = "Machine")]
    pub adapter: Option<String>,
    /// The graphics API [default: any].
    #[arg(
        long, value_name = "API", help_heading = "Machine",
        value_parser = PossibleValuesParser::new(BACKENDS)
    )]
    pub backend: Option<String>,
    /// The family of kernels: plain, lanes or tiles [default: the one that suits the adapter].
    #[arg(long, value_name = "NAME", help_heading = "Machine", value_parser = kernels())]
    pub kernels: Option<Kernels>,
    /// What convolutions round their factors to: f32, or f16 for cooperative matrices (tensor cores).
    #[arg(
        long, value_name = "TYPE", default_value = "f32", help_heading = "Machine",
        value_parser = precision()
    )]
    pub precision: Precision,
    /// GPU memory to stay within, e.g. 256MiB or 1GiB; batches are cut to fit.
    #[arg(
        long, value_name = "SIZE", default_value = "512MiB", help_heading = "Machine",
        allow_negative_numbers = true, value_parser = values::memory
    )]
    pub memory_budget: u64,
    /// Where data sets are [default: DM_WGPU_DATA, else the user's cache, with downloads].
    #[arg(long, value_name = "DIR", help_heading = "Machine")]
    pub data_dir: Option<PathBuf>,
    /// Say nothing but errors; evaluate, compare and bench still print their results.
    #[arg(long, short, help_heading = "Machine")]
    pub quiet: bool,
}

impl RunArgs {
    /// The data set's name; clap sees to it that there is one.
    pub fn dataset(&self) -> &str {
        self.dataset.as_deref().unwrap_or_default()
    }

    /// Everything resolved for a data set.
    pub fn settings(&self, dataset: &Dataset) -> Settings {
        let suited = Settings::for_dataset(dataset);
        Settings {
            ipc: self.ipc,
            iterations: self.iterations,
            init: self.init,
            width: self.width,
            depth: self.depth.unwrap_or(suited.depth),
            batch_real: self.batch_real,
            lr_img: self.lr_img,
            augment: self.augment.clone().unwrap_or(suited.augment),
            seed: self.seed,
            memory_budget: self.machine.memory_budget,
        }
    }

    /// The same for a selection.
    pub fn selection(&self, dataset: &Dataset, selection: Selector) -> SelectionSettings {
        let Settings { ipc, width, depth, seed, memory_budget, .. } = self.settings(dataset);
        SelectionSettings { selection, ipc, width, depth, seed, memory_budget }
    }

    /// The same for the evaluation of what a method made.
    pub fn evaluation(&self, dataset: &Dataset, method: Method) -> EvaluationSettings {
        let Settings { width, depth, seed, memory_budget, .. } = self.settings(dataset);
        let mut settings = self.eval.settings(dataset, method.epochs(), width);
        settings.depth = depth;
        settings.seed = seed;
        settings.memory_budget = memory_budget;
        settings
    }
}

impl MachineArgs {
    pub fn adapter_choice(&self) -> AdapterChoice {
        AdapterChoice {
            adapter: self.adapter.clone(),
            backend: self.backend.clone(),
            kernels: self.kernels,
            precision: self.precision,
        }
    }
}
