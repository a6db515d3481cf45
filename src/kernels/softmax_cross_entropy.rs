//! The classifier's loss and its gradient at the logits.

use super::{WORKGROUP, wgsl};
use crate::gpu::{Buffer, Dispatch, Gpu, Kernel, Slot, fold, params};

params! {
    struct Params {
        classes: u32,
        images: u32,
        batch: u32,
        first: u32,
    }
}

pub(super) const KERNEL: Kernel = Kernel {
    name: "softmax_cross_entropy",
    source: wgsl!("shared/grid", "shared/softmax", "softmax_cross_entropy"),
    slots: &[Slot::params::<Params>(), Slot::Read, Slot::Read, Slot::Write, Slot::Write],
};

/// `losses` and `d_logits` (images, classes) from logits and labels. Each image has a share of
/// 1/`batch` in the mean that the gradient is of. Labels and losses of these images begin at `first`.
#[allow(clippy::too_many_arguments)]
pub(crate) fn softmax_cross_entropy(
    gpu: &Gpu,
    (logits, classes): (&Buffer<f32>, usize),
    labels: &Buffer<u32>,
    losses: &Buffer<f32>,
    d_logits: &Buffer<f32>,
    images: usize,
    batch: usize,
    first: usize,
) -> Dispatch {
    let [classes, images_u32, batch, first] = [classes, images, batch, first].map(|n| n as u32);
    let params = Params { classes, images: images_u32, batch, first };
    let params = Buffer::params(gpu, "softmax_cross_entropy params", &params);
    KERNEL
        .dispatch(
            gpu,
            &[],
            &[
                params.binding(),
                logits.binding(),
                labels.binding(),
                losses.binding(),
                d_logits.binding(),
            ],
            fold(images.div_ceil(WORKGROUP)),
        )
        .values(2 * images * (classes as usize + 1))
}
