//! Instance norm → ReLU → average pool, forward and backward.

use minijinja::context;

use super::{Batch, Constants, Generated, Planes, wgsl};
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

// The same with a workgroup that is one subgroup.
const FORWARD_LANES: &str = wgsl!(
    "shared/grid",
    "shared/planes",
    "shared/reduce_lanes",
    "shared/walk",
    "shared/planar",
    "shared/norm",
    "norm_relu_pool_forward"
);
const BACKWARD_LANES: &str = wgsl!(
    "shared/grid",
    "shared/planes",
    "shared/reduce_lanes",
    "shared/walk",
    "shared/planar",
    "shared/norm",
    "norm_relu_pool_backward"
);

/// The lanes version of one of the two, on subgroups of this size.
fn with_lanes(
    kernel: &Kernel,
    template: &'static str,
    lanes: usize,
    constants: Constants,
) -> Generated {
    Generated {
        name: format!("{}_lanes {lanes}", kernel.name),
        template,
        values: context!(lanes),
        constants,
        slots: kernel.slots,
    }
}

/// Every specialisation of the lanes versions, for the tests that read them all.
pub(super) fn all() -> Vec<Generated> {
    let of = |lanes| {
        let forward =
            VARIANTS.iter().map(move |keep| with_lanes(&FORWARD, FORWARD_LANES, lanes, keep));
        forward.chain([with_lanes(&BACKWARD, BACKWARD_LANES, lanes, &[])])
    };
    [8, 16, 32, 64].into_iter().flat_map(of).collect()
}

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
    let dispatch = match gpu.caps().lanes() {
        None => FORWARD.dispatch(gpu, variant, &bindings, fold(planes)),
        Some(lanes) => {
            let kernel = with_lanes(&FORWARD, FORWARD_LANES, lanes, variant);
            kernel.dispatch(gpu, &bindings, fold(planes))
        }
    };
    let times = if keep { 2 } else { 1 };
    dispatch.values(batch.images * (times * from.values() + to.values()))
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
    let dispatch = match gpu.caps().lanes() {
        None => BACKWARD.dispatch(gpu, &[], &bindings, fold(planes)),
        Some(lanes) => {
            let kernel = with_lanes(&BACKWARD, BACKWARD_LANES, lanes, &[]);
            kernel.dispatch(gpu, &bindings, fold(planes))
        }
    };
    let gradients = batch.images.div_ceil(sharing) * to.values();
    dispatch.values(2 * batch.images * from.values() + gradients)
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
