//! Gradient of convolution 3×3 at its weights: the simplest version.

use super::{Batch, Planes, WORKGROUP, conv_plain::flops, wgsl};
use crate::gpu::{Buffer, Dispatch, Gpu, Kernel, Slot, fold, params};

params! {
    /// Twin of `shaders/shared/conv_weights.wgsl`.
    pub(super) struct Params {
        pub input: Planes,
        pub planes: Planes,
        pub images_per_net: u32,
        pub nets: u32,
        pub accumulate: u32,
        /// Of conv_backward_weight_tiles: workgroups that share a network's images.
        pub parts: u32,
    }
}

pub(super) const KERNEL: Kernel = Kernel {
    name: "conv_backward_weight",
    source: wgsl!(
        "shared/grid",
        "shared/planes",
        "shared/planar",
        "shared/conv_weights",
        "conv_backward_weight"
    ),
    slots: &[Slot::params::<Params>(), Slot::Read, Slot::Read, Slot::Write],
};

/// `d_weights` (nets, outputs, inputs, 3, 3) from the convolution's `input` and the gradient at its
/// output, `d_planes`, both haloed or both dense. Adds to what is there if told to `accumulate`.
pub(super) fn conv_backward_weight(
    gpu: &Gpu,
    (input, from): (&Buffer<f32>, Planes),
    (d_planes, layout): (&Buffer<f32>, Planes),
    d_weights: &Buffer<f32>,
    batch: Batch,
    accumulate: bool,
) -> Dispatch {
    let params = Params {
        input: from,
        planes: layout,
        images_per_net: (batch.images / batch.nets) as u32,
        nets: batch.nets as u32,
        accumulate: u32::from(accumulate),
        parts: 1,
    };
    let params = Buffer::params(gpu, "conv_backward_weight params", &params);
    let bindings = [params.binding(), input.binding(), d_planes.binding(), d_weights.binding()];
    KERNEL
        .dispatch(gpu, &[], &bindings, fold(d_weights.len().div_ceil(WORKGROUP)))
        .flops(flops(from, layout, batch.images))
        .values(batch.images * (from.values() + layout.values()) + d_weights.len())
}
