//! Convolution 3×3 and its gradient at the input, in the simplest version, and what all versions share.

use super::{Batch, Planes, WORKGROUP, wgsl};
use crate::gpu::{Buffer, Dispatch, Gpu, Kernel, Slot, fold, params};

params! {
    pub(super) struct Params {
        input: Planes,
        result: Planes,
        images: u32,
        images_per_net: u32,
        pad: [u32; 2],
    }
}

impl Params {
    pub fn new(input: Planes, result: Planes, Batch { images, nets }: Batch) -> Self {
        let images_per_net = (images / nets) as u32;
        Self { input, result, images: images as u32, images_per_net, pad: [0; 2] }
    }
}

pub(super) const KERNEL: Kernel = Kernel {
    name: "conv",
    source: wgsl!("shared/grid", "shared/planes", "shared/conv", "conv"),
    slots: &[Slot::params::<Params>(), Slot::Read, Slot::Read, Slot::Write],
};

pub(super) const VARIANTS: &[&[(&str, f64)]] = &[&[("TRANSPOSED", 0.0)], &[("TRANSPOSED", 1.0)]];

/// Which way a convolution goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    /// From a block's input to its planes.
    Forward,
    /// From the gradient at its planes to the one at its input (`backward_data`).
    BackwardData,
}

impl Direction {
    /// As override constants.
    pub fn constants(self) -> &'static [(&'static str, f64)] {
        VARIANTS[usize::from(self == Self::BackwardData)]
    }
}

/// Multiplications and additions of a convolution of so many images, whichever way it goes.
pub(super) fn flops(input: Planes, result: Planes, images: usize) -> usize {
    2 * 9 * images * input.values() * result.channels as usize
}

/// `result` = `input`, which has a zero halo, convolved with `weights` (nets, outputs, inputs, 3, 3).
pub(super) fn conv_plain(
    gpu: &Gpu,
    direction: Direction,
    (input, from): (&Buffer<f32>, Planes),
    weights: &Buffer<f32>,
    (result, to): (&Buffer<f32>, Planes),
    batch: Batch,
) -> Dispatch {
    let params = Buffer::params(gpu, "conv params", &Params::new(from, to, batch));
    let values = batch.images * to.channels as usize * (to.size as usize).pow(2);
    KERNEL
        .dispatch(
            gpu,
            direction.constants(),
            &[params.binding(), input.binding(), weights.binding(), result.binding()],
            fold(values.div_ceil(WORKGROUP)),
        )
        .flops(flops(from, to, batch.images))
        .values(batch.images * (from.values() + to.values()) + weights.len())
}
