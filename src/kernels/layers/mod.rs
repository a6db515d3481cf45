//! One plain kernel per layer and direction, for every layer that no faster kernel serves. Tensors are dense: images
//! are (images, channels, size, size), vectors (images, features).

mod act;
mod conv;
mod halo;
mod norm;
mod pool;
mod spread;
mod sum;
mod tangent;
mod tasks;

pub use act::Activation;
pub(crate) use act::{act_backward, act_forward};
pub(crate) use conv::Conv;
pub(super) use conv::Params as ConvParams;
pub(crate) use halo::{add_bias, halo};
pub(crate) use norm::{Norm, Statistics};
pub(crate) use pool::Pool;
pub use pool::PoolKind;
pub(crate) use spread::spread;
pub(crate) use sum::{add, sum};
pub(crate) use tangent::{Dual, KEPT, act_tangent};

use super::{Constants, Specialised};
use crate::gpu::params;

params! {
    /// The parameters of kernels that work value by value.
    struct Count {
        count: u32,
    }
}

const PLAIN: &[Constants] = &[&[]];

/// Every kernel of this folder.
pub(super) const ALL: &[Specialised] = &[
    (&act::FORWARD, act::VARIANTS),
    (&act::BACKWARD, act::VARIANTS),
    (&act::TEXEL_FORWARD, act::VARIANTS),
    (&act::TEXEL_BACKWARD, act::VARIANTS),
    (&conv::FORWARD, conv::VARIANTS),
    (&conv::BACKWARD_DATA, PLAIN),
    (&conv::BACKWARD_WEIGHT, PLAIN),
    (&conv::BACKWARD_BIAS.0[0], PLAIN),
    (&conv::BACKWARD_BIAS.0[1], PLAIN),
    (&conv::TEXEL_BACKWARD_BIAS, PLAIN),
    (&halo::HALO, PLAIN),
    (&halo::BIAS.0[0], PLAIN),
    (&halo::BIAS.0[1], PLAIN),
    (&norm::STATISTICS.0[0], norm::VARIANTS),
    (&norm::STATISTICS.0[1], norm::VARIANTS),
    (&norm::TRACK, &[norm::VARIANTS[2]]),
    (&norm::FORWARD.0[0], norm::VARIANTS),
    (&norm::FORWARD.0[1], norm::VARIANTS),
    (&norm::BACKWARD_SUMS.0[0], norm::VARIANTS),
    (&norm::BACKWARD_SUMS.0[1], norm::VARIANTS),
    (&norm::BACKWARD_DATA.0[0], norm::DATA_VARIANTS),
    (&norm::BACKWARD_DATA.0[1], norm::DATA_VARIANTS),
    (&norm::BACKWARD_MEANS.0[0], norm::VARIANTS),
    (&norm::BACKWARD_MEANS.0[1], norm::VARIANTS),
    (&norm::BACKWARD_AFFINE.0[0], norm::TEXEL_VARIANTS),
    (&norm::BACKWARD_AFFINE.0[1], norm::TEXEL_VARIANTS),
    (&norm::BACKWARD_AFFINE_VALUES, &[norm::VARIANTS[1]]),
    (&norm::TEXEL_STATISTICS, norm::TEXEL_VARIANTS),
    (&norm::TEXEL_FORWARD, norm::TEXEL_VARIANTS),
    (&norm::TEXEL_BACKWARD_SUMS, norm::TEXEL_VARIANTS),
    (&norm::TEXEL_BACKWARD_DATA, norm::TEXEL_DATA_VARIANTS),
    (&pool::FORWARD, pool::VARIANTS),
    (&pool::BACKWARD, pool::VARIANTS),
    (&pool::BACKWARD_APART, pool::VARIANTS),
    (&pool::TEXEL_FORWARD, pool::VARIANTS),
    (&pool::TEXEL_BACKWARD, pool::VARIANTS),
    (&pool::TEXEL_PLANE_FORWARD, pool::VARIANTS),
    (&pool::TEXEL_PLANE_BACKWARD, pool::VARIANTS),
    (&spread::KERNEL, PLAIN),
    (&sum::KERNEL, PLAIN),
    (&sum::ADD, PLAIN),
    (&sum::TEXELS, PLAIN),
    (&tangent::ACT, tangent::ACT_VARIANTS),
    (&tangent::POOL, &[pool::VARIANTS[1]]),
    (&tangent::AFFINE, PLAIN),
    (&tangent::SUMS.0[0], norm::DATA_VARIANTS),
    (&tangent::SUMS.0[1], norm::DATA_VARIANTS),
    (&tangent::FORWARD.0[0], norm::VARIANTS),
    (&tangent::FORWARD.0[1], norm::VARIANTS),
    (&tangent::BACKWARD_SUMS.0[0], norm::VARIANTS),
    (&tangent::BACKWARD_SUMS.0[1], norm::VARIANTS),
    (&tangent::BACKWARD_DATA.0[0], norm::VARIANTS),
    (&tangent::BACKWARD_DATA.0[1], norm::VARIANTS),
    (&tangent::BACKWARD_AFFINE.0[0], norm::VARIANTS),
    (&tangent::BACKWARD_AFFINE.0[1], norm::VARIANTS),
];
