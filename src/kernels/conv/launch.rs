//! Launches the convolutions that a plan has chosen.

use super::{
    super::{
        Batch, Planes,
        conv_backward_weight::conv_backward_weight as one_kernel,
        conv_backward_weight_tiles, conv_matrices,
        conv_plain::{Direction, conv_plain},
        conv_tiles,
    },
    plan::{ConvKernel, WeightKernel},
};
use crate::gpu::{Buffer, Dispatch, Gpu, Recording};

/// `result` = `input` convolved with `weights`, which are packed for the kernel; with the norm's weight and bias in
/// `affine`, for a kernel that is planned as fused, what the block's pool makes of it. All lies as the plan says.
#[allow(clippy::too_many_arguments)]
pub(crate) fn conv(
    gpu: &Gpu,
    kernel: ConvKernel,
    direction: Direction,
    affine: Option<&Buffer<f32>>,
    input: (&Buffer<f32>, Planes),
    weights: &Buffer<f32>,
    result: (&Buffer<f32>, Planes),
    batch: Batch,
) -> Dispatch {
    debug_assert!(affine.is_none() || kernel != ConvKernel::Plain, "it has no block");
    match kernel {
        ConvKernel::Plain => conv_plain(gpu, direction, input, weights, result, batch),
        ConvKernel::Tiles(tile) => conv_tiles(gpu, tile, affine, input, weights, result, batch),
        ConvKernel::Matrices(t) => conv_matrices(gpu, t, affine, input, weights, result, batch),
    }
}

/// `d_weights` (nets, outputs, inputs, 3, 3) from the convolution's `input` and the gradient at its output,
/// `d_planes`. Adds to what is there if told to `accumulate`. `parts` has [`WeightKernel::parts_len`] values a
/// network, and nothing in it is kept.
#[allow(clippy::too_many_arguments)]
pub(crate) fn conv_backward_weight(
    gpu: &Gpu,
    recording: &mut Recording,
    kernel: WeightKernel,
    input: (&Buffer<f32>, Planes),
    d_planes: (&Buffer<f32>, Planes),
    d_weights: &Buffer<f32>,
    parts: &Buffer<f32>,
    batch: Batch,
    accumulate: bool,
) {
    match kernel {
        WeightKernel::Tiles(t) => conv_backward_weight_tiles(
            gpu, recording, t, input, d_planes, d_weights, parts, batch, accumulate,
        ),
        WeightKernel::Plain => {
            recording.push(one_kernel(gpu, input, d_planes, d_weights, batch, accumulate));
        }
    }
}
