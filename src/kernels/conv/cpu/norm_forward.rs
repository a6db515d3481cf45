//! Norm, ReLU and pool of a block whose convolution is another kernel.

use minijinja::context;

use super::{Kept, Layer, Params, SIZES, keeping};
use crate::{
    gpu::{Buffer, Dispatch, Gpu, Slot, Texels, fold},
    kernels::{Batch, Generated, WORKGROUP, wgsl},
};

const TEMPLATE: &str = wgsl!(
    "shared/grid",
    "shared/texels",
    "conv/cpu/params",
    "conv/cpu/pooling",
    "conv/cpu/norm_forward"
);

const SLOTS: &[Slot] =
    &[Slot::params::<Params>(), Slot::Texels, Slot::Write, Slot::Read, Slot::Write, Slot::Write];

/// The kernel for planes of this size.
fn generate(size: usize, keep: bool) -> Generated {
    let finish = if keep { "keep" } else { "pool" };
    Generated {
        name: format!("norm_forward_cpu {finish} {size}"),
        template: TEMPLATE,
        values: context!(size, finish),
        constants: &[],
        slots: if keep { SLOTS } else { &SLOTS[..4] },
    }
}

pub(super) fn all() -> Vec<Generated> {
    SIZES.into_iter().flat_map(|size| [true, false].map(|keep| generate(size, keep))).collect()
}

/// What a block makes of its convolution, `raw`: pooled planes, and what is to be kept for backward.
pub(crate) fn norm_forward(
    gpu: &Gpu,
    layer: Layer,
    raw: &Texels,
    affine: &Buffer<f32>,
    result: &Texels,
    kept: Option<Kept<'_>>,
    batch: Batch,
) -> Dispatch {
    let params = Buffer::params(gpu, "norm_forward params", &Params::new(layer, layer, batch));
    let mut bindings = vec![params.binding(), raw.binding(), result.target(), affine.binding()];
    let mut stored = layer.pooled().values();
    if let Some(Kept { planes, inv_std }) = kept {
        bindings.extend([planes.target(), inv_std.binding()]);
        stored += layer.values();
    }
    let dispatch = generate(layer.size, kept.is_some())
        .dispatch(gpu, &bindings, fold((batch.images * layer.channels).div_ceil(WORKGROUP)))
        .values(batch.images * (layer.values() + stored))
        .fills(result, batch.images * layer.pooled().stored());
    keeping(dispatch, kept.map(|kept| kept.planes), layer, batch.images)
}
