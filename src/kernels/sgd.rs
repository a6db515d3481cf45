//! Gradient descent with momentum.

use bytemuck::{Pod, Zeroable};

use super::{WORKGROUP, wgsl};
use crate::gpu::{Buffer, Dispatch, Gpu, Kernel, Slot, fold};

#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
struct Params {
    len: u32,
    lr: f32,
    momentum: f32,
    pad: u32,
}

pub(super) const KERNEL: Kernel = Kernel {
    name: "sgd",
    source: wgsl!("shared/grid", "sgd"),
    slots: &[Slot::Uniform(size_of::<Params>()), Slot::Write, Slot::Write, Slot::Read],
};

/// The rates of [`sgd`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sgd {
    pub lr: f32,
    pub momentum: f32,
}

/// velocity ← momentum · velocity + gradient; values ← values − lr · velocity.
pub(crate) fn sgd(
    gpu: &Gpu,
    Sgd { lr, momentum }: Sgd,
    values: &Buffer<f32>,
    velocity: &Buffer<f32>,
    gradient: &Buffer<f32>,
) -> Dispatch {
    let params = Params { len: values.len() as u32, lr, momentum, pad: 0 };
    let params = Buffer::uniform(gpu, "sgd params", &params);
    KERNEL.dispatch(
        gpu,
        &[],
        &[params.binding(), values.binding(), velocity.binding(), gradient.binding()],
        fold(values.len().div_ceil(WORKGROUP)),
    )
}
