//! One launcher a kernel: its parameter struct, its bindings, its grid. The WGSL of the same name
//! is in `shaders/` and says what is computed.

mod augment;
mod class_sum;
mod conv;
mod conv_lanes;
mod init_uniform;
mod mean_difference;
mod norm_relu_pool;
mod pack_weights;
mod philox;
mod planes;
mod sgd;

pub(crate) use augment::{Augment, Item, Source};
pub(crate) use class_sum::class_sum;
pub(crate) use conv::{Direction, conv};
pub(crate) use conv_lanes::{Tile, conv_lanes};
pub(crate) use init_uniform::{Step, init_uniform};
pub(crate) use mean_difference::mean_difference;
pub(crate) use norm_relu_pool::{norm_relu_pool_backward, norm_relu_pool_forward};
pub(crate) use pack_weights::pack_weights;
pub(crate) use philox::philox4x32;
pub(crate) use planes::Planes;
pub(crate) use sgd::{Sgd, sgd};

use crate::gpu::Kernel;

/// Invocations a workgroup in every kernel that does not say otherwise.
const WORKGROUP: usize = 64;

/// The sets of override constants that a kernel is compiled with.
type Variants = &'static [&'static [(&'static str, f64)]];

/// Every kernel in all its variants, for the tests that read them all.
pub(crate) const ALL: &[(&Kernel, Variants)] = &[
    (&augment::IMAGE_MEAN, augment::VARIANTS),
    (&augment::FORWARD, augment::VARIANTS),
    (&augment::BACKWARD, &[augment::VARIANTS[0]]),
    (&class_sum::KERNEL, &[&[]]),
    (&conv::KERNEL, conv::VARIANTS),
    (&init_uniform::KERNEL, &[&[]]),
    (&mean_difference::KERNEL, &[&[]]),
    (&norm_relu_pool::FORWARD, norm_relu_pool::VARIANTS),
    (&norm_relu_pool::BACKWARD, &[&[]]),
    (&pack_weights::KERNEL, conv::VARIANTS),
    (&philox::KERNEL, &[&[]]),
    (&sgd::KERNEL, &[&[]]),
];

/// The source of a kernel: the shared pieces it names, then its own file.
macro_rules! wgsl {
    ($($piece:literal),+) => {
        concat!($(include_str!(concat!("../../shaders/", $piece, ".wgsl")), "\n"),+)
    };
}
use wgsl;
