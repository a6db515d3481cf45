//! Flags of evaluations, alone or after a run, and of comparisons.

use std::path::PathBuf;

use clap::Args;

use dm_wgpu::project::{Method, Sweep};

use super::{
    CommonArgs, LastingArgs, RunArgs, ShardArgs,
    given::{COMPARE, EVALUATE, Flags, RUN},
    help, methods, sweeps,
};

/// `dm-wgpu evaluate`.
#[derive(Debug, Args)]
#[command(after_help = help::EVALUATE, override_usage = "dm-wgpu evaluate <PATH> [OPTIONS]")]
pub struct EvaluateArgs {
    /// The set: a run's folder, .safetensors, .npz, or a folder of pictures.
    pub path: PathBuf,
    #[command(flatten)]
    pub given: Flags<EVALUATE>,
    /// Evaluate with ConvNets that differ in one thing only, and print a table.
    #[arg(
        long, value_name = "WHAT", help_heading = "Evaluation", conflicts_with = "eval_net",
        value_parser = sweeps()
    )]
    pub sweep: Option<Sweep>,
    #[command(flatten)]
    pub shard: ShardArgs,
    /// File for the accuracies of a --shard, for `dm-wgpu join`; an existing file is replaced.
    #[arg(long, short, value_name = "FILE", help_heading = "Task", requires = "shard")]
    pub out: Option<PathBuf>,
    /// Print JSON, one object per line: events as they happen, then the result; with --quiet only the result.
    #[arg(long, help_heading = "Task")]
    pub json: bool,
    #[command(flatten)]
    pub common: CommonArgs,
}

/// `dm-wgpu compare`.
#[derive(Debug, Args)]
#[command(
    after_help = help::COMPARE,
    override_usage = "dm-wgpu compare --dataset <NAME> [OPTIONS]\n       dm-wgpu compare <RUN> <RUN>... [--out <DIR>] [--json]"
)]
pub struct CompareArgs {
    /// Folders of finished runs to compare, instead of running methods.
    #[arg(value_name = "RUN")]
    pub runs: Vec<PathBuf>,
    /// Methods to compare, joined by comma.
    #[arg(
        long, value_name = "NAMES", value_delimiter = ',', help_heading = "Task",
        default_value = "dm,random,herding,k-center", value_parser = methods()
    )]
    pub methods: Vec<Method>,
    #[command(flatten)]
    pub given: Flags<COMPARE>,
    #[command(flatten)]
    pub run: RunArgs,
    /// Print JSON, one object per line: events as they happen, then the content of compare.json; with
    /// --quiet only the latter.
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
    pub given: Flags<RUN>,
    #[command(flatten)]
    pub run: RunArgs,
    /// Defined only so that its refusal can say what to do.
    #[arg(long, hide = true)]
    pub json: bool,
    #[command(flatten)]
    pub lasting: LastingArgs,
}
