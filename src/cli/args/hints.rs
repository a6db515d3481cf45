//! Hints that replace the usage in clap's error messages for known mistakes.

use std::{ffi::OsString, path::Path};

use clap::{
    Command, Error,
    builder::StyledStr,
    error::{ContextKind, ContextValue, ErrorKind},
};

use dm_wgpu::report::printable;

use crate::cli::dataset::{FOLDER, NAMES};

/// The error message for these arguments, as people see it.
pub(super) fn with(mut error: Error, command: &Command, arguments: &[OsString]) -> Error {
    for kind in [ContextKind::InvalidArg, ContextKind::InvalidSubcommand, ContextKind::InvalidValue]
    {
        if let Some(ContextValue::String(text)) = error.get(kind) {
            let text = printable(text).into_owned();
            error.insert(kind, ContextValue::String(text));
        }
    }
    // For missing arguments the usage helps; otherwise it would hide the line that matters.
    if error.kind() != ErrorKind::MissingRequiredArgument {
        error.remove(ContextKind::Usage);
    }
    if let Some(hint) = hint(&error, command, arguments) {
        for others in [
            ContextKind::SuggestedArg,
            ContextKind::SuggestedSubcommand,
            ContextKind::SuggestedValue,
        ] {
            error.remove(others);
        }
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![StyledStr::from(hint)]));
    }
    error
}

fn hint(error: &Error, command: &Command, arguments: &[OsString]) -> Option<String> {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    match error.kind() {
        ErrorKind::UnknownArgument | ErrorKind::InvalidSubcommand => {
            let word = text(ContextKind::InvalidArg).or(text(ContextKind::InvalidSubcommand))?;
            let words = || arguments.iter().filter_map(|argument| argument.to_str());
            let after = words().skip_while(|other| *other != word).nth(1);
            match word.strip_prefix("--") {
                Some(flag) => of_flag(flag, command, words()),
                None => of_word(word, after),
            }
        }
        ErrorKind::InvalidValue if text(ContextKind::InvalidArg)?.starts_with("--dataset ") => {
            of_dataset(text(ContextKind::InvalidValue)?)
        }
        _ => None,
    }
}

/// A run's option where a subcommand has it for evaluations alone.
fn of_flag<'a>(
    flag: &str,
    command: &Command,
    mut words: impl Iterator<Item = &'a str>,
) -> Option<String> {
    let subcommand = words.find_map(|word| command.find_subcommand(word))?;
    let longer = format!("eval-{flag}");
    let has = subcommand.get_arguments().any(|arg| arg.get_long() == Some(longer.as_str()));
    has.then(|| format!("for the networks of the evaluation, use '--{longer}'"))
}

/// A word where a subcommand or an option should be.
fn of_word(word: &str, after: Option<&str>) -> Option<String> {
    match (word, after) {
        ("help", Some(subcommand)) => Some(format!("use 'dm-wgpu {subcommand} --help'")),
        ("help", None) => Some("use 'dm-wgpu --help'".into()),
        ("resume", after) => {
            Some(format!("to resume a run, use '--resume {}'", after.unwrap_or("DIR")))
        }
        _ => match name(word) {
            Some(name) => Some(format!("to condense it, use '--dataset {name}'")),
            None => of_path(word),
        },
    }
}

fn of_dataset(value: &str) -> Option<String> {
    if let Some(name) = name(value) {
        return Some(format!("its name is '--dataset {name}'"));
    }
    of_path(value)
}

/// The hint for a user who names a folder.
fn of_path(value: &str) -> Option<String> {
    let path = value.starts_with(['.', '~']) || value.contains(std::path::is_separator);
    let folder = Path::new(value).is_dir();
    (path || folder).then(|| {
        let value = printable(value);
        format!("for the pictures in a folder, use '--dataset {FOLDER}{value}'")
    })
}

/// The data set whose name a user spells differently.
fn name(word: &str) -> Option<&'static str> {
    let plain = |text: &str| text.replace(['-', '_', ' '], "").to_lowercase();
    NAMES.into_iter().find(|name| plain(name) == plain(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(line: &str) -> String {
        let arguments: Vec<_> = line.split_whitespace().map(OsString::from).collect();
        let error = super::super::command().try_get_matches_from(&arguments).unwrap_err();
        with(error, &super::super::command(), &arguments).to_string()
    }

    #[test]
    fn known_mistakes_get_a_hint() {
        for (line, hint) in [
            ("evaluate x --width 8", "'--eval-width'"),
            ("help export", "'dm-wgpu export --help'"),
            ("help", "'dm-wgpu --help'"),
            ("mnist", "'--dataset mnist'"),
            ("resume runs/x", "'--resume runs/x'"),
            ("--dataset MNIST", "'--dataset mnist'"),
            ("--dataset FashionMNIST", "'--dataset fashion-mnist'"),
            ("evaluate x --dataset CIFAR-10", "'--dataset cifar10'"),
            // There is such a folder where tests run.
            ("--dataset src", "'--dataset folder:src'"),
            ("src", "'--dataset folder:src'"),
            ("--dataset ./none", "'--dataset folder:./none'"),
            ("--dataset /none", "'--dataset folder:/none'"),
            ("--dataset ~/none", "'--dataset folder:~/none'"),
            ("evaluate x --dataset none/", "'--dataset folder:none/'"),
        ] {
            let text = said(&format!("dm-wgpu {line}"));
            assert!(text.contains("tip: ") && text.contains(hint), "{line}: {text}");
            assert_eq!(text.matches("tip:").count(), 1, "{text}");
        }
        // Clap's own.
        assert!(said("dm-wgpu --dataset mnist --ipcs 1").contains("'--ipc'"));
    }

    #[test]
    fn escape_sequences_in_arguments_do_not_reach_the_terminal() {
        for line in ["\u{1b}[2J", "--dataset \u{1b}[2J", "--x\u{1b}[2J"] {
            let text = said(&format!("dm-wgpu {line}"));
            assert!(text.contains(r"\u{1b}[2J") && !text.contains('\u{1b}'), "{text}");
        }
    }

    #[test]
    fn usage_is_for_what_is_missing() {
        for line in
            ["--nonsense", "--dataset x", "--dataset mnist --ipc 0", "bench --x", "nonsense"]
        {
            let text = said(&format!("dm-wgpu {line}"));
            assert!(!text.contains("Usage:") && text.contains("'--help'"), "{text}");
        }
        assert!(said("dm-wgpu evaluate").contains("Usage: dm-wgpu evaluate <PATH>"));
    }
}
