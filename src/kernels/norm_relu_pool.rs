//! Instance norm → ReLU → average pool, forward and backward.

use bytemuck::{Pod, Zeroable};

use super::{Planes, wgsl};
use crate::gpu::{Buffer, Dispatch, Gpu, Kernel, Slot, fold};

#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
struct Params {
    planes: Planes,
    pooled: Planes,
    images: u32,
    first_image: u32,
    sharing: u32,
    pad: u32,
}

pub(super) const FORWARD: Kernel = Kernel {
    name: "norm_relu_pool_forward",
    source: wgsl!("shared/grid", "shared/planes", "shared/reduce", "norm_relu_pool_forward"),
    slots: &[Slot::Uniform(size_of::<Params>()), Slot::Write, Slot::Write, Slot::Write],
};

pub(super) const BACKWARD: Kernel = Kernel {
    name: "norm_relu_pool_backward",
    source: wgsl!("shared/grid", "shared/planes", "shared/reduce", "norm_relu_pool_backward"),
    slots: &[Slot::Uniform(size_of::<Params>()), Slot::Write, Slot::Read, Slot::Read],
};

pub(super) const VARIANTS: &[&[(&str, f64)]] = &[&[("KEEP", 0.0)], &[("KEEP", 1.0)]];

/// Pools `planes` to `pooled`. With `keep`, normalised values replace the planes and `inv_std`
/// gets 1/σ of each, for the backward pass.
pub(crate) fn norm_relu_pool_forward(
    gpu: &Gpu,
    (planes, from): (&Buffer<f32>, Planes),
    (pooled, to): (&Buffer<f32>, Planes),
    inv_std: &Buffer<f32>,
    images: usize,
    keep: bool,
) -> Dispatch {
    let params = Params {
        planes: from,
        pooled: to,
        images: images as u32,
        first_image: 0,
        sharing: 1,
        pad: 0,
    };
    let params = Buffer::uniform(gpu, "norm_relu_pool_forward params", &params);
    FORWARD.dispatch(
        gpu,
        VARIANTS[usize::from(keep)],
        &[params.binding(), planes.binding(), pooled.binding(), inv_std.binding()],
        fold(images * from.channels as usize),
    )
}

/// Replaces the kept `planes` by the gradient at the norm's input.
///
/// Image i of the batch takes its gradient at the pooled output from image
/// (`first_image` + i) / `sharing` of `d_pooled`.
pub(crate) fn norm_relu_pool_backward(
    gpu: &Gpu,
    (planes, from): (&Buffer<f32>, Planes),
    (d_pooled, to): (&Buffer<f32>, Planes),
    inv_std: &Buffer<f32>,
    images: usize,
    (first_image, sharing): (usize, usize),
) -> Dispatch {
    let params = Params {
        planes: from,
        pooled: to,
        images: images as u32,
        first_image: first_image as u32,
        sharing: sharing as u32,
        pad: 0,
    };
    let params = Buffer::uniform(gpu, "norm_relu_pool_backward params", &params);
    BACKWARD.dispatch(
        gpu,
        &[],
        &[params.binding(), planes.binding(), d_pooled.binding(), inv_std.binding()],
        fold(images * from.channels as usize),
    )
}
