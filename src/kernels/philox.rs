//! The shaders' random generator by itself, for its known-answer test.

use super::{WORKGROUP, wgsl};
use crate::gpu::{Buffer, Dispatch, Gpu, Kernel, Slot, fold, params};

params! {
    struct Params {
        key: [u32; 2],
        len: u32,
        pad: u32,
    }
}

pub(super) const KERNEL: Kernel = Kernel {
    name: "philox",
    source: wgsl!("shared/grid", "shared/philox", "philox"),
    slots: &[Slot::params::<Params>(), Slot::Read, Slot::Write],
};

/// `words[i] = Philox4x32-10(key, counters[i])`.
pub(crate) fn philox4x32(
    gpu: &Gpu,
    key: [u32; 2],
    counters: &Buffer<[u32; 4]>,
    words: &Buffer<[u32; 4]>,
) -> Dispatch {
    let params = Params { key, len: counters.len() as u32, pad: 0 };
    let params = Buffer::params(gpu, "philox params", &params);
    let grid = fold(counters.len().div_ceil(WORKGROUP));
    KERNEL.dispatch(gpu, &[], &[params.binding(), counters.binding(), words.binding()], grid)
}
