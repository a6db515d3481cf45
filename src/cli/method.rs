//! What can make a set, by the name it has on the command line.

use std::fmt;

use clap::builder::{PossibleValuesParser, TypedValueParser};

use dm_wgpu::Selector;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Distribution matching.
    Dm,
    /// Real images, chosen.
    Selection(Selector),
    /// All of them.
    Whole,
}

impl Method {
    const ALL: [Self; 5] = [
        Self::Dm,
        Self::Selection(Selector::Random),
        Self::Selection(Selector::Herding),
        Self::Selection(Selector::KCenter),
        Self::Whole,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Dm => "dm",
            Self::Selection(selector) => selector.name(),
            Self::Whole => "whole",
        }
    }

    /// For clap, which then knows all names.
    pub fn parser() -> impl TypedValueParser<Value = Self> {
        PossibleValuesParser::new(Self::ALL.map(Self::name)).map(|name| {
            // clap has let no other name through.
            Self::ALL.into_iter().find(|method| method.name() == name).unwrap_or(Self::Dm)
        })
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
