//! Pools of any square window and stride.

use serde::{Deserialize, Serialize};

use super::tasks::texel_tasks;
use crate::{
    gpu::{Buffer, Dispatch, Gpu, Kernel, Slot, Values, fold, params},
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

pub(in crate::kernels) const TEXEL_FORWARD: Kernel = Kernel {
    name: "layers/cpu/pool_forward",
    source: wgsl!(
        "shared/grid",
        "shared/texels",
        "shared/pool_pairs",
        "shared/layer_pool",
        "layers/cpu/pool_forward"
    ),
    slots: &[PARAMS, Slot::Texels, Slot::Write],
};

pub(in crate::kernels) const TEXEL_BACKWARD: Kernel = Kernel {
    name: "layers/cpu/pool_backward",
    source: wgsl!(
        "shared/grid",
        "shared/texels",
        "shared/pool_pairs",
        "shared/layer_pool",
        "layers/cpu/pool_backward"
    ),
    slots: &[PARAMS, Slot::Texels, Slot::Texels, Slot::Write],
};

pub(in crate::kernels) const TEXEL_PLANE_FORWARD: Kernel = Kernel {
    name: "layers/cpu/pool_plane_forward",
    source: wgsl!(
        "shared/grid",
        "shared/texels",
        "shared/layer_pool",
        "layers/cpu/pool_plane_forward"
    ),
    slots: &[PARAMS, Slot::Texels, Slot::Write],
};

pub(in crate::kernels) const TEXEL_PLANE_BACKWARD: Kernel = Kernel {
    name: "layers/cpu/pool_plane_backward",
    source: wgsl!(
        "shared/grid",
        "shared/texels",
        "shared/layer_pool",
        "layers/cpu/pool_plane_backward"
    ),
    slots: &[PARAMS, Slot::Texels, Slot::Texels, Slot::Write],
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
    /// Whether there are kernels for tensors in textures.
    pub fn has_texels(self) -> bool {
        let in_pairs =
            (self.kernel, self.stride, self.pad) == (2, 2, 0) && self.size.is_multiple_of(4);
        in_pairs
            || self.takes_planes() && self.size.is_multiple_of(2) && self.channels.is_multiple_of(4)
    }

    /// Whether the window is the whole plane.
    fn takes_planes(self) -> bool {
        (self.kernel, self.out_size, self.pad) == (self.size, 1, 0)
    }

    /// y (images, channels, out_size, out_size) from x (images, channels, size, size).
    pub fn forward(self, gpu: &Gpu, x: Values<'_>, y: Values<'_>, images: usize) -> Dispatch {
        let params = self.params(gpu, images);
        let bindings = [params.binding(), x.binding(), y.target()];
        let (read, written) = self.values(images);
        let (kernel, grid) = match x {
            Values::Buffer(_) => (&FORWARD, fold(written.div_ceil(WORKGROUP))),
            Values::Texels(_) if self.takes_planes() => {
                (&TEXEL_PLANE_FORWARD, texel_tasks(written / 4))
            }
            Values::Texels(_) => (&TEXEL_FORWARD, texel_tasks(images * self.channels)),
        };
        kernel
            .dispatch(gpu, self.variant(), &bindings, grid)
            .values(read + written)
            .fills(y, written)
    }

    /// The gradient at x, from `dy` at y.
    pub fn backward(
        self,
        gpu: &Gpu,
        x: Values<'_>,
        dy: Values<'_>,
        dx: Values<'_>,
        images: usize,
    ) -> Dispatch {
        let params = self.params(gpu, images);
        let bindings = [params.binding(), x.binding(), dy.binding(), dx.target()];
        let (ahead, behind) = self.values(images);
        let planes = images * self.channels;
        let (kernel, grid) = match x {
            Values::Texels(_) if self.takes_planes() => {
                (&TEXEL_PLANE_BACKWARD, texel_tasks(planes / 4))
            }
            Values::Texels(_) => (&TEXEL_BACKWARD, texel_tasks(planes)),
            Values::Buffer(_) if self.kernel == self.stride && self.pad == 0 => {
                let windows = self.size.div_ceil(self.kernel).pow(2);
                (&BACKWARD_APART, fold((planes * windows).div_ceil(WORKGROUP)))
            }
            Values::Buffer(_) => (&BACKWARD, fold(ahead.div_ceil(WORKGROUP))),
        };
        kernel
            .dispatch(gpu, self.variant(), &bindings, grid)
            .values(2 * ahead + behind)
            .fills(dx, ahead)
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
