//! Random weights of one layer, normally distributed.

use super::{NetworkKey, WORKGROUP, wgsl};
use crate::gpu::{Buffer, Dispatch, Gpu, Kernel, Slot, fold, params};

params! {
    struct Params {
        len: u32,
        deviation: f32,
        layer: u32,
        nets: u32,
    }
}

pub(super) const KERNEL: Kernel = Kernel {
    name: "init_normal",
    source: wgsl!("shared/grid", "shared/philox", "init_normal"),
    slots: &[Slot::params::<Params>(), Slot::params::<NetworkKey>(), Slot::Write],
};

/// Fills `weights`, those of `nets` networks after each other, with normal values of this standard deviation, which may be
/// 0.
pub(crate) fn init_normal(
    gpu: &Gpu,
    key: &Buffer<NetworkKey>,
    layer: usize,
    deviation: f32,
    weights: &Buffer<f32>,
    nets: usize,
) -> Dispatch {
    let len = weights.len() / nets;
    let params = Params { len: len as u32, deviation, layer: layer as u32, nets: nets as u32 };
    let params = Buffer::params(gpu, "init_normal params", &params);
    let grid = fold((nets * len.div_ceil(4)).div_ceil(WORKGROUP));
    KERNEL
        .dispatch(gpu, &[], &[params.binding(), key.binding(), weights.binding()], grid)
        .values(weights.len())
}
