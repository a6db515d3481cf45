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
    /// What networks make of real images after they were trained on the synthetic ones in a few steps, whose order and
    /// learning rates belong to the set: dataset distillation (Wang et al., 2018).
    Dd,
}

impl Matching {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Dm, Self::Dc, Self::Dsa, Self::Trajectory, Self::Dd];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dm => "dm",
            Self::Dc => "dc",
            Self::Dsa => "dsa",
            Self::Trajectory => "trajectory",
            Self::Dd => "dd",
        }
    }

    /// Whether it is gradients that are matched.
    pub fn of_gradients(self) -> bool {
        matches!(self, Self::Dc | Self::Dsa)
    }

    /// Whether it is mean embeddings.
    pub fn of_embeddings(self) -> bool {
        matches!(self, Self::Dm | Self::Trajectory)
    }

    /// Whether images are augmented.
    pub fn augments(self) -> bool {
        matches!(self, Self::Dm | Self::Dsa | Self::Trajectory)
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
