//! The sentences of errors. A program can write the settings and sizes in them in its own words.

use std::fmt;

/// A sentence that may name settings and sizes. Displayed directly, settings have the names of fields; with
/// [`in_words`](Self::in_words) a program writes its own names for them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Plain(String),
    /// A setting's name.
    Setting(&'static str),
    /// The same in front of a value of it.
    Value(&'static str),
    Size(u64, &'static str),
}

/// A program's words for settings and sizes.
pub trait Words {
    /// A setting, such as `batch_real`.
    fn setting(&self, name: &str) -> String {
        name.to_owned()
    }

    /// The same in front of its value, with the separator.
    fn value(&self, name: &str) -> String {
        format!("{} = ", self.setting(name))
    }

    /// So many `bytes` or `MiB`.
    fn size(&self, number: u64, unit: &str) -> String {
        format!("{number} {unit}")
    }
}

/// This library's own words.
struct Fields;

impl Words for Fields {}

impl Text {
    fn with(mut self, part: Part) -> Self {
        self.0.push(part);
        self
    }

    /// Appends this text.
    #[must_use]
    pub fn then(mut self, more: impl Into<Self>) -> Self {
        self.0.extend(more.into().0);
        self
    }

    /// Appends a setting's name.
    #[must_use]
    pub fn setting(self, name: &'static str) -> Self {
        self.with(Part::Setting(name))
    }

    /// Appends a setting and its value.
    #[must_use]
    pub fn value(self, name: &'static str, value: impl Into<Self>) -> Self {
        self.with(Part::Value(name)).then(value)
    }

    /// Appends a number of bytes.
    #[must_use]
    pub fn bytes(self, bytes: u64) -> Self {
        self.with(Part::Size(bytes, "bytes"))
    }

    /// Appends a number of MiB.
    #[must_use]
    pub fn mebibytes(self, number: u64) -> Self {
        self.with(Part::Size(number, "MiB"))
    }

    /// The sentence in a program's own words.
    pub fn in_words(&self, words: &dyn Words) -> String {
        let written = self.0.iter().map(|part| match *part {
            Part::Plain(ref text) => text.clone(),
            Part::Setting(name) => words.setting(name),
            Part::Value(name) => words.value(name),
            Part::Size(number, unit) => words.size(number, unit),
        });
        written.collect()
    }
}

impl<T: Into<String>> From<T> for Text {
    fn from(text: T) -> Self {
        Self(vec![Part::Plain(text.into())])
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.in_words(&Fields))
    }
}
