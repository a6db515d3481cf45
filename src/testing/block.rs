//! A block's kernel alone.

use super::{Images, gather, identity, packed, run, scatter};
use crate::{
    Gpu, Result,
    gpu::Buffer,
    kernels::{self, Batch, BlockShape, Direction, Forward},
};

/// Convolution → instance norm → ReLU → average pool as one kernel, if there is one for a block between
/// others. `weights`: (outputs, x.channels, 3, 3).
pub fn block_forward(
    gpu: &Gpu,
    x: &Images,
    weights: &[f32],
    outputs: usize,
) -> Result<Option<Images>> {
    let (inputs, size, first, last) = (x.channels, x.size, false, false);
    let plan = kernels::plan(gpu.caps(), BlockShape { inputs, outputs, size, first, last });
    let Forward::Fused(kernel) = plan.forward else { return Ok(None) };
    let values = Buffer::zeros(gpu, "x", x.n * plan.input.image_len());
    scatter(gpu, &x.values, &values, plan.input);
    let weights = Buffer::from_slice(gpu, "weights", weights);
    let result = Buffer::zeros(gpu, "pooled", x.n * plan.pooled.image_len());
    let batch = Batch { images: x.n, nets: 1 };
    run(gpu, |r| {
        let shape = (outputs, inputs);
        let weights = packed(gpu, r, Direction::Forward, kernel.packing(), shape, weights);
        let affine = identity(gpu, outputs);
        let (from, to, affine) = ((&values, plan.input), (&result, plan.pooled), Some(&affine));
        let forward = Direction::Forward;
        r.push(kernels::conv(gpu, kernel, forward, affine, from, &weights, to, batch));
    })?;
    let values = gather(gpu, &result, plan.pooled, x.n)?;
    Ok(Some(Images { values, n: x.n, channels: outputs, size: size / 2 }))
}
