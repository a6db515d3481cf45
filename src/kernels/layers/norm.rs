//! Batch, layer, instance and group norm.

use super::tasks::{Tasks, tasks, tasks_where_they_lie};
use crate::{
    gpu::{Buffer, Dispatch, Gpu, Kernel, Slot, Values, fold, params},
    kernels::{Batch, Constants, WORKGROUP, wgsl},
};

params! {
    pub(in crate::kernels) struct Params {
        channels: u32,
        positions: u32,
        run: u32,
        images: u32,
        images_per_net: u32,
        accumulate: u32,
        relu: u32,
        planes: u32,
    }
}

const PARAMS: Slot = Slot::params::<Params>();

pub(in crate::kernels) static STATISTICS: Tasks = tasks!(
    "layers/norm_statistics",
    &[PARAMS, Slot::Read, Slot::Write],
    ("shared/layer_norm", "layers/norm_statistics")
);

pub(in crate::kernels) const TRACK: Kernel = Kernel {
    name: "layers/norm_track",
    source: wgsl!("shared/grid", "shared/quotient", "shared/layer_norm", "layers/norm_track"),
    slots: &[PARAMS, Slot::Read, Slot::Write],
};

pub(in crate::kernels) static FORWARD: Tasks = tasks!(
    "layers/norm_forward",
    &[PARAMS, Slot::Read, Slot::Read, Slot::Read, Slot::Write],
    ("shared/layer_norm", "layers/norm_forward")
);

pub(in crate::kernels) static BACKWARD_SUMS: Tasks = tasks!(
    "layers/norm_backward_sums",
    &[PARAMS, Slot::Read, Slot::Read, Slot::Read, Slot::Read, Slot::Write],
    ("shared/layer_norm", "layers/norm_backward_sums")
);

pub(in crate::kernels) static BACKWARD_DATA: Tasks = tasks!(
    "layers/norm_backward_data",
    &[PARAMS, Slot::Read, Slot::Read, Slot::Read, Slot::Read, Slot::Read, Slot::Write],
    ("shared/layer_norm", "layers/norm_backward_data")
);

pub(in crate::kernels) static BACKWARD_MEANS: Tasks = tasks!(
    "layers/norm_backward_means",
    &[PARAMS, Slot::Read, Slot::Read, Slot::Write],
    ("shared/layer_norm", "layers/norm_backward_means")
);

pub(in crate::kernels) static BACKWARD_AFFINE: Tasks = tasks!(
    "layers/norm_backward_affine",
    &[PARAMS, Slot::Read, Slot::Write],
    ("shared/layer_norm", "layers/norm_backward_affine")
);

pub(in crate::kernels) const BACKWARD_AFFINE_VALUES: Kernel = Kernel {
    name: "layers/norm_backward_affine_values",
    source: wgsl!(
        "shared/grid",
        "shared/quotient",
        "shared/layer_norm",
        "layers/norm_backward_affine_values"
    ),
    slots: &[PARAMS, Slot::Read, Slot::Read, Slot::Read, Slot::Read, Slot::Write],
};

pub(in crate::kernels) const TEXEL_STATISTICS: Kernel = Kernel {
    name: "layers/cpu/norm_statistics",
    source: wgsl!(
        "shared/grid",
        "shared/quotient",
        "shared/texels",
        "shared/layer_norm",
        "layers/cpu/norm_statistics"
    ),
    slots: &[PARAMS, Slot::Texels, Slot::Write],
};

pub(in crate::kernels) const TEXEL_FORWARD: Kernel = Kernel {
    name: "layers/cpu/norm_forward",
    source: wgsl!(
        "shared/grid",
        "shared/quotient",
        "shared/texels",
        "shared/layer_norm",
        "layers/cpu/norm_forward"
    ),
    slots: &[PARAMS, Slot::Texels, Slot::Read, Slot::Read, Slot::Write],
};

pub(in crate::kernels) const TEXEL_BACKWARD_SUMS: Kernel = Kernel {
    name: "layers/cpu/norm_backward_sums",
    source: wgsl!(
        "shared/grid",
        "shared/quotient",
        "shared/texels",
        "shared/layer_norm",
        "layers/cpu/norm_backward_sums"
    ),
    slots: &[PARAMS, Slot::Texels, Slot::Read, Slot::Read, Slot::Texels, Slot::Write],
};

pub(in crate::kernels) const TEXEL_BACKWARD_DATA: Kernel = Kernel {
    name: "layers/cpu/norm_backward_data",
    source: wgsl!(
        "shared/grid",
        "shared/quotient",
        "shared/texels",
        "shared/layer_norm",
        "layers/cpu/norm_backward_data"
    ),
    slots: &[PARAMS, Slot::Texels, Slot::Read, Slot::Read, Slot::Texels, Slot::Read, Slot::Write],
};

/// Variants: over what statistics are taken, and what has a weight and bias of its own.
pub(in crate::kernels) const VARIANTS: &[Constants] = &[
    &[("BATCH", 0.0), ("PER_VALUE", 0.0)],
    &[("BATCH", 0.0), ("PER_VALUE", 1.0)],
    &[("BATCH", 1.0), ("PER_VALUE", 0.0)],
];

/// Those whose values have no weights of their own.
pub(in crate::kernels) const TEXEL_VARIANTS: &[Constants] = &[VARIANTS[0], VARIANTS[2]];

pub(in crate::kernels) const TEXEL_DATA_VARIANTS: &[Constants] =
    &[DATA_VARIANTS[0], DATA_VARIANTS[2], DATA_VARIANTS[3]];

pub(in crate::kernels) const DATA_VARIANTS: &[Constants] = &[
    &[("BATCH", 0.0), ("PER_VALUE", 0.0), ("FROZEN", 0.0)],
    &[("BATCH", 0.0), ("PER_VALUE", 1.0), ("FROZEN", 0.0)],
    &[("BATCH", 1.0), ("PER_VALUE", 0.0), ("FROZEN", 0.0)],
    &[("BATCH", 1.0), ("PER_VALUE", 0.0), ("FROZEN", 1.0)],
];

/// Sizes of the layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Norm {
    pub channels: usize,
    /// Of a plane.
    pub positions: usize,
    pub statistics: Statistics,
    /// Whether each value of an image has a weight and bias of its own, not each channel.
    pub per_value: bool,
    /// Whether a ReLU follows, which the kernels do as well: y is its output.
    pub relu: bool,
}

/// What one mean and variance are taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Statistics {
    /// Equal runs of an image's channels, so many.
    Groups(usize),
    /// A channel of all images of a network.
    Batch,
}

impl Norm {
    /// Whether there are kernels for tensors in textures.
    pub fn has_texels(self) -> bool {
        !self.per_value && self.positions.is_multiple_of(4)
    }

    /// Pairs of weight and bias of one network.
    pub fn affines(self) -> usize {
        if self.per_value { self.channels * self.positions } else { self.channels }
    }

    /// Means and variances of one image at most; those of a batch norm are fewer, one per network and channel.
    pub fn segments_per_image(self) -> usize {
        match self.statistics {
            Statistics::Groups(groups) => groups,
            Statistics::Batch => self.channels,
        }
    }

    /// Mean and variance of each segment of x (images, channels, positions).
    pub fn statistics(
        self,
        gpu: &Gpu,
        x: Values<'_>,
        statistics: &Buffer<f32>,
        batch: Batch,
    ) -> Dispatch {
        let params = self.params(gpu, batch, false);
        let bindings = [params.binding(), x.binding(), statistics.binding()];
        let tasks = self.segments(batch);
        let kernels = (&STATISTICS, &TEXEL_STATISTICS);
        tasks_where_they_lie(gpu, x, kernels, self.variant(), &bindings, tasks)
            .values(self.values(batch))
    }

    /// Moves a batch norm's running mean and variance (nets, channels, 2) towards those of a batch; with `anew`, all the
    /// way.
    pub fn track(
        self,
        gpu: &Gpu,
        statistics: &Buffer<f32>,
        running: &Buffer<f32>,
        batch: Batch,
        anew: bool,
    ) -> Dispatch {
        let params = self.params(gpu, batch, !anew);
        let bindings = [params.binding(), statistics.binding(), running.binding()];
        let segments = self.segments(batch);
        let grid = fold(segments.div_ceil(WORKGROUP));
        TRACK.dispatch(gpu, self.variant(), &bindings, grid).values(6 * segments)
    }

    /// y from x, by these statistics and weights and biases (nets, affines, 2).
    pub fn forward(
        self,
        gpu: &Gpu,
        x: Values<'_>,
        (statistics, affine): (&Buffer<f32>, &Buffer<f32>),
        y: Values<'_>,
        batch: Batch,
    ) -> Dispatch {
        let params = self.params(gpu, batch, false);
        let bindings =
            [params.binding(), x.binding(), statistics.binding(), affine.binding(), y.target()];
        let tasks = batch.images * self.channels;
        let (kernels, values) = ((&FORWARD, &TEXEL_FORWARD), self.values(batch));
        tasks_where_they_lie(gpu, x, kernels, self.variant(), &bindings, tasks)
            .values(2 * values)
            .fills(y, values)
    }

    /// What [`backward_means`](Self::backward_means) and [`backward_affine`](Self::backward_affine) need of each plane
    /// of x and `dy`, (images, channels, 2).
    pub fn backward_sums(
        self,
        gpu: &Gpu,
        x: Values<'_>,
        (statistics, affine): (&Buffer<f32>, &Buffer<f32>),
        dy: Values<'_>,
        sums: &Buffer<f32>,
        batch: Batch,
    ) -> Dispatch {
        let params = self.params(gpu, batch, false);
        let bindings = [
            params.binding(),
            x.binding(),
            statistics.binding(),
            affine.binding(),
            dy.binding(),
            sums.binding(),
        ];
        let kernels = (&BACKWARD_SUMS, &TEXEL_BACKWARD_SUMS);
        let tasks = batch.images * self.channels;
        tasks_where_they_lie(gpu, x, kernels, self.variant(), &bindings, tasks)
            .values(2 * self.values(batch))
    }

    /// What [`backward_data`](Self::backward_data) needs of each segment, (segments, 2); `None` if that is the sums of each
    /// plane.
    pub fn backward_means(
        self,
        gpu: &Gpu,
        sums: &Buffer<f32>,
        affine: &Buffer<f32>,
        means: &Buffer<f32>,
        batch: Batch,
    ) -> Option<Dispatch> {
        if self.statistics == Statistics::Groups(self.channels) {
            return None;
        }
        let params = self.params(gpu, batch, false);
        let bindings = [params.binding(), sums.binding(), affine.binding(), means.binding()];
        Some(BACKWARD_MEANS.dispatch(gpu, self.variant(), &bindings, self.segments(batch)))
    }

    /// The gradient at x, from `dy` at y. Without `means`, the statistics do not depend on x.
    #[allow(clippy::too_many_arguments)]
    pub fn backward_data(
        self,
        gpu: &Gpu,
        x: Values<'_>,
        (statistics, affine): (&Buffer<f32>, &Buffer<f32>),
        dy: Values<'_>,
        means: Option<&Buffer<f32>>,
        dx: Values<'_>,
        batch: Batch,
    ) -> Dispatch {
        let params = self.params(gpu, batch, false);
        let bindings = [
            params.binding(),
            x.binding(),
            statistics.binding(),
            affine.binding(),
            dy.binding(),
            means.unwrap_or(statistics).binding(),
            dx.target(),
        ];
        let variant = self.data_variant(means.is_none());
        let tasks = batch.images * self.channels;
        let values = self.values(batch);
        let kernels = (&BACKWARD_DATA, &TEXEL_BACKWARD_DATA);
        tasks_where_they_lie(gpu, x, kernels, variant, &bindings, tasks)
            .values(3 * values)
            .fills(dx, values)
    }

    /// The gradient at weights and biases (nets, affines, 2), from the `sums`; if each value has its own, from `dy` at y.
    #[allow(clippy::too_many_arguments)]
    pub fn backward_affine(
        self,
        gpu: &Gpu,
        x: Values<'_>,
        (statistics, affine): (&Buffer<f32>, &Buffer<f32>),
        dy: Values<'_>,
        sums: &Buffer<f32>,
        d_affine: &Buffer<f32>,
        batch: Batch,
        accumulate: bool,
    ) -> Dispatch {
        let params = self.params(gpu, batch, accumulate);
        if !self.per_value {
            let bindings = [params.binding(), sums.binding(), d_affine.binding()];
            let tasks = batch.nets * self.channels;
            return BACKWARD_AFFINE.dispatch(gpu, self.variant(), &bindings, tasks);
        }
        let bindings = [
            params.binding(),
            x.binding(),
            statistics.binding(),
            affine.binding(),
            dy.binding(),
            d_affine.binding(),
        ];
        let grid = fold((batch.nets * self.affines()).div_ceil(WORKGROUP));
        BACKWARD_AFFINE_VALUES
            .dispatch(gpu, self.variant(), &bindings, grid)
            .values(2 * self.values(batch))
    }

    pub(super) fn segments(self, batch: Batch) -> usize {
        match self.statistics {
            Statistics::Groups(groups) => batch.images * groups,
            Statistics::Batch => batch.nets * self.channels,
        }
    }

    pub(super) fn values(self, batch: Batch) -> usize {
        batch.images * self.channels * self.positions
    }

    pub(super) fn variant(self) -> Constants {
        VARIANTS[self.number()]
    }

    /// With statistics that are frozen or not.
    pub(super) fn data_variant(self, frozen: bool) -> Constants {
        DATA_VARIANTS[self.number() + usize::from(frozen)]
    }

    pub(super) fn number(self) -> usize {
        match self.statistics {
            Statistics::Groups(_) => usize::from(self.per_value),
            Statistics::Batch => 2,
        }
    }

    pub(super) fn params(self, gpu: &Gpu, batch: Batch, accumulate: bool) -> Buffer<Params> {
        let groups = match self.statistics {
            Statistics::Groups(groups) => groups,
            Statistics::Batch => 1,
        };
        let params = Params {
            channels: self.channels as u32,
            positions: self.positions as u32,
            run: (self.channels / groups) as u32,
            images: batch.images as u32,
            images_per_net: (batch.images / batch.nets) as u32,
            accumulate: u32::from(accumulate),
            relu: u32::from(self.relu),
            planes: u32::from(self.statistics == Statistics::Groups(self.channels)),
        };
        Buffer::params(gpu, "norm params", &params)
    }
}
