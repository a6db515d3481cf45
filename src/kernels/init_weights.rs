//! Random weights of one layer.

use super::{Constants, WORKGROUP, wgsl};
use crate::{
    gpu::{Buffer, Dispatch, Gpu, Kernel, Slot, fold, params},
    rng::Purpose,
};

params! {
    struct Params {
        len: u32,
        scale: f32,
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
    name: "init_weights",
    source: wgsl!("shared/grid", "shared/philox", "init_weights"),
    slots: &[Slot::params::<Params>(), Slot::params::<NetworkKey>(), Slot::Write],
};

/// In the order of [`Draw`].
pub(super) const VARIANTS: &[Constants] = &[&[("NORMAL", 0.0)], &[("NORMAL", 1.0)]];

/// How the values of a layer are distributed about 0.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Draw {
    /// Uniformly in ± this bound.
    Uniform(f32),
    /// Normally with this standard deviation, which may be 0.
    Normal(f32),
}

/// Fills `weights`, those of `nets` networks after each other.
pub(crate) fn init_weights(
    gpu: &Gpu,
    key: &Buffer<NetworkKey>,
    layer: usize,
    draw: Draw,
    weights: &Buffer<f32>,
    nets: usize,
) -> Dispatch {
    let len = weights.len() / nets;
    let (variant, scale) = match draw {
        Draw::Uniform(bound) => (VARIANTS[0], bound),
        Draw::Normal(deviation) => (VARIANTS[1], deviation),
    };
    let params = Params { len: len as u32, scale, layer: layer as u32, nets: nets as u32 };
    let params = Buffer::params(gpu, "init_weights params", &params);
    let grid = fold((nets * len.div_ceil(4)).div_ceil(WORKGROUP));
    KERNEL
        .dispatch(gpu, variant, &[params.binding(), key.binding(), weights.binding()], grid)
        .values(weights.len())
}
