//! Convolution by the kernel that suits the adapter and the shape, where its weights are packed.

use super::{
    Batch, Direction, MatrixTile, Packing, PixelTile, Planes, Tile, conv_lanes, conv_matrices,
    conv_tiles,
};
use crate::gpu::{Buffer, Dispatch, Gpu, Kernels};

/// What a workgroup computes, by the family of kernels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConvTile {
    Lanes(Tile),
    Tiles(PixelTile),
    Matrices(MatrixTile),
}

impl ConvTile {
    /// For convolution alone, on planes of this size and so many (input, output) channels. None with the
    /// plain kernels.
    pub fn for_conv(
        gpu: &Gpu,
        direction: Direction,
        size: usize,
        channels: (usize, usize),
    ) -> Option<Self> {
        // Gradients can be smaller than what f16 holds.
        let matrices = gpu.matrices().filter(|_| direction == Direction::Forward);
        if let Some(tile) = matrices.and_then(|m| MatrixTile::for_conv(m, size, channels)) {
            return Some(Self::Matrices(tile));
        }
        match gpu.kernels() {
            Kernels::Plain => None,
            Kernels::Lanes => {
                let tile = |lanes| Tile::for_conv(lanes, gpu.is_cpu(), channels.1);
                gpu.lanes().map(|lanes| Self::Lanes(tile(lanes)))
            }
            Kernels::Tiles => Some(Self::Tiles(PixelTile::for_conv(size, channels.1))),
        }
    }

    /// For a whole block as one kernel, if there is one for such planes and (input, output) channels.
    pub fn for_block(gpu: &Gpu, size: usize, channels: (usize, usize)) -> Option<Self> {
        if let Some(matrices) = gpu.matrices() {
            // Also where that leaves norm and pool to another kernel: with many channels, they are little.
            if MatrixTile::for_conv(matrices, size, channels).is_some() {
                return MatrixTile::for_block(matrices, size, channels).map(Self::Matrices);
            }
        }
        match gpu.kernels() {
            Kernels::Plain => None,
            Kernels::Lanes => gpu
                .lanes()
                .and_then(|lanes| Tile::for_block(lanes, gpu.is_cpu(), size).map(Self::Lanes)),
            Kernels::Tiles => PixelTile::for_block(size, channels.1).map(Self::Tiles),
        }
    }

    /// How its weights lie.
    pub fn packing(&self) -> Packing {
        match self {
            Self::Lanes(tile) => tile.packing(),
            Self::Tiles(tile) => tile.packing(),
            Self::Matrices(tile) => tile.packing(),
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
        ConvTile::Matrices(tile) => conv_matrices(gpu, tile, fused, input, weights, result, batch),
    }
}
