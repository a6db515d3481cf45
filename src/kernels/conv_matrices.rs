//! Convolution by cooperative matrices, alone or fused with the block's norm, ReLU and pool: f16 factors,
//! f32 sums. Writes out the unrolled parts of `shaders/conv_matrices.wgsl`.

use super::{
    Batch, Constants, Generated, Planes,
    conv::{Params, flops},
    pack_weights::{Order, Packing},
    unrolled::put,
    wgsl,
};
use crate::gpu::{Buffer, Dispatch, Gpu, MATRICES_BYTES, Matrices, Slot, fold};

/// What a workgroup computes: `slots` tiles of `wide` × `wide` pixels times `columns` · `blocks` · side
/// output channels. A subgroup has `run` rows of fragments × `blocks`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MatrixTile {
    matrices: Matrices,
    wide: usize,
    slots: usize,
    run: usize,
    columns: usize,
    blocks: usize,
}

const ENABLE: &str = "enable f16;\nenable wgpu_cooperative_matrix;\n";

const TEMPLATE: &str = wgsl!("shared/grid", "shared/planes", "shared/conv", "conv_matrices");

/// The last is for fused blocks alone.
const SLOTS: &[Slot] =
    &[Slot::Params(size_of::<Params>()), Slot::Read, Slot::Read, Slot::Write, Slot::Read];

/// Whether planes fill their tiles, for fused blocks.
const FILLED: [Constants; 2] = [&[("FILLED", 0.0)], &[("FILLED", 1.0)]];

/// Pixels across a tile.
const WIDTHS: [usize; 3] = [4, 8, 16];

/// Invocations of a workgroup at most: what WebGPU guarantees.
const INVOCATIONS: usize = 256;

impl MatrixTile {
    /// For convolution alone, if the matrices are filled.
    pub fn for_conv(
        matrices: Matrices,
        size: usize,
        (inputs, outputs): (usize, usize),
    ) -> Option<Self> {
        // Fewest pixels beside the plane, and of equals the largest: it has the least halo.
        let wide = WIDTHS.into_iter().rev().min_by_key(|&wide| size.next_multiple_of(wide))?;
        Self::of(matrices, wide, size, (inputs, outputs))
    }

    /// For a fused block on planes of this size, if a tile holds them and they fill half of it.
    pub fn for_block(
        matrices: Matrices,
        size: usize,
        (inputs, outputs): (usize, usize),
    ) -> Option<Self> {
        let wide = WIDTHS.into_iter().find(|&wide| size <= wide)?;
        Self::of(matrices, wide, size, (inputs, outputs))
            // A thread's share of the pixels must be of one image.
            .filter(|tile| 2 * size * size >= wide * wide && tile.parts() >= tile.slots)
    }

    fn of(
        matrices: Matrices,
        wide: usize,
        size: usize,
        (inputs, outputs): (usize, usize),
    ) -> Option<Self> {
        let Matrices { side, lanes } = matrices;
        // Mostly padding otherwise, which other kernels do without.
        if inputs < side || 2 * outputs < side || size < 3 {
            return None;
        }
        let run = if side == 16 || wide == 4 { 4 } else { 8 };
        // Fewest channels beside those asked for, and of equals as many as possible: they share the
        // pixels.
        let together = [64, 32, 16, 8].into_iter().filter(|&width| width >= side);
        let width = together.min_by_key(|&width| outputs.next_multiple_of(width))?;
        let made = |pixels: usize| {
            let team = pixels / side / run;
            let columns = (INVOCATIONS / lanes / team).clamp(1, width / side);
            let blocks = width / side / columns;
            Self { matrices, wide, slots: pixels / (wide * wide), run, columns, blocks }
        };
        // The halo of the smallest tiles is large.
        [256, 128]
            .into_iter()
            .map(made)
            .find(|tile| tile.threads() <= INVOCATIONS && tile.bytes() <= MATRICES_BYTES)
    }

    /// Tiles whose pixels lie beside each other, so that they fill a matrix's rows.
    fn mixed(&self) -> usize {
        (self.matrices.side / self.wide).max(1)
    }

    fn pixels(&self) -> usize {
        self.slots * self.wide * self.wide
    }

    /// Subgroups that share the same outputs.
    fn team(&self) -> usize {
        self.pixels() / self.matrices.side / self.run
    }

    fn threads(&self) -> usize {
        self.team() * self.columns * self.matrices.lanes
    }

    /// Threads that share the sums of one output channel.
    fn parts(&self) -> usize {
        self.threads() / self.matrices.side
    }

    /// Output channels of a workgroup.
    fn width(&self) -> usize {
        self.columns * self.blocks * self.matrices.side
    }

    /// Staged pixels with their halo.
    fn staged(&self) -> usize {
        self.slots * (self.wide + 2) * (self.wide + 2)
    }

    /// f16 from pixel to pixel.
    fn pitch(&self) -> usize {
        let side = self.matrices.side;
        // Eight pixels are loaded at a time, 16 bytes of each: from different banks, if there is room.
        let spread = side + 8;
        if side == 16 && self.bytes_with(spread) <= MATRICES_BYTES { spread } else { side }
    }

    /// f32 from an output channel's sums to the next. Four more than pixels, for the banks' sake.
    fn distance(&self) -> usize {
        self.pixels() + 4
    }

    fn bytes_with(&self, pitch: usize) -> usize {
        2 * pitch * self.staged() + 4 * self.matrices.side * self.distance() + 20 * self.slots
    }

    /// Workgroup memory.
    fn bytes(&self) -> usize {
        self.bytes_with(self.matrices.side)
    }

    fn name(&self, fused: bool) -> String {
        let Self { matrices: Matrices { side, lanes }, wide, slots, .. } = self;
        let kind = if fused { "block_matrices" } else { "conv_matrices" };
        format!("{kind} {side} {lanes} {slots}×({wide}×{wide})×{}", self.width())
    }

    /// How the weights are to be packed for it.
    pub fn packing(&self) -> Packing {
        let order = Order::Matrices;
        Packing { outputs: self.width(), chunk: self.matrices.side, order }
    }

    /// The whole WGSL.
    fn source(&self, fused: bool) -> String {
        let Self { matrices: Matrices { side, .. }, wide, slots, run, columns, blocks } = self;
        let (threads, mixed) = (self.threads(), self.mixed());
        let (pitch, distance) = (self.pitch(), self.distance());
        let constants = format!(
            "{ENABLE}const SIDE = {side}u;\nconst WIDE = {wide}u;\nconst HIGH = {wide}u;\n\
             const SLOTS = {slots}u;\nconst MIXED = {mixed}u;\nconst RUN = {run}u;\n\
             const COLUMNS = {columns}u;\nconst BLOCKS = {blocks}u;\nconst THREADS = {threads}u;\n\
             const PITCH = {pitch}u;\nconst DISTANCE = {distance}u;\n"
        );
        let finish = if fused { self.pooling() } else { STORE.to_owned() };
        let body = TEMPLATE
            .replace("//{affine}", if fused { AFFINE } else { "" })
            .replace("//{finish}", &finish)
            .replace("//{accumulators}", &self.accumulators())
            .replace("//{products}", &self.products())
            .replace("//{rounds}", &self.rounds());
        constants + &body
    }

    /// The WGSL type of a matrix.
    fn matrix(&self, of: &str) -> String {
        let side = self.matrices.side;
        format!("coop_mat{side}x{side}<{of}>")
    }

    fn accumulators(&self) -> String {
        let (mut text, zero) = (String::new(), self.matrix("f32, C"));
        for (r, b) in (0..self.run).flat_map(|r| (0..self.blocks).map(move |b| (r, b))) {
            put(&mut text, format_args!("var a{r}_{b} = {zero}();"));
        }
        text
    }

    /// All taps of SIDE input channels: column by column of them, the pixels' rows, then the weights.
    fn products(&self) -> String {
        let mut text = String::new();
        let (pixels, weights) = (self.matrix("f16, A"), self.matrix("f16, B"));
        for dx in 0..3 {
            for r in 0..self.run + 2 {
                put(
                    &mut text,
                    format_args!(
                        "let p{dx}_{r} = coopLoadT<{pixels}>(\
                         &staged[origin + {r}u * ACROSS + {dx}u * MIXED][0], PITCH);"
                    ),
                );
            }
            for (dy, b) in (0..3).flat_map(|dy| (0..self.blocks).map(move |b| (dy, b))) {
                let tap = 3 * dx + dy;
                put(
                    &mut text,
                    format_args!(
                        "let w{tap}_{b} = coopLoad<{weights}>(\
                         &weights[(matrices + {tap}u * COLUMNS * BLOCKS + {b}u) * (SIDE * SIDE)], \
                         SIDE);"
                    ),
                );
                for r in 0..self.run {
                    put(
                        &mut text,
                        format_args!(
                            "a{r}_{b} = coopMultiplyAdd(p{dx}_{}, w{tap}_{b}, a{r}_{b});",
                            r + dy
                        ),
                    );
                }
            }
        }
        text
    }

    /// SIDE output channels after the other: from the subgroups that have them to all threads.
    fn rounds(&self) -> String {
        let mut text = String::new();
        for n in 0..self.columns * self.blocks {
            // What was there before has been read.
            put(&mut text, format_args!("workgroupBarrier();"));
            put(&mut text, format_args!("if column == {}u {{", n / self.blocks));
            for r in 0..self.run {
                let b = n % self.blocks;
                put(
                    &mut text,
                    format_args!(
                        "coopStore(a{r}_{b}, &sums[(run * RUN + {r}u) * SIDE], DISTANCE);"
                    ),
                );
            }
            put(
                &mut text,
                format_args!(
                    "}}\nworkgroupBarrier();\n\
                     finish(thread, net, block * OUTPUTS + {n}u * SIDE);"
                ),
            );
        }
        text
    }

    /// The end of a fused block.
    fn pooling(&self) -> String {
        let quads = self.pixels() / 4 / self.parts();
        let list = |term: &dyn Fn(usize) -> String, between: &str| {
            (0..quads).map(term).collect::<Vec<_>>().join(between)
        };
        let read = list(
            &|q| {
                format!(
                    "let place{q} = place(first + {q}u);\n\
                     let inside{q} = inside(place{q});\n\
                     var v{q} = keep(quad(lot, slot, place{q}), inside{q});"
                )
            },
            "\n",
        );
        let centre = list(&|q| format!("v{q} = keep(v{q} - mean, inside{q});"), "\n");
        let store = list(&|q| format!("pool(output, slot, place{q}, v{q} * slope + bias);"), "\n");
        let total = list(&|q| format!("dot(v{q}, vec4f(1.0))"), " + ");
        let squares = list(&|q| format!("dot(v{q}, v{q})"), " + ");
        format!("const PARTS = {}u;\nconst SHARE = {quads}u;\n", self.parts())
            + &POOLING
                .replace("//{read}", &read)
                .replace("//{centre}", &centre)
                .replace("//{store}", &store)
                .replace("{total}", &total)
                .replace("{squares}", &squares)
    }

    /// Every specialisation for matrices of both sizes and subgroups of the usual ones, for the tests
    /// that read them all.
    pub fn all() -> Vec<Generated> {
        let mut all = Vec::new();
        let matrices = [(8, 8), (8, 32), (16, 32), (16, 64)];
        for matrices in matrices.map(|(side, lanes)| Matrices { side, lanes }) {
            for (size, outputs) in WIDTHS.into_iter().flat_map(|w| [16, 32, 64].map(|o| (w, o))) {
                let shape = (matrices.side, outputs);
                let conv = Self::for_conv(matrices, size, shape);
                all.extend(conv.map(|tile| tile.generate(None)));
                for filled in [false, true] {
                    let block = Self::for_block(matrices, size, shape);
                    all.extend(block.map(|tile| tile.generate(Some(filled))));
                }
            }
        }
        all
    }

    /// With `fused`: whether planes fill their tiles.
    fn generate(&self, fused: Option<bool>) -> Generated {
        let slots = if fused.is_some() { SLOTS } else { &SLOTS[..SLOTS.len() - 1] };
        let (name, source) = (self.name(fused.is_some()), self.source(fused.is_some()));
        let constants = fused.map_or(&[][..], |filled| FILLED[usize::from(filled)]);
        Generated { name, source, constants, slots }
    }
}

const AFFINE: &str = "\
@group(0) @binding(4) var<storage, read> affine: array<vec2f>;

// Whether a plane fills its tile.
override FILLED: bool;
";

const STORE: &str = "\
// Stores what of SIDE output channels lies inside.
fn finish(thread: u32, net: u32, first_output: u32) {
    for (var i = thread; i < SIDE * PIXELS; i += THREADS) {
        let output = first_output + i / PIXELS;
        let slot = i / (WIDE * HIGH) % SLOTS;
        let y = i / WIDE % HIGH;
        let x = i % WIDE;
        let home = homes[slot];
        let place = home.yz + vec2u(y, x);
        if home.x != NOBODY && output < params.result.channels && all(place < vec2u(params.result.size)) {
            result[plane_start(params.result, home.x, output) + place.x * params.result.pitch + place.y] =
                sums[i / PIXELS * DISTANCE + pixel_at(slot, y, x)];
        }
    }
}
";

const POOLING: &str = "\
// Squares of 2 × 2 pixels in a tile.
const SQUARES = WIDE * HIGH / 4u;

// Row and column of the square with this number.
fn place(square: u32) -> vec2u {
    return vec2u(square % SQUARES / (WIDE / 2u), square % (WIDE / 2u));
}

fn inside(place: vec2u) -> vec4<bool> {
    let y = 2u * place.x;
    let x = 2u * place.y;
    return vec4u(max(y, x), max(y, x + 1u), max(y + 1u, x), max(y, x) + 1u)
        < vec4u(params.input.size);
}

// Nothing beside the plane may count.
fn keep(v: vec4f, inside: vec4<bool>) -> vec4f {
    if FILLED {
        return v;
    }
    return select(vec4f(), v, inside);
}

fn quad(lot: u32, slot: u32, place: vec2u) -> vec4f {
    let at = lot * DISTANCE + pixel_at(slot, 2u * place.x, 2u * place.y);
    return vec4f(sums[at], sums[at + MIXED], sums[at + SIDE], sums[at + SIDE + MIXED]);
}

// Four centred and scaled values become a pooled one.
fn pool(output: u32, slot: u32, place: vec2u, v: vec4f) {
    let image = homes[slot].x;
    if image != NOBODY && output < params.result.channels && all(place < vec2u(params.result.size)) {
        let at = plane_start(params.result, image, output) + place.x * params.result.pitch + place.y;
        result[at] = 0.25 * dot(max(v, vec4f()), vec4f(1.0));
    }
}

// What the threads with the same plane have left, always in the same order.
fn plane_sum(first: u32) -> f32 {
    var sum = 0.0;
    for (var i = 0u; i < PARTS / SLOTS; i++) {
        sum += sums[first + i];
    }
    return sum;
}

// Normalises SIDE output channels, rectifies, pools and stores. Every thread must call it.
fn finish(thread: u32, net: u32, first_output: u32) {
    let lot = thread / PARTS;
    let first = thread % PARTS * SHARE;
    let slot = first / SQUARES;
    let output = first_output + lot;
    //{read}
    let team = thread / (PARTS / SLOTS) * (PARTS / SLOTS);
    let pixels = f32(params.input.size * params.input.size);
    // The sums are in registers now, and leave room.
    workgroupBarrier();
    sums[thread] = {total};
    workgroupBarrier();
    let mean = plane_sum(team) / pixels;
    //{centre}
    sums[THREADS + thread] = {squares};
    workgroupBarrier();
    let variance = plane_sum(THREADS + team) / pixels;
    let weight_bias = affine[net * params.result.channels + min(output, params.result.channels - 1u)];
    let slope = inverseSqrt(variance + 1e-5) * weight_bias.x;
    let bias = weight_bias.y;
    //{store}
}
";

/// `result` = `input`, which is haloed, convolved with `weights` packed for `tile`. With the norm's
/// weight and bias, (nets, outputs, 2), in `fused`, `result` is what the block's pool makes of it.
pub(crate) fn conv_matrices(
    gpu: &Gpu,
    tile: MatrixTile,
    fused: Option<&Buffer<f32>>,
    (input, from): (&Buffer<f32>, Planes),
    weights: &Buffer<f32>,
    (result, to): (&Buffer<f32>, Planes),
    batch: Batch,
) -> Dispatch {
    let size = from.size as usize;
    let params = Params::new(from, to, batch);
    let params = Buffer::params(gpu, "conv_matrices params", &params);
    let per_net = batch.images / batch.nets * size.div_ceil(tile.wide).pow(2);
    let groups = batch.nets * per_net.div_ceil(tile.slots);
    let mut bindings = vec![params.binding(), input.binding(), weights.binding(), result.binding()];
    bindings.extend(fused.map(Buffer::binding));
    let grid = fold(groups * (to.channels as usize).div_ceil(tile.width()));
    tile.generate(fused.map(|_| size == tile.wide))
        .dispatch(gpu, &bindings, grid)
        .flops(flops(from, to, batch.images))
        .values(batch.images * (from.values() + to.values()) + weights.len())
}
