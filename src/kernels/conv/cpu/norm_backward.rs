//! Norm, ReLU and pool of a block, backward.

use minijinja::context;

use super::{Kept, Layer, Params};
use crate::{
    gpu::{Buffer, Dispatch, Gpu, Slot, Texels, fold},
    kernels::{Batch, Generated, WORKGROUP, wgsl},
};

const TEMPLATE: &str =
    wgsl!("shared/grid", "shared/texels", "conv/cpu/params", "conv/cpu/norm_backward");

const SLOTS: &[Slot] = &[
    Slot::params::<Params>(),
    Slot::Texels,
    Slot::Texels,
    Slot::Write,
    Slot::Read,
    Slot::Read,
    Slot::Write,
];

/// The kernel for planes of this size.
fn generate(size: usize) -> Generated {
    Generated {
        name: format!("norm_backward_cpu {size}"),
        template: TEMPLATE,
        values: context!(size),
        constants: &[],
        slots: SLOTS,
    }
}

pub(super) fn all() -> Vec<Generated> {
    [4, 8, 16, 32, 64].map(generate).into()
}

/// The gradient at a block's convolution, in `d_planes`, and each plane's part of the one at the norm's weight
/// and bias, in `d_affine` (images, channels, 2).
///
/// Image i of the batch takes its gradient from image (`first_image` + i) / `sharing` of `d_pooled`.
#[allow(clippy::too_many_arguments)]
pub(crate) fn norm_backward(
    gpu: &Gpu,
    layer: Layer,
    Kept { planes, inv_std }: Kept<'_>,
    affine: &Buffer<f32>,
    d_pooled: &Texels,
    (d_planes, d_affine): (&Texels, &Buffer<f32>),
    batch: Batch,
    (first_image, sharing): (usize, usize),
) -> Dispatch {
    let params = Params {
        first_image: first_image as u32,
        sharing: sharing as u32,
        ..Params::new(layer, layer, batch)
    };
    let params = Buffer::params(gpu, "norm_backward params", &params);
    let bindings = [
        params.binding(),
        planes.binding(),
        d_pooled.binding(),
        d_planes.target(),
        affine.binding(),
        inv_std.binding(),
        d_affine.binding(),
    ];
    let gradients = batch.images.div_ceil(sharing) * layer.pooled().values();
    generate(layer.size)
        .dispatch(gpu, &bindings, fold((batch.images * layer.channels).div_ceil(WORKGROUP)))
        .values(2 * batch.images * layer.values() + gradients)
        .fills(d_planes, batch.images * layer.stored())
}
