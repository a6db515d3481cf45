//! Options that were given although the method does nothing with them: better refused than ignored.

use clap::{ArgMatches, parser::ValueSource};

use crate::cli::method::Method;

/// Options that not every method heeds.
const SOME: [&str; 7] =
    ["ipc", "iterations", "init", "augment", "batch_real", "lr_img", "eval_every"];

fn heeds(method: Method, option: &str) -> bool {
    match method {
        Method::Dm => true,
        Method::Selection(_) => option == "ipc",
        Method::Whole => false,
    }
}

/// Refuses options that none of the methods heeds, where the user gave them: every option has a
/// default, which bothers nobody. `said` is how the methods were asked for.
pub(super) fn check(given: &ArgMatches, methods: &[Method], said: &str) -> Result<(), String> {
    let idle: Vec<_> = SOME
        .iter()
        .filter(|id| given.value_source(id) == Some(ValueSource::CommandLine))
        .filter(|id| !methods.iter().any(|&method| heeds(method, id)))
        .map(|id| format!("--{}", id.replace('_', "-")))
        .collect();
    match &idle[..] {
        [] => Ok(()),
        [one] => Err(format!("{one} does nothing with {said}; leave it out")),
        [some @ .., last] => {
            Err(format!("{} and {last} do nothing with {said}; leave them out", some.join(", ")))
        }
    }
}
