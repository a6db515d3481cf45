//! A whole first block for CPU adapters, forward and backward.

use minijinja::context;

use super::{
    Batch, Generated, Planes,
    conv_plain::{Params, flops},
    wgsl,
};
use crate::gpu::{Buffer, Dispatch, Gpu, Slot, fold};

/// What a subgroup works at: one image of so many channels, whose planes its lanes share out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct First {
    lanes: usize,
    inputs: usize,
    size: usize,
}

/// What the backward pass leaves.
#[derive(Clone, Copy)]
pub(crate) enum FirstTarget<'a> {
    /// The gradient at the images, dense.
    Images(&'a Buffer<f32>),
    /// Each image's part of the gradients at the weights, (images, outputs, inputs, 3, 3), and at the
    /// norm's weight and bias, (images, outputs, 2).
    Weights { parts: &'a Buffer<f32>, d_affine: &'a Buffer<f32> },
}

const FORWARD: &str =
    wgsl!("shared/grid", "shared/planes", "shared/conv", "shared/first_block", "conv_first");
const BACKWARD: &str = wgsl!(
    "shared/grid",
    "shared/planes",
    "shared/conv",
    "shared/first_block",
    "conv_first_backward"
);

const FORWARD_SLOTS: &[Slot] =
    &[Slot::params::<Params>(), Slot::Read, Slot::Read, Slot::Read, Slot::Write];
/// The last is for weights alone.
const BACKWARD_SLOTS: &[Slot] = &[
    Slot::params::<Params>(),
    Slot::Read,
    Slot::Read,
    Slot::Read,
    Slot::Read,
    Slot::Write,
    Slot::Write,
];

/// Columns and rows of a lane's patch.
const PATCH: usize = 8;

impl First {
    /// The kernels for images of this many channels, if these lanes can share them out.
    pub fn new(lanes: usize, inputs: usize, size: usize) -> Option<Self> {
        let patches = (size / PATCH).pow(2);
        let fits = size.is_multiple_of(PATCH) && patches == lanes && matches!(inputs, 1 | 3);
        fits.then_some(Self { lanes, inputs, size })
    }

    /// Every specialisation that any adapter can ask for, for the tests that read them all.
    pub fn all() -> Vec<Generated> {
        let shapes = [(16, 32), (64, 64)].into_iter().flat_map(|(l, s)| [1, 3].map(|c| (l, c, s)));
        let kernels = shapes.filter_map(|(l, c, s)| Self::new(l, c, s));
        kernels.flat_map(|f| [f.forward(), f.backward(true), f.backward(false)]).collect()
    }

    fn forward(&self) -> Generated {
        let Self { lanes, inputs, size } = *self;
        Generated {
            name: format!("block_first_lanes {lanes} {size}×{inputs}"),
            template: FORWARD,
            values: context!(lanes, inputs, size),
            constants: &[],
            slots: FORWARD_SLOTS,
        }
    }

    fn backward(&self, to_images: bool) -> Generated {
        let Self { lanes, inputs, size } = *self;
        let (to, slots) = if to_images { ("images", 6) } else { ("weights", 7) };
        Generated {
            name: format!("block_first_backward_lanes {to} {lanes} {size}×{inputs}"),
            template: BACKWARD,
            values: context!(lanes, inputs, size, to),
            constants: &[],
            slots: &BACKWARD_SLOTS[..slots],
        }
    }
}

/// What a first block with `weights` (nets, outputs, inputs, 3, 3) and the norm's `affine` makes of
/// `input`, which is haloed. `result` is dense.
pub(crate) fn conv_first(
    gpu: &Gpu,
    first: First,
    (weights, affine): (&Buffer<f32>, &Buffer<f32>),
    (input, from): (&Buffer<f32>, Planes),
    (result, to): (&Buffer<f32>, Planes),
    batch: Batch,
) -> Dispatch {
    let params = Params::new(from, to, batch);
    let params = Buffer::params(gpu, "conv_first params", &params);
    let inputs = [params.binding(), input.binding(), weights.binding(), affine.binding()];
    let bindings = [&inputs[..], &[result.binding()]].concat();
    first
        .forward()
        .dispatch(gpu, &bindings, fold(batch.images))
        .flops(flops(from, to, batch.images))
        .values(batch.images * (from.values() + to.values()) + weights.len())
}

/// The gradients that `target` asks for, of the block that [`conv_first`] is with the same weights and
/// input. Image i takes its gradient from image (`first_image` + i) / `sharing` of `d_pooled`, which
/// is dense.
#[allow(clippy::too_many_arguments)]
pub(crate) fn conv_first_backward(
    gpu: &Gpu,
    first: First,
    (weights, affine): (&Buffer<f32>, &Buffer<f32>),
    (input, from): (&Buffer<f32>, Planes),
    (d_pooled, to): (&Buffer<f32>, Planes),
    target: FirstTarget<'_>,
    batch: Batch,
    sharing: (usize, usize),
) -> Dispatch {
    let params = Params::new(from, to, batch).sharing(sharing);
    let params = Buffer::params(gpu, "conv_first_backward params", &params);
    let mut bindings = vec![
        params.binding(),
        input.binding(),
        weights.binding(),
        affine.binding(),
        d_pooled.binding(),
    ];
    let to_images = match target {
        FirstTarget::Images(d_input) => {
            bindings.push(d_input.binding());
            true
        }
        FirstTarget::Weights { parts, d_affine } => {
            bindings.extend([parts.binding(), d_affine.binding()]);
            false
        }
    };
    let gradients = batch.images.div_ceil(sharing.1) * to.values();
    let left = match to_images {
        true => from.values(),
        false => (to.channels * (9 * from.channels + 2)) as usize,
    };
    // The convolution is computed twice, but only one of them is counted as necessary work.
    first
        .backward(to_images)
        .dispatch(gpu, &bindings, fold(batch.images))
        .flops(flops(from, to, batch.images))
        .values(batch.images * (from.values() + left) + gradients + weights.len())
}
