//! Files for `--config`: a whole `run.toml` or a few of its keys, read with the line of each value.

use std::path::{Path, PathBuf};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// A key of `run.toml` that says what to do, and the flag that says the same.
#[derive(Debug, PartialEq, Eq)]
pub struct Key {
    /// Empty for keys in no table.
    pub table: &'static str,
    pub name: &'static str,
    /// The flag as clap knows it: `lr_img` for `--lr-img`.
    pub id: &'static str,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    /// A number of bytes, or a text like `1GiB`.
    Size,
    Switch,
}

const fn key(table: &'static str, name: &'static str, id: &'static str, kind: Kind) -> Key {
    Key { table, name, id, kind }
}

pub const KEYS: [Key; 38] = {
    use Kind::*;
    [
        key("", "preset", "preset", Text),
        key("", "method", "method", Text),
        key("", "eval_every", "eval_every", Number),
        key("", "no_eval", "no_eval", Switch),
        key("", "runs", "runs", Number),
        key("", "snapshots", "snapshots", Number),
        // Short for [data] name, and how runs wrote it before there was [data].
        key("", "dataset", "dataset", Text),
        key("data", "name", "dataset", Text),
        key("data", "data_dir", "data_dir", Text),
        key("data", "resize", "resize", Number),
        key("data", "test_fraction", "test_fraction", Number),
        key("settings", "ipc", "ipc", Number),
        key("settings", "iterations", "iterations", Number),
        key("settings", "init", "init", Text),
        key("settings", "net", "net", Text),
        key("settings", "width", "width", Number),
        key("settings", "depth", "depth", Number),
        key("settings", "batch_real", "batch_real", Number),
        key("settings", "lr_img", "lr_img", Number),
        key("settings", "augment", "augment", Text),
        key("settings", "seed", "seed", Number),
        // Where runs wrote it before it was the machine's, here and in the evaluation.
        key("settings", "memory_budget", "memory_budget", Size),
        key("evaluation", "nets", "eval_nets", Number),
        key("evaluation", "epochs", "eval_epochs", Number),
        key("evaluation", "net", "eval_net", Text),
        key("evaluation", "width", "eval_width", Number),
        key("evaluation", "depth", "eval_depth", Number),
        key("evaluation", "batch", "eval_batch", Number),
        key("evaluation", "lr", "eval_lr", Number),
        key("evaluation", "augment", "eval_augment", Text),
        // A run has one of each.
        key("evaluation", "seed", "seed", Number),
        key("evaluation", "memory_budget", "memory_budget", Size),
        key("machine", "adapter", "adapter", Text),
        key("machine", "backend", "backend", Text),
        key("machine", "kernels", "kernels", Text),
        key("machine", "precision", "precision", Text),
        key("machine", "submit_target", "submit_target", Number),
        key("machine", "memory_budget", "memory_budget", Size),
    ]
};

/// What `run.toml` tells of a run, but asks of none.
const TOLD: [&str; 4] = ["version", "adapter", "outcome", "settings.selection"];

const TABLES: [&str; 4] = ["data", "settings", "evaluation", "machine"];

impl Key {
    pub fn find(table: &str, name: &str) -> Option<&'static Self> {
        KEYS.iter().find(|key| key.table == table && key.name == name)
    }
}

fn full(table: &str, name: &str) -> String {
    if table.is_empty() { name.to_owned() } else { format!("{table}.{name}") }
}

/// What a file says.
#[derive(Debug)]
pub struct ConfigFile {
    pub path: PathBuf,
    values: Vec<Given>,
}

#[derive(Debug)]
struct Given {
    key: &'static Key,
    /// As it would be typed behind the flag.
    text: String,
    line: usize,
}

impl ConfigFile {
    /// Reads a file; `check` says what is wrong with the value of a flag. Errors are one line that
    /// begins with the file's name.
    pub fn read(
        path: PathBuf,
        check: &dyn Fn(&str, &str) -> Result<(), String>,
    ) -> Result<Self, String> {
        let text = std::fs::read_to_string(&path).map_err(|error| {
            format!("--config {}: {error}; a run.toml or a part of one is needed", path.display())
        })?;
        let values = Reader { path: &path, text: &text, check, values: Vec::new() }.read()?;
        Ok(Self { path, values })
    }

    /// Of the flag with this id.
    pub fn text(&self, id: &str) -> Option<&str> {
        self.texts().find(|(other, _)| *other == id).map(|(_, text)| text)
    }

    /// Ids of flags, with what would be typed behind them.
    pub fn texts(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.values.iter().map(|given| (given.key.id, given.text.as_str()))
    }
}

struct Reader<'a> {
    path: &'a Path,
    text: &'a str,
    check: &'a dyn Fn(&str, &str) -> Result<(), String>,
    values: Vec<Given>,
}

impl Reader<'_> {
    fn read(mut self) -> Result<Vec<Given>, String> {
        let table = DeTable::parse(self.text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            self.wrong(at, &format!("this is not TOML: {}", error.message()))
        })?;
        for (name, value) in table.get_ref() {
            let (at, name) = (name.span().start, name.get_ref().as_ref());
            match value.get_ref() {
                _ if TOLD.contains(&name) => {}
                DeValue::Table(table) if TABLES.contains(&name) => self.table(name, table)?,
                _ if TABLES.contains(&name) => {
                    return Err(self.wrong(at, &format!("{name} is a table: [{name}]")));
                }
                _ => self.value("", name, at, value)?,
            }
        }
        Ok(self.values)
    }

    fn table(&mut self, table: &str, values: &DeTable) -> Result<(), String> {
        for (name, value) in values {
            let (at, name) = (name.span().start, name.get_ref().as_ref());
            if !TOLD.contains(&full(table, name).as_str()) {
                self.value(table, name, at, value)?;
            }
        }
        Ok(())
    }

    fn value(
        &mut self,
        table: &str,
        name: &str,
        at: usize,
        value: &Spanned<DeValue>,
    ) -> Result<(), String> {
        let shown = full(table, name);
        let Some(key) = Key::find(table, name) else {
            let nearest = nearest(table, name);
            return Err(self.wrong(at, &format!("unknown key {shown}; the nearest is {nearest}")));
        };
        let given = self.text.get(value.span()).unwrap_or_default();
        let text = text_of(key.kind, value.get_ref());
        let text = text.and_then(|text| (self.check)(key.id, &text).map(|()| text));
        let text = text.map_err(|why| self.wrong(at, &format!("{shown} = {given}: {why}")))?;
        let line = self.line(at);
        match self.values.iter().find(|other| other.key.id == key.id) {
            None => self.values.push(Given { key, text, line }),
            Some(other) if other.text == text => {}
            Some(Given { key, text, line }) => {
                let other = full(key.table, key.name);
                let why = format!(
                    "{shown} = {given}, but line {line} says {other} = {text}; leave one of them out"
                );
                return Err(self.wrong(at, &why));
            }
        }
        Ok(())
    }

    fn line(&self, at: usize) -> usize {
        self.text.as_bytes().iter().take(at).filter(|&&byte| byte == b'\n').count() + 1
    }

    fn wrong(&self, at: usize, why: &str) -> String {
        format!("{}:{}: {why}", self.path.display(), self.line(at))
    }
}

/// A value as it would be typed, if it is of a type that the key has.
fn text_of(kind: Kind, value: &DeValue) -> Result<String, String> {
    match (kind, value) {
        (Kind::Text | Kind::Size, DeValue::String(text)) => Ok(text.clone().into_owned()),
        (Kind::Number | Kind::Size, DeValue::Integer(number)) => {
            i128::from_str_radix(number.as_str(), number.radix())
                .map(|number| number.to_string())
                .map_err(|_| "too large".to_owned())
        }
        (Kind::Number, DeValue::Float(number)) => Ok(number.as_str().to_owned()),
        (Kind::Switch, DeValue::Boolean(on)) => Ok(on.to_string()),
        (Kind::Text, _) => Err("a text is needed, in quotes".into()),
        (Kind::Number, _) => Err("a number is needed, without quotes".into()),
        (Kind::Size, _) => Err("a number of bytes is needed, or a text like \"1GiB\"".into()),
        (Kind::Switch, _) => Err("true or false is needed".into()),
    }
}

/// The known key that an unknown one is most like, by its own name before that of its table.
fn nearest(table: &str, name: &str) -> String {
    let distance = |key: &&Key| {
        let own = strsim::damerau_levenshtein(name, key.name);
        2 * own + usize::from(table != key.table)
    };
    let key = KEYS.iter().min_by_key(distance);
    let table = TABLES.iter().min_by_key(|table| 2 * strsim::damerau_levenshtein(name, table));
    match (key, table) {
        // A table may be misspelt as well.
        (Some(key), Some(table))
            if distance(&key) > 2 * strsim::damerau_levenshtein(name, table) =>
        {
            format!("the table [{table}]")
        }
        (Some(key), _) => full(key.table, key.name),
        (None, _) => String::new(),
    }
}

#[cfg(test)]
mod tests;
