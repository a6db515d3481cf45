//! Flags that are not settings of a run and that all commands with settings share.

use std::path::PathBuf;

use clap::Args;

/// What every command with settings has.
#[derive(Debug, Args)]
pub struct CommonArgs {
    /// Read settings from this file; flags override them. A run's run.toml, the output of show-config,
    /// or some keys of either.
    #[arg(long, value_name = "FILE", help_heading = "Task")]
    pub config: Option<PathBuf>,
    /// Print only errors; evaluate, compare and bench still print their results.
    #[arg(long, short, help_heading = "Machine")]
    pub quiet: bool,
}

/// What every command with a folder for results has.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Instead of --ipc, a file with one line per class: its name or number, a comma, its number of images.
    #[arg(long, value_name = "FILE", help_heading = "Task", conflicts_with = "ipc")]
    pub ipc_file: Option<PathBuf>,
    /// Folder for the results, new or empty [default: a new one, e.g. runs/mnist-ipc10-seed0].
    #[arg(long, short, value_name = "DIR", help_heading = "Task")]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub common: CommonArgs,
}
