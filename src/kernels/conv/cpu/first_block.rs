//! The first block of a network.

use std::collections::BTreeSet;

use minijinja::context;

use super::{FirstGradient, Kept, Layer, Params, Winograd, block::slots, flops, keeping};
use crate::{
    gpu::{Buffer, Dispatch, Gpu, Texels, fold},
    kernels::{Batch, Generated, wgsl},
};

/// The kernels for images of so many channels, on subgroups of so many lanes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FirstBlock {
    lanes: usize,
    inputs: usize,
    size: usize,
}

const TEMPLATE: &str = wgsl!(
    "shared/grid",
    "shared/texels",
    "conv/cpu/params",
    "conv/cpu/winograd",
    "conv/cpu/pooling",
    "conv/cpu/first_block"
);

const BACKWARD: &str = wgsl!(
    "shared/grid",
    "shared/texels",
    "conv/cpu/params",
    "conv/cpu/winograd",
    "conv/cpu/gradient",
    "conv/cpu/moments",
    "conv/cpu/first_block_backward"
);

/// Rows of an image that a workgroup goes back to.
const ROWS: usize = 2;

/// Output channels of a lane, of so many. Four share what is loaded, but with 16 lanes the text would be too long.
fn outs(lanes: usize, outputs: usize) -> usize {
    if lanes == 8 && outputs > 2 * lanes { 4 } else { 2 }
}

impl FirstBlock {
    /// The kernels, if there are any: a quarter of the lanes shares out a row of pixels, four to each at a time.
    pub fn new(lanes: usize, inputs: usize, size: usize) -> Option<Self> {
        let fits = size == 32 && matches!(inputs, 1 | 3);
        fits.then_some(Self { lanes, inputs, size })
    }

    /// How their weights lie.
    pub fn packing(&self) -> Winograd {
        Winograd { lanes: self.lanes, per_turn: self.inputs }
    }

    fn generate(&self, finish: &str, outs: usize) -> Generated {
        let Self { lanes, inputs, size } = *self;
        let values = context!(lanes, inputs, size, finish, outs);
        Generated {
            name: format!("first_block_cpu_lanes {finish} {lanes}×{outs}×{inputs}"),
            template: TEMPLATE,
            values,
            constants: &[],
            slots: slots(finish),
        }
    }

    fn generate_backward(&self) -> Generated {
        let Self { lanes, inputs, size } = *self;
        let distances: Vec<_> = (0..lanes.ilog2()).rev().map(|power| 1 << power).collect();
        let values = context!(lanes, inputs, size, rows => ROWS, distances);
        Generated {
            name: format!("first_block_backward_cpu_lanes {lanes} {size}×{inputs}"),
            template: BACKWARD,
            values,
            constants: &[],
            slots: FirstGradient::SLOTS,
        }
    }

    pub(super) fn all() -> Vec<Generated> {
        let shapes = [8, 16].into_iter().flat_map(|lanes| [(lanes, 1), (lanes, 3)]);
        let kernels = shapes.filter_map(|(lanes, inputs)| Self::new(lanes, inputs, 32));
        let outs =
            |k: FirstBlock| [2, outs(k.lanes, usize::MAX)].into_iter().collect::<BTreeSet<_>>();
        let of = |k: FirstBlock, outs| ["pool", "keep"].map(|finish| k.generate(finish, outs));
        let forward = |k: FirstBlock| outs(k).into_iter().flat_map(move |outs| of(k, outs));
        kernels.flat_map(|k| forward(k).chain([k.generate_backward()])).collect()
    }
}

/// What a first block with `weights`, packed for `kernels`, and the norm's `affine` makes of `input`: pooled
/// planes of `outputs` channels, and what is to be kept for backward.
#[allow(clippy::too_many_arguments)]
pub(crate) fn first_block(
    gpu: &Gpu,
    kernels: FirstBlock,
    kept: Option<Kept<'_>>,
    input: &Texels,
    (weights, affine): (&Texels, &Buffer<f32>),
    (result, outputs): (&Texels, usize),
    batch: Batch,
) -> Dispatch {
    let from = Layer { channels: kernels.inputs, size: kernels.size };
    let to = Layer { channels: outputs, ..from };
    let params = Buffer::params(gpu, "first_block_cpu params", &Params::new(from, to, batch));
    let mut bindings = vec![
        params.binding(),
        input.binding(),
        weights.binding(),
        result.target(),
        affine.binding(),
    ];
    let mut stored = to.pooled().values();
    if let Some(Kept { planes, inv_std }) = kept {
        bindings.extend([planes.target(), inv_std.binding()]);
        stored += to.values();
    }
    let outs = outs(kernels.lanes, outputs);
    let dispatch = kernels
        .generate(if kept.is_some() { "keep" } else { "pool" }, outs)
        .dispatch(gpu, &bindings, fold(batch.images * outputs.div_ceil(outs * kernels.lanes)))
        .flops(flops(from, to, batch.images))
        .values(batch.images * (from.values() + stored) + 4 * weights.len())
        .fills(result, batch.images * to.pooled().stored());
    keeping(dispatch, kept.map(|kept| kept.planes), to, batch.images)
}

/// The gradient at the images, from the one at the convolution, of `outputs` channels, with weights packed for
/// forward.
pub(crate) fn first_block_backward(
    gpu: &Gpu,
    (given, outputs): (FirstGradient<'_>, usize),
    weights: &Texels,
    d_input: &Texels,
    batch: Batch,
) -> Dispatch {
    let kernels = given.kernels;
    let to = Layer { channels: kernels.inputs, size: kernels.size };
    let from = Layer { channels: outputs, ..to };
    let params = given.d_pooled.of(Params::new(to, from, batch));
    let params = Buffer::params(gpu, "first_block_backward params", &params);
    let [planes, d_pooled, moments] = given.bindings();
    let bindings =
        [params.binding(), planes, d_pooled, moments, weights.binding(), d_input.target()];
    let read = from.values() + from.pooled().values();
    kernels
        .generate_backward()
        .dispatch(gpu, &bindings, fold(batch.images * kernels.size / ROWS))
        .flops(flops(to, from, batch.images))
        .values(batch.images * (read + to.values()) + 4 * weights.len())
        .fills(d_input, batch.images * to.stored())
}
