//! Augmentation strategies and the parameters they draw. The arithmetic is in `shaders/augment_*.wgsl`.

mod draw;
pub(crate) mod row;

use std::{fmt, str::FromStr};

use crate::{Error, Result};
pub(crate) use draw::draw_all;
pub(crate) use row::Row;

/// One member of a [`Strategy`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Augmentation {
    /// Brightness, saturation and contrast, in that order.
    Color,
    /// A shift by up to an eighth of the size, zeros entering.
    Crop,
    /// A square of half the size set to zero.
    Cutout,
    /// Mirrored left to right, half of the time.
    Flip,
    /// Each axis scaled by 1/1.2 to 1.2.
    Scale,
    /// Turned by up to 15°.
    Rotate,
}

impl Augmentation {
    /// All of them, in the order of the published strategy.
    pub const ALL: [Self; 6] =
        [Self::Color, Self::Crop, Self::Cutout, Self::Flip, Self::Scale, Self::Rotate];

    /// Whether it samples the image between its pixels.
    fn samples(self) -> bool {
        matches!(self, Self::Scale | Self::Rotate)
    }

    /// Its name in a strategy, e.g. `color`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Color => "color",
            Self::Crop => "crop",
            Self::Cutout => "cutout",
            Self::Flip => "flip",
            Self::Scale => "scale",
            Self::Rotate => "rotate",
        }
    }
}

/// A set of augmentations of which one is drawn for each iteration and class
/// (differentiable siamese augmentation; Zhao & Bilen, ICML 2021).
///
/// Written as names joined by `_` or `,`: `color_crop_cutout_flip_scale_rotate`; `none` is the empty set.
///
/// ```
/// use dm_wgpu::augment::Strategy;
///
/// let strategy: Strategy = "flip,crop".parse()?;
/// assert_eq!(strategy.to_string(), "crop_flip");
/// assert_eq!(strategy.members().len(), 2);
/// # Ok::<(), dm_wgpu::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Strategy(Vec<Augmentation>);

impl Strategy {
    /// No augmentation.
    pub fn none() -> Self {
        Self(Vec::new())
    }
    /// All six: right for photographs.
    pub fn all() -> Self {
        Self(Augmentation::ALL.to_vec())
    }
    /// All but flip: right for digits and letters.
    pub fn digits() -> Self {
        Self(Augmentation::ALL.into_iter().filter(|a| *a != Augmentation::Flip).collect())
    }
    /// The members, in [`Augmentation::ALL`]'s order.
    pub fn members(&self) -> &[Augmentation] {
        &self.0
    }
    /// The members that each pass over the images makes, where all are made: those that sample between pixels are alone.
    /// Without members, one pass makes none.
    pub(crate) fn passes(&self) -> Vec<&[Augmentation]> {
        match self.0.is_empty() {
            true => vec![&[]],
            false => self.0.chunk_by(|a, b| !a.samples() && !b.samples()).collect(),
        }
    }
}

impl FromStr for Strategy {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = |name: &str| {
            Error::setting(
                "augment",
                format!("{text:?}"),
                format!(
                    "{name:?} is not an augmentation; join any of {} by _ or comma, or say none",
                    Augmentation::ALL.map(Augmentation::name).join(", ")
                ),
            )
        };
        let text_lower = text.trim().to_ascii_lowercase();
        if text_lower == "none" {
            return Ok(Self::none());
        }
        let mut members = Vec::new();
        for name in text_lower.split(['_', ',']).map(str::trim) {
            let member = Augmentation::ALL.into_iter().find(|a| a.name() == name);
            members.push(member.ok_or_else(|| wrong(name))?);
        }
        // Which one is drawn must not depend on the order they were typed in.
        members.sort();
        members.dedup();
        Ok(Self(members))
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none");
        }
        let names: Vec<_> = self.0.iter().map(|a| a.name()).collect();
        f.write_str(&names.join("_"))
    }
}
