//! The methods that make a set, and their names in files and on command lines.

use std::fmt;

use crate::Selector;

/// A method that makes a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Distribution matching.
    Dm,
    /// A selection of real images.
    Selection(Selector),
    /// All of them.
    Whole,
}

impl Method {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Dm,
        Self::Selection(Selector::Random),
        Self::Selection(Selector::Herding),
        Self::Selection(Selector::KCenter),
        Self::Whole,
    ];

    /// `dm`, `herding` …
    pub fn name(self) -> &'static str {
        match self {
            Self::Dm => "dm",
            Self::Selection(selector) => selector.name(),
            Self::Whole => "whole",
        }
    }

    /// The one with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.name() == name)
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
