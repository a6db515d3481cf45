//! The gradient of a convolution at its weights.

use minijinja::context;

use super::{Layer, Params, flops};
use crate::{
    gpu::{Buffer, Dispatch, Gpu, Slot, Texels, fold},
    kernels::{Batch, Generated, wgsl},
};

const TEMPLATE: &str = wgsl!(
    "shared/grid",
    "shared/texels",
    "conv/cpu/params",
    "conv/cpu/winograd",
    "conv/cpu/weight_gradient"
);

const SLOTS: &[Slot] = &[Slot::params::<Params>(), Slot::Texels, Slot::Texels, Slot::Write];

/// Input channels that a workgroup takes. The text grows with it.
const INPUTS: usize = 4;

/// The kernel for planes of this size, so many input channels per workgroup, and output channels per lane.
fn generate(lanes: usize, size: usize, inputs: usize, outs: usize) -> Generated {
    // Pixels of a strip. The text grows with it. Two output channels share what is loaded and shuffled; rows of 16 then
    // gain nothing from longer strips.
    let pixels = if size == 16 && outs == 2 { 32 } else { 64 };
    let rows = size.min(pixels / size);
    let images = (pixels / size.pow(2)).max(1);
    Generated {
        name: format!("weight_gradient_cpu_lanes {lanes}×{outs} {size}×{inputs}"),
        template: TEMPLATE,
        values: context!(lanes, size, inputs, outs, rows, images),
        constants: &[],
        slots: SLOTS,
    }
}

/// Every specialisation that any adapter can ask for, for the tests that read them all.
pub(super) fn all() -> Vec<Generated> {
    let mut all = Vec::new();
    for (lanes, outs) in [8, 16, 32].into_iter().flat_map(|lanes| [(lanes, 1), (lanes, 2)]) {
        for inputs in 1..=INPUTS {
            all.extend([4, 8, 16, 32, 64].map(|size| generate(lanes, size, inputs, outs)));
        }
    }
    all
}

/// `d_weights` (nets, outputs, inputs, 3, 3) from what a convolution reads and the gradient at what it makes, by
/// subgroups of so many lanes. Adds to what is there if told to `accumulate`.
pub(crate) fn weight_gradient(
    gpu: &Gpu,
    lanes: usize,
    (input, from): (&Texels, Layer),
    (d_planes, to): (&Texels, Layer),
    d_weights: &Buffer<f32>,
    batch: Batch,
    accumulate: bool,
) -> Dispatch {
    let params = Params { accumulate: u32::from(accumulate), ..Params::new(from, to, batch) };
    let params = Buffer::params(gpu, "weight_gradient params", &params);
    let inputs = from.channels.min(INPUTS);
    let outs = if to.channels > lanes { 2 } else { 1 };
    let groups = batch.nets * to.channels.div_ceil(outs * lanes) * from.channels.div_ceil(inputs);
    let bindings = [params.binding(), input.binding(), d_planes.binding(), d_weights.binding()];
    generate(lanes, from.size, inputs, outs)
        .dispatch(gpu, &bindings, fold(groups))
        .flops(flops(from, to, batch.images))
        .values(batch.images * (from.values() + to.values()) + d_weights.len())
}
