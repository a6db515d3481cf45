//! Images with a box from another one.

use super::{Planes, wgsl};
use crate::gpu::{Buffer, Dispatch, Gpu, Kernel, Slot, Values, fold, params};

params! {
    struct Params {
        source: Planes,
        result: Planes,
        first: u32,
        images: u32,
        pad: [u32; 2],
    }
}

pub(super) const KERNEL: Kernel = Kernel {
    name: "cutmix",
    source: wgsl!("shared/grid", "shared/planes", "shared/team", "shared/walk", "cutmix"),
    slots: &[Slot::params::<Params>(), Slot::Read, Slot::Read, Slot::Read, Slot::Write],
};

/// First row, row after the last, first column, column after the last.
pub(crate) type CutBox = [u32; 4];

/// From consecutive images, of `own` outside of its box and of `other` in it, to consecutive ones of `result`, whose planes
/// lie around each image's. Their boxes begin at `first`.
#[allow(clippy::too_many_arguments)]
pub(crate) fn cutmix(
    gpu: &Gpu,
    boxes: &Buffer<CutBox>,
    (own, other): (&Buffer<f32>, &Buffer<f32>),
    source: Planes,
    (result, layout): (Values<'_>, Planes),
    (first, images): (usize, usize),
) -> Dispatch {
    let [first, count] = [first, images].map(|n| n as u32);
    let params = Params { source, result: layout, first, images: count, pad: [0; 2] };
    let params = Buffer::params(gpu, "cutmix params", &params);
    let inputs = [params.binding(), boxes.binding(), own.binding(), other.binding()];
    let bindings = [&inputs[..], &[result.target()]].concat();
    let bytes = 3 * images * source.values() * size_of::<f32>();
    let made = images * layout.image_len();
    KERNEL.dispatch(gpu, &[], &bindings, fold(images)).bytes(bytes).fills(result, made)
}
