//! Adam.

use super::{WORKGROUP, wgsl};
use crate::gpu::{Buffer, Dispatch, Gpu, Kernel, Slot, fold, params};

params! {
    /// What [`adam`] goes by, which changes from step to step.
    #[derive(PartialEq)]
    pub(crate) struct Moves {
        lr: f32,
        scale: f32,
        first: f32,
        second: f32,
    }
}

impl Moves {
    /// In step `step`, counted from 1, with the decay of the two moments.
    pub fn new(lr: f32, (first, second): (f32, f32), step: u32) -> Self {
        let left = |decay: f32| 1.0 - f64::from(decay).powf(f64::from(step));
        Self {
            lr: (f64::from(lr) / left(first)) as f32,
            scale: left(second).sqrt() as f32,
            first,
            second,
        }
    }
}

pub(super) const KERNEL: Kernel = Kernel {
    name: "adam",
    source: wgsl!("shared/grid", "adam"),
    slots: &[Slot::params::<Moves>(), Slot::Write, Slot::Write, Slot::Write, Slot::Read],
};

/// Moves `values` against the `gradient`, by the running mean of it and of its square.
pub(crate) fn adam(
    gpu: &Gpu,
    moves: &Buffer<Moves>,
    values: &Buffer<f32>,
    (mean, square): (&Buffer<f32>, &Buffer<f32>),
    gradient: &Buffer<f32>,
) -> Dispatch {
    let bindings =
        [moves.binding(), values.binding(), mean.binding(), square.binding(), gradient.binding()];
    let grid = fold(values.len().div_ceil(WORKGROUP));
    KERNEL.dispatch(gpu, &[], &bindings, grid).values(7 * values.len())
}
