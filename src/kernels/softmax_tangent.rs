//! How the gradient of the classifier's loss at its logits changes along a direction.

use super::{WORKGROUP, wgsl};
use crate::gpu::{Buffer, Dispatch, Gpu, Kernel, Slot, fold, params};

params! {
    struct Params {
        classes: u32,
        images: u32,
        batch: u32,
        pad: u32,
    }
}

pub(super) const KERNEL: Kernel = Kernel {
    name: "softmax_tangent",
    source: wgsl!("shared/grid", "shared/softmax", "softmax_tangent"),
    slots: &[Slot::params::<Params>(), Slot::Read, Slot::Read, Slot::Write],
};

/// How the `d_logits` (images, classes) of `softmax_cross_entropy` change with the logits. Each image has a share of
/// 1/`batch` in the mean.
pub(crate) fn softmax_tangent(
    gpu: &Gpu,
    (logits, classes): (&Buffer<f32>, usize),
    logits_change: &Buffer<f32>,
    d_logits_change: &Buffer<f32>,
    images: usize,
    batch: usize,
) -> Dispatch {
    let params =
        Params { classes: classes as u32, images: images as u32, batch: batch as u32, pad: 0 };
    let params = Buffer::params(gpu, "softmax_tangent params", &params);
    let bindings =
        [params.binding(), logits.binding(), logits_change.binding(), d_logits_change.binding()];
    let grid = fold(images.div_ceil(WORKGROUP));
    KERNEL.dispatch(gpu, &[], &bindings, grid).values(3 * images * classes)
}
