//! Layers along a direction: how what they make, and the gradients at what they read, change when the weights move. What
//! is bilinear needs none of this: convolutions, linear layers and average pools go through their own kernels.

use super::{
    Activation, Count, Norm, Pool, PoolKind, act,
    norm::{self, Params},
    pool,
    tasks::{Tasks, tasks},
};
use crate::{
    gpu::{Buffer, Dispatch, Gpu, Kernel, Slot, fold},
    kernels::{Batch, Constants, WORKGROUP, wgsl},
};

const PARAMS: Slot = Slot::params::<Params>();

pub(in crate::kernels) const ACT: Kernel = Kernel {
    name: "layers/act_tangent",
    source: wgsl!("shared/grid", "shared/layer_act", "layers/act_tangent"),
    slots: &[Slot::params::<Count>(), Slot::Read, Slot::Read, Slot::Read, Slot::Read, Slot::Write],
};

/// Sigmoid and swish.
pub(in crate::kernels) const ACT_VARIANTS: &[Constants] = &[act::VARIANTS[2], act::VARIANTS[3]];

pub(in crate::kernels) const POOL: Kernel = Kernel {
    name: "layers/pool_tangent",
    source: wgsl!("shared/grid", "shared/quotient", "shared/layer_pool", "layers/pool_tangent"),
    slots: &[pool::PARAMS, Slot::Read, Slot::Read, Slot::Write],
};

pub(in crate::kernels) const AFFINE: Kernel = Kernel {
    name: "layers/norm_tangent_affine",
    source: wgsl!("shared/grid", "layers/norm_tangent_affine"),
    slots: &[Slot::params::<Count>(), Slot::Read, Slot::Read, Slot::Write],
};

pub(in crate::kernels) static SUMS: Tasks = tasks!(
    "layers/norm_tangent_sums",
    &[PARAMS, Slot::Read, Slot::Read, Slot::Read, Slot::Write],
    ("shared/layer_norm", "shared/layer_norm_tangent", "layers/norm_tangent_sums")
);

pub(in crate::kernels) static FORWARD: Tasks = tasks!(
    "layers/norm_tangent",
    &[PARAMS, Slot::Read, Slot::Read, Slot::Read, Slot::Read, Slot::Write],
    ("shared/layer_norm", "shared/layer_norm_tangent", "layers/norm_tangent")
);

pub(in crate::kernels) static BACKWARD_SUMS: Tasks = tasks!(
    "layers/norm_tangent_backward_sums",
    &[PARAMS, Slot::Read, Slot::Read, Slot::Read, Slot::Read, Slot::Read, Slot::Write],
    ("shared/layer_norm", "shared/layer_norm_tangent", "layers/norm_tangent_backward_sums")
);

pub(in crate::kernels) static BACKWARD_DATA: Tasks = tasks!(
    "layers/norm_tangent_backward_data",
    &[PARAMS, Slot::Read, Slot::Read, Slot::Read, Slot::Read, Slot::Read, Slot::Read, Slot::Write],
    ("shared/layer_norm", "shared/layer_norm_tangent", "layers/norm_tangent_backward_data")
);

pub(in crate::kernels) static BACKWARD_AFFINE: Tasks = tasks!(
    "layers/norm_tangent_backward_affine",
    &[PARAMS, Slot::Read, Slot::Read, Slot::Read, Slot::Read, Slot::Read, Slot::Write],
    ("shared/layer_norm", "shared/layer_norm_tangent", "layers/norm_tangent_backward_affine")
);

/// A tensor and how it changes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dual<'a> {
    pub value: &'a Buffer<f32>,
    pub change: &'a Buffer<f32>,
}

impl Activation {
    /// Whether its slope changes with its input.
    pub(crate) fn is_bent(self) -> bool {
        matches!(self, Self::Sigmoid | Self::Swish)
    }
}

/// How the gradient at the input of an activation that [`is_bent`](Activation::is_bent) changes. `kept` is what
/// [`Activation::reads_input`] says: the input, or the output.
pub(crate) fn act_tangent(
    gpu: &Gpu,
    kind: Activation,
    kept: Dual<'_>,
    dy: Dual<'_>,
    dx_change: &Buffer<f32>,
    count: usize,
) -> Dispatch {
    let params = Buffer::params(gpu, "act params", &Count { count: count as u32 });
    let bindings = [
        params.binding(),
        kept.value.binding(),
        kept.change.binding(),
        dy.value.binding(),
        dy.change.binding(),
        dx_change.binding(),
    ];
    let variant = ACT_VARIANTS[usize::from(kind == Activation::Swish)];
    let grid = fold(count.div_ceil(WORKGROUP));
    ACT.dispatch(gpu, variant, &bindings, grid).values(5 * count)
}

impl Pool {
    /// How y changes with x.
    pub fn tangent(
        self,
        gpu: &Gpu,
        x: Dual<'_>,
        y_change: &Buffer<f32>,
        images: usize,
    ) -> Dispatch {
        if self.kind == PoolKind::Avg {
            return self.forward(gpu, x.change.into(), y_change.into(), images);
        }
        let params = self.params(gpu, images);
        let bindings =
            [params.binding(), x.value.binding(), x.change.binding(), y_change.binding()];
        let (read, written) = self.values(images);
        let grid = fold(written.div_ceil(WORKGROUP));
        POOL.dispatch(gpu, self.variant(), &bindings, grid).values(2 * read + written)
    }
}

/// Values that [`Norm::tangent_sums`] keeps of a segment.
pub(crate) const KEPT: usize = 8;

impl Norm {
    /// Puts weights, biases and their direction (nets, affines, 2) side by side, (nets, affines, 4).
    pub fn tangent_affine(
        self,
        gpu: &Gpu,
        (affine, direction): (&Buffer<f32>, &Buffer<f32>),
        result: &Buffer<f32>,
        batch: Batch,
    ) -> Dispatch {
        let count = batch.nets * self.affines();
        let params = Buffer::params(gpu, "affine params", &Count { count: count as u32 });
        let bindings = [params.binding(), affine.binding(), direction.binding(), result.binding()];
        let grid = fold(count.div_ceil(WORKGROUP));
        AFFINE.dispatch(gpu, &[], &bindings, grid).values(8 * count)
    }

    /// What the others need of each segment, (segments, [`KEPT`]), from the statistics of x; `frozen` ones do not depend
    /// on x.
    pub fn tangent_sums(
        self,
        gpu: &Gpu,
        x: Dual<'_>,
        (statistics, frozen): (&Buffer<f32>, bool),
        segments: &Buffer<f32>,
        batch: Batch,
    ) -> Dispatch {
        let params = self.params(gpu, batch, false);
        let bindings = [
            params.binding(),
            x.value.binding(),
            x.change.binding(),
            statistics.binding(),
            segments.binding(),
        ];
        let variant = norm::DATA_VARIANTS[self.number() + usize::from(frozen)];
        let tasks = self.segments(batch);
        SUMS.dispatch(gpu, variant, &bindings, tasks).values(2 * self.values(batch))
    }

    /// How y changes. `affines` are as [`tangent_affine`](Self::tangent_affine) leaves them.
    pub fn tangent(
        self,
        gpu: &Gpu,
        x: Dual<'_>,
        (segments, affines): (&Buffer<f32>, &Buffer<f32>),
        y_change: &Buffer<f32>,
        batch: Batch,
    ) -> Dispatch {
        let params = self.params(gpu, batch, false);
        let bindings = [
            params.binding(),
            x.value.binding(),
            x.change.binding(),
            segments.binding(),
            affines.binding(),
            y_change.binding(),
        ];
        let tasks = batch.images * self.channels;
        FORWARD.dispatch(gpu, self.variant(), &bindings, tasks).values(3 * self.values(batch))
    }

    /// What [`tangent_backward_data`](Self::tangent_backward_data) needs besides, of statistics that are not frozen.
    pub fn tangent_backward_sums(
        self,
        gpu: &Gpu,
        x: Dual<'_>,
        (segments, affines): (&Buffer<f32>, &Buffer<f32>),
        dy: Dual<'_>,
        batch: Batch,
    ) -> Dispatch {
        let params = self.params(gpu, batch, false);
        let bindings = [
            params.binding(),
            x.value.binding(),
            x.change.binding(),
            affines.binding(),
            dy.value.binding(),
            dy.change.binding(),
            segments.binding(),
        ];
        let (tasks, values) = (self.segments(batch), 4 * self.values(batch));
        BACKWARD_SUMS.dispatch(gpu, self.variant(), &bindings, tasks).values(values)
    }

    /// How the gradient at x changes.
    pub fn tangent_backward_data(
        self,
        gpu: &Gpu,
        x: Dual<'_>,
        (segments, affines): (&Buffer<f32>, &Buffer<f32>),
        dy: Dual<'_>,
        dx_change: &Buffer<f32>,
        batch: Batch,
    ) -> Dispatch {
        let params = self.params(gpu, batch, false);
        let bindings = [
            params.binding(),
            x.value.binding(),
            x.change.binding(),
            segments.binding(),
            affines.binding(),
            dy.value.binding(),
            dy.change.binding(),
            dx_change.binding(),
        ];
        let (tasks, values) = (batch.images * self.channels, 5 * self.values(batch));
        BACKWARD_DATA.dispatch(gpu, self.variant(), &bindings, tasks).values(values)
    }

    /// How the gradient at weights and biases (nets, affines, 2) changes.
    #[allow(clippy::too_many_arguments)]
    pub fn tangent_backward_affine(
        self,
        gpu: &Gpu,
        x: Dual<'_>,
        segments: &Buffer<f32>,
        dy: Dual<'_>,
        d_affine_change: &Buffer<f32>,
        batch: Batch,
        accumulate: bool,
    ) -> Dispatch {
        let params = self.params(gpu, batch, accumulate);
        let bindings = [
            params.binding(),
            x.value.binding(),
            x.change.binding(),
            segments.binding(),
            dy.value.binding(),
            dy.change.binding(),
            d_affine_change.binding(),
        ];
        let (tasks, values) = (batch.nets * self.channels, 4 * self.values(batch));
        BACKWARD_AFFINE.dispatch(gpu, self.variant(), &bindings, tasks).values(values)
    }
}
