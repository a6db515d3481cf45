//! The layer below the flags: the values of a file (`--config`) are the defaults of flags.

use std::{ffi::OsString, path::PathBuf};

use clap::{
    ArgMatches, Command, Error,
    error::{ContextKind, ContextValue, ErrorKind},
};

use super::applies::flag;
use crate::cli::config::ConfigFile;

/// Parses arguments on top of the file that they name, if they name one; the file is returned as well.
pub(super) fn parse(
    command: fn() -> Command,
    arguments: Vec<OsString>,
) -> Result<(ArgMatches, Option<PathBuf>), Error> {
    let file = match named_file(command(), &arguments) {
        None => None,
        Some(path) => {
            let check = |id: &str, text: &str| check(command(), id, text);
            let read = ConfigFile::read(path, &check);
            Some(read.map_err(|why| Error::raw(ErrorKind::ValueValidation, why + "\n"))?)
        }
    };
    let command = file.iter().fold(command(), above);
    Ok((command.try_get_matches_from(arguments)?, file.map(|file| file.path)))
}

/// The file that `--config` names, even if the other arguments are wrong: those are refused later, together with the
/// file.
fn named_file(command: Command, arguments: &[OsString]) -> Option<PathBuf> {
    let matches = command.ignore_errors(true).try_get_matches_from(arguments).ok()?;
    let given = matches.subcommand().map_or(&matches, |(_, given)| given);
    given.try_get_one::<PathBuf>("config").ok().flatten().cloned()
}

/// The file's values as defaults, here and in subcommands. Flags override them, and a value in the
/// file that has no effect is not an error.
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

/// What is wrong with a value, named by its flag.
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
            Err("a value is needed".into())
        }
        // Of the value alone nothing else can be said.
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
