//! Refuses options that have no effect, which is better than ignoring them.

use clap::{ArgMatches, CommandFactory, parser::ValueSource};

use dm_wgpu::project::{
    Method,
    settings::{SETTINGS, Setting},
};

use super::Cli;

fn was_given(matches: &ArgMatches, id: &str) -> bool {
    matches.value_source(id) == Some(ValueSource::CommandLine)
}

/// Refuses options of a run in front of a subcommand, which has its own. Options that mean the same
/// everywhere may stand anywhere.
pub(super) fn before_subcommand(given: &ArgMatches, subcommand: &str) -> Result<(), String> {
    let command = Cli::command();
    let own = command.get_arguments().filter(|arg| !arg.is_global_set());
    let mut ids = own.map(|arg| arg.get_id().as_str());
    match ids.find(|&id| id != "quiet" && was_given(given, id)) {
        None => Ok(()),
        Some(id) => Err(format!(
            "{} stands before the subcommand {subcommand}; options of {subcommand} come after it",
            flag(id)
        )),
    }
}

/// Refuses settings that finished runs have fixed already.
pub(super) fn with_runs(given: &ArgMatches) -> Result<(), String> {
    let heeded = ["runs", "out", "json", "quiet"];
    let idle = given.ids().map(|id| id.as_str()).find(|id| {
        // Groups of options have ids as well, but are not options.
        !heeded.contains(id) && !id.ends_with("Args") && was_given(given, id)
    });
    match idle {
        None => Ok(()),
        Some(id) => Err(format!("{} does nothing with finished runs; leave it out", flag(id))),
    }
}

pub(super) fn flag(id: &str) -> String {
    format!("--{}", id.replace('_', "-"))
}

/// Refuses options that none of the methods uses, if the user gave them; defaults are no problem.
/// `said` is the text with which the methods were asked for.
pub(super) fn check(given: &ArgMatches, methods: &[Method], said: &str) -> Result<(), String> {
    let unused = |setting: &&Setting| !methods.iter().any(|&method| setting.used_by(method));
    let idle: Vec<_> = SETTINGS
        .iter()
        .filter(unused)
        .filter(|setting| was_given(given, setting.name))
        .map(Setting::flag)
        .collect();
    match &idle[..] {
        [] => Ok(()),
        [one] => Err(format!("{one} does nothing with {said}; leave it out")),
        [some @ .., last] => {
            Err(format!("{} and {last} do nothing with {said}; leave them out", some.join(", ")))
        }
    }
}
