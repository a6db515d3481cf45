//! Gradient descent with momentum on pixels that stay within what a picture can show.

use super::{Rates, WORKGROUP, wgsl};
use crate::gpu::{Buffer, Dispatch, Gpu, Kernel, Slot, fold, params};

params! {
    struct Params {
        mean: [f32; 4],
        deviation: [f32; 4],
        plane: u32,
        channels: u32,
        pad: [u32; 2],
    }
}

/// How pixels in 0…1 are normalised, in images of `channels` planes of `plane` values.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PixelRange {
    pub mean: Vec<f32>,
    pub std: Vec<f32>,
    pub plane: usize,
}

pub(super) const KERNEL: Kernel = Kernel {
    name: "sgd_clamped",
    source: wgsl!("shared/grid", "sgd_clamped"),
    slots: &[
        Slot::params::<Params>(),
        Slot::params::<Rates>(),
        Slot::Write,
        Slot::Write,
        Slot::Read,
    ],
};

/// velocity ← momentum · velocity + the gradient at the pixels; the pixels move by lr · velocity and stay in 0…1. `values`
/// and `gradient` are normalised, rates and velocity of pixels.
pub(crate) fn sgd_clamped(
    gpu: &Gpu,
    range: &PixelRange,
    rates: &Buffer<Rates>,
    values: &Buffer<f32>,
    velocity: &Buffer<f32>,
    gradient: &Buffer<f32>,
) -> Dispatch {
    let four = |of: &[f32]| std::array::from_fn(|at| of.get(at).copied().unwrap_or(1.0));
    let params = Params {
        mean: four(&range.mean),
        deviation: four(&range.std),
        plane: range.plane as u32,
        channels: range.mean.len() as u32,
        pad: [0; 2],
    };
    let params = Buffer::params(gpu, "sgd_clamped params", &params);
    let inputs = [params.binding(), rates.binding(), values.binding(), velocity.binding()];
    let bindings = [&inputs[..], &[gradient.binding()]].concat();
    let grid = fold(values.len().div_ceil(WORKGROUP));
    KERNEL.dispatch(gpu, &[], &bindings, grid).values(5 * values.len())
}
