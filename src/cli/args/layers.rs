//! What the flags stand on: a preset, and a file whose values are the flags' defaults.

use std::{collections::BTreeMap, ffi::OsString, path::PathBuf};

use clap::{
    ArgMatches, Args, Command, Error,
    builder::{PossibleValuesParser, TypedValueParser},
    error::{ContextKind, ContextValue, ErrorKind},
    parser::ValueSource,
};

use dm_wgpu::Preset;

use super::applies::flag;
use crate::cli::config::{ConfigFile, KEYS};

#[derive(Debug, Args)]
pub struct LayerArgs {
    /// How much effort to make: quick, for a GPU; paper, 5 runs of 20 000 iterations and 20 networks
    /// of 1000 epochs as published; small, minutes on a CPU; smoke, seconds even there.
    #[arg(
        long, value_name = "NAME", default_value = "quick", help_heading = "Task",
        value_parser = preset_parser()
    )]
    pub preset: Preset,
    /// Take what flags don't say from this file: a run's run.toml, what show-config prints, or a few
    /// keys of either.
    #[arg(long, value_name = "FILE", help_heading = "Task")]
    pub config: Option<PathBuf>,
}

fn preset_parser() -> impl TypedValueParser<Value = Preset> {
    PossibleValuesParser::new(Preset::ALL.map(Preset::name)).map(|name| {
        // clap lets no other name through.
        Preset::ALL.into_iter().find(|preset| preset.name() == name).unwrap_or_default()
    })
}

/// Where values are from that are not a recipe's.
#[derive(Debug, Default)]
pub struct Origins {
    pub file: Option<PathBuf>,
    by_id: BTreeMap<&'static str, Origin>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    Flag,
    File,
}

impl Origins {
    /// Of the flag with this id; none if neither flags nor file say anything.
    pub fn of(&self, id: &str) -> Option<Origin> {
        self.by_id.get(id).copied()
    }

    fn note(given: &ArgMatches, file: Option<&ConfigFile>) -> Self {
        let in_file = |id: &str| file.is_some_and(|file| file.text(id).is_some());
        let mut by_id = BTreeMap::new();
        for id in KEYS.iter().map(|key| key.id) {
            // What a subcommand does not have is no one's.
            match given.try_contains_id(id).is_ok().then(|| given.value_source(id)).flatten() {
                Some(ValueSource::CommandLine) => _ = by_id.insert(id, Origin::Flag),
                Some(_) if in_file(id) => _ = by_id.insert(id, Origin::File),
                _ => {}
            }
        }
        Self { file: file.map(|file| file.path.clone()), by_id }
    }
}

/// Parses arguments above the file that they name, if they name one.
pub(super) fn parse(
    command: fn() -> Command,
    arguments: Vec<OsString>,
) -> Result<(ArgMatches, Origins), Error> {
    let file = match named_file(command(), &arguments) {
        None => None,
        Some(path) => {
            let check = |id: &str, text: &str| check(command(), id, text);
            let read = ConfigFile::read(path, &check);
            Some(read.map_err(|why| Error::raw(ErrorKind::ValueValidation, why + "\n"))?)
        }
    };
    let command = file.iter().fold(command(), above);
    let matches = command.try_get_matches_from(arguments)?;
    let given = matches.subcommand().map_or(&matches, |(_, given)| given);
    let origins = Origins::note(given, file.as_ref());
    Ok((matches, origins))
}

/// What `--config` names, however wrong the rest is: that is refused later, with the file.
fn named_file(command: Command, arguments: &[OsString]) -> Option<PathBuf> {
    let matches = command.ignore_errors(true).try_get_matches_from(arguments).ok()?;
    let given = matches.subcommand().map_or(&matches, |(_, given)| given);
    given.try_get_one::<PathBuf>("config").ok().flatten().cloned()
}

/// The file's values as defaults, here and in subcommands: flags override them, and no option that
/// "does nothing" is held against the user.
fn above(command: Command, file: &ConfigFile) -> Command {
    let names: Vec<_> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    let command =
        names.iter().fold(command, |command, sub| command.mut_subcommand(sub, |c| above(c, file)));
    file.texts().fold(command, |command, (id, text)| {
        if command.get_arguments().any(|arg| arg.get_id() == id) {
            command.mut_arg(id, |arg| arg.default_value(text.to_owned()))
        } else {
            command
        }
    })
}

/// What is wrong with a value, in the words of its flag.
fn check(command: Command, id: &str, text: &str) -> Result<(), String> {
    let Err(error) = command.try_get_matches_from(["dm-wgpu".into(), flag(id) + "=" + text]) else {
        return Ok(());
    };
    let possible = match error.get(ContextKind::ValidValue) {
        Some(ContextValue::Strings(names)) if !names.is_empty() => Some(names.join(", ")),
        _ => None,
    };
    let reason = std::error::Error::source(&error).map(ToString::to_string);
    match (error.kind(), possible, reason) {
        (ErrorKind::InvalidValue, Some(names), _) => Err(format!("possible are {names}")),
        (ErrorKind::ValueValidation, _, Some(reason)) => Err(reason),
        (ErrorKind::InvalidValue | ErrorKind::ValueValidation, ..) => {
            Err("there must be something".into())
        }
        // Of the value alone nothing else can be said.
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
