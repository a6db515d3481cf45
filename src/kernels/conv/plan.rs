//! Chooses the kernels for a block: which convolution kernel runs, and whether a block is fused. This is the only place
//! that decides; it depends on the device's capabilities and on shapes alone. `plan.txt` shows the result.
//!
//! A new kernel is a variant here with its packing, a rule where it is chosen, and an arm in `launch.rs`.

use super::{
    super::{Direction, MatrixTile, Packing, PixelTile, Planes, WeightTiles},
    cpu::{AnyPlanes, FirstBlock, Product, SmallPlanes, Winograd},
};
use crate::{
    gpu::{Caps, Kernels},
    kernels::{Linear, layers::Conv},
};

/// A block: convolution 3×3 → instance norm → ReLU → average pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BlockShape {
    pub inputs: usize,
    pub outputs: usize,
    /// Height and width of the convolution's planes.
    pub size: usize,
    /// Whether it reads the images.
    pub first: bool,
    /// Whether it makes the embedding.
    pub last: bool,
}

/// A convolution in either direction, alone or fused with the rest of the block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConvKernel {
    Plain,
    Tiles(PixelTile),
    Matrices(MatrixTile),
}

/// The gradient at a convolution's weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WeightKernel {
    Plain,
    Tiles(WeightTiles),
}

/// A convolution that is in no block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LayerKernel {
    /// As blocks have it, on planes with halos.
    Haloed,
    /// As blocks on CPUs have it.
    Texels(Winograd),
    Product(Product),
}

/// How a block goes forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Forward {
    /// As one kernel.
    Fused(ConvKernel),
    /// Norm, ReLU and pool follow as another kernel.
    Apart(ConvKernel),
    /// From textures to textures.
    Texels(TexelKernel),
}

/// How a block goes backward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backward {
    /// After another kernel for pool, ReLU and norm.
    Apart { data: ConvKernel, weight: WeightKernel },
    /// The same, from textures to textures.
    Texels(TexelKernel),
}

/// Both ways, with planes in textures, of a block on a CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TexelKernel {
    First(FirstBlock),
    Small(SmallPlanes),
    /// Norm, ReLU and pool follow as another kernel.
    Any(AnyPlanes),
}

/// Of which images the convolution's planes are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    /// Of all: another kernel reads them.
    Always,
    /// Of those that go backward.
    ForBackward,
    /// Of none: they lie in textures.
    Never,
}

/// A block's kernels, and the layouts of the planes between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BlockPlan {
    /// If no backward pass follows.
    pub forward: Forward,
    /// Keeping what backward needs.
    pub forward_keep: Forward,
    pub backward: Backward,
    pub input: Planes,
    /// Of the convolution, where they are kept.
    pub planes: Planes,
    pub kept: Kept,
    pub pooled: Planes,
    pub d_pooled: Planes,
    pub d_input: Planes,
    /// Values of the parts of one network's gradient at the weights.
    pub parts: usize,
}

/// The kernels for a block on such a device.
pub(crate) fn plan(caps: &Caps, shape: BlockShape) -> BlockPlan {
    let BlockShape { inputs, outputs, size, first, last } = shape;
    // Only kernels on buffers need zeros around what they convolve. Images have them.
    let between = match caps.lanes() {
        Some(_) => Planes::dense,
        None => Planes::haloed,
    };
    let input = if first { Planes::haloed(inputs, size) } else { between(inputs, size) };
    let planes = Planes::haloed(outputs, size);
    let d_pooled = Planes::dense(outputs, size / 2);
    let pooled = if last { d_pooled } else { between(outputs, size / 2) };

    let apart = Forward::Apart(conv_kernel(caps, Direction::Forward, size, (inputs, outputs)));
    let forward = texel_kernel(caps, shape)
        .map(Forward::Texels)
        .or_else(|| one_kernel(caps, shape))
        .unwrap_or(apart);
    let (forward_keep, kept) = match forward {
        Forward::Texels(_) => (forward, Kept::Never),
        Forward::Fused(_) => (apart, Kept::ForBackward),
        Forward::Apart(_) => (apart, Kept::Always),
    };
    let mut parts = 0;
    let backward = match forward {
        Forward::Texels(kernel) => Backward::Texels(kernel),
        Forward::Fused(_) | Forward::Apart(_) => {
            let data = conv_kernel(caps, Direction::BackwardData, size, (outputs, inputs));
            let weight = weight_kernel(caps, input, planes);
            parts = weight.parts_len(outputs, inputs);
            Backward::Apart { data, weight }
        }
    };
    BlockPlan {
        forward,
        forward_keep,
        backward,
        input,
        planes,
        kept,
        pooled,
        d_pooled,
        // Backward convolves the gradient at the planes.
        d_input: Planes::dense(inputs, size),
        parts,
    }
}

/// The kernel for a block whose planes lie in textures, if there is one.
fn texel_kernel(caps: &Caps, shape: BlockShape) -> Option<TexelKernel> {
    let BlockShape { inputs, size, first, .. } = shape;
    let lanes = caps.lanes()?;
    let first = FirstBlock::new(lanes, inputs, size).filter(|_| first).map(TexelKernel::First);
    let small = || SmallPlanes::new(lanes, size).map(TexelKernel::Small);
    Some(first.or_else(small).unwrap_or(TexelKernel::Any(AnyPlanes::new(lanes))))
}

/// The kernel for a convolution that is in no block; `None` if nothing is faster than the plain kernel for any layer.
pub(crate) fn layer_kernel(caps: &Caps, conv: Conv) -> Option<LayerKernel> {
    let as_in_blocks = (conv.kernel, conv.stride, conv.pad) == (3, 1, 1);
    if let Some(lanes) = caps.lanes() {
        // Around these, texels hold four values of a plane that follow each other, not four of a row.
        let in_rows = as_in_blocks && conv.size.is_multiple_of(4);
        return Some(match in_rows {
            true => LayerKernel::Texels(AnyPlanes::new(lanes).packing()),
            false => LayerKernel::Product(Product::new(lanes, conv)),
        });
    }
    (as_in_blocks && caps.kernels != Kernels::Plain).then_some(LayerKernel::Haloed)
}

/// The same for a linear layer.
pub(crate) fn linear_kernel(caps: &Caps, linear: Linear) -> Option<Product> {
    caps.lanes().map(|lanes| Product::linear(lanes, linear))
}

/// For a convolution alone, on planes of this size and so many (input, output) channels.
pub(crate) fn conv_kernel(
    caps: &Caps,
    direction: Direction,
    size: usize,
    channels: (usize, usize),
) -> ConvKernel {
    // Gradients can be smaller than what f16 holds.
    let matrices = caps.matrices.filter(|_| direction == Direction::Forward);
    if let Some(tile) = matrices.and_then(|m| MatrixTile::for_conv(m, size, channels)) {
        return ConvKernel::Matrices(tile);
    }
    match caps.kernels {
        Kernels::Tiles => ConvKernel::Tiles(PixelTile::for_conv(size, channels.1)),
        _ => ConvKernel::Plain,
    }
}

/// For a whole block, if there is one.
fn one_kernel(caps: &Caps, shape: BlockShape) -> Option<Forward> {
    let BlockShape { inputs, outputs, size, .. } = shape;
    let channels = (inputs, outputs);
    let fused = match (caps.matrices, caps.kernels) {
        // `None` leaves norm and pool to another kernel: with many channels, they cost little.
        (Some(m), _) if MatrixTile::for_conv(m, size, channels).is_some() => {
            MatrixTile::for_block(m, size, channels).map(ConvKernel::Matrices)
        }
        (_, Kernels::Tiles) => PixelTile::for_block(size, outputs).map(ConvKernel::Tiles),
        _ => None,
    };
    fused.map(Forward::Fused)
}

/// For the gradient at the weights, with input and planes that lie like this.
pub(crate) fn weight_kernel(caps: &Caps, input: Planes, planes: Planes) -> WeightKernel {
    let (inputs, outputs) = (input.channels as usize, planes.channels as usize);
    match caps.kernels {
        Kernels::Tiles => WeightKernel::Tiles(WeightTiles::new(outputs, inputs)),
        _ => WeightKernel::Plain,
    }
}

impl ConvKernel {
    /// How its weights are packed; `None` if they stay as they are drawn.
    pub fn packing(&self) -> Option<Packing> {
        match self {
            Self::Plain => None,
            Self::Tiles(tile) => Some(tile.packing()),
            Self::Matrices(tile) => Some(tile.packing()),
        }
    }
}

impl TexelKernel {
    /// How its weights lie.
    pub fn packing(&self) -> Winograd {
        match self {
            Self::First(first) => first.packing(),
            Self::Small(small) => small.packing(),
            Self::Any(any) => any.packing(),
        }
    }
}

impl WeightKernel {
    /// Values that the parts of one network's gradient take.
    pub fn parts_len(&self, outputs: usize, inputs: usize) -> usize {
        match self {
            Self::Tiles(tile) => tile.parts_len(outputs, inputs),
            _ => 0,
        }
    }
}

impl Forward {
    /// How its weights are packed; `None` if they stay as they are drawn.
    pub fn packing(&self) -> Option<Packing> {
        match self {
            Self::Texels(_) => None,
            Self::Fused(kernel) | Self::Apart(kernel) => kernel.packing(),
        }
    }
}

#[cfg(test)]
mod tests;
