//! The methods that make a set, and their names in files and on command lines.

use std::fmt;

use crate::{Matching, Selector};

/// A method that makes a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Condensing.
    Condensing(Matching),
    /// Real images, chosen.
    Selection(Selector),
    /// All of them.
    Whole,
}

impl Method {
    /// Distribution matching.
    pub const DM: Self = Self::Condensing(Matching::Dm);

    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::DM,
        Self::Condensing(Matching::Dc),
        Self::Condensing(Matching::Dsa),
        Self::Condensing(Matching::Trajectory),
        Self::Condensing(Matching::Dd),
        Self::Selection(Selector::Random),
        Self::Selection(Selector::Herding),
        Self::Selection(Selector::KCenter),
        Self::Whole,
    ];

    /// Whether it condenses.
    pub fn condenses(self) -> bool {
        matches!(self, Self::Condensing(_))
    }

    /// Whether its sets are to be compared with random ones of equal storage.
    pub fn beats_random(self) -> bool {
        !matches!(self, Self::Selection(Selector::Random) | Self::Whole)
    }

    /// `dm`, `herding` …
    pub fn name(self) -> &'static str {
        match self {
            Self::Condensing(matching) => matching.name(),
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
