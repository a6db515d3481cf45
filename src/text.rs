//! The sentences of errors, in which settings and sizes can be named in another program's words.

use std::fmt;

/// A sentence that may name settings and sizes. As it is displayed, settings have the names of fields; a program writes
/// them as it calls them with [`in_words`](Self::in_words).
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

/// How a program calls settings and writes sizes.
pub trait Words {
    /// A setting, such as `batch_real`.
    fn setting(&self, name: &str) -> String {
        name.to_owned()
    }

    /// The same in front of a value of it, with what is between.
    fn value(&self, name: &str) -> String {
        format!("{} = ", self.setting(name))
    }

    /// So many `bytes` or `MiB`.
    fn size(&self, number: u64, unit: &str) -> String {
        format!("{number} {unit}")
    }
}

/// This library's own.
struct Fields;

impl Words for Fields {}

impl Text {
    fn with(mut self, part: Part) -> Self {
        self.0.push(part);
        self
    }

    /// Goes on with this.
    #[must_use]
    pub fn then(mut self, more: impl Into<Self>) -> Self {
        self.0.extend(more.into().0);
        self
    }

    /// Goes on with a setting's name.
    #[must_use]
    pub fn setting(self, name: &'static str) -> Self {
        self.with(Part::Setting(name))
    }

    /// Goes on with a setting and its value.
    #[must_use]
    pub fn value(self, name: &'static str, value: impl Into<Self>) -> Self {
        self.with(Part::Value(name)).then(value)
    }

    /// Goes on with a number of bytes.
    #[must_use]
    pub fn bytes(self, bytes: u64) -> Self {
        self.with(Part::Size(bytes, "bytes"))
    }

    /// Goes on with a number of MiB.
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
