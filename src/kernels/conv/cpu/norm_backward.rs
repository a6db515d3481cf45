//! Norm, ReLU and pool of a block, backward.

use minijinja::context;

use super::{Gradient, Kept, Layer, Params, SIZES};
use crate::{
    gpu::{Buffer, Dispatch, Gpu, Slot, Texels, fold},
    kernels::{Batch, Generated, WORKGROUP, wgsl},
};

const TEMPLATE: &str = wgsl!(
    "shared/grid",
    "shared/texels",
    "conv/cpu/params",
    "conv/cpu/gradient",
    "conv/cpu/norm_backward"
);

const SLOTS: &[Slot] = &[
    Slot::params::<Params>(),
    Slot::Texels,
    Slot::Texels,
    Slot::Write,
    Slot::Read,
    Slot::Read,
    Slot::Write,
];

/// Texels of a plane's moments.
pub(crate) const MOMENTS: usize = 2;

/// The gradient at a block's pooled planes: image i of the batch takes that of image (`first_image` + i) /
/// `sharing`.
#[derive(Clone, Copy)]
pub(crate) struct Pooled<'a> {
    pub planes: &'a Texels,
    pub first_image: usize,
    pub sharing: usize,
}

impl Pooled<'_> {
    /// These parameters, with which images take which gradient.
    pub(super) fn of(self, params: Params) -> Params {
        Params { first_image: self.first_image as u32, sharing: self.sharing as u32, ..params }
    }
}

/// The kernel for planes of this size.
fn generate(size: usize, finish: &str) -> Generated {
    Generated {
        name: format!("norm_backward_cpu {finish} {size}"),
        template: TEMPLATE,
        values: context!(size, finish),
        constants: &[],
        slots: SLOTS,
    }
}

pub(super) fn all() -> Vec<Generated> {
    let mut all: Vec<_> = SIZES.map(|size| generate(size, "planes")).into();
    all.push(generate(32, "moments"));
    all
}

/// The gradient at a block's convolution, or the moments from which others compute it, and each plane's part of the one at
/// the norm's weight and bias, in `d_affine` (images, channels, 2).
#[allow(clippy::too_many_arguments)]
pub(crate) fn norm_backward(
    gpu: &Gpu,
    layer: Layer,
    Kept { planes, inv_std }: Kept<'_>,
    affine: &Buffer<f32>,
    d_pooled: Pooled<'_>,
    (result, d_affine): (Gradient<'_>, &Buffer<f32>),
    batch: Batch,
) -> Dispatch {
    let params = d_pooled.of(Params::new(layer, layer, batch));
    let params = Buffer::params(gpu, "norm_backward params", &params);
    let (finish, result, stored) = match result {
        Gradient::Planes(planes) => ("planes", planes, batch.images * layer.stored()),
        Gradient::First(first) => {
            ("moments", first.moments, 4 * MOMENTS * batch.images * layer.channels)
        }
    };
    let bindings = [
        params.binding(),
        planes.binding(),
        d_pooled.planes.binding(),
        result.target(),
        affine.binding(),
        inv_std.binding(),
        d_affine.binding(),
    ];
    let gradients = batch.images.div_ceil(d_pooled.sharing) * layer.pooled().values();
    generate(layer.size, finish)
        .dispatch(gpu, &bindings, fold((batch.images * layer.channels).div_ceil(WORKGROUP)))
        .values(batch.images * layer.values() + gradients + stored)
        .fills(result, stored)
}
