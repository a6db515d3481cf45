//! One launcher per kernel: its parameter struct, its bindings, its grid. The WGSL is in `shaders/`, under
//! the kernel's name, and says what is computed.

mod adam;
mod augment;
mod ceiling;
mod class_sum;
mod conv;
mod conv_backward_weight;
mod conv_matrices;
mod conv_plain;
mod conv_tiles;
mod count_correct;
mod cutmix;
mod gradient_match;
mod init_weights;
pub(crate) mod layers;
mod learned_rates;
mod linear;
mod mean_difference;
mod mixed_cross_entropy;
mod norm_relu_pool;
mod pack_weights;
mod philox;
mod picture;
mod planes;
mod sgd;
mod sgd_clamped;
mod softmax_cross_entropy;
mod softmax_tangent;
mod template;
mod unpack;
mod weight_tiles;

pub(crate) use adam::{Moves, adam};
pub(crate) use augment::{Augment, AugmentRoom, Item, Source, augments_in_texels};
pub(crate) use ceiling::{copy, multiply_add};
pub(crate) use class_sum::class_sum;
pub(crate) use conv::{
    Backward, BlockPlan, BlockShape, ConvKernel, Forward, Kept, LayerKernel, TexelKernel,
    WeightKernel, conv, conv_backward_weight, conv_kernel, cpu, layer_kernel, linear_kernel, plan,
    weight_kernel,
};
use conv_matrices::{MatrixTile, conv_matrices};
pub(crate) use conv_plain::Direction;
use conv_tiles::{PixelTile, conv_tiles};
pub(crate) use count_correct::count_correct;
pub(crate) use cutmix::{CutBox, cutmix};
pub use gradient_match::Distance;
pub(crate) use gradient_match::{Nets, PRODUCTS, Rows, distance};
pub(crate) use init_weights::{Draw, NetworkKey, init_weights};
pub(crate) use learned_rates::{learned_rates, rate_gradient};
pub(crate) use linear::Linear;
pub(crate) use mean_difference::mean_difference;
pub(crate) use mixed_cross_entropy::{Shares, mixed_cross_entropy};
pub(crate) use norm_relu_pool::{Norm, norm_relu_pool_backward, norm_relu_pool_forward};
pub(crate) use pack_weights::{Packing, pack_weights};
#[cfg(feature = "testing")]
pub(crate) use philox::philox4x32;
pub(crate) use picture::{Cells, picture};
pub(crate) use planes::Planes;
pub(crate) use sgd::{Rates, sgd};
pub(crate) use sgd_clamped::{PixelRange, sgd_clamped};
pub(crate) use softmax_cross_entropy::softmax_cross_entropy;
pub(crate) use softmax_tangent::softmax_tangent;
pub(crate) use unpack::{Packed, packed_images, unpack, unpack_backward};
use weight_tiles::{WeightTiles, conv_backward_weight_tiles};

use crate::gpu::{Dispatch, Gpu, Kernel, Slot, dispatch};

/// A batch whose images belong to networks in equal parts, one network's after the other's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Batch {
    /// Of all networks together.
    pub images: usize,
    pub nets: usize,
}

/// Invocations per workgroup in every kernel that does not say otherwise.
const WORKGROUP: usize = 64;

/// Values of a kernel's override constants.
type Constants = &'static [(&'static str, f64)];

/// A kernel with the sets of override constants that it is compiled with.
type Specialised = (&'static Kernel, &'static [Constants]);

const OWN: &[Specialised] = &[
    (&adam::KERNEL, &[&[]]),
    (&augment::IMAGE_MEAN, augment::VARIANTS),
    (&augment::FORWARD, augment::VARIANTS),
    (&augment::BACKWARD, &[augment::VARIANTS[0]]),
    (&augment::READ, augment::VARIANTS),
    (&augment::MEAN_CPU, &[&[]]),
    (&augment::FORWARD_CPU, augment::ALIGNMENTS),
    (&augment::BACKWARD_CPU, &[augment::ALIGNMENTS[1]]),
    (&ceiling::COPY, &[&[]]),
    (&class_sum::KERNEL, &[&[]]),
    (&conv_plain::KERNEL, conv_plain::VARIANTS),
    (&cpu::PACK, conv_plain::VARIANTS),
    (&cpu::PACK_TAPS, conv_plain::VARIANTS),
    (&cpu::TO_POSITIONS, &[&[]]),
    (&cpu::TEXELS_TO_POSITIONS, &[&[]]),
    (&cpu::TO_TEXELS, &[&[]]),
    (&cpu::FROM_TEXELS, &[&[]]),
    (&conv_backward_weight::KERNEL, &[&[]]),
    (&count_correct::KERNEL, &[&[]]),
    (&cutmix::KERNEL, &[&[]]),
    (&gradient_match::ROWS, &[&[]]),
    (&gradient_match::DISTANCE, gradient_match::VARIANTS),
    (&gradient_match::DIRECTION, gradient_match::VARIANTS),
    (&init_weights::KERNEL, init_weights::VARIANTS),
    (&learned_rates::RATES, &[&[]]),
    (&learned_rates::GRADIENT, &[&[]]),
    (&linear::FORWARD, &[&[]]),
    (&linear::BACKWARD_DATA, &[&[]]),
    (&linear::BACKWARD_WEIGHT, &[&[]]),
    (&mean_difference::KERNEL, &[&[]]),
    (&mixed_cross_entropy::KERNEL, &[&[]]),
    (&norm_relu_pool::FORWARD, norm_relu_pool::VARIANTS),
    (&norm_relu_pool::BACKWARD, &[&[]]),
    (&pack_weights::KERNEL, conv_plain::VARIANTS),
    (&pack_weights::MATRICES, conv_plain::VARIANTS),
    (&philox::KERNEL, &[&[]]),
    (&picture::KERNEL, &[&[]]),
    (&sgd::KERNEL, &[&[]]),
    (&sgd_clamped::KERNEL, &[&[]]),
    (&softmax_cross_entropy::KERNEL, &[&[]]),
    (&softmax_tangent::KERNEL, &[&[]]),
    (&unpack::FORWARD, &[&[]]),
    (&unpack::BACKWARD, &[&[]]),
];

/// Every kernel whose WGSL is read from a file, for the tests that check them all.
pub(crate) fn all() -> impl Iterator<Item = &'static Specialised> {
    OWN.iter().chain(layers::ALL)
}

/// A kernel whose WGSL is a template, written out for a size of subgroup and of tile.
#[derive(Debug, Clone)]
pub(crate) struct Generated {
    /// A unique name.
    pub name: String,
    pub template: &'static str,
    /// What the template is filled with.
    pub values: minijinja::Value,
    pub constants: Constants,
    pub slots: &'static [Slot],
}

impl Generated {
    fn dispatch(
        &self,
        gpu: &Gpu,
        bindings: &[wgpu::BindingResource<'_>],
        grid: [u32; 3],
    ) -> Dispatch {
        let source = || self.source().into();
        dispatch(gpu, &self.name, source, self.slots, self.constants, bindings, grid)
    }

    /// The WGSL, which is written anew at each call.
    pub fn source(&self) -> String {
        template::fill(self.template, &self.values)
    }
}

/// Every kernel whose WGSL is made from a template, for the tests that check them all.
pub(crate) fn generated() -> Vec<Generated> {
    let mut all = [
        PixelTile::all(),
        MatrixTile::all(),
        cpu::all(),
        WeightTiles::all(),
        vec![ceiling::generated()],
    ]
    .concat();
    let key = |g: &Generated| format!("{} {:?}", g.name, g.constants);
    all.sort_by_key(key);
    all.dedup_by_key(|g| key(g));
    all
}

/// The source of a kernel: the shared pieces it names, then its own file.
macro_rules! wgsl {
    ($($piece:literal),+) => {
        concat!($(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/shaders/", $piece, ".wgsl")),
            "\n"
        ),+)
    };
}
use wgsl;
