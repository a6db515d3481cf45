//! Pools of any square window and stride.

use serde::{Deserialize, Serialize};

use crate::{
    gpu::{Buffer, Dispatch, Gpu, Kernel, Slot, fold, params},
    kernels::{Constants, WORKGROUP, wgsl},
};

params! {
    pub(in crate::kernels) struct Params {
        planes: u32,
        size: u32,
        out_size: u32,
        kernel: u32,
        stride: u32,
        padding: u32,
        pad: [u32; 2],
    }
}

pub(super) const PARAMS: Slot = Slot::params::<Params>();

pub(in crate::kernels) const FORWARD: Kernel = Kernel {
    name: "layers/pool_forward",
    source: wgsl!("shared/grid", "shared/quotient", "shared/layer_pool", "layers/pool_forward"),
    slots: &[PARAMS, Slot::Read, Slot::Write],
};

pub(in crate::kernels) const BACKWARD: Kernel = Kernel {
    name: "layers/pool_backward",
    source: wgsl!("shared/grid", "shared/quotient", "shared/layer_pool", "layers/pool_backward"),
    slots: &[PARAMS, Slot::Read, Slot::Read, Slot::Write],
};

pub(in crate::kernels) const BACKWARD_APART: Kernel = Kernel {
    name: "layers/pool_backward_apart",
    source: wgsl!(
        "shared/grid",
        "shared/quotient",
        "shared/layer_pool",
        "layers/pool_backward_apart"
    ),
    slots: &[PARAMS, Slot::Read, Slot::Read, Slot::Write],
};

pub(in crate::kernels) const VARIANTS: &[Constants] = &[&[("MAX", 0.0)], &[("MAX", 1.0)]];

/// What a pool makes of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PoolKind {
    /// Its largest value.
    Max,
    /// The mean of its values; zeros around the image count.
    Avg,
}

/// A pool over planes of `channels` each image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pool {
    pub kind: PoolKind,
    pub channels: usize,
    pub size: usize,
    pub out_size: usize,
    pub kernel: usize,
    pub stride: usize,
    pub pad: usize,
}

impl Pool {
    /// y (images, channels, out_size, out_size) from x (images, channels, size, size).
    pub fn forward(self, gpu: &Gpu, x: &Buffer<f32>, y: &Buffer<f32>, images: usize) -> Dispatch {
        let params = self.params(gpu, images);
        let bindings = [params.binding(), x.binding(), y.binding()];
        let (read, written) = self.values(images);
        let grid = fold(written.div_ceil(WORKGROUP));
        FORWARD.dispatch(gpu, self.variant(), &bindings, grid).values(read + written)
    }

    /// The gradient at x, from `dy` at y.
    pub fn backward(
        self,
        gpu: &Gpu,
        x: &Buffer<f32>,
        dy: &Buffer<f32>,
        dx: &Buffer<f32>,
        images: usize,
    ) -> Dispatch {
        let params = self.params(gpu, images);
        let bindings = [params.binding(), x.binding(), dy.binding(), dx.binding()];
        let (ahead, behind) = self.values(images);
        let (kernel, invocations) = match self.kernel == self.stride && self.pad == 0 {
            true => {
                let side = self.size.div_ceil(self.kernel);
                (&BACKWARD_APART, images * self.channels * side * side)
            }
            false => (&BACKWARD, ahead),
        };
        let grid = fold(invocations.div_ceil(WORKGROUP));
        kernel.dispatch(gpu, self.variant(), &bindings, grid).values(2 * ahead + behind)
    }

    pub(super) fn values(self, images: usize) -> (usize, usize) {
        let planes = images * self.channels;
        (planes * self.size * self.size, planes * self.out_size * self.out_size)
    }

    pub(super) fn variant(self) -> Constants {
        VARIANTS[usize::from(self.kind == PoolKind::Max)]
    }

    pub(super) fn params(self, gpu: &Gpu, images: usize) -> Buffer<Params> {
        let params = Params {
            planes: (images * self.channels) as u32,
            size: self.size as u32,
            out_size: self.out_size as u32,
            kernel: self.kernel as u32,
            stride: self.stride as u32,
            padding: self.pad as u32,
            pad: [0; 2],
        };
        Buffer::params(gpu, "pool params", &params)
    }
}
