//! Convolution by the kernel that suits the adapter and the shape, where its weights are packed.

use super::{Batch, Packing, PixelTile, Planes, Tile, conv_lanes, conv_tiles};
use crate::gpu::{Buffer, Dispatch, Gpu, Kernels};

/// What a workgroup computes, by the family of kernels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConvTile {
    Lanes(Tile),
    Tiles(PixelTile),
}

impl ConvTile {
    /// For convolution alone, to so many planes of this size. None with the plain kernels.
    pub fn for_conv(gpu: &Gpu, size: usize, outputs: usize) -> Option<Self> {
        match gpu.kernels() {
            Kernels::Plain => None,
            Kernels::Lanes => {
                gpu.lanes().map(|lanes| Self::Lanes(Tile::for_conv(lanes, gpu.is_cpu(), outputs)))
            }
            Kernels::Tiles => Some(Self::Tiles(PixelTile::for_conv(size, outputs))),
        }
    }

    /// For a whole block as one kernel, if there is one for such planes.
    pub fn for_block(gpu: &Gpu, size: usize, outputs: usize) -> Option<Self> {
        match gpu.kernels() {
            Kernels::Plain => None,
            Kernels::Lanes => gpu
                .lanes()
                .and_then(|lanes| Tile::for_block(lanes, gpu.is_cpu(), size).map(Self::Lanes)),
            Kernels::Tiles => PixelTile::for_block(size, outputs).map(Self::Tiles),
        }
    }

    /// How its weights lie.
    pub fn packing(&self) -> Packing {
        match self {
            Self::Lanes(tile) => tile.packing(),
            Self::Tiles(tile) => tile.packing(),
        }
    }
}

/// `result` = `input`, which is haloed, convolved with `weights` packed for `tile`. With the norm's
/// weight and bias, (nets, outputs, 2), in `fused`, `result` is what the block's pool makes of it.
pub(crate) fn conv_packed(
    gpu: &Gpu,
    tile: ConvTile,
    fused: Option<&Buffer<f32>>,
    input: (&Buffer<f32>, Planes),
    weights: &Buffer<f32>,
    result: (&Buffer<f32>, Planes),
    batch: Batch,
) -> Dispatch {
    match tile {
        ConvTile::Lanes(tile) => conv_lanes(gpu, tile, fused, input, weights, result, batch),
        ConvTile::Tiles(tile) => conv_tiles(gpu, tile, fused, input, weights, result, batch),
    }
}
