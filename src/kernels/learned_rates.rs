//! Learning rates that are learned themselves, and the gradient at them.

use super::{PRODUCTS, Rates, WORKGROUP, wgsl};
use crate::gpu::{Buffer, Dispatch, Gpu, Kernel, Slot, fold, params};

params! {
    struct Params {
        parts: u32,
        pad: [u32; 3],
    }
}

pub(super) const RATES: Kernel = Kernel {
    name: "learned_rates",
    source: wgsl!("shared/grid", "learned_rates"),
    slots: &[Slot::Read, Slot::Write],
};

pub(super) const GRADIENT: Kernel = Kernel {
    name: "rate_gradient",
    source: wgsl!("shared/grid", "rate_gradient"),
    slots: &[Slot::params::<Params>(), Slot::Read, Slot::Read, Slot::Write],
};

/// `rates` = softplus(`raw`), without momentum and decay.
pub(crate) fn learned_rates(gpu: &Gpu, raw: &Buffer<f32>, rates: &Buffer<Rates>) -> Dispatch {
    let grid = fold(raw.len().div_ceil(WORKGROUP));
    RATES.dispatch(gpu, &[], &[raw.binding(), rates.binding()], grid).values(5 * raw.len())
}

/// The `gradient` at `raw` from the `products` of each step's gradient and the one after it, so many parts per step.
pub(crate) fn rate_gradient(
    gpu: &Gpu,
    raw: &Buffer<f32>,
    (products, parts): (&Buffer<f32>, usize),
    gradient: &Buffer<f32>,
) -> Dispatch {
    let params = Params { parts: parts as u32, pad: [0; 3] };
    let params = Buffer::params(gpu, "rate_gradient params", &params);
    let bindings = [params.binding(), raw.binding(), products.binding(), gradient.binding()];
    let grid = fold(raw.len().div_ceil(WORKGROUP));
    GRADIENT.dispatch(gpu, &[], &bindings, grid).values(raw.len() * (2 + parts * PRODUCTS))
}
