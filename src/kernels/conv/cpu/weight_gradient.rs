//! The gradient of a convolution at its weights.

use minijinja::context;

use super::{FirstGradient, Gradient, Layer, Params, Part, SIZES, flops};
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

/// Of a first block's gradient.
const FIRST: &str = wgsl!(
    "shared/grid",
    "shared/texels",
    "conv/cpu/params",
    "conv/cpu/winograd",
    "conv/cpu/gradient",
    "conv/cpu/moments",
    "conv/cpu/weight_gradient"
);

const SLOTS: &[Slot] = &[Slot::params::<Params>(), Slot::Texels, Slot::Texels, Slot::Write];

/// Input channels that a workgroup takes. The text grows with it.
const INPUTS: usize = 4;

/// The kernel for planes of this size, so many input channels per workgroup, and output channels per lane; with `moments`,
/// of a first block's gradient.
fn generate(lanes: usize, size: usize, inputs: usize, outs: usize, moments: bool) -> Generated {
    // Texels of a part. The text grows with it. Two output channels share what is loaded and shuffled; rows of 16 then
    // gain nothing from more.
    let texels = if size == 16 && outs == 2 { 8 } else { 16 };
    // Of a first block, windows of its pool must be whole.
    let part = if moments { Part { rows: 2, columns: size / 4 } } else { Part::of(size, texels) };
    let images = if part.count(size) == 1 { texels / part.texels() } else { 1 };
    let Part { rows, columns } = part;
    let name = match moments {
        true => format!("first_block_weight_cpu_lanes {lanes}×{outs}×{inputs}"),
        false => format!("weight_gradient_cpu_lanes {lanes}×{outs} {size}×{inputs}"),
    };
    Generated {
        name,
        template: if moments { FIRST } else { TEMPLATE },
        values: context!(lanes, size, inputs, outs, rows, columns, images, moments),
        constants: &[],
        slots: if moments { FirstGradient::SLOTS } else { SLOTS },
    }
}

/// Every specialisation that any adapter can ask for, for the tests that read them all.
pub(super) fn all() -> Vec<Generated> {
    let mut all = Vec::new();
    for (lanes, outs) in [8, 16].into_iter().flat_map(|lanes| [(lanes, 1), (lanes, 2)]) {
        for inputs in 1..=INPUTS {
            all.extend(SIZES.map(|size| generate(lanes, size, inputs, outs, false)));
        }
        all.extend([1, 3].map(|inputs| generate(lanes, 32, inputs, outs, true)));
    }
    all
}

/// `d_weights` (nets, outputs, inputs, 3, 3) from what a convolution reads and the gradient at what it makes, by
/// subgroups of so many lanes. Adds to what is there if told to `accumulate`.
pub(crate) fn weight_gradient(
    gpu: &Gpu,
    lanes: usize,
    (input, from): (&Texels, Layer),
    (gradient, to): (Gradient<'_>, Layer),
    d_weights: &Buffer<f32>,
    batch: Batch,
    accumulate: bool,
) -> Dispatch {
    let params = Params { accumulate: u32::from(accumulate), ..Params::new(from, to, batch) };
    let (params, given) = match &gradient {
        Gradient::Planes(planes) => (params, vec![planes.binding()]),
        Gradient::First(first) => (first.d_pooled.of(params), first.bindings().into()),
    };
    let params = Buffer::params(gpu, "weight_gradient params", &params);
    let mut bindings = vec![params.binding()];
    bindings.extend(given);
    bindings.extend([input.binding(), d_weights.binding()]);
    let inputs = from.channels.min(INPUTS);
    let outs = if to.channels > lanes { 2 } else { 1 };
    let groups = batch.nets * to.channels.div_ceil(outs * lanes) * from.channels.div_ceil(inputs);
    generate(lanes, from.size, inputs, outs, matches!(gradient, Gradient::First(_)))
        .dispatch(gpu, &bindings, fold(groups))
        .flops(flops(from, to, batch.images))
        .values(batch.images * (from.values() + to.values()) + d_weights.len())
}
