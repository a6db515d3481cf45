//! Random weights of one layer.

use super::{WORKGROUP, wgsl};
use crate::{
    gpu::{Buffer, Dispatch, Gpu, Kernel, Slot, fold, params},
    rng::Purpose,
};

params! {
    struct Params {
        len: u32,
        bound: f32,
        layer: u32,
        nets: u32,
    }
}

params! {
    /// What tells one random network from the next.
    pub(crate) struct NetworkKey {
        seed: [u32; 2],
        number: u32,
        purpose: u32,
    }
}

impl NetworkKey {
    /// Network `number` of a seed; of several drawn together, the first.
    pub fn new(seed: u64, purpose: Purpose, number: u32) -> Self {
        Self { seed: [seed as u32, (seed >> 32) as u32], number, purpose: purpose as u32 }
    }
}

pub(super) const KERNEL: Kernel = Kernel {
    name: "init_uniform",
    source: wgsl!("shared/grid", "shared/philox", "init_uniform"),
    slots: &[Slot::params::<Params>(), Slot::params::<NetworkKey>(), Slot::Write],
};

/// Fills `weights`, those of `nets` networks after each other, with U(−bound, bound).
pub(crate) fn init_uniform(
    gpu: &Gpu,
    key: &Buffer<NetworkKey>,
    layer: usize,
    bound: f32,
    weights: &Buffer<f32>,
    nets: usize,
) -> Dispatch {
    let len = weights.len() / nets;
    let params = Params { len: len as u32, bound, layer: layer as u32, nets: nets as u32 };
    let params = Buffer::params(gpu, "init_uniform params", &params);
    let grid = fold((nets * len.div_ceil(4)).div_ceil(WORKGROUP));
    KERNEL
        .dispatch(gpu, &[], &[params.binding(), key.binding(), weights.binding()], grid)
        .values(weights.len())
}
