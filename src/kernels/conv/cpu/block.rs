//! Convolution, alone or with the block's norm, ReLU and pool.

use minijinja::context;

use super::{Kept, Layer, Params, Winograd, flops, keeping};
use crate::{
    gpu::{Buffer, Dispatch, Gpu, Slot, Texels, fold},
    kernels::{Batch, Generated, wgsl},
};

/// The kernels for planes of one size, small enough for a lane to hold one whole, on subgroups of so many lanes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SmallPlanes {
    lanes: usize,
    size: usize,
}

/// The one for larger planes, which it makes in parts: it cannot be more than a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WidePlanes {
    lanes: usize,
    size: usize,
}

/// What becomes of the convolution.
#[derive(Clone, Copy)]
pub(crate) enum Finish<'a> {
    /// It is the result.
    Store,
    /// With the bias added, (nets, outputs), it is the result.
    Bias(&'a Buffer<f32>),
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
    Slot::params::<Params>(),
    Slot::Texels,
    Slot::Texels,
    Slot::Write,
    Slot::Read,
    Slot::Write,
    Slot::Write,
];

/// Pixels that one loop works at.
const PIXELS: usize = 128;

impl Finish<'_> {
    fn name(&self) -> &'static str {
        match self {
            Self::Store => "store",
            Self::Bias(_) => "bias",
            Self::Pool(_) => "pool",
            Self::Keep(..) => "keep",
        }
    }
}

/// How much of [`SLOTS`] a kernel has.
pub(super) fn slots(finish: &str) -> &'static [Slot] {
    match finish {
        "store" => &SLOTS[..4],
        "bias" | "pool" => &SLOTS[..5],
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
}

impl WidePlanes {
    /// The kernel, if there is one.
    pub fn new(lanes: usize, size: usize) -> Option<Self> {
        (matches!(lanes, 8 | 16) && matches!(size, 32 | 64)).then_some(Self { lanes, size })
    }

    /// How its weights lie.
    pub fn packing(&self) -> Winograd {
        Winograd { lanes: self.lanes, per_turn: 2 }
    }
}

/// What a workgroup works at.
struct Shape {
    /// Images, of small planes.
    images: usize,
    /// Parts of a plane that are other workgroups'.
    parts: usize,
    /// Loops over the channels, each of which brings so many rows.
    bands: usize,
    rows: usize,
}

impl Shape {
    fn of(size: usize) -> Self {
        let (pixels, wide) = (size.pow(2), size > 16);
        Self {
            images: (PIXELS / pixels).max(1),
            parts: if wide { pixels / PIXELS } else { 1 },
            bands: if wide { 1 } else { pixels.div_ceil(PIXELS) },
            rows: size.min(PIXELS / size),
        }
    }
}

fn generate(lanes: usize, size: usize, finish: &str) -> Generated {
    let Shape { images, parts, bands, rows } = Shape::of(size);
    let values = context!(lanes, size, images, parts, bands, rows, finish);
    Generated {
        name: format!("block_cpu_lanes {finish} {lanes} {size}"),
        template: TEMPLATE,
        values,
        constants: &[],
        slots: slots(finish),
    }
}

pub(super) fn all() -> Vec<Generated> {
    let shapes = || [8, 16, 32].into_iter().flat_map(|l| [4, 8, 16, 32, 64].map(|size| (l, size)));
    let small = shapes().filter(|&(lanes, size)| SmallPlanes::new(lanes, size).is_some());
    let small =
        small.flat_map(|shape| ["store", "bias", "pool", "keep"].map(|finish| (shape, finish)));
    let wide = shapes().filter(|&(lanes, size)| WidePlanes::new(lanes, size).is_some());
    let wide = wide.flat_map(|shape| ["store", "bias"].map(|finish| (shape, finish)));
    let all = small.chain(wide);
    all.map(|((lanes, size), finish)| generate(lanes, size, finish)).collect()
}

/// What `finish` makes of `input` convolved with `weights`, by subgroups of so many lanes.
pub(crate) fn convolve(
    gpu: &Gpu,
    lanes: usize,
    finish: Finish<'_>,
    (input, from): (&Texels, Layer),
    weights: &Texels,
    (result, outputs): (&Texels, usize),
    batch: Batch,
) -> Dispatch {
    let to = Layer { channels: outputs, ..from };
    let params = Buffer::params(gpu, "block_cpu params", &Params::new(from, to, batch));
    let mut bindings = vec![params.binding(), input.binding(), weights.binding(), result.target()];
    let (mut made, mut kept) = (to, None);
    match finish {
        Finish::Store => {}
        Finish::Bias(bias) => bindings.push(bias.binding()),
        Finish::Pool(affine) => {
            bindings.push(affine.binding());
            made = to.pooled();
        }
        Finish::Keep(affine, Kept { planes, inv_std }) => {
            bindings.extend([affine.binding(), planes.target(), inv_std.binding()]);
            (made, kept) = (to.pooled(), Some(planes));
        }
    }
    let stored = made.values() + kept.map_or(0, |_| to.values());
    let Shape { images, parts, .. } = Shape::of(from.size);
    let groups = batch.nets * (batch.images / batch.nets).div_ceil(images) * parts;
    let dispatch = generate(lanes, from.size, finish.name())
        .dispatch(gpu, &bindings, fold(groups * outputs.div_ceil(lanes)))
        .flops(flops(from, to, batch.images))
        .values(batch.images * (from.values() + stored) + 4 * weights.len())
        .fills(result, batch.images * made.stored());
    keeping(dispatch, kept, to, batch.images)
}
