//! Random weights of one block.

use bytemuck::{Pod, Zeroable};

use super::{WORKGROUP, wgsl};
use crate::gpu::{Buffer, Dispatch, Gpu, Kernel, Slot, fold};

#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
struct Params {
    len: u32,
    bound: f32,
    block: u32,
    pad: u32,
}

/// What changes from one network to the next.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub(crate) struct Step {
    seed: [u32; 2],
    iteration: u32,
    pad: u32,
}

impl Step {
    pub fn new(seed: u64, iteration: u32) -> Self {
        Self { seed: [seed as u32, (seed >> 32) as u32], iteration, pad: 0 }
    }
}

pub(super) const KERNEL: Kernel = Kernel {
    name: "init_uniform",
    source: wgsl!("shared/grid", "shared/philox", "init_uniform"),
    slots: &[Slot::Uniform(size_of::<Params>()), Slot::Uniform(size_of::<Step>()), Slot::Write],
};

/// Fills `weights` with U(−bound, bound), keyed by `step` and the block's number.
pub(crate) fn init_uniform(
    gpu: &Gpu,
    step: &Buffer<Step>,
    block: usize,
    bound: f32,
    weights: &Buffer<f32>,
) -> Dispatch {
    let params = Params { len: weights.len() as u32, bound, block: block as u32, pad: 0 };
    let params = Buffer::uniform(gpu, "init_uniform params", &params);
    let grid = fold(weights.len().div_ceil(4).div_ceil(WORKGROUP));
    KERNEL.dispatch(gpu, &[], &[params.binding(), step.binding(), weights.binding()], grid)
}
