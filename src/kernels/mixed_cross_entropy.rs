//! The classifier's loss with two labels of each image, and its gradient at the logits.

use bytemuck::{Pod, Zeroable};

use super::{WORKGROUP, wgsl};
use crate::gpu::{Buffer, Dispatch, Gpu, Kernel, Slot, fold, params};

params! {
    struct Params {
        classes: u32,
        images: u32,
        first: u32,
        weight: f32,
    }
}

/// What an image shows: two classes in shares that add up to 1, and how much it counts.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Pod, Zeroable)]
pub(crate) struct Shares {
    pub label: u32,
    pub other: u32,
    /// Of the former.
    pub share: f32,
    weight: f32,
}

impl Shares {
    pub fn new(label: u32, other: u32, share: f32) -> Self {
        Self { label, other, share, weight: 1.0 }
    }

    /// One class alone.
    pub fn of(label: u32, weight: f32) -> Self {
        Self { label, other: label, share: 1.0, weight }
    }
}

pub(super) const KERNEL: Kernel = Kernel {
    name: "mixed_cross_entropy",
    source: wgsl!("shared/grid", "shared/softmax", "mixed_cross_entropy"),
    slots: &[Slot::params::<Params>(), Slot::Read, Slot::Read, Slot::Write, Slot::Write],
};

/// `losses`, each `weight` times, and their gradient `d_logits` (images, classes). Targets and losses of these images begin
/// at `first`.
#[allow(clippy::too_many_arguments)]
pub(crate) fn mixed_cross_entropy(
    gpu: &Gpu,
    (logits, classes): (&Buffer<f32>, usize),
    targets: &Buffer<Shares>,
    losses: &Buffer<f32>,
    d_logits: &Buffer<f32>,
    (first, images): (usize, usize),
    weight: f32,
) -> Dispatch {
    let [count, of, start] = [images, classes, first].map(|n| n as u32);
    let params = Params { classes: of, images: count, first: start, weight };
    let params = Buffer::params(gpu, "mixed_cross_entropy params", &params);
    let inputs = [params.binding(), logits.binding(), targets.binding(), losses.binding()];
    let bindings = [&inputs[..], &[d_logits.binding()]].concat();
    let grid = fold(images.div_ceil(WORKGROUP));
    KERNEL.dispatch(gpu, &[], &bindings, grid).values(2 * images * (classes + 1))
}
