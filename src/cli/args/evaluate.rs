//! Flags of evaluations, alone or after a run, and of comparisons.

use std::path::PathBuf;

use clap::Args;

use dm_wgpu::{EvaluationSettings, augment::Strategy, project::Method};

use super::{LastingArgs, LayerArgs, MachineArgs, MethodArgs, RunArgs, help, methods};
use crate::cli::{
    dataset,
    values::{self, Architectures, count},
};

/// How networks are trained to judge a set.
#[derive(Debug, Args)]
pub struct EvalArgs {
    /// Networks to train on the set; the accuracy is their mean ± standard deviation [default: 3].
    #[arg(
        long, value_name = "N", help_heading = "Evaluation",
        allow_negative_numbers = true, value_parser = count::<usize>(1000)
    )]
    pub eval_nets: Option<usize>,
    /// Kind of network to train: convnet, mlp, lenet, alexnet, vgg11, resnet18, with batch norm alexnet-bn, vgg11-bn,
    /// resnet18-bn, resnet18-bn-ap, or another ConvNet such as convnet:norm=batch:act=swish:pool=max [default: as --net].
    #[arg(
        long, value_name = "NAME", help_heading = "Evaluation", value_parser = values::architectures
    )]
    pub eval_net: Option<Architectures>,
    /// Passes over the set for each of them [default: 300; 20 over a whole training set].
    #[arg(
        long, value_name = "N", help_heading = "Evaluation",
        allow_negative_numbers = true, value_parser = count::<u32>(100_000)
    )]
    pub eval_epochs: Option<u32>,
    /// Channels of each of their convolutions [default: as --width].
    #[arg(
        long, value_name = "N", help_heading = "Evaluation",
        allow_negative_numbers = true, value_parser = count::<usize>(4096)
    )]
    pub eval_width: Option<usize>,
    /// Their blocks, 1 to 5 [default: as --depth].
    #[arg(
        long, value_name = "N", help_heading = "Evaluation",
        allow_negative_numbers = true, value_parser = count::<usize>(5)
    )]
    pub eval_depth: Option<usize>,
    /// Images a step of theirs [default: 256].
    #[arg(
        long, value_name = "N", help_heading = "Evaluation",
        allow_negative_numbers = true, value_parser = count::<usize>(1_000_000)
    )]
    pub eval_batch: Option<usize>,
    /// Their learning rate; from half-way on it is a tenth [default: 0.01].
    #[arg(
        long, value_name = "RATE", help_heading = "Evaluation",
        allow_negative_numbers = true, value_parser = values::positive
    )]
    pub eval_lr: Option<f32>,
    /// Augmentations of which one is drawn for each of their steps [default: all that suit the data
    /// set, whatever --augment says].
    #[arg(
        long, value_name = "NAMES", help_heading = "Evaluation", value_parser = values::strategy
    )]
    pub eval_augment: Option<Strategy>,
}

impl EvalArgs {
    /// Clap can't, as `evaluate` takes several.
    pub(super) fn check_one_net(&self) -> Result<(), String> {
        match &self.eval_net {
            Some(kinds) if kinds.0.len() > 1 => Err(
                "--eval-net takes one kind of network here; `dm-wgpu evaluate RUN --eval-net …` takes several"
                    .to_owned(),
            ),
            _ => Ok(()),
        }
    }

    /// What was asked for, and where nothing was, what suits.
    pub fn over(&self, suited: EvaluationSettings) -> EvaluationSettings {
        EvaluationSettings {
            net: self.eval_net.as_ref().map_or(suited.net, |kinds| kinds.0[0]),
            nets: self.eval_nets.unwrap_or(suited.nets),
            epochs: self.eval_epochs.unwrap_or(suited.epochs),
            width: self.eval_width.unwrap_or(suited.width),
            depth: self.eval_depth.unwrap_or(suited.depth),
            batch: self.eval_batch.unwrap_or(suited.batch),
            lr: self.eval_lr.unwrap_or(suited.lr),
            augment: self.eval_augment.clone().unwrap_or(suited.augment),
            seed: suited.seed,
        }
    }
}

/// `dm-wgpu evaluate`.
#[derive(Debug, Args)]
#[command(after_help = help::EVALUATE, override_usage = "dm-wgpu evaluate <PATH> [OPTIONS]")]
pub struct EvaluateArgs {
    /// The set: a run's folder, .safetensors, .npz, or a folder of pictures.
    pub path: PathBuf,
    /// The data set whose test images count; needed where the set doesn't say what it was made from.
    #[arg(
        long, value_name = "NAME", help_heading = "Task",
        value_parser = dataset::parser()
    )]
    pub dataset: Option<String>,
    /// Everything random follows from it.
    #[arg(
        long, value_name = "N", default_value_t = 0, help_heading = "Task",
        allow_negative_numbers = true,
        value_parser = values::seed
    )]
    pub seed: u64,
    /// Print JSON, one object per line: events as they come, then the result; with --quiet it alone.
    #[arg(long, help_heading = "Task")]
    pub json: bool,
    #[command(flatten)]
    pub layers: LayerArgs,
    #[command(flatten)]
    pub eval: EvalArgs,
    #[command(flatten)]
    pub machine: MachineArgs,
}

/// `dm-wgpu compare`.
#[derive(Debug, Args)]
#[command(
    after_help = help::COMPARE,
    override_usage = "dm-wgpu compare --dataset <NAME> [OPTIONS]\n       dm-wgpu compare <RUN> <RUN>... [--out <DIR>] [--json]"
)]
pub struct CompareArgs {
    /// Folders of runs that have ended, to put side by side instead of running anything.
    #[arg(value_name = "RUN")]
    pub runs: Vec<PathBuf>,
    /// What to compare, joined by comma: any of dm, random, herding, k-center, whole.
    #[arg(
        long, value_name = "NAMES", value_delimiter = ',', help_heading = "Task",
        default_value = "dm,random,herding,k-center", value_parser = methods()
    )]
    pub methods: Vec<Method>,
    #[command(flatten)]
    pub run: RunArgs,
    /// Print JSON, one object per line: events as they come, then what is in compare.json; with
    /// --quiet it alone.
    #[arg(long, help_heading = "Task")]
    pub json: bool,
}

/// `dm-wgpu show-config`.
#[derive(Debug, Args)]
#[command(
    after_help = help::SHOW_CONFIG,
    override_usage = "dm-wgpu show-config --dataset <NAME> [OPTIONS]"
)]
pub struct ShowConfigArgs {
    #[command(flatten)]
    pub run: RunArgs,
    #[command(flatten)]
    pub method: MethodArgs,
    #[command(flatten)]
    pub lasting: LastingArgs,
}
