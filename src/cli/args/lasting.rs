//! Flags of long runs: checkpoints and resuming.

use std::{path::PathBuf, time::Duration};

use clap::{ArgMatches, Args, parser::ValueSource};

use dm_wgpu::project::pictures;

use super::applies::flag;
use crate::cli::values;

#[derive(Debug, Args)]
pub struct LastingArgs {
    /// Go on with the run in this folder, or with the repeats in it, as asked for then, from its last
    /// checkpoint. Other --iterations, another --adapter, --submit-target or --memory-budget, a new place of --data-dir or of a --dataset
    /// folder:PATH, --checkpoint-every, --json and --quiet may stand beside it.
    #[arg(long, value_name = "DIR", help_heading = "Long runs")]
    pub resume: Option<PathBuf>,
    /// Seconds between checkpoints, which --resume goes on from; 0 for none until the end or Ctrl-C.
    #[arg(
        long, value_name = "SECONDS", default_value = "30", help_heading = "Long runs",
        allow_negative_numbers = true, value_parser = values::seconds
    )]
    pub checkpoint_every: Duration,
}

/// Options that may stand beside `--resume`, of data sets only a folder of pictures.
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

/// Refuses options that a run which is resumed has fixed already.
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
            "{} can't stand beside --resume: the run goes on with what it was asked for; leave it \
             out, or begin another run",
            flag(id)
        )),
    }
}
