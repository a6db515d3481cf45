//! A block's kernel alone.

use super::{Images, gather, identity, run, scatter};
use crate::{
    Gpu, Result,
    gpu::Buffer,
    kernels::{self, Batch, ConvTile, Direction, Planes},
};

/// Convolution → instance norm → ReLU → average pool as one kernel, if there is one for such planes.
/// `weights`: (outputs, x.channels, 3, 3).
pub fn block_forward(
    gpu: &Gpu,
    x: &Images,
    weights: &[f32],
    outputs: usize,
) -> Result<Option<Images>> {
    let shape = (x.channels, outputs);
    let Some(tile) = ConvTile::for_block(gpu, x.size, shape) else { return Ok(None) };
    let (input, pooled) = (Planes::haloed(x.channels, x.size), Planes::haloed(outputs, x.size / 2));
    let values = Buffer::zeros(gpu, "x", x.n * input.image_len());
    scatter(gpu, &x.values, &values, input);
    let weights = Buffer::from_slice(gpu, "weights", weights);
    let packing = tile.packing();
    let packed = Buffer::zeros(gpu, "packed", packing.len(outputs, x.channels));
    let result = Buffer::zeros(gpu, "pooled", x.n * pooled.image_len());
    let batch = Batch { images: x.n, nets: 1 };
    run(gpu, |r| {
        let (forward, shape) = (Direction::Forward, (outputs, x.channels));
        r.push(kernels::pack_weights(gpu, forward, packing, shape, &weights, &packed));
        let affine = &identity(gpu, outputs);
        let (from, to) = ((&values, input), (&result, pooled));
        r.push(kernels::conv_packed(gpu, tile, Some(affine), from, &packed, to, batch));
    })?;
    let values = gather(gpu, &result, pooled, x.n)?;
    Ok(Some(Images { values, n: x.n, channels: outputs, size: x.size / 2 }))
}
