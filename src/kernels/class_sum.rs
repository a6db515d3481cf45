//! Sums of embeddings by class, chunk after chunk.

use std::ops::Range;

use super::{WORKGROUP, wgsl};
use crate::gpu::{Buffer, Dispatch, Gpu, Kernel, Slot, fold, params};

params! {
    struct Params {
        features: u32,
        chunk_start: u32,
        chunk_end: u32,
        first_class: u32,
        classes: u32,
        accumulate: u32,
        pad: [u32; 2],
    }
}

pub(super) const KERNEL: Kernel = Kernel {
    name: "class_sum",
    source: wgsl!("shared/grid", "class_sum"),
    slots: &[Slot::params::<Params>(), Slot::Read, Slot::Read, Slot::Write],
};

/// Adds the embeddings of images `chunk` of a batch to `sums` (classes, features). `classes` are
/// those the chunk has images of; `starts` says where each begins in the batch. The sums begin anew
/// with a class's first image, unless `accumulate` is set.
#[allow(clippy::too_many_arguments)]
pub(crate) fn class_sum(
    gpu: &Gpu,
    starts: &Buffer<u32>,
    embeddings: &Buffer<f32>,
    sums: &Buffer<f32>,
    features: usize,
    chunk: Range<usize>,
    classes: Range<usize>,
    accumulate: bool,
) -> Dispatch {
    let params = Params {
        features: features as u32,
        chunk_start: chunk.start as u32,
        chunk_end: chunk.end as u32,
        first_class: classes.start as u32,
        classes: classes.len() as u32,
        accumulate: u32::from(accumulate),
        pad: [0; 2],
    };
    let params = Buffer::params(gpu, "class_sum params", &params);
    KERNEL
        .dispatch(
            gpu,
            &[],
            &[params.binding(), starts.binding(), embeddings.binding(), sums.binding()],
            fold((classes.len() * features).div_ceil(WORKGROUP)),
        )
        .values((chunk.len() + classes.len()) * features)
}
