//! Convolution over whole small planes for CPU adapters, alone or with the block's norm, ReLU and
//! pool. Writes out the unrolled parts of `shaders/conv_whole.wgsl`.

use super::{
    Batch, Generated, Norm, Planes,
    conv::{Params, flops},
    conv_lanes::affine,
    pack_weights::{Order, Packing},
    unrolled::{COMPONENTS, pooled, put, tree},
    wgsl,
};
use crate::gpu::{Buffer, Dispatch, Gpu, Slot, fold};

/// What a subgroup works at: an output channel a lane, and so many whole planes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Whole {
    lanes: usize,
    size: usize,
}

/// The rest of a block, behind the convolution in one kernel.
#[derive(Clone, Copy)]
pub(crate) enum Finish<'a> {
    /// With the norm's weight and bias.
    Pool(&'a Buffer<f32>),
    /// Normalised values, in the last buffer, and 1/σ are stored too, for the backward pass.
    Keep(Norm<'a>, &'a Buffer<f32>),
}

impl<'a> Finish<'a> {
    /// The norm's weight and bias.
    pub fn affine(&self) -> &'a Buffer<f32> {
        match self {
            Self::Pool(affine) | Self::Keep(Norm { affine, .. }, _) => affine,
        }
    }
}

/// What becomes of the convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It is stored.
    Store,
    /// Whether what is pooled to 2×2 gets the halo that the next convolution wants there.
    Pool {
        haloed: bool,
    },
    Keep {
        haloed: bool,
    },
}

const TEMPLATE: &str = wgsl!("shared/grid", "shared/planes", "shared/conv", "conv_whole");

const SLOTS: &[Slot] = &[
    Slot::Params(size_of::<Params>()),
    Slot::Read,
    Slot::Read,
    Slot::Read,
    Slot::Write,
    Slot::Read,
    Slot::Write,
    Slot::Write,
];

/// What `Keep` alone binds.
const KEPT: &str = "// Dense planes: normalised values, before weight and bias.
@group(0) @binding(6) var<storage, read_write> planes: array<vec4f>;
// (images, channels).
@group(0) @binding(7) var<storage, read_write> inv_std: array<f32>;";

/// Pixels that one loop works at. Its text grows with them, and is slower again where a CPU's cache
/// of instructions does not hold it.
const PIXELS: usize = 128;
const STRIP: usize = 4;

impl Whole {
    /// The kernel for planes of this size, if there is one.
    pub fn new(lanes: usize, size: usize) -> Option<Self> {
        let whole_loads = PIXELS.is_multiple_of(4 * lanes);
        (whole_loads && matches!(size, 4 | 8 | 16)).then_some(Self { lanes, size })
    }

    /// Images whose planes a subgroup takes.
    fn images(&self) -> usize {
        (PIXELS / self.pixels()).max(1)
    }

    /// Loops that a plane takes.
    fn bands(&self) -> usize {
        self.pixels().div_ceil(PIXELS)
    }

    fn pixels(&self) -> usize {
        self.size * self.size
    }

    /// How its weights lie.
    pub fn packing(&self) -> Packing {
        Packing { outputs: self.lanes, chunk: 9 * self.lanes, order: Order::Lanes }
    }

    fn kind(finish: Option<Finish<'_>>, to: Planes) -> Kind {
        let haloed = to == Planes::haloed(to.channels as usize, 2);
        match finish {
            None => Kind::Store,
            Some(Finish::Pool(_)) => Kind::Pool { haloed },
            Some(Finish::Keep(..)) => Kind::Keep { haloed },
        }
    }

    /// Every specialisation that any adapter can ask for, for the tests that read them all.
    pub fn all() -> Vec<Generated> {
        let shapes = [8, 16, 32].into_iter().flat_map(|lanes| [4, 8, 16].map(|size| (lanes, size)));
        let kernels = shapes.filter_map(|(lanes, size)| Self::new(lanes, size));
        let of = |whole: Self| {
            let pools = [false, true].into_iter().filter(move |haloed| !haloed || whole.size == 4);
            let pools = pools.flat_map(|haloed| [Kind::Pool { haloed }, Kind::Keep { haloed }]);
            [Kind::Store].into_iter().chain(pools).map(move |kind| whole.generate(kind))
        };
        kernels.flat_map(of).collect()
    }

    fn generate(&self, kind: Kind) -> Generated {
        let Self { lanes, size } = self;
        let (what, slots) = match kind {
            Kind::Store => ("conv", 5),
            Kind::Pool { haloed: false } => ("block", 6),
            Kind::Pool { haloed: true } => ("block_haloed", 6),
            Kind::Keep { haloed: false } => ("block_keep", 8),
            Kind::Keep { haloed: true } => ("block_keep_haloed", 8),
        };
        let name = format!("{what}_whole_lanes {lanes} {size}");
        Generated { name, source: self.source(kind), constants: &[], slots: &SLOTS[..slots] }
    }

    /// The whole WGSL.
    fn source(&self, kind: Kind) -> String {
        let affine = affine(5);
        let more = match kind {
            Kind::Store => String::new(),
            Kind::Pool { .. } => affine,
            Kind::Keep { .. } => format!("{affine}\n{KEPT}"),
        };
        let bands: Vec<_> = (0..self.bands()).map(|band| self.band(band)).collect();
        let finish: Vec<_> = (0..self.images()).map(|image| self.finish(image, kind)).collect();
        let body = TEMPLATE
            .replace("//{more}", &more)
            .replace("//{bands}", &(bands.concat() + &self.join()))
            .replace("//{finish}", &finish.concat());
        format!(
            "const LANES = {}u;\nconst IMAGES = {}u;\nconst CHUNK = {}u;\n{body}",
            self.lanes,
            self.images(),
            9 * self.lanes / 4,
        )
    }

    /// The rows of the input that a band reads: of each image, or the band's part of one.
    fn rows(&self, band: usize) -> std::ops::Range<usize> {
        let rows = self.size / self.bands();
        band * rows..(band + 1) * rows
    }

    /// The rows of the result that a band reaches.
    fn reached(&self, band: usize) -> std::ops::Range<usize> {
        let rows = self.rows(band);
        rows.start.saturating_sub(1)..(rows.end + 1).min(self.size)
    }

    /// One loop over the input channels.
    fn band(&self, band: usize) -> String {
        let (size, lanes) = (self.size, self.lanes);
        // vec4f of a plane, and of a lane's share of what a loop reads.
        let (plane, loads) = (self.pixels() / 4, PIXELS / (4 * lanes));
        let mut text = String::new();
        for image in 0..self.images() {
            for y in self.reached(band) {
                for x in 0..size {
                    put(&mut text, format_args!("var a{band}_{image}_{y}_{x} = 0.0;"));
                }
            }
        }
        text.push_str("{\n");
        for load in 0..loads {
            let vec = format!("({}u + lane)", load * lanes);
            let start = match self.bands() {
                // Surplus images repeat the last, and are not stored.
                1 => format!(
                    "min(first + {vec} / {plane}u, end - 1u) * inputs * {plane}u + {vec} % {plane}u"
                ),
                _ => format!("first * inputs * {plane}u + {}u + {vec}", band * PIXELS / 4),
            };
            put(&mut text, format_args!("var at{load} = {start};"));
        }
        put(&mut text, format_args!("var w_at = first_weight + lane;"));
        put(&mut text, format_args!("var last_at = (first_weight + {}u) * 4u + lane;", 2 * lanes));
        put(&mut text, format_args!("for (var c = 0u; c < inputs; c++) {{"));
        for load in 0..loads {
            put(&mut text, format_args!("let p{load} = input[at{load}];"));
        }
        put(&mut text, format_args!("let w0 = weights[w_at];"));
        put(&mut text, format_args!("let w1 = weights[w_at + {lanes}u];"));
        put(&mut text, format_args!("let w2 = last_weights[last_at];"));
        // In strips of columns, whose sums then stay in registers from one row to the next.
        for image in 0..self.images() {
            for first in (0..size).step_by(STRIP) {
                for (row, y) in self.rows(band).enumerate() {
                    for x in first..first + STRIP {
                        let pixel = (image * self.rows(band).len() + row) * size + x;
                        self.meet(&mut text, format_args!("a{band}_{image}"), (y, x), pixel);
                    }
                }
            }
        }
        for load in 0..loads {
            put(&mut text, format_args!("at{load} += {plane}u;"));
        }
        put(&mut text, format_args!("w_at += CHUNK;\nlast_at += CHUNK * 4u;\n}}\n}}"));
        text
    }

    /// The pixel at (y, x), of those loaded number `pixel`, goes where it is seen.
    fn meet(
        &self,
        text: &mut String,
        sums: std::fmt::Arguments<'_>,
        (y, x): (usize, usize),
        pixel: usize,
    ) {
        let (load, within) = (pixel / (4 * self.lanes), pixel % (4 * self.lanes));
        let component = COMPONENTS[within % 4];
        put(
            text,
            format_args!("{{ let b = subgroupBroadcast(p{load}.{component}, {}u);", within / 4),
        );
        for tap in 0..9 {
            // The output that sees this pixel through the tap.
            let (Some(to_y), Some(to_x)) =
                ((y + 1).checked_sub(tap / 3), (x + 1).checked_sub(tap % 3))
            else {
                continue;
            };
            if to_y < self.size && to_x < self.size {
                let weight = match tap {
                    8 => "w2".to_owned(),
                    _ => format!("w{}.{}", tap / 4, COMPONENTS[tap % 4]),
                };
                put(text, format_args!("{sums}_{to_y}_{to_x} += {weight} * b;"));
            }
        }
        text.push_str("}\n");
    }

    /// Adds what a band left in rows of the next one, and the other way round.
    fn join(&self) -> String {
        let mut text = String::new();
        for band in 1..self.bands() {
            let (before, edge) = (band - 1, self.rows(band).start);
            for x in 0..self.size {
                let above = edge - 1;
                put(&mut text, format_args!("a{before}_0_{above}_{x} += a{band}_0_{above}_{x};"));
                put(&mut text, format_args!("a{band}_0_{edge}_{x} += a{before}_0_{edge}_{x};"));
            }
        }
        text
    }

    /// The variable that holds a value of the convolution.
    fn value(&self, image: usize, y: usize, x: usize) -> String {
        let band = y / (self.size / self.bands());
        format!("a{band}_{image}_{y}_{x}")
    }

    /// What follows for one image.
    fn finish(&self, image: usize, kind: Kind) -> String {
        let (size, plane, half) = (self.size, self.pixels() / 4, self.size / 2);
        let places = || (0..size).flat_map(|y| (0..size).map(move |x| (y, x)));
        let mut text = String::new();
        put(&mut text, format_args!("if first + {image}u < end {{"));
        put(&mut text, format_args!("let plane = (first + {image}u) * outputs + k;"));
        let four = |i: usize, value: &dyn Fn(usize, usize) -> String| {
            let each: Vec<_> = (4 * i..4 * i + 4).map(|p| value(p / size, p % size)).collect();
            format!("vec4f({})", each.join(", "))
        };
        if kind == Kind::Store {
            for i in 0..plane {
                let values = four(i, &|y, x| self.value(image, y, x));
                put(&mut text, format_args!("result[plane * {plane}u + {i}u] = {values};"));
            }
            text.push_str("}\n");
            return text;
        }
        let count = self.pixels() as f32;
        let values: Vec<_> = places().map(|(y, x)| self.value(image, y, x)).collect();
        put(&mut text, format_args!("let mean = ({}) / {count:?};", tree(&values)));
        for (y, x) in places() {
            let value = self.value(image, y, x);
            put(&mut text, format_args!("let d{y}_{x} = {value} - mean;"));
        }
        let squares: Vec<_> = places().map(|(y, x)| format!("d{y}_{x} * d{y}_{x}")).collect();
        put(&mut text, format_args!("let variance = ({}) / {count:?};", tree(&squares)));
        put(&mut text, format_args!("let sigma = inverseSqrt(variance + 1e-5);"));
        put(&mut text, format_args!("let weight_bias = affine[net * outputs + k];"));
        if let Kind::Keep { .. } = kind {
            put(&mut text, format_args!("inv_std[plane] = sigma;"));
            for i in 0..plane {
                let values = four(i, &|y, x| format!("d{y}_{x}"));
                put(&mut text, format_args!("planes[plane * {plane}u + {i}u] = {values} * sigma;"));
            }
        }
        let each: Vec<_> = (0..half * half)
            .map(|p| {
                let at = |dy, dx| format!("d{}_{} * sigma", p / half * 2 + dy, p % half * 2 + dx);
                pooled(&mut text, p, at)
            })
            .collect();
        if let Kind::Pool { haloed: true } | Kind::Keep { haloed: true } = kind {
            for (row, pair) in each.chunks(2).enumerate() {
                let values = format!("vec4f(0.0, {}, 0.0)", pair.join(", "));
                let at = row + 1;
                put(&mut text, format_args!("result[plane * 4u + {at}u] = {values} * 0.125;"));
            }
        } else {
            let whole = half * half / 4;
            for (i, four) in each.chunks(4).enumerate() {
                let values = format!("vec4f({})", four.join(", "));
                let at = format!("plane * {whole}u + {i}u");
                put(&mut text, format_args!("result[{at}] = {values} * 0.125;"));
            }
        }
        text.push_str("}\n");
        text
    }
}

/// `result` = `input` convolved with `weights` packed for `whole`, or what the rest of the block
/// makes of it. All planes are dense, but those of 2×2 may be haloed.
pub(crate) fn conv_whole(
    gpu: &Gpu,
    whole: Whole,
    finish: Option<Finish<'_>>,
    (input, from): (&Buffer<f32>, Planes),
    weights: &Buffer<f32>,
    (result, to): (&Buffer<f32>, Planes),
    batch: Batch,
) -> Dispatch {
    let (inputs, outputs) = (from.channels as usize, to.channels as usize);
    debug_assert_eq!(from, Planes::dense(inputs, whole.size));
    let params = Buffer::params(gpu, "conv_whole params", &Params::new(from, to, batch));
    let mut bindings = vec![
        params.binding(),
        input.binding(),
        weights.binding(),
        weights.binding(),
        result.binding(),
    ];
    let mut kept = 0;
    match finish {
        None => {}
        Some(Finish::Pool(affine)) => bindings.push(affine.binding()),
        Some(Finish::Keep(Norm { affine, inv_std }, planes)) => {
            bindings.extend([affine.binding(), planes.binding(), inv_std.binding()]);
            kept = outputs * whole.pixels();
        }
    }
    let groups = batch.nets * (batch.images / batch.nets).div_ceil(whole.images());
    whole
        .generate(Whole::kind(finish, to))
        .dispatch(gpu, &bindings, fold(groups * outputs.div_ceil(whole.lanes)))
        .flops(flops(from, to, batch.images))
        .values(batch.images * (from.values() + to.values() + kept) + weights.len())
}
