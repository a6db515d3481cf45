//! A whole first block for CPU adapters. Writes out the unrolled parts of `shaders/conv_first.wgsl`.

use super::{
    Batch, Generated, Planes,
    conv::{Params, flops},
    conv_lanes::{SLOTS, put},
    unrolled::{COMPONENTS, pooled, tree},
    wgsl,
};
use crate::gpu::{Buffer, Dispatch, Gpu, fold};

/// What a subgroup works at: one image of so many channels, whose planes its lanes share out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct First {
    lanes: usize,
    inputs: usize,
    size: usize,
}

const TEMPLATE: &str = wgsl!("shared/grid", "shared/planes", "conv_first");

/// Columns and rows of a lane's patch.
const PATCH: usize = 8;

impl First {
    /// The kernel for images of this many channels, if there is one on this device.
    pub fn new(gpu: &Gpu, inputs: usize, size: usize) -> Option<Self> {
        let lanes = gpu.lanes().filter(|_| gpu.is_cpu());
        lanes.and_then(|lanes| Self::with_lanes(lanes, inputs, size))
    }

    fn with_lanes(lanes: usize, inputs: usize, size: usize) -> Option<Self> {
        let patches = (size / PATCH).pow(2);
        let fits = size.is_multiple_of(PATCH) && patches == lanes && inputs <= 3;
        fits.then_some(Self { lanes, inputs, size })
    }

    /// Every specialisation that any adapter can ask for, for the tests that read them all.
    pub fn all() -> Vec<Generated> {
        let shapes = [(16, 32), (64, 64)].into_iter().flat_map(|(l, s)| [1, 3].map(|c| (l, c, s)));
        shapes.filter_map(|(l, c, s)| Some(Self::with_lanes(l, c, s)?.generate())).collect()
    }

    fn generate(&self) -> Generated {
        let Self { lanes, inputs, size } = self;
        let name = format!("block_first_lanes {lanes} {size}×{inputs}");
        Generated { name, source: self.source(), constants: &[], slots: SLOTS }
    }

    /// The whole WGSL.
    fn source(&self) -> String {
        let Self { lanes, inputs, size } = self;
        let body = TEMPLATE
            .replace("//{pixels}", &self.pixels())
            .replace("//{weights}", &self.weights())
            .replace("//{sums}", &self.sums())
            .replace("//{norm}", &self.norm())
            .replace("//{store}", &self.store());
        format!(
            "const LANES = {lanes}u;\nconst INPUTS = {inputs}u;\nconst TAPS = {}u;\n\
             const SIZE = {size}u;\nconst COLUMNS = {PATCH}u;\nconst ROWS = {PATCH}u;\n{body}",
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
                    put(
                        &mut text,
                        format_args!(
                            "let i{c}_{r}_{v} = input[at + {c}u * plane + {r}u * pitch + {v}u];"
                        ),
                    );
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
            let places =
                strips.flat_map(|e| (0..PATCH + 2).flat_map(move |r| [(r, e), (r, e + 1)]));
            for (r, e) in places {
                let pixel = format!("i{c}_{r}_{}.{}", e / 4, COMPONENTS[e % 4]);
                for tap in 0..9 {
                    let (Some(y), Some(x)) = (r.checked_sub(tap / 3), e.checked_sub(tap % 3))
                    else {
                        continue;
                    };
                    if y < PATCH && x < PATCH {
                        put(&mut text, format_args!("a{y}_{x} += {pixel} * b{};", 9 * c + tap));
                    }
                }
            }
        }
        text
    }

    fn norm(&self) -> String {
        let count = (self.size * self.size) as f32;
        let mut text = String::new();
        let values: Vec<_> = places().map(|(y, x)| format!("a{y}_{x}")).collect();
        put(&mut text, format_args!("let mean = plane_sum({}) / {count:?};", tree(&values)));
        for (y, x) in places() {
            put(&mut text, format_args!("let d{y}_{x} = a{y}_{x} - mean;"));
        }
        let squares: Vec<_> = places().map(|(y, x)| format!("d{y}_{x} * d{y}_{x}")).collect();
        put(&mut text, format_args!("let variance = plane_sum({}) / {count:?};", tree(&squares)));
        text
    }

    fn store(&self) -> String {
        let (mut text, half) = (String::new(), PATCH / 2);
        for y in 0..half {
            let four: Vec<_> = (0..half)
                .map(|x| {
                    pooled(&mut text, y * half + x, |dy, dx| {
                        format!("d{}_{}", 2 * y + dy, 2 * x + dx)
                    })
                })
                .collect();
            let row = y * self.size / 8;
            put(
                &mut text,
                format_args!("result[to + {row}u] = vec4f({}) * 0.125;", four.join(", ")),
            );
        }
        text
    }
}

fn places() -> impl Iterator<Item = (usize, usize)> {
    (0..PATCH).flat_map(|y| (0..PATCH).map(move |x| (y, x)))
}

/// What a first block with `weights` (nets, outputs, inputs, 3, 3) and the norm's `affine` makes of
/// `input`, which is haloed. `result` is dense.
pub(crate) fn conv_first(
    gpu: &Gpu,
    first: First,
    affine: &Buffer<f32>,
    (input, from): (&Buffer<f32>, Planes),
    weights: &Buffer<f32>,
    (result, to): (&Buffer<f32>, Planes),
    batch: Batch,
) -> Dispatch {
    let params = Buffer::params(gpu, "conv_first params", &Params::new(from, to, batch));
    let bindings =
        [params.binding(), input.binding(), weights.binding(), result.binding(), affine.binding()];
    first
        .generate()
        .dispatch(gpu, &bindings, fold(batch.images))
        .flops(flops(from, to, batch.images))
        .values(batch.images * (from.values() + to.values()) + weights.len())
}
