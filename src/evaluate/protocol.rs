//! The published ways to train networks on a set.

use serde::{Deserialize, Serialize};

use crate::kernels::Rates;

const MOMENTUM: f32 = 0.9;
const WEIGHT_DECAY: f32 = 5e-4;

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

    /// What changes as an epoch begins: the rates, and whether the momenta begin anew. `None` if nothing does.
    pub(super) fn rates(self, epoch: u32, epochs: u32, lr: f32) -> Option<(Rates, bool)> {
        let part = |of: u32, all: u32| (u64::from(epochs) * u64::from(of) / u64::from(all)) as u32;
        let (falls, by, anew) = match self {
            Self::Dm => (vec![epochs / 2 + 1], 0.1, true),
            Self::Idc => (vec![part(2, 3), part(5, 6)], 0.2, false),
        };
        if epoch > 0 && !falls.contains(&epoch) {
            return None;
        }
        let fallen = falls.iter().filter(|&&fall| fall <= epoch).count();
        let lr = (0..fallen).fold(lr, |lr, _| lr * by);
        Some((Rates::new(lr, MOMENTUM, WEIGHT_DECAY), anew || epoch == 0))
    }
}

impl std::fmt::Display for Protocol {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_fall_where_they_are_published_to_fall() {
        let falls = |protocol: Protocol, epochs: u32| -> Vec<_> {
            (0..epochs)
                .filter_map(|epoch| {
                    let (rates, anew) = protocol.rates(epoch, epochs, 0.01)?;
                    Some((epoch, (rates.lr * 1e5).round() as u32, anew))
                })
                .collect()
        };
        assert_eq!(falls(Protocol::Dm, 300), [(0, 1000, true), (151, 100, true)]);
        let idc = [(0, 1000, true), (40, 200, false), (50, 40, false)];
        assert_eq!(falls(Protocol::Idc, 60), idc);
        assert_eq!(falls(Protocol::Idc, 1000)[1..], [(666, 200, false), (833, 40, false)]);
        // So short that both fall at once, at the beginning.
        assert_eq!(falls(Protocol::Idc, 1), [(0, 40, true)]);
    }
}
