//! The objectives by name.

use serde::{Deserialize, Serialize};

/// What is made alike in real and synthetic images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Matching {
    /// Mean embeddings: distribution matching (Zhao & Bilen, WACV 2023).
    #[default]
    Dm,
    /// Gradients at the weights of networks that are trained on the way: dataset condensation (Zhao, Mopuri & Bilen, ICLR
    /// 2021).
    Dc,
    /// The same with siamese augmentation (Zhao & Bilen, ICML 2021).
    Dsa,
    /// Mean embeddings by snapshots of networks that are trained on real images, and recognition by later ones.
    Trajectory,
}

impl Matching {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Dm, Self::Dc, Self::Dsa, Self::Trajectory];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dm => "dm",
            Self::Dc => "dc",
            Self::Dsa => "dsa",
            Self::Trajectory => "trajectory",
        }
    }

    /// Whether it is gradients that are matched.
    pub fn of_gradients(self) -> bool {
        matches!(self, Self::Dc | Self::Dsa)
    }

    /// Whether nothing needs to be said of it.
    pub(crate) fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

impl std::fmt::Display for Matching {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}
