//! Rows that images share, one for each.

use crate::{
    gpu::{Buffer, Dispatch, Gpu, Kernel, Slot, fold, params},
    kernels::{WORKGROUP, wgsl},
};

params! {
    struct Params {
        features: u32,
        images: u32,
        first_image: u32,
        sharing: u32,
    }
}

pub(in crate::kernels) const KERNEL: Kernel = Kernel {
    name: "layers/spread",
    source: wgsl!("shared/grid", "shared/quotient", "layers/spread"),
    slots: &[Slot::params::<Params>(), Slot::Read, Slot::Write],
};

/// Row i of result (images, features) ← row (`first_image` + i) / `sharing` of `rows`.
pub(crate) fn spread(
    gpu: &Gpu,
    rows: &Buffer<f32>,
    (first_image, sharing): (usize, usize),
    result: &Buffer<f32>,
    (images, features): (usize, usize),
) -> Dispatch {
    let params = Params {
        features: features as u32,
        images: images as u32,
        first_image: first_image as u32,
        sharing: sharing as u32,
    };
    let params = Buffer::params(gpu, "spread params", &params);
    let bindings = [params.binding(), rows.binding(), result.binding()];
    let values = images * features;
    KERNEL.dispatch(gpu, &[], &bindings, fold(values.div_ceil(WORKGROUP))).values(2 * values)
}
