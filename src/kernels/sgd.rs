//! Gradient descent with momentum and weight decay.

use super::{WORKGROUP, wgsl};
use crate::gpu::{Buffer, Dispatch, Gpu, Kernel, Slot, fold, params};

params! {
    /// The rates of [`sgd`], which may change from step to step.
    #[derive(PartialEq)]
    pub(crate) struct Rates {
        pub lr: f32,
        pub momentum: f32,
        pub weight_decay: f32,
        pad: f32,
    }
}

impl Rates {
    pub fn new(lr: f32, momentum: f32, weight_decay: f32) -> Self {
        Self { lr, momentum, weight_decay, pad: 0.0 }
    }
}

pub(super) const KERNEL: Kernel = Kernel {
    name: "sgd",
    source: wgsl!("shared/grid", "sgd"),
    slots: &[Slot::params::<Rates>(), Slot::Write, Slot::Write, Slot::Read],
};

/// g ← gradient + weight_decay · values; velocity ← momentum · velocity + g;
/// values ← values − lr · velocity.
pub(crate) fn sgd(
    gpu: &Gpu,
    rates: &Buffer<Rates>,
    values: &Buffer<f32>,
    velocity: &Buffer<f32>,
    gradient: &Buffer<f32>,
) -> Dispatch {
    KERNEL
        .dispatch(
            gpu,
            &[],
            &[rates.binding(), values.binding(), velocity.binding(), gradient.binding()],
            fold(values.len().div_ceil(4 * WORKGROUP)),
        )
        .values(5 * values.len())
}
