//! Instance norm → ReLU → average pool, forward and backward.

use super::{Batch, Constants, Planes, wgsl};
use crate::gpu::{Buffer, Dispatch, Gpu, Kernel, Slot, fold, params};

params! {
    struct Params {
        planes: Planes,
        pooled: Planes,
        images: u32,
        images_per_net: u32,
        first_image: u32,
        sharing: u32,
    }
}

pub(super) const FORWARD: Kernel = Kernel {
    name: "norm_relu_pool_forward",
    source: wgsl!(
        "shared/grid",
        "shared/planes",
        "shared/team",
        "shared/reduce",
        "shared/walk",
        "shared/planar",
        "shared/norm",
        "norm_relu_pool_forward"
    ),
    slots: &[Slot::params::<Params>(), Slot::Write, Slot::Read, Slot::Write, Slot::Write],
};

pub(super) const BACKWARD: Kernel = Kernel {
    name: "norm_relu_pool_backward",
    source: wgsl!(
        "shared/grid",
        "shared/planes",
        "shared/team",
        "shared/reduce",
        "shared/walk",
        "shared/planar",
        "shared/norm",
        "norm_relu_pool_backward"
    ),
    slots: &[
        Slot::params::<Params>(),
        Slot::Write,
        Slot::Read,
        Slot::Read,
        Slot::Read,
        Slot::Write,
    ],
};

pub(super) const VARIANTS: &[Constants] = &[&[("KEEP", 0.0)], &[("KEEP", 1.0)]];

/// The parameters and statistics of a batch's norm.
#[derive(Clone, Copy)]
pub(crate) struct Norm<'a> {
    /// Weight and bias, (nets, channels, 2).
    pub affine: &'a Buffer<f32>,
    /// 1/σ of each plane, (images, channels): kept by forward for backward.
    pub inv_std: &'a Buffer<f32>,
}

/// Pools `planes` to `pooled`. With `keep`, normalised values replace the planes and `inv_std` is
/// filled, for the backward pass.
pub(crate) fn norm_relu_pool_forward(
    gpu: &Gpu,
    (planes, from): (&Buffer<f32>, Planes),
    Norm { affine, inv_std }: Norm<'_>,
    (pooled, to): (&Buffer<f32>, Planes),
    batch: Batch,
    keep: bool,
) -> Dispatch {
    let params = Buffer::params(gpu, "norm params", &Params::new(from, to, batch, (0, 1)));
    let bindings =
        [params.binding(), planes.binding(), affine.binding(), pooled.binding(), inv_std.binding()];
    let variant = VARIANTS[usize::from(keep)];
    let planes = batch.images * from.channels as usize;
    let times = if keep { 2 } else { 1 };
    FORWARD
        .dispatch(gpu, variant, &bindings, fold(planes))
        .values(batch.images * (times * from.values() + to.values()))
}

/// Replaces the kept `planes` by the gradient at the norm's input, and stores each plane's part of
/// the gradient at weight and bias in `d_affine` (images, channels, 2).
///
/// Image i of the batch takes its gradient at the pooled output from image
/// (`first_image` + i) / `sharing` of `d_pooled`.
pub(crate) fn norm_relu_pool_backward(
    gpu: &Gpu,
    (planes, from): (&Buffer<f32>, Planes),
    Norm { affine, inv_std }: Norm<'_>,
    (d_pooled, to): (&Buffer<f32>, Planes),
    d_affine: &Buffer<f32>,
    batch: Batch,
    (first_image, sharing): (usize, usize),
) -> Dispatch {
    let params = Params::new(from, to, batch, (first_image, sharing));
    let params = Buffer::params(gpu, "norm params", &params);
    let bindings = [
        params.binding(),
        planes.binding(),
        affine.binding(),
        d_pooled.binding(),
        inv_std.binding(),
        d_affine.binding(),
    ];
    let planes = batch.images * from.channels as usize;
    let gradients = batch.images.div_ceil(sharing) * to.values();
    BACKWARD
        .dispatch(gpu, &[], &bindings, fold(planes))
        .values(2 * batch.images * from.values() + gradients)
}

impl Params {
    fn new(planes: Planes, pooled: Planes, batch: Batch, sharing: (usize, usize)) -> Self {
        Self {
            planes,
            pooled,
            images: batch.images as u32,
            images_per_net: (batch.images / batch.nets) as u32,
            first_image: sharing.0 as u32,
            sharing: sharing.1 as u32,
        }
    }
}
