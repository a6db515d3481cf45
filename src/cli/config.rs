//! Files for `--config`: a whole `run.toml` or a few of its keys, read with the line of each value.

use std::path::{Path, PathBuf};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use dm_wgpu::project::{
    BOTH, OTHER_PROTOCOL,
    settings::{Kind, SETTINGS, Setting},
};

/// Keys of `run.toml` that describe a run but are not settings.
const TOLD: [&str; 5] = ["version", "adapter", "outcome", "shards", "settings.selection"];

const TABLES: [&str; 4] = ["data", "settings", "evaluation", "machine"];

fn full(table: &str, name: &str) -> String {
    if table.is_empty() { name.to_owned() } else { format!("{table}.{name}") }
}

/// A value in a file.
#[derive(Debug)]
pub struct ConfigFile {
    pub path: PathBuf,
    values: Vec<Given>,
}

#[derive(Debug)]
struct Given {
    setting: &'static Setting,
    /// Its place, such as `settings.ipc`.
    place: String,
    /// The value as one would type it after the flag.
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

    /// Names of settings, each with the text that one would type after its flag.
    pub fn texts(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.values.iter().map(|given| (given.setting.name, given.text.as_str()))
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
        let other =
            table.get_ref().get(OTHER_PROTOCOL).and_then(|other| other.get_ref().as_table());
        for (name, value) in table.get_ref() {
            let (at, name) = (name.span().start, name.get_ref().as_ref());
            match value.get_ref() {
                _ if TOLD.contains(&name) => {}
                _ if name == OTHER_PROTOCOL && other.is_some() => {
                    let setting = Setting::find("evaluation", "protocol");
                    self.values.extend(setting.map(|setting| Given {
                        setting,
                        place: name.to_owned(),
                        text: BOTH.to_owned(),
                        line: self.line(at),
                    }));
                }
                DeValue::Table(table) if name == "evaluation" && other.is_some() => {
                    // What both evaluations do not share follows from their protocols.
                    let text = self.text;
                    let of = |value: &Spanned<DeValue>| text.get(value.span()).unwrap_or_default();
                    for (key, value) in table {
                        let (at, key) = (key.span().start, key.get_ref().as_ref());
                        let theirs = other.and_then(|other| other.get(key)).map(of);
                        if theirs == Some(of(value)) {
                            self.value(name, key, at, value)?;
                        }
                    }
                }
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
        let numbers = values.get("per_class").filter(|_| table == "settings");
        for (name, value) in values {
            let (at, name) = (name.span().start, name.get_ref().as_ref());
            match numbers {
                // Its numbers say it.
                Some(_) if name == "ipc" => continue,
                Some(numbers) if name == "per_class" => {
                    let text = self.text.get(numbers.span()).unwrap_or_default();
                    let text =
                        text.trim_matches(['[', ']', ' ', ',', '\n']).replace([' ', '\n'], "");
                    let checked = (self.check)("ipc", &text);
                    checked.map_err(|why| self.wrong(at, &format!("settings.per_class: {why}")))?;
                    let (line, place) = (self.line(at), full(table, name));
                    let setting = Setting::find(table, "ipc");
                    self.values.extend(setting.map(|setting| Given { setting, place, text, line }));
                    continue;
                }
                _ => {}
            }
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
        let place = full(table, name);
        let Some(setting) = Setting::find(table, name) else {
            let nearest = nearest(table, name);
            return Err(self.wrong(at, &format!("unknown key {place}; the nearest is {nearest}")));
        };
        let given = self.text.get(value.span()).unwrap_or_default();
        let text = text_of(setting.kind, value.get_ref());
        let text = text.and_then(|text| (self.check)(setting.name, &text).map(|()| text));
        let text = text.map_err(|why| self.wrong(at, &format!("{place} = {given}: {why}")))?;
        let line = self.line(at);
        match self.values.iter().find(|other| other.setting.name == setting.name) {
            None => self.values.push(Given { setting, place, text, line }),
            Some(other) if other.text == text => {}
            Some(Given { place: other, text, line, .. }) => {
                let why = format!(
                    "{place} = {given}, but line {line} says {other} = {text}; leave one of them out"
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

/// A value as one would type it, if it has the setting's type.
fn text_of(kind: Kind, value: &DeValue) -> Result<String, String> {
    let (number, size) = (
        matches!(kind, Kind::Whole(..) | Kind::Counts(..) | Kind::Rate | Kind::Weight | Kind::Part),
        matches!(kind, Kind::Size),
    );
    let switch = matches!(kind, Kind::Switch);
    match value {
        DeValue::String(text) if matches!(kind, Kind::Counts(..)) && text.contains(',') => {
            Ok(text.clone().into_owned())
        }
        DeValue::String(text) if !number && !switch => Ok(text.clone().into_owned()),
        DeValue::Integer(whole) if number || size => {
            i128::from_str_radix(whole.as_str(), whole.radix())
                .map(|whole| whole.to_string())
                .map_err(|_| "too large".to_owned())
        }
        DeValue::Float(float) if number => Ok(float.as_str().to_owned()),
        DeValue::Boolean(on) if switch => Ok(on.to_string()),
        _ if number => Err("a number is needed, without quotes".into()),
        _ if size => Err("a number of bytes is needed, or a text like \"1GiB\"".into()),
        _ if switch => Err("true or false is needed".into()),
        _ => Err("a text is needed, in quotes".into()),
    }
}

/// The known key that is nearest to an unknown one: first by its own name, then by that of its table.
fn nearest(table: &str, name: &str) -> String {
    let distance = |(of, key): &(&str, &str)| {
        2 * strsim::damerau_levenshtein(name, key) + usize::from(table != *of)
    };
    let key = SETTINGS.iter().flat_map(Setting::places).min_by_key(distance);
    let table = TABLES.iter().min_by_key(|table| strsim::damerau_levenshtein(name, table));
    match (key, table) {
        // A table may be misspelt as well.
        (Some(key), Some(table))
            if distance(&key) > 2 * strsim::damerau_levenshtein(name, table) =>
        {
            format!("the table [{table}]")
        }
        (Some((table, key)), _) => full(table, key),
        (None, _) => String::new(),
    }
}

#[cfg(test)]
mod tests;
