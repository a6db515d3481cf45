//! Convolution on small planes, alone or with the block's norm, ReLU and pool.

use minijinja::context;

use super::{Kept, Layer, Params, Winograd, flops};
use crate::{
    gpu::{Buffer, Dispatch, Gpu, Slot, Texels, fold},
    kernels::{Batch, Generated, template, wgsl},
};

/// The kernels for planes of one size, on subgroups of so many lanes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SmallPlanes {
    lanes: usize,
    size: usize,
}

/// What becomes of the convolution.
#[derive(Clone, Copy)]
pub(crate) enum Finish<'a> {
    /// It is the result.
    Store,
    /// The rest of a block, with the norm's weight and bias.
    Pool(&'a Buffer<f32>),
    /// That, with what backward needs.
    Keep(&'a Buffer<f32>, Kept<'a>),
}

const TEMPLATE: &str = wgsl!(
    "shared/grid",
    "shared/texels",
    "conv/cpu/params",
    "conv/cpu/winograd",
    "conv/cpu/pooling",
    "conv/cpu/block"
);

pub(super) const SLOTS: &[Slot] = &[
    Slot::Params(size_of::<Params>()),
    Slot::Texels,
    Slot::Texels,
    Slot::TexelsWrite,
    Slot::Read,
    Slot::TexelsWrite,
    Slot::Write,
];

/// Pixels that one loop works at.
const PIXELS: usize = 128;

impl Finish<'_> {
    fn name(&self) -> &'static str {
        match self {
            Self::Store => "store",
            Self::Pool(_) => "pool",
            Self::Keep(..) => "keep",
        }
    }
}

/// How much of [`SLOTS`] a kernel has.
pub(super) fn slots(finish: &str) -> &'static [Slot] {
    match finish {
        "store" => &SLOTS[..4],
        "pool" => &SLOTS[..5],
        _ => SLOTS,
    }
}

impl SmallPlanes {
    /// The kernels, if there are any.
    pub fn new(lanes: usize, size: usize) -> Option<Self> {
        let whole_loads = PIXELS.is_multiple_of(4 * lanes);
        (whole_loads && matches!(size, 4 | 8 | 16)).then_some(Self { lanes, size })
    }

    /// How their weights lie.
    pub fn packing(&self) -> Winograd {
        Winograd { lanes: self.lanes, per_turn: 2 }
    }

    /// Images of a workgroup.
    fn images(&self) -> usize {
        (PIXELS / self.size.pow(2)).max(1)
    }

    fn generate(&self, finish: &str) -> Generated {
        let Self { lanes, size } = *self;
        let (images, bands) = (self.images(), size.pow(2).div_ceil(PIXELS));
        let values = context!(lanes, size, images, bands, finish);
        Generated {
            name: format!("block_cpu_lanes {finish} {lanes} {size}"),
            source: template::fill(TEMPLATE, &values),
            constants: &[],
            slots: slots(finish),
        }
    }

    pub(super) fn all() -> Vec<Generated> {
        let shapes = [8, 16, 32].into_iter().flat_map(|lanes| [4, 8, 16].map(|size| (lanes, size)));
        let kernels = shapes.filter_map(|(lanes, size)| Self::new(lanes, size));
        kernels.flat_map(|k| ["store", "pool", "keep"].map(|finish| k.generate(finish))).collect()
    }
}

/// What `finish` makes of `input` convolved with `weights`, packed for `kernels`; of so many channels.
pub(crate) fn convolve(
    gpu: &Gpu,
    kernels: SmallPlanes,
    finish: Finish<'_>,
    (input, inputs): (&Texels, usize),
    weights: &Texels,
    (result, outputs): (&Texels, usize),
    batch: Batch,
) -> Dispatch {
    let [from, to] = [inputs, outputs].map(|channels| Layer { channels, size: kernels.size });
    let params = Buffer::params(gpu, "block_cpu params", &Params::new(from, to, batch));
    let mut bindings = vec![params.binding(), input.binding(), weights.binding(), result.binding()];
    let stored = match finish {
        Finish::Store => to.values(),
        Finish::Pool(affine) => {
            bindings.push(affine.binding());
            to.pooled().values()
        }
        Finish::Keep(affine, Kept { planes, inv_std }) => {
            bindings.extend([affine.binding(), planes.binding(), inv_std.binding()]);
            to.values() + to.pooled().values()
        }
    };
    let groups = batch.nets * (batch.images / batch.nets).div_ceil(kernels.images());
    kernels
        .generate(finish.name())
        .dispatch(gpu, &bindings, fold(groups * outputs.div_ceil(kernels.lanes)))
        .flops(flops(from, to, batch.images))
        .values(batch.images * (from.values() + stored) + 4 * weights.len())
}
