//! The published ways to train networks on a set.

use serde::{Deserialize, Serialize};

/// How networks are trained on a set: schedule, augmentation and mixing, as published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Protocol {
    /// Zhao & Bilen, WACV 2023: one augmentation per batch; the learning rate falls to a tenth half-way.
    #[default]
    Dm,
    /// Kim et al., ICML 2022: all augmentations on each image, one after the other; CutMix on every second batch; the
    /// learning rate falls to a fifth after two thirds and again after five sixths.
    Idc,
}

impl Protocol {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Dm, Self::Idc];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dm => "dm",
            Self::Idc => "idc",
        }
    }

    /// Whether nothing needs to be said of it.
    pub(crate) fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

impl std::fmt::Display for Protocol {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}
