//! Presets: how much effort to make.

use std::{fmt, str::FromStr};

use serde::Deserialize;

use crate::{Error, Result};

/// How much effort to make: iterations, networks, epochs. [`Recipe::RULES`](crate::Recipe::RULES)
/// has the values of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Preset {
    /// For a GPU: fewer iterations and networks than published.
    #[default]
    Quick,
    /// As for the published figures: five runs of 20 000 iterations, each with 20 networks.
    Paper,
    /// Minutes on a CPU: smaller networks, fewer real images and iterations.
    Small,
    /// A smoke test: seconds, even on a CPU.
    Smoke,
    /// The best set for its storage, meant for about an hour on a laptop: it also chooses the method, see
    /// [`Recipe::method`](crate::Recipe::method).
    Best,
}

impl Preset {
    /// Every one.
    pub const ALL: [Self; 5] = [Self::Quick, Self::Paper, Self::Small, Self::Smoke, Self::Best];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Quick => "quick",
            Self::Paper => "paper",
            Self::Small => "small",
            Self::Smoke => "smoke",
            Self::Best => "best",
        }
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Preset {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|preset| preset.name() == text).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            Error::setting("preset", text, format!("possible are {names}"))
        })
    }
}
