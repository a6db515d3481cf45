//! The loss of each class and its gradient at the class's synthetic embeddings.

use super::wgsl;
use crate::gpu::{Buffer, Dispatch, Gpu, Kernel, Slot, fold, params};

params! {
    struct Params {
        features: u32,
        classes: u32,
        pad: [u32; 2],
    }
}

pub(super) const KERNEL: Kernel = Kernel {
    name: "mean_difference",
    source: wgsl!("shared/grid", "shared/team", "shared/reduce", "mean_difference"),
    slots: &[
        Slot::params::<Params>(),
        Slot::Read,
        Slot::Read,
        Slot::Read,
        Slot::Read,
        Slot::Write,
        Slot::Write,
    ],
};

/// From each side's (`starts`, `sums`) to `d_embedding` (classes, features) and `losses` (classes).
pub(crate) fn mean_difference(
    gpu: &Gpu,
    real: (&Buffer<u32>, &Buffer<f32>),
    syn: (&Buffer<u32>, &Buffer<f32>),
    d_embedding: &Buffer<f32>,
    losses: &Buffer<f32>,
) -> Dispatch {
    let classes = losses.len();
    let features = (d_embedding.len() / classes) as u32;
    let params = Params { features, classes: classes as u32, pad: [0; 2] };
    let params = Buffer::params(gpu, "mean_difference params", &params);
    KERNEL.dispatch(
        gpu,
        &[],
        &[
            params.binding(),
            real.0.binding(),
            real.1.binding(),
            syn.0.binding(),
            syn.1.binding(),
            d_embedding.binding(),
            losses.binding(),
        ],
        fold(classes),
    )
}
