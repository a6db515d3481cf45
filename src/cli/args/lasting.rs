//! Flags of long runs: checkpoints and resuming.

use std::{path::PathBuf, time::Duration};

use clap::{ArgMatches, Args, parser::ValueSource};

use dm_wgpu::project::pictures;

use super::applies::flag;
use crate::cli::values;

#[derive(Debug, Args)]
pub struct LastingArgs {
    /// Resume the run in this folder, or its repeats, from the last checkpoint and with the same settings. Only
    /// --iterations, --adapter, --submit-target, --memory-budget, --data-dir, --dataset folder:PATH (for pictures that have
    /// moved), --checkpoint-every, --json, --quiet and --verbose may be given too.
    #[arg(long, value_name = "DIR", help_heading = "Long runs")]
    pub resume: Option<PathBuf>,
    /// Seconds between checkpoints, from which --resume continues; 0: only at the end or at Ctrl-C.
    #[arg(
        long, value_name = "SECONDS", default_value = "30", help_heading = "Long runs",
        allow_negative_numbers = true, value_parser = values::seconds
    )]
    pub checkpoint_every: Duration,
}

/// Options that may be given with `--resume`; `--dataset` only for a folder of pictures.
const BESIDE: [&str; 11] = [
    "resume",
    "adapter",
    "iterations",
    "submit_target",
    "memory_budget",
    "dataset",
    "data_dir",
    "checkpoint_every",
    "json",
    "quiet",
    "verbose",
];

/// Refuses options that the resumed run has fixed already.
pub(super) fn check(given: &ArgMatches, dataset: &str) -> Result<(), String> {
    let was_given = |id: &str| given.value_source(id) == Some(ValueSource::CommandLine);
    if !was_given("resume") {
        return Ok(());
    }
    // Groups, which clap makes of flattened structs, have capitals.
    let mut ids = given.ids().map(clap::Id::as_str).filter(|id| id.starts_with(char::is_lowercase));
    let published = pictures(dataset).is_none();
    let settled = |id: &str| !BESIDE.contains(&id) || (id == "dataset" && published);
    match ids.find(|id| was_given(id) && settled(id)) {
        None => Ok(()),
        Some(id) => Err(format!(
            "{} can't be given with --resume: the run continues with its own settings; leave it \
             out, or start another run",
            flag(id)
        )),
    }
}
