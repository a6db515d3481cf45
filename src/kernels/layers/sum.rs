//! Sums of tensors.

use super::{Count, tasks::counted};
use crate::{
    gpu::{Buffer, Dispatch, Gpu, Kernel, Slot, Values, fold},
    kernels::{WORKGROUP, wgsl},
};

pub(in crate::kernels) const KERNEL: Kernel = Kernel {
    name: "layers/sum",
    source: wgsl!("shared/grid", "layers/sum"),
    slots: &[Slot::params::<Count>(), Slot::Read, Slot::Read, Slot::Write],
};

pub(in crate::kernels) const ADD: Kernel = Kernel {
    name: "layers/add",
    source: wgsl!("shared/grid", "layers/add"),
    slots: &[Slot::params::<Count>(), Slot::Read, Slot::Write],
};

pub(in crate::kernels) const TEXELS: Kernel = Kernel {
    name: "layers/cpu/sum",
    source: wgsl!("shared/grid", "shared/texels", "layers/cpu/sum"),
    slots: &[Slot::params::<Count>(), Slot::Texels, Slot::Texels, Slot::Write],
};

/// result ← a + b, of the first `count` values.
pub(crate) fn sum(
    gpu: &Gpu,
    (a, b): (Values<'_>, Values<'_>),
    result: Values<'_>,
    count: usize,
) -> Dispatch {
    let (params, grid) = counted(a, count);
    let params = Buffer::params(gpu, "sum params", &params);
    let bindings = [params.binding(), a.binding(), b.binding(), result.target()];
    let kernel = if a.texels().is_some() { &TEXELS } else { &KERNEL };
    kernel.dispatch(gpu, &[], &bindings, grid).values(3 * count).fills(result, count)
}

/// result ← result + more, of the first `count` values.
pub(crate) fn add(gpu: &Gpu, more: &Buffer<f32>, result: &Buffer<f32>, count: usize) -> Dispatch {
    let params = Buffer::params(gpu, "sum params", &Count { count: count as u32 });
    let bindings = [params.binding(), more.binding(), result.binding()];
    ADD.dispatch(gpu, &[], &bindings, fold(count.div_ceil(WORKGROUP))).values(3 * count)
}
