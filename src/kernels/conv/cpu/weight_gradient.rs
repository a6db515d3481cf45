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

/// Pixels of a strip. The text grows with it.
const PIXELS: usize = 64;

/// Input channels that a workgroup takes. The text grows with it.
const INPUTS: usize = 4;

/// The kernel for planes of this size and so many input channels per workgroup.
fn generate(lanes: usize, size: usize, inputs: usize) -> Generated {
    let rows = size.min(PIXELS / size);
    let images = (PIXELS / size.pow(2)).max(1);
    Generated {
        name: format!("weight_gradient_cpu_lanes {lanes} {size}×{inputs}"),
        template: TEMPLATE,
        values: context!(lanes, size, inputs, rows, images),
        constants: &[],
        slots: SLOTS,
    }
}

/// Every specialisation that any adapter can ask for, for the tests that read them all.
pub(super) fn all() -> Vec<Generated> {
    let mut all = Vec::new();
    for lanes in [8, 16, 32] {
        for inputs in 1..=INPUTS {
            all.extend([4, 8, 16, 32, 64].map(|size| generate(lanes, size, inputs)));
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
    let groups = batch.nets * to.channels.div_ceil(lanes) * from.channels.div_ceil(inputs);
    let bindings = [params.binding(), input.binding(), d_planes.binding(), d_weights.binding()];
    generate(lanes, from.size, inputs)
        .dispatch(gpu, &bindings, fold(groups))
        .flops(flops(from, to, batch.images))
        .values(batch.images * (from.values() + to.values()) + d_weights.len())
}
