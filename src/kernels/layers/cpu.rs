//! The kernels of layers for CPU adapters, whose loads from textures cost a fraction of those from buffers. Tensors are
//! dense, four values to a texel. Planes have a multiple of four values; an invocation has one, or a whole segment.

use super::{Count, act, conv::PARAMS as CONV, norm, norm::PARAMS as NORM, pool, tasks::Tasks};
use crate::{
    gpu::{Dispatch, Gpu, Kernel, Slot, Values, fold},
    kernels::{Constants, Specialised, WORKGROUP, wgsl},
};

const COUNT: Slot = Slot::params::<Count>();

pub(super) const STATISTICS: Kernel = Kernel {
    name: "layers/cpu/norm_statistics",
    source: wgsl!(
        "shared/grid",
        "shared/quotient",
        "shared/texels",
        "shared/layer_norm",
        "layers/cpu/norm_statistics"
    ),
    slots: &[NORM, Slot::Texels, Slot::Write],
};

pub(super) const NORM_FORWARD: Kernel = Kernel {
    name: "layers/cpu/norm_forward",
    source: wgsl!(
        "shared/grid",
        "shared/quotient",
        "shared/texels",
        "shared/layer_norm",
        "layers/cpu/norm_forward"
    ),
    slots: &[NORM, Slot::Texels, Slot::Read, Slot::Read, Slot::TexelsWrite],
};

pub(super) const NORM_BACKWARD_SUMS: Kernel = Kernel {
    name: "layers/cpu/norm_backward_sums",
    source: wgsl!(
        "shared/grid",
        "shared/quotient",
        "shared/texels",
        "shared/layer_norm",
        "layers/cpu/norm_backward_sums"
    ),
    slots: &[NORM, Slot::Texels, Slot::Read, Slot::Read, Slot::Texels, Slot::Write],
};

pub(super) const NORM_BACKWARD_DATA: Kernel = Kernel {
    name: "layers/cpu/norm_backward_data",
    source: wgsl!(
        "shared/grid",
        "shared/quotient",
        "shared/texels",
        "shared/layer_norm",
        "layers/cpu/norm_backward_data"
    ),
    slots: &[
        NORM,
        Slot::Texels,
        Slot::Read,
        Slot::Read,
        Slot::Texels,
        Slot::Read,
        Slot::TexelsWrite,
    ],
};

pub(super) const NORM_BACKWARD_AFFINE: Kernel = Kernel {
    name: "layers/cpu/norm_backward_affine",
    source: wgsl!(
        "shared/grid",
        "shared/quotient",
        "shared/texels",
        "shared/layer_norm",
        "layers/cpu/norm_backward_affine"
    ),
    slots: &[NORM, Slot::Texels, Slot::Read, Slot::Texels, Slot::Write],
};

pub(super) const ACT_FORWARD: Kernel = Kernel {
    name: "layers/cpu/act_forward",
    source: wgsl!("shared/grid", "shared/texels", "shared/layer_act", "layers/cpu/act_forward"),
    slots: &[COUNT, Slot::Texels, Slot::TexelsWrite],
};

pub(super) const ACT_BACKWARD: Kernel = Kernel {
    name: "layers/cpu/act_backward",
    source: wgsl!("shared/grid", "shared/texels", "shared/layer_act", "layers/cpu/act_backward"),
    slots: &[COUNT, Slot::Texels, Slot::Texels, Slot::TexelsWrite],
};

pub(super) const POOL_FORWARD: Kernel = Kernel {
    name: "layers/cpu/pool_forward",
    source: wgsl!(
        "shared/grid",
        "shared/texels",
        "shared/pool_pairs",
        "shared/layer_pool",
        "layers/cpu/pool_forward"
    ),
    slots: &[pool::PARAMS, Slot::Texels, Slot::TexelsWrite],
};

pub(super) const POOL_BACKWARD: Kernel = Kernel {
    name: "layers/cpu/pool_backward",
    source: wgsl!(
        "shared/grid",
        "shared/texels",
        "shared/pool_pairs",
        "shared/layer_pool",
        "layers/cpu/pool_backward"
    ),
    slots: &[pool::PARAMS, Slot::Texels, Slot::Texels, Slot::TexelsWrite],
};

pub(super) const BIAS: Kernel = Kernel {
    name: "layers/cpu/conv_backward_bias",
    source: wgsl!(
        "shared/grid",
        "shared/quotient",
        "shared/texels",
        "shared/layer_conv",
        "layers/cpu/conv_backward_bias"
    ),
    slots: &[CONV, Slot::Texels, Slot::Write],
};

pub(super) const SUM: Kernel = Kernel {
    name: "layers/cpu/sum",
    source: wgsl!("shared/grid", "shared/texels", "layers/cpu/sum"),
    slots: &[COUNT, Slot::Texels, Slot::Texels, Slot::TexelsWrite],
};

/// Of the variants of norms, those without weights per value.
const NORMS: &[Constants] = &[norm::VARIANTS[0], norm::VARIANTS[2]];

pub(in crate::kernels) const ALL: &[Specialised] = &[
    (&STATISTICS, NORMS),
    (&NORM_FORWARD, NORMS),
    (&NORM_BACKWARD_SUMS, NORMS),
    (
        &NORM_BACKWARD_DATA,
        &[norm::DATA_VARIANTS[0], norm::DATA_VARIANTS[2], norm::DATA_VARIANTS[3]],
    ),
    (&NORM_BACKWARD_AFFINE, NORMS),
    (&ACT_FORWARD, act::VARIANTS),
    (&ACT_BACKWARD, act::VARIANTS),
    (&POOL_FORWARD, pool::VARIANTS),
    (&POOL_BACKWARD, pool::VARIANTS),
    (&BIAS, &[&[]]),
    (&SUM, &[&[]]),
];

/// Invocations of a workgroup: few, since a layer may have no more segments or channels than that.
const INVOCATIONS: usize = 16;

/// Texels of a workgroup that works value by value.
const TEXELS: usize = 256;

/// The grid for so many planes or segments.
pub(super) fn tasks(count: usize) -> [u32; 3] {
    fold(count.div_ceil(INVOCATIONS))
}

/// The version of a kernel for where its tensors lie, for so many planes or segments.
pub(super) fn dispatch(
    gpu: &Gpu,
    tensors: Values<'_>,
    (buffers, texels): (&'static Tasks, &'static Kernel),
    constants: Constants,
    bindings: &[wgpu::BindingResource<'_>],
    tasks: usize,
) -> Dispatch {
    match tensors {
        Values::Buffer(_) => buffers.dispatch(gpu, constants, bindings, tasks),
        Values::Texels(_) => texels.dispatch(gpu, constants, bindings, self::tasks(tasks)),
    }
}

/// The same, of a kernel that works value by value: what its parameters count, and its grid.
pub(super) fn count(tensors: Values<'_>, values: usize) -> (Count, [u32; 3]) {
    let (count, workgroup) = match tensors {
        Values::Buffer(_) => (values, WORKGROUP),
        Values::Texels(_) => (values / 4, TEXELS),
    };
    (Count { count: count as u32 }, fold(count.div_ceil(workgroup)))
}
