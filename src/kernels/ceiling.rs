//! Kernels that measure what an adapter can do at most: arithmetic alone, and memory traffic alone.

use minijinja::context;

use super::{Generated, WORKGROUP, wgsl};
use crate::gpu::{Buffer, Dispatch, Gpu, Kernel, Slot, fold, params};

params! {
    struct Params {
        loops: u32,
        factor: f32,
    }
}

/// Chains of vec4f: enough to hide a multiply-add's latency, few enough for the registers of any adapter.
const CHAINS: usize = 6;
/// Steps of every chain in a turn of the loop: enough for the loop itself not to count.
const ROUNDS: usize = 16;

const SLOTS: &[Slot] = &[Slot::params::<Params>(), Slot::Write];

pub(super) fn generated() -> Generated {
    Generated {
        name: "multiply_add".to_owned(),
        template: wgsl!("shared/grid", "multiply_add"),
        values: context!(chains => CHAINS, rounds => ROUNDS),
        constants: &[],
        slots: SLOTS,
    }
}

pub(super) const COPY: Kernel = Kernel {
    name: "copy",
    source: wgsl!("shared/grid", "copy"),
    slots: &[Slot::Read, Slot::Write],
};

/// Does nothing but multiply and add; an invocation for each of `result`'s values.
pub(crate) fn multiply_add(gpu: &Gpu, loops: u32, result: &Buffer<[f32; 4]>) -> Dispatch {
    // So small that nothing grows: values out of range can be slower than others.
    let params = Params { loops, factor: (-30f32).exp2() };
    let params = Buffer::params(gpu, "multiply_add params", &params);
    let grid = fold(result.len().div_ceil(WORKGROUP));
    generated()
        .dispatch(gpu, &[params.binding(), result.binding()], grid)
        .flops(result.len() * loops as usize * ROUNDS * CHAINS * 4 * 2)
}

/// `result` = `source`, which is as long.
pub(crate) fn copy(gpu: &Gpu, source: &Buffer<[f32; 4]>, result: &Buffer<[f32; 4]>) -> Dispatch {
    let grid = fold(result.len().div_ceil(WORKGROUP));
    COPY.dispatch(gpu, &[], &[source.binding(), result.binding()], grid)
        .values(2 * 4 * result.len())
}
