//! How batches are cut so that everything fits.

use std::fmt;

use super::{Plan, RealFormat};
use crate::{
    Error, Result, Text,
    gpu::{Gpu, most},
};

/// How batches are cut so that everything fits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::condense) struct Sizes {
    /// Real images at a time.
    pub chunk: usize,
    /// Synthetic images at a time.
    pub syn_chunk: usize,
    /// Whether the training pixels stay on the device.
    pub resident: bool,
}

impl fmt::Display for Sizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { chunk, syn_chunk, .. } = self;
        write!(f, "{chunk} real and {syn_chunk} synthetic images at a time")
    }
}

impl Sizes {
    /// Sizes of buffers that were given up to make room.
    pub const NOTHING: Self = Self { chunk: 0, syn_chunk: 0, resident: false };

    /// Half as many images at a time, and the training set sent piece by piece; `None` if there is nothing smaller.
    pub fn smaller(self) -> Option<Self> {
        let (chunk, syn_chunk) = (self.chunk.div_ceil(2), self.syn_chunk.div_ceil(2));
        let smaller = Self { chunk, syn_chunk, resident: false };
        (smaller != self).then_some(smaller)
    }

    pub fn of(gpu: &Gpu, plan: &Plan<'_>) -> Result<Self> {
        let binding = gpu.max_binding();
        let pixels = (plan.stored() * plan.image_len()) as u64 * 4;
        if pixels > binding {
            return Err(Error::setting(
                "ipc",
                plan.counts.iter().max().copied().unwrap_or(0),
                Text::from("the synthetic images take ").bytes(pixels).then(format!(
                    ", this adapter binds at most {binding} at once; use fewer images per class"
                )),
            ));
        }
        let table = |sizes| plan.table(gpu.caps(), sizes);
        let fits = |sizes| gpu.has_room_for(&table(sizes));
        let least = Self { chunk: 1, syn_chunk: 1, resident: false };
        gpu.check_room(&table(least), "these settings need")?;
        // Keeping the training set on the device saves sending it piece by piece, but it must leave room for images.
        let fixed = table(Self::NOTHING).bytes();
        let price = |bytes: usize| bytes as u64 <= (gpu.memory_budget() - fixed) / 2;
        let resident = matches!(plan.real, RealFormat::Pixels { all, .. } if price(all.len()))
            && fits(Self { resident: true, ..least });
        // Backward takes little more than forward: give the synthetic images room first.
        let cut = |chunk, syn_chunk| Self { chunk, syn_chunk, resident };
        let syn_chunk = most(plan.syns(), |syn_chunk| fits(cut(1, syn_chunk)));
        let chunk = most(plan.reals(), |chunk| fits(cut(chunk, syn_chunk)));
        Ok(cut(chunk, syn_chunk))
    }
}

#[cfg(test)]
mod tests;
