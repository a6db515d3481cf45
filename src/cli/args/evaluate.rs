//! Flags of evaluations, alone or after a run, and of comparisons.

use std::path::PathBuf;

use clap::{
    Args,
    builder::{PossibleValuesParser, RangedU64ValueParser},
};

use dm_wgpu::{Dataset, EvaluationSettings};

use super::{MachineArgs, RunArgs, count};
use crate::cli::{dataset, method::Method};

/// How networks are trained to judge a set.
#[derive(Debug, Args)]
pub struct EvalArgs {
    /// Networks to train on the set; the accuracy is their mean ± standard deviation.
    #[arg(
        long, value_name = "N", default_value_t = 3, help_heading = "Evaluation",
        allow_negative_numbers = true, value_parser = count::<usize>(1000)
    )]
    pub eval_nets: usize,
    /// Passes over the set for each of them [default: 300; 20 over a whole training set].
    #[arg(
        long, value_name = "N", help_heading = "Evaluation",
        allow_negative_numbers = true, value_parser = count::<u32>(100_000)
    )]
    pub eval_epochs: Option<u32>,
    /// Channels of each of their convolutions [default: as the set was made with, else 128].
    #[arg(
        long, value_name = "N", help_heading = "Evaluation",
        allow_negative_numbers = true, value_parser = count::<usize>(4096)
    )]
    pub eval_width: Option<usize>,
}

impl EvalArgs {
    /// Resolved, but for what is not said here: the data set's own.
    pub fn settings(&self, dataset: &Dataset, epochs: u32, width: usize) -> EvaluationSettings {
        EvaluationSettings {
            nets: self.eval_nets,
            epochs: self.eval_epochs.unwrap_or(epochs),
            width: self.eval_width.unwrap_or(width),
            ..EvaluationSettings::for_dataset(dataset)
        }
    }
}

const SETS: &str = "\
What PATH may be:
  a run's folder          its synthetic.safetensors
  *.safetensors, *.npz    arrays images (N, C, H, W) and labels (N): floats that are normalised
                          already, taken as they are, or uint8 pixels
  any other folder        a sub-folder of PNG or JPEG pictures for each class

Exit codes: 0 done, 1 failed, 2 asked for wrongly, 130 interrupted.";

/// `dm-wgpu evaluate`.
#[derive(Debug, Args)]
#[command(after_help = SETS, override_usage = "dm-wgpu evaluate <PATH> [OPTIONS]")]
pub struct EvaluateArgs {
    /// The set: a run's folder, .safetensors, .npz, or a folder of pictures.
    pub path: PathBuf,
    /// The data set whose test images count; needed where the set doesn't say what it was made from.
    #[arg(
        long, value_name = "NAME", help_heading = "Task",
        value_parser = PossibleValuesParser::new(dataset::NAMES)
    )]
    pub dataset: Option<String>,
    /// Everything random follows from it.
    #[arg(
        long, value_name = "N", default_value_t = 0, help_heading = "Task",
        allow_negative_numbers = true,
        value_parser = RangedU64ValueParser::<u64>::new().range(0..=i64::MAX as u64)
    )]
    pub seed: u64,
    /// Print one JSON object instead of a line for people.
    #[arg(long, help_heading = "Task")]
    pub json: bool,
    #[command(flatten)]
    pub eval: EvalArgs,
    #[command(flatten)]
    pub machine: MachineArgs,
}

/// `dm-wgpu compare`.
#[derive(Debug, Args)]
#[command(override_usage = "dm-wgpu compare --dataset <NAME> [OPTIONS]")]
pub struct CompareArgs {
    /// What to compare, joined by comma: any of dm, random, herding, k-center, whole.
    #[arg(
        long, value_name = "NAMES", value_delimiter = ',', help_heading = "Task",
        default_value = "dm,random,herding,k-center", value_parser = Method::parser()
    )]
    pub methods: Vec<Method>,
    #[command(flatten)]
    pub run: RunArgs,
}
