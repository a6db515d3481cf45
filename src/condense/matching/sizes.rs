//! How batches are cut so that everything fits.

use std::fmt;

use super::{Plan, RealFormat};
use crate::{
    Error, Result,
    gpu::Gpu,
    kernels::Item,
    nn::{Embedder, Weights},
};

/// How batches are cut so that everything fits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sizes {
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
    /// Half as many images at a time, and the training set sent piece by piece; none if that is so already.
    pub fn smaller(self) -> Option<Self> {
        let (chunk, syn_chunk) = (self.chunk.div_ceil(2), self.syn_chunk.div_ceil(2));
        let smaller = Self { chunk, syn_chunk, resident: false };
        (smaller != self).then_some(smaller)
    }

    pub fn of(gpu: &Gpu, plan: &Plan<'_>) -> Result<Self> {
        let net = &plan.net;
        let classes = plan.real_counts.len();
        let reals: usize = plan.real_counts.iter().sum();
        let syns = classes * plan.ipc;
        let image_len = net.channels() * net.size().pow(2);
        let binding = gpu.max_binding();

        // What is there whatever the chunks: pixels, velocity, gradient; sums; weights; lists.
        let fixed = (3 * syns * image_len + 3 * classes * net.features()) as u64 * 4
            + Weights::bytes(gpu, net)
            + (reals + syns) as u64 * size_of::<Item>() as u64;
        let largest_fixed = (syns * image_len).max(classes * net.features()) as u64 * 4;
        if largest_fixed > binding {
            return Err(Error::setting(
                "ipc",
                plan.ipc,
                format!(
                    "the synthetic images take {largest_fixed} bytes, this adapter binds at most \
                     {binding} at once; use fewer images per class"
                ),
            ));
        }
        let per_image = Embedder::bytes_per_image(gpu, net);
        // A streamed image waits in a buffer of its own; 4 bytes each for its mean.
        let (streamed, all) = match plan.real {
            RealFormat::Pixels { all, .. } => (image_len, Some(all.len() as u64)),
            RealFormat::Values => (image_len * 4, None),
        };
        let forward = (per_image.forward + streamed + 4) as u64;
        let backward = per_image.backward as u64;
        let smallest = fixed + forward + backward;
        if plan.memory_budget < smallest {
            return Err(Error::setting(
                "memory_budget",
                format!("{} bytes", plan.memory_budget),
                format!("these settings need at least {} MiB", smallest.div_ceil(1 << 20)),
            ));
        }
        let room = plan.memory_budget - fixed;
        // Keeping the training set saves sending it piece by piece, but not at any price.
        let resident = all.is_some_and(|bytes| bytes <= binding && bytes <= room / 2);
        let room = room - if resident { all.unwrap_or(0) } else { 0 };
        let bound = (binding / per_image.largest as u64).max(1);
        let at_most =
            |images: usize, fits: u64| (images as u64).min(fits).min(bound).max(1) as usize;
        // Backward takes little more than forward: give the synthetic images room first.
        let syn_chunk = at_most(syns, room / (forward + backward));
        let chunk = at_most(reals, (room - syn_chunk as u64 * backward) / forward);
        Ok(Self { chunk, syn_chunk, resident })
    }
}
