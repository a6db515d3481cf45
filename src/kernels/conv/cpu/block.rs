//! Convolution, alone or with the block's norm, ReLU and pool.

use minijinja::context;

use super::{Kept, Layer, Params, Part, SIZES, Winograd, flops, keeping};
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

/// The one for planes of any size, which it makes in parts: it cannot be more than a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AnyPlanes {
    lanes: usize,
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

/// Texels that one loop works at.
const TEXELS: usize = 32;

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
        matches!(size, 4 | 8 | 16).then_some(Self { lanes, size })
    }

    /// How their weights lie.
    pub fn packing(&self) -> Winograd {
        Winograd { lanes: self.lanes, per_turn: 2 }
    }
}

impl AnyPlanes {
    pub fn new(lanes: usize) -> Self {
        Self { lanes }
    }

    /// How its weights lie.
    pub fn packing(&self) -> Winograd {
        Winograd { lanes: self.lanes, per_turn: 2 }
    }
}

/// What a workgroup works at.
struct Shape {
    /// Of so many images, if it has whole planes.
    images: usize,
    /// Loops over the channels, each of which brings a part of a plane.
    bands: usize,
    part: Part,
}

impl Shape {
    fn of(size: usize) -> Self {
        // A lane holds a whole plane of 16, for a block to be one kernel.
        let (bands, part) = match size {
            16 => (2, Part { rows: 8, columns: 4 }),
            _ => (1, Part::of(size, TEXELS)),
        };
        let images = if part.count(size) == 1 { TEXELS / part.texels() } else { 1 };
        Self { images, bands, part }
    }

    /// Workgroups for a plane, or for as many as one has.
    fn parts(&self, size: usize) -> usize {
        self.part.count(size) / self.bands
    }
}

fn generate(lanes: usize, size: usize, finish: &str) -> Generated {
    let Shape { images, bands, part: Part { rows, columns } } = Shape::of(size);
    let values = context!(lanes, size, images, bands, rows, columns, finish);
    Generated {
        name: format!("block_cpu_lanes {finish} {lanes} {size}"),
        template: TEMPLATE,
        values,
        constants: &[],
        slots: slots(finish),
    }
}

pub(super) fn all() -> Vec<Generated> {
    let shapes = [8, 16].into_iter().flat_map(|lanes| SIZES.map(|size| (lanes, size)));
    let kernels = shapes.flat_map(|(lanes, size)| {
        let block = SmallPlanes::new(lanes, size).map(|_| ["pool", "keep"]);
        let finishes = ["store", "bias"].into_iter().chain(block.into_iter().flatten());
        finishes.map(move |finish| generate(lanes, size, finish))
    });
    kernels.collect()
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
    let shape = Shape::of(from.size);
    let per_net = (batch.images / batch.nets).div_ceil(shape.images) * shape.parts(from.size);
    let groups = batch.nets * per_net;
    let dispatch = generate(lanes, from.size, finish.name())
        .dispatch(gpu, &bindings, fold(groups * outputs.div_ceil(lanes)))
        .flops(flops(from, to, batch.images))
        .values(batch.images * (from.values() + stored) + 4 * weights.len())
        .fills(result, batch.images * made.stored());
    keeping(dispatch, kept, to, batch.images)
}
