//! Rearranging weights for `conv_lanes`.

use bytemuck::{Pod, Zeroable};

use super::{WORKGROUP, conv_lanes::Tile, wgsl};
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
    pad: [u32; 2],
}

pub(super) const KERNEL: Kernel = Kernel {
    name: "pack_weights",
    source: wgsl!("shared/grid", "pack_weights"),
    slots: &[Slot::Params(size_of::<Params>()), Slot::Read, Slot::Write],
};

/// Packs weights (nets, outputs, inputs, 3, 3), or the transposed ones, whose `outputs` and `inputs`
/// are then the other way round. `packed` has [`Tile::packed_len`] values a network.
pub(crate) fn pack_weights(
    gpu: &Gpu,
    direction: Direction,
    tile: Tile,
    (outputs, inputs): (usize, usize),
    weights: &Buffer<f32>,
    packed: &Buffer<f32>,
) -> Dispatch {
    let params = Params {
        outputs: outputs as u32,
        inputs: inputs as u32,
        width: tile.outputs as u32,
        chunk: tile.chunk() as u32,
        len: tile.packed_len(outputs, inputs) as u32,
        nets: (packed.len() / tile.packed_len(outputs, inputs)) as u32,
        pad: [0; 2],
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
