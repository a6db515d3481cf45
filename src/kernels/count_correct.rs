//! Counting the right answers of networks.

use super::{Batch, wgsl};
use crate::gpu::{Buffer, Dispatch, Gpu, Kernel, Slot, fold, params};

params! {
    struct Params {
        classes: u32,
        images_per_net: u32,
        nets: u32,
        pad: u32,
    }
}

pub(super) const KERNEL: Kernel = Kernel {
    name: "count_correct",
    source: wgsl!("shared/grid", "shared/team", "shared/reduce", "count_correct"),
    slots: &[Slot::params::<Params>(), Slot::Read, Slot::Read, Slot::Write],
};

/// Adds to `counts` (nets) how many of the logits (nets, images per net, classes) are largest at
/// `labels` (images per net).
pub(crate) fn count_correct(
    gpu: &Gpu,
    (logits, classes): (&Buffer<f32>, usize),
    labels: &Buffer<u32>,
    counts: &Buffer<u32>,
    batch: Batch,
) -> Dispatch {
    let params = Params {
        classes: classes as u32,
        images_per_net: (batch.images / batch.nets) as u32,
        nets: batch.nets as u32,
        pad: 0,
    };
    let params = Buffer::params(gpu, "count_correct params", &params);
    KERNEL.dispatch(
        gpu,
        &[],
        &[params.binding(), logits.binding(), labels.binding(), counts.binding()],
        fold(batch.nets),
    )
}
