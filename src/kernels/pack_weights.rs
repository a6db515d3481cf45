//! Rearranging weights for `conv_lanes` and `conv_tiles`.

use bytemuck::{Pod, Zeroable};

use super::{WORKGROUP, conv_lanes::Tile, conv_tiles::PixelTile, wgsl};
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

/// How weights lie for a kernel: `width` output channels together, and `chunk` values for each input
/// channel of those.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Packing {
    pub width: usize,
    pub chunk: usize,
}

impl Packing {
    /// Values of a whole packed weight buffer.
    pub fn len(self, outputs: usize, inputs: usize) -> usize {
        outputs.div_ceil(self.width) * inputs * self.chunk
    }
}

impl From<Tile> for Packing {
    fn from(tile: Tile) -> Self {
        Self { width: tile.outputs, chunk: tile.chunk() }
    }
}

impl From<PixelTile> for Packing {
    fn from(tile: PixelTile) -> Self {
        tile.packing()
    }
}

/// Packs weights (nets, outputs, inputs, 3, 3), or the transposed ones, whose `outputs` and `inputs`
/// are then the other way round. `packed` has [`Packing::len`] values a network.
pub(crate) fn pack_weights(
    gpu: &Gpu,
    direction: Direction,
    packing: impl Into<Packing>,
    (outputs, inputs): (usize, usize),
    weights: &Buffer<f32>,
    packed: &Buffer<f32>,
) -> Dispatch {
    let packing = packing.into();
    let len = packing.len(outputs, inputs);
    let params = Params {
        outputs: outputs as u32,
        inputs: inputs as u32,
        width: packing.width as u32,
        chunk: packing.chunk as u32,
        len: len as u32,
        nets: (packed.len() / len) as u32,
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
