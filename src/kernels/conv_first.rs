//! A whole first block for CPU adapters, forward and backward. Writes out the unrolled parts of
//! `shaders/conv_first.wgsl` and `shaders/conv_first_backward.wgsl`.

use super::{
    Batch, Generated, Planes,
    conv::{Params, flops},
    unrolled::{COMPONENTS, lane_sums, pooled, put, tree},
    wgsl,
};
use crate::gpu::{Buffer, Dispatch, Gpu, Slot, fold};

/// What a subgroup works at: one image of so many channels, whose planes its lanes share out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct First {
    lanes: usize,
    inputs: usize,
    size: usize,
}

/// What the backward pass leaves.
#[derive(Clone, Copy)]
pub(crate) enum FirstTarget<'a> {
    /// The gradient at the images, dense.
    Images(&'a Buffer<f32>),
    /// Each image's part of the gradients at the weights, (images, outputs, inputs, 3, 3), and at the
    /// norm's weight and bias, (images, outputs, 2).
    Weights { parts: &'a Buffer<f32>, d_affine: &'a Buffer<f32> },
}

const FORWARD: &str =
    wgsl!("shared/grid", "shared/planes", "shared/conv", "shared/first_block", "conv_first");
const BACKWARD: &str = wgsl!(
    "shared/grid",
    "shared/planes",
    "shared/conv",
    "shared/first_block",
    "conv_first_backward"
);

const FORWARD_SLOTS: &[Slot] =
    &[Slot::Params(size_of::<Params>()), Slot::Read, Slot::Read, Slot::Read, Slot::Write];
/// The last is for weights alone.
const BACKWARD_SLOTS: &[Slot] = &[
    Slot::Params(size_of::<Params>()),
    Slot::Read,
    Slot::Read,
    Slot::Read,
    Slot::Read,
    Slot::Write,
    Slot::Write,
];

const TO_IMAGES: &str = "// Dense planes.
@group(0) @binding(5) var<storage, read_write> d_input: array<vec4f>;";
const TO_WEIGHTS: &str = "// (images, outputs, INPUTS, 3, 3).
@group(0) @binding(5) var<storage, read_write> parts: array<f32>;
// (images, outputs).
@group(0) @binding(6) var<storage, read_write> d_affine: array<vec2f>;";

/// Columns and rows of a lane's patch.
const PATCH: usize = 8;

impl First {
    /// The kernels for images of this many channels, if these lanes can share them out.
    pub fn new(lanes: usize, inputs: usize, size: usize) -> Option<Self> {
        let patches = (size / PATCH).pow(2);
        let fits = size.is_multiple_of(PATCH) && patches == lanes && matches!(inputs, 1 | 3);
        fits.then_some(Self { lanes, inputs, size })
    }

    /// Every specialisation that any adapter can ask for, for the tests that read them all.
    pub fn all() -> Vec<Generated> {
        let shapes = [(16, 32), (64, 64)].into_iter().flat_map(|(l, s)| [1, 3].map(|c| (l, c, s)));
        let kernels = shapes.filter_map(|(l, c, s)| Self::new(l, c, s));
        kernels.flat_map(|f| [f.forward(), f.backward(true), f.backward(false)]).collect()
    }

    fn forward(&self) -> Generated {
        let Self { lanes, inputs, size } = self;
        let name = format!("block_first_lanes {lanes} {size}×{inputs}");
        let source = self.fill(FORWARD).replace("//{store}", &self.store());
        Generated { name, source, constants: &[], slots: FORWARD_SLOTS }
    }

    fn backward(&self, to_images: bool) -> Generated {
        let Self { lanes, inputs, size } = self;
        let (to, results, slots) = match to_images {
            true => ("images", TO_IMAGES, 6),
            false => ("weights", TO_WEIGHTS, 7),
        };
        let name = format!("block_first_backward_lanes {to} {lanes} {size}×{inputs}");
        let (accumulators, target, exchange) = match to_images {
            true => (self.surroundings(), self.to_images(), self.exchange()),
            false => (String::new(), self.to_weights(), String::new()),
        };
        let source = self
            .fill(BACKWARD)
            .replace("//{results}", results)
            .replace("//{accumulators}", &accumulators)
            .replace("//{gradients}", &self.gradients())
            .replace("//{target}", &target)
            .replace("//{exchange}", &exchange);
        Generated { name, source, constants: &[], slots: &BACKWARD_SLOTS[..slots] }
    }

    /// The constants, and the template with what both directions have in common.
    fn fill(&self, template: &str) -> String {
        let Self { lanes, inputs, size } = self;
        let body = template
            .replace("//{pixels}", &self.pixels())
            .replace("//{weights}", &self.weights())
            .replace("//{sums}", &self.sums())
            .replace("//{norm}", &Self::norm());
        let count = (size * size) as f32;
        format!(
            "const LANES = {lanes}u;\nconst INPUTS = {inputs}u;\nconst TAPS = {}u;\n\
             const SIZE = {size}u;\nconst COUNT = {count:?};\nconst COLUMNS = {PATCH}u;\n\
             const ROWS = {PATCH}u;\n{body}",
            self.taps()
        )
    }

    /// Weights of an output channel.
    fn taps(&self) -> usize {
        9 * self.inputs
    }

    /// A patch with what surrounds it.
    fn pixels(&self) -> String {
        let mut text = String::new();
        for c in 0..self.inputs {
            for r in 0..PATCH + 2 {
                for v in 0..PATCH / 4 + 1 {
                    let at = format!("at + {c}u * plane + {r}u * pitch + {v}u");
                    put(&mut text, format_args!("let i{c}_{r}_{v} = input[{at}];"));
                }
            }
        }
        text
    }

    fn weights(&self) -> String {
        let (mut text, taps) = (String::new(), self.taps());
        for load in 0..taps.div_ceil(self.lanes) {
            let tap = format!("min({}u + lane, {}u)", load * self.lanes, taps - 1);
            put(&mut text, format_args!("let w{load} = weights[first_weight + {tap}];"));
        }
        for tap in 0..taps {
            let (load, lane) = (tap / self.lanes, tap % self.lanes);
            put(&mut text, format_args!("let b{tap} = subgroupBroadcast(w{load}, {lane}u);"));
        }
        text
    }

    /// The convolution's values, pixel by pixel into those that it reaches.
    fn sums(&self) -> String {
        let mut text = String::new();
        for (y, x) in places() {
            put(&mut text, format_args!("var a{y}_{x} = 0.0;"));
        }
        for c in 0..self.inputs {
            // In strips of columns, whose sums then stay in registers from one row to the next.
            let strips = (0..PATCH + 2).step_by(2);
            let seen = strips.flat_map(|e| (0..PATCH + 2).flat_map(move |r| [(r, e), (r, e + 1)]));
            for (r, e) in seen {
                for tap in 0..9 {
                    let (Some(y), Some(x)) = (r.checked_sub(tap / 3), e.checked_sub(tap % 3))
                    else {
                        continue;
                    };
                    if y < PATCH && x < PATCH {
                        let (pixel, weight) = (pixel(c, r, e), 9 * c + tap);
                        put(&mut text, format_args!("a{y}_{x} += {pixel} * b{weight};"));
                    }
                }
            }
        }
        text
    }

    fn norm() -> String {
        let mut text = String::new();
        let values: Vec<_> = places().map(|(y, x)| format!("a{y}_{x}")).collect();
        put(&mut text, format_args!("let mean = plane_sum({}) / COUNT;", tree(&values)));
        for (y, x) in places() {
            put(&mut text, format_args!("let d{y}_{x} = a{y}_{x} - mean;"));
        }
        let squares: Vec<_> = places().map(|(y, x)| format!("d{y}_{x} * d{y}_{x}")).collect();
        put(&mut text, format_args!("let variance = plane_sum({}) / COUNT;", tree(&squares)));
        text
    }

    fn store(&self) -> String {
        let (mut text, half) = (String::new(), PATCH / 2);
        for y in 0..half {
            let four: Vec<_> = (0..half)
                .map(|x| {
                    let at = |dy, dx| format!("d{}_{} * sigma", 2 * y + dy, 2 * x + dx);
                    pooled(&mut text, y * half + x, at)
                })
                .collect();
            let (row, values) = (y * self.size / 8, four.join(", "));
            put(&mut text, format_args!("result[to + {row}u] = vec4f({values}) * 0.125;"));
        }
        text
    }

    /// Normalised values v, the gradients g after weight and bias, and the sums of g and g·v.
    fn gradients(&self) -> String {
        let mut text = String::new();
        for y in 0..PATCH / 2 {
            let row = y * self.size / 8;
            put(&mut text, format_args!("let p{y} = 0.25 * d_pooled[given + {row}u];"));
        }
        for (y, x) in places() {
            let above = format!("p{}.{}", y / 2, COMPONENTS[x / 2]);
            put(
                &mut text,
                format_args!(
                    "let v{y}_{x} = d{y}_{x} * sigma;\n\
                     let g{y}_{x} = \
                     select(0.0, {above}, v{y}_{x} * weight_bias.x + weight_bias.y > 0.0);"
                ),
            );
        }
        let all: Vec<_> = places().map(|(y, x)| format!("g{y}_{x}")).collect();
        put(&mut text, format_args!("let sum_g = {};", tree(&all)));
        let all: Vec<_> = places().map(|(y, x)| format!("g{y}_{x} * v{y}_{x}")).collect();
        put(&mut text, format_args!("let sum_gv = {};", tree(&all)));
        text
    }

    /// The gradient at the convolution, of one pixel.
    fn d_conv((y, x): (usize, usize)) -> String {
        format!("let e{y}_{x} = (g{y}_{x} - mean_g - v{y}_{x} * mean_gv) * scale;")
    }

    /// Sums for a patch of the images and what surrounds it.
    fn surroundings(&self) -> String {
        let mut text = String::new();
        for c in 0..self.inputs {
            for (r, e) in seen() {
                put(&mut text, format_args!("var s{c}_{r}_{e} = 0.0;"));
            }
        }
        text
    }

    fn to_images(self) -> String {
        let mut text = String::new();
        for (y, x) in places() {
            put(&mut text, format_args!("{}", Self::d_conv((y, x))));
        }
        for c in 0..self.inputs {
            for (y, x) in places() {
                for tap in 0..9 {
                    let (r, e, weight) = (y + tap / 3, x + tap % 3, 9 * c + tap);
                    put(&mut text, format_args!("s{c}_{r}_{e} += e{y}_{x} * b{weight};"));
                }
            }
        }
        text
    }

    /// Adds what the neighbours hold of a lane's own pixels, and stores those: first from the sides,
    /// in all rows, then from above and below.
    fn exchange(&self) -> String {
        let mut text = String::new();
        let side = self.size / PATCH;
        put(&mut text, format_args!("let left = lane % {side}u > 0u;"));
        put(&mut text, format_args!("let right = lane % {side}u < {}u;", side - 1));
        put(&mut text, format_args!("let above = lane >= {side}u;"));
        put(&mut text, format_args!("let below = lane < {}u;", self.lanes - side));
        let mut add = |to: String, from: String, shuffle: &str, distance: usize, there: &str| {
            let value = format!("subgroupShuffle{shuffle}({from}, {distance}u)");
            put(&mut text, format_args!("{to} += select(0.0, {value}, {there});"));
        };
        for c in 0..self.inputs {
            for r in 0..PATCH + 2 {
                let at = |e: usize| format!("s{c}_{r}_{e}");
                add(at(1), at(PATCH + 1), "Up", 1, "left");
                add(at(PATCH), at(0), "Down", 1, "right");
            }
            for e in 1..=PATCH {
                let at = |r: usize| format!("s{c}_{r}_{e}");
                add(at(1), at(PATCH + 1), "Up", side, "above");
                add(at(PATCH), at(0), "Down", side, "below");
            }
        }
        put(
            &mut text,
            format_args!(
                "let to = image * INPUTS * (SIZE * SIZE / 4u) + y * (SIZE / 4u) + x / 4u;"
            ),
        );
        for c in 0..self.inputs {
            for (r, v) in (0..PATCH).flat_map(|r| (0..PATCH / 4).map(move |v| (r, v))) {
                let four: Vec<_> =
                    (1..=4).map(|e| format!("s{c}_{}_{}", r + 1, 4 * v + e)).collect();
                let at = (c * self.size + r) * self.size / 4 + v;
                let values = four.join(", ");
                put(&mut text, format_args!("d_input[to + {at}u] = vec4f({values});"));
            }
        }
        text
    }

    fn to_weights(self) -> String {
        let mut text = String::new();
        for tap in 0..self.taps() {
            put(&mut text, format_args!("var t{tap} = 0.0;"));
        }
        for (y, x) in places() {
            put(&mut text, format_args!("{}", Self::d_conv((y, x))));
            for tap in 0..self.taps() {
                let pixel = pixel(tap / 9, y + tap % 9 / 3, x + tap % 3);
                put(&mut text, format_args!("t{tap} += e{y}_{x} * {pixel};"));
            }
        }
        // Each lane stores another tap.
        let to = "(image * outputs + k) * TAPS";
        for first in (0..self.taps()).step_by(self.lanes) {
            let taps = self.lanes.min(self.taps() - first);
            let terms = |i: usize| if i < taps { format!("t{}", first + i) } else { "0.0".into() };
            let mine = lane_sums(&mut text, &format!("u{first}"), (0..self.lanes).map(terms));
            put(
                &mut text,
                format_args!("if lane < {taps}u {{ parts[{to} + {first}u + lane] = {mine}; }}"),
            );
        }
        put(
            &mut text,
            format_args!(
                "if lane == 0u {{\n\
                 d_affine[image * outputs + k] = vec2f(mean_gv * COUNT, mean_g * COUNT);\n}}"
            ),
        );
        text
    }
}

/// Of the convolution, in a lane's patch.
fn places() -> impl Iterator<Item = (usize, usize)> {
    (0..PATCH).flat_map(|y| (0..PATCH).map(move |x| (y, x)))
}

/// Of the images: a patch and what surrounds it.
fn seen() -> impl Iterator<Item = (usize, usize)> {
    (0..PATCH + 2).flat_map(|r| (0..PATCH + 2).map(move |e| (r, e)))
}

fn pixel(c: usize, r: usize, e: usize) -> String {
    format!("i{c}_{r}_{}.{}", e / 4, COMPONENTS[e % 4])
}

/// What a first block with `weights` (nets, outputs, inputs, 3, 3) and the norm's `affine` makes of
/// `input`, which is haloed. `result` is dense.
pub(crate) fn conv_first(
    gpu: &Gpu,
    first: First,
    (weights, affine): (&Buffer<f32>, &Buffer<f32>),
    (input, from): (&Buffer<f32>, Planes),
    (result, to): (&Buffer<f32>, Planes),
    batch: Batch,
) -> Dispatch {
    let params = Params::new(from, to, batch);
    let params = Buffer::params(gpu, "conv_first params", &params);
    let inputs = [params.binding(), input.binding(), weights.binding(), affine.binding()];
    let bindings = [&inputs[..], &[result.binding()]].concat();
    first
        .forward()
        .dispatch(gpu, &bindings, fold(batch.images))
        .flops(flops(from, to, batch.images))
        .values(batch.images * (from.values() + to.values()) + weights.len())
}

/// The gradients that `target` asks for, of the block that [`conv_first`] is with the same weights and
/// input. Image i takes its gradient from image (`first_image` + i) / `sharing` of `d_pooled`, which
/// is dense.
#[allow(clippy::too_many_arguments)]
pub(crate) fn conv_first_backward(
    gpu: &Gpu,
    first: First,
    (weights, affine): (&Buffer<f32>, &Buffer<f32>),
    (input, from): (&Buffer<f32>, Planes),
    (d_pooled, to): (&Buffer<f32>, Planes),
    target: FirstTarget<'_>,
    batch: Batch,
    sharing: (usize, usize),
) -> Dispatch {
    let params = Params::new(from, to, batch).sharing(sharing);
    let params = Buffer::params(gpu, "conv_first_backward params", &params);
    let mut bindings = vec![
        params.binding(),
        input.binding(),
        weights.binding(),
        affine.binding(),
        d_pooled.binding(),
    ];
    let to_images = match target {
        FirstTarget::Images(d_input) => {
            bindings.push(d_input.binding());
            true
        }
        FirstTarget::Weights { parts, d_affine } => {
            bindings.extend([parts.binding(), d_affine.binding()]);
            false
        }
    };
    let gradients = batch.images.div_ceil(sharing.1) * to.values();
    let left = match to_images {
        true => from.values(),
        false => (to.channels * (9 * from.channels + 2)) as usize,
    };
    // The convolution is done twice, but one of them need not have been.
    first
        .backward(to_images)
        .dispatch(gpu, &bindings, fold(batch.images))
        .flops(flops(from, to, batch.images))
        .values(batch.images * (from.values() + left) + gradients + weights.len())
}
