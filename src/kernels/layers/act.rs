//! Activations, value by value.

use serde::{Deserialize, Serialize};

use super::{Count, tasks::counted};
use crate::{
    gpu::{Buffer, Dispatch, Gpu, Kernel, Slot, Values},
    kernels::{Constants, wgsl},
};

pub(in crate::kernels) const FORWARD: Kernel = Kernel {
    name: "layers/act_forward",
    source: wgsl!("shared/grid", "shared/layer_act", "layers/act_forward"),
    slots: &[Slot::params::<Count>(), Slot::Read, Slot::Write],
};

pub(in crate::kernels) const BACKWARD: Kernel = Kernel {
    name: "layers/act_backward",
    source: wgsl!("shared/grid", "shared/layer_act", "layers/act_backward"),
    slots: &[Slot::params::<Count>(), Slot::Read, Slot::Read, Slot::Write],
};

pub(in crate::kernels) const TEXEL_FORWARD: Kernel = Kernel {
    name: "layers/cpu/act_forward",
    source: wgsl!("shared/grid", "shared/texels", "shared/layer_act", "layers/cpu/act_forward"),
    slots: &[Slot::params::<Count>(), Slot::Texels, Slot::Write],
};

pub(in crate::kernels) const TEXEL_BACKWARD: Kernel = Kernel {
    name: "layers/cpu/act_backward",
    source: wgsl!("shared/grid", "shared/texels", "shared/layer_act", "layers/cpu/act_backward"),
    slots: &[Slot::params::<Count>(), Slot::Texels, Slot::Texels, Slot::Write],
};

/// A function that each value passes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// max(x, 0).
    Relu,
    /// x where that is positive, else x / 100.
    LeakyRelu,
    /// σ(x) = 1 / (1 + e⁻ˣ).
    Sigmoid,
    /// x · σ(x).
    Swish,
}

impl Activation {
    /// Whether the gradient is computed from the input. For all others it is computed from the output.
    pub(crate) fn reads_input(self) -> bool {
        self == Self::Swish
    }
}

/// By [`Activation`].
pub(in crate::kernels) const VARIANTS: &[Constants] =
    &[&[("KIND", 0.0)], &[("KIND", 1.0)], &[("KIND", 2.0)], &[("KIND", 3.0)]];

fn variant(kind: Activation) -> Constants {
    VARIANTS[match kind {
        Activation::Relu => 0,
        Activation::LeakyRelu => 1,
        Activation::Sigmoid => 2,
        Activation::Swish => 3,
    }]
}

/// y ← f(x), of the first `count` values.
pub(crate) fn act_forward(
    gpu: &Gpu,
    kind: Activation,
    x: Values<'_>,
    y: Values<'_>,
    count: usize,
) -> Dispatch {
    let (params, grid) = counted(x, count);
    let params = Buffer::params(gpu, "act params", &params);
    let bindings = [params.binding(), x.binding(), y.target()];
    let kernel = if x.texels().is_some() { &TEXEL_FORWARD } else { &FORWARD };
    kernel.dispatch(gpu, variant(kind), &bindings, grid).values(2 * count).fills(y, count)
}

/// dx ← dy · f′, of the first `count` values. `kept` is what [`Activation::reads_input`] says: the input, or the
/// output.
pub(crate) fn act_backward(
    gpu: &Gpu,
    kind: Activation,
    kept: Values<'_>,
    dy: Values<'_>,
    dx: Values<'_>,
    count: usize,
) -> Dispatch {
    let (params, grid) = counted(dy, count);
    let params = Buffer::params(gpu, "act params", &params);
    let bindings = [params.binding(), kept.binding(), dy.binding(), dx.target()];
    let kernel = if dy.texels().is_some() { &TEXEL_BACKWARD } else { &BACKWARD };
    kernel.dispatch(gpu, variant(kind), &bindings, grid).values(3 * count).fills(dx, count)
}
