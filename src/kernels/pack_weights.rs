//! Rearranging weights for the kernels that read them in groups of output channels.

use bytemuck::{Pod, Zeroable};

use super::{WORKGROUP, wgsl};
use crate::{
    gpu::{Buffer, Dispatch, Gpu, Kernel, Slot, fold},
    kernels::Direction,
};

#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
struct Params {
    outputs: u32,
    inputs: u32,
    width: u32,
    chunk: u32,
    len: u32,
    nets: u32,
    by_lane: u32,
    pad: u32,
}

/// How a kernel wants its weights: `[output / outputs][input]`, each input's of a group of `outputs`
/// channels padded to `chunk` values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Packing {
    pub outputs: usize,
    pub chunk: usize,
    pub order: Order,
}

/// Where the nine taps of a group's channels are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Tap after tap, of all channels each.
    Taps,
    /// Taps 0 to 3 of one channel after the other, then 4 to 7, then 8.
    Lanes,
}

impl Packing {
    /// Values of one network's weights.
    pub fn len(&self, outputs: usize, inputs: usize) -> usize {
        outputs.div_ceil(self.outputs) * inputs * self.chunk
    }
}

pub(super) const KERNEL: Kernel = Kernel {
    name: "pack_weights",
    source: wgsl!("shared/grid", "pack_weights"),
    slots: &[Slot::Params(size_of::<Params>()), Slot::Read, Slot::Write],
};

/// Packs weights (nets, outputs, inputs, 3, 3), or the transposed ones, whose `outputs` and `inputs`
/// are then the other way round. `packed` has [`Packing::len`] values a network.
pub(crate) fn pack_weights(
    gpu: &Gpu,
    direction: Direction,
    packing: Packing,
    (outputs, inputs): (usize, usize),
    weights: &Buffer<f32>,
    packed: &Buffer<f32>,
) -> Dispatch {
    let len = packing.len(outputs, inputs);
    let params = Params {
        outputs: outputs as u32,
        inputs: inputs as u32,
        width: packing.outputs as u32,
        chunk: packing.chunk as u32,
        len: len as u32,
        nets: (packed.len() / len) as u32,
        by_lane: u32::from(packing.order == Order::Lanes),
        pad: 0,
    };
    let params = Buffer::params(gpu, "pack_weights params", &params);
    KERNEL
        .dispatch(
            gpu,
            direction.constants(),
            &[params.binding(), weights.binding(), packed.binding()],
            fold(packed.len().div_ceil(WORKGROUP)),
        )
        .values(weights.len() + packed.len())
}
