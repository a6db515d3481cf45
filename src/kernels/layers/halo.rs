//! What the kernels of convolutions 3×3 do not do themselves: putting zeros around their input, and adding the bias.

use super::tasks::{Tasks, tasks};
use crate::{
    gpu::{Buffer, Dispatch, Gpu, Kernel, Slot, fold, params},
    kernels::{Batch, Planes, WORKGROUP, wgsl},
};

params! {
    struct Params {
        planes: u32,
        size: u32,
        pitch: u32,
        stride: u32,
    }
}

params! {
    struct BiasParams {
        channels: u32,
        positions: u32,
        images: u32,
        images_per_net: u32,
    }
}

pub(in crate::kernels) const HALO: Kernel = Kernel {
    name: "layers/halo",
    source: wgsl!("shared/grid", "shared/quotient", "layers/halo"),
    slots: &[Slot::params::<Params>(), Slot::Read, Slot::Write],
};

pub(in crate::kernels) static BIAS: Tasks = tasks!(
    "layers/bias",
    &[Slot::params::<BiasParams>(), Slot::Read, Slot::Write],
    ("layers/bias")
);

/// Puts dense images into [haloed](Planes::haloed) planes, whose halos become zeros.
pub(crate) fn halo(
    gpu: &Gpu,
    dense: &Buffer<f32>,
    (haloed, layout): (&Buffer<f32>, Planes),
    images: usize,
) -> Dispatch {
    let planes = images * layout.channels as usize;
    let Planes { size, pitch, stride, .. } = layout;
    let params = Params { planes: planes as u32, size, pitch, stride };
    let params = Buffer::params(gpu, "halo params", &params);
    let bindings = [params.binding(), dense.binding(), haloed.binding()];
    let values = planes * stride as usize;
    HALO.dispatch(gpu, &[], &bindings, fold(values.div_ceil(WORKGROUP))).values(2 * values)
}

/// y (images, channels, size, size) ← y + bias (nets, channels).
pub(crate) fn add_bias(
    gpu: &Gpu,
    bias: &Buffer<f32>,
    y: &Buffer<f32>,
    (channels, size): (usize, usize),
    batch: Batch,
) -> Dispatch {
    let params = BiasParams {
        channels: channels as u32,
        positions: (size * size) as u32,
        images: batch.images as u32,
        images_per_net: (batch.images / batch.nets) as u32,
    };
    let params = Buffer::params(gpu, "bias params", &params);
    let bindings = [params.binding(), bias.binding(), y.binding()];
    let planes = batch.images * channels;
    BIAS.dispatch(gpu, &[], &bindings, planes).values(2 * planes * size * size)
}
