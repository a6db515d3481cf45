//! Convolution for GPUs, in tiles that workgroups share, alone or fused with the block's norm, ReLU
//! and pool. Writes out the unrolled parts of `shaders/conv_tiles.wgsl`.

use super::{
    Batch, Constants, Generated, Planes,
    conv::{Params, flops},
    pack_weights::{Order, Packing},
    unrolled::put,
    wgsl,
};
use crate::gpu::{Buffer, Dispatch, Gpu, Slot, TILES_BYTES, fold};

/// What a workgroup computes: `tiles` tiles of `across` × `down` threads with 4 × 2 pixels each,
/// times `groups` of `outputs` channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PixelTile {
    across: usize,
    down: usize,
    tiles: usize,
    groups: usize,
    outputs: usize,
}

const TEMPLATE: &str = wgsl!("shared/grid", "shared/planes", "shared/conv", "conv_tiles");

/// The last is for fused blocks alone.
const SLOTS: &[Slot] =
    &[Slot::Params(size_of::<Params>()), Slot::Read, Slot::Read, Slot::Write, Slot::Read];

/// Whether planes fill their tiles, for fused blocks.
const FILLED: [Constants; 2] = [&[("FILLED", 0.0)], &[("FILLED", 1.0)]];

/// Tiles by threads: 4×2, 4×4, 8×8, 16×16 and 32×32 pixels.
const SHAPES: [(usize, usize); 5] = [(1, 1), (1, 2), (2, 4), (4, 8), (8, 16)];

impl PixelTile {
    /// For convolution alone, which takes planes of any size.
    pub fn for_conv(size: usize, outputs: usize) -> Self {
        let padded = |&(across, down): &(usize, usize)| {
            size.next_multiple_of(4 * across) * size.next_multiple_of(2 * down)
        };
        // Fewest pixels beside the plane, and of equals the largest: it has the least halo.
        let shapes = SHAPES[..4].iter().rev();
        let &shape = shapes.min_by_key(|shape| padded(shape)).unwrap_or(&SHAPES[0]);
        Self::of(shape, outputs)
    }

    /// For a fused block on planes of this size, if a tile holds them and they fill half of it.
    pub fn for_block(size: usize, outputs: usize) -> Option<Self> {
        let holds = |&&(across, down): &&(usize, usize)| size <= (4 * across).min(2 * down);
        let found = SHAPES.iter().find(holds).filter(|(across, down)| {
            let pixels = 8 * across * down;
            2 * size * size >= pixels
        });
        found.map(|&shape| Self::of(shape, outputs))
    }

    fn of((across, down): (usize, usize), outputs: usize) -> Self {
        let threads = across * down;
        // Small tiles have much halo: no more of them than workgroup memory holds.
        let most: usize = if threads <= 2 { 64 } else { 128 };
        let made = |groups: usize, outputs| {
            let tiles = (256 / groups).min(most) / threads;
            Self { across, down, tiles, groups, outputs }
        };
        if outputs <= 4 {
            return made(1, 4);
        }
        // Fewest channels beside those asked for, and of equals as many as possible together: they
        // share the pixels.
        let groups = [8, 4, 2, 1].into_iter().filter(|groups| threads * groups <= 256);
        let groups = groups.min_by_key(|groups| outputs.next_multiple_of(8 * groups));
        made(groups.unwrap_or(1), 8)
    }

    /// Threads that hold a tile.
    fn team(&self) -> usize {
        self.across * self.down
    }

    fn threads(&self) -> usize {
        self.team() * self.tiles * self.groups
    }

    /// Output channels of a workgroup.
    fn width(&self) -> usize {
        self.groups * self.outputs
    }

    /// vec4f from row to row of a staged tile, and from tile to tile.
    fn pitch(&self) -> usize {
        // Eight threads are served at a time, from eight banks of a vec4f. Where they are two rows of
        // four, those must be four banks apart.
        if self.across == 4 { 6 } else { self.across + 1 }
    }

    fn stride(&self) -> usize {
        let whole = (2 * self.down + 2) * self.pitch();
        // Where they belong to several tiles, those must begin in different banks.
        if self.team() < 8 { whole + 1 } else { whole }
    }

    /// vec4f of one staged input channel: pixels, weights.
    fn staged(&self) -> (usize, usize) {
        (self.tiles * self.stride(), 9 * self.width() / 4)
    }

    /// Input channels that are staged at a time. More than four save few barriers.
    fn step(&self) -> usize {
        let (patch, taps) = self.staged();
        let room = TILES_BYTES / 16 - self.tiles.div_ceil(4);
        (room / (patch + taps)).clamp(1, 4)
    }

    fn name(&self, fused: bool) -> String {
        let Self { across, down, tiles, groups, outputs } = self;
        let kind = if fused { "block_tiles" } else { "conv_tiles" };
        format!("{kind} {tiles}×({}×{})×{}", 4 * across, 2 * down, groups * outputs)
    }

    /// How the weights are to be packed for it.
    pub fn packing(&self) -> Packing {
        Packing { outputs: self.width(), chunk: 9 * self.width(), order: Order::Taps }
    }

    /// The whole WGSL.
    fn source(&self, fused: bool) -> String {
        let Self { across, down, tiles, groups, outputs } = self;
        let (threads, step) = (self.threads(), self.step());
        let (pitch, stride) = (self.pitch(), self.stride());
        let sums = if fused { threads } else { 0 };
        let patch = (step * self.staged().0).max(sums);
        let constants = format!(
            "const ACROSS = {across}u;\nconst DOWN = {down}u;\nconst TILES = {tiles}u;\n\
             const GROUPS = {groups}u;\nconst OUTPUTS = {outputs}u;\nconst THREADS = {threads}u;\n\
             const STEP = {step}u;\nconst PITCH = {pitch}u;\nconst STRIDE = {stride}u;\n\
             const PATCH = {patch}u;\n"
        );
        let body = TEMPLATE
            .replace("//{affine}", if fused { AFFINE } else { "" })
            .replace("//{plane_sum}", &if fused { self.plane_sum() } else { String::new() })
            .replace("//{accumulators}", &self.accumulators())
            .replace("//{channel}", &self.channel())
            .replace("//{finish}", &if fused { self.finish() } else { self.store() });
        constants + &body
    }

    fn accumulators(&self) -> String {
        let mut text = String::new();
        for k in 0..self.outputs {
            put(&mut text, format_args!("var a0_{k} = vec4f();\nvar a1_{k} = vec4f();"));
        }
        text
    }

    /// One input channel: load the pixels, then tap by tap the weights.
    fn channel(&self) -> String {
        let mut text = String::new();
        for r in 0..4 {
            let at = r * self.pitch();
            put(&mut text, format_args!("let l{r} = staged[at + {at}u];"));
            put(&mut text, format_args!("let n{r} = staged[at + {}u];", at + 1));
            // The same pixels as seen by the middle and by the right tap.
            put(&mut text, format_args!("let m{r} = vec4f(l{r}.yzw, n{r}.x);"));
            put(&mut text, format_args!("let r{r} = vec4f(l{r}.zw, n{r}.xy);"));
        }
        for tap in 0..9 {
            let column = ["l", "m", "r"][tap % 3];
            for h in 0..self.outputs / 4 {
                put(&mut text, format_args!("let w{tap}_{h} = taps[c][{tap}][lot][{h}];"));
            }
            for k in 0..self.outputs {
                let weight = format!("w{tap}_{}.{}", k / 4, ["x", "y", "z", "w"][k % 4]);
                for j in 0..2 {
                    let row = j + tap / 3;
                    put(&mut text, format_args!("a{j}_{k} += {column}{row} * {weight};"));
                }
            }
        }
        text
    }

    /// Stores the convolution itself.
    fn store(&self) -> String {
        let mut text = String::new();
        for k in 0..self.outputs {
            put(
                &mut text,
                format_args!(
                    "if live && first_output + {k}u < outputs {{\n\
                     let start = plane_start(params.result, image, first_output + {k}u);\n\
                     put(start, y, x, a0_{k});\nput(start, y + 1u, x, a1_{k});\n}}"
                ),
            );
        }
        text
    }

    /// The sum over a tile's threads: four to one until two are left, which everyone adds.
    fn plane_sum(&self) -> String {
        let team = self.team();
        let mut text = PLANE_SUM.to_owned();
        if team == 1 {
            text.push_str("return value;\n}\n");
            return text;
        }
        // What was there before has been read.
        text.push_str("workgroupBarrier();\nstaged[thread] = value;\nworkgroupBarrier();\n");
        let mut left = team;
        while left > 2 {
            left /= 4;
            put(
                &mut text,
                format_args!(
                    "if thread % {team}u < {left}u {{\n\
                     staged[thread] = (staged[thread] + staged[thread + {left}u])\n\
                     + (staged[thread + {}u] + staged[thread + {}u]);\n}}\nworkgroupBarrier();",
                    2 * left,
                    3 * left
                ),
            );
        }
        put(
            &mut text,
            format_args!(
                "let first = thread / {team}u * {team}u;\n\
                 return staged[first] + staged[first + 1u];\n}}"
            ),
        );
        text
    }

    /// Normalises, rectifies and pools, then stores.
    fn finish(&self) -> String {
        let mut text = INSIDE.to_owned();
        let four = |term: &dyn Fn(usize) -> String, h: usize| {
            (4 * h..4 * h + 4).map(term).collect::<Vec<_>>().join(", ")
        };
        for h in 0..self.outputs / 4 {
            for k in 4 * h..4 * h + 4 {
                put(&mut text, format_args!("a0_{k} = keep(a0_{k}, inside0);"));
                put(&mut text, format_args!("a1_{k} = keep(a1_{k}, inside1);"));
            }
            let sums = four(&|k| format!("total(a0_{k} + a1_{k})"), h);
            put(
                &mut text,
                format_args!("let mean{h} = plane_sum(thread, vec4f({sums})) / pixels;"),
            );
            for (k, component) in (4 * h..4 * h + 4).zip(["x", "y", "z", "w"]) {
                for j in 0..2 {
                    put(
                        &mut text,
                        format_args!("a{j}_{k} = keep(a{j}_{k} - mean{h}.{component}, inside{j});"),
                    );
                }
            }
            let squares = four(&|k| format!("total(a0_{k} * a0_{k} + a1_{k} * a1_{k})"), h);
            put(
                &mut text,
                format_args!("let variance{h} = plane_sum(thread, vec4f({squares})) / pixels;"),
            );
            put(&mut text, format_args!("let scale{h} = inverseSqrt(variance{h} + 1e-5);"));
        }
        for k in 0..self.outputs {
            let scale = format!("scale{}.{}", k / 4, ["x", "y", "z", "w"][k % 4]);
            put(
                &mut text,
                format_args!("pool(first_output + {k}u, {scale}, a0_{k}, a1_{k}, place);"),
            );
        }
        text
    }

    /// Every specialisation that any adapter can ask for, for the tests that read them all.
    pub fn all() -> Vec<Generated> {
        let mut all = Vec::new();
        // Widths that take every number of groups; sizes that take every shape.
        for outputs in [4, 8, 16, 32, 64] {
            for size in [1, 2, 4, 8, 16, 32] {
                all.push(Self::for_conv(size, outputs).generate(None));
                for filled in [false, true] {
                    let block = Self::for_block(size, outputs);
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

// Nothing beside the plane may count.
fn keep(v: vec4f, inside: vec4<bool>) -> vec4f {
    if FILLED {
        return v;
    }
    return select(vec4f(), v, inside);
}

// Where a thread's two pooled values belong, if anywhere.
struct Place {
    net: u32,
    image: u32,
    y: u32,
    x: u32,
    live: bool,
}

// Two rows of four centred values of an output channel become two pooled ones.
fn pool(output: u32, scale: f32, upper: vec4f, lower: vec4f, place: Place) {
    let pooled = params.result;
    if !place.live || output >= pooled.channels || place.y >= pooled.size {
        return;
    }
    let weight_bias = affine[place.net * pooled.channels + output];
    let slope = scale * weight_bias.x;
    let both = 0.25 * (max(upper * slope + weight_bias.y, vec4f())
        + max(lower * slope + weight_bias.y, vec4f()));
    let at = plane_start(pooled, place.image, output) + place.y * pooled.pitch + place.x;
    if place.x < pooled.size {
        result[at] = both.x + both.y;
    }
    if place.x + 1u < pooled.size {
        result[at + 1u] = both.z + both.w;
    }
}
";

const PLANE_SUM: &str = "\
// Sums over the threads that hold one plane, of four output channels at a time, always in the same
// order. Every thread must call it, and gets the sums.
fn plane_sum(thread: u32, value: vec4f) -> vec4f {
";

const INSIDE: &str = "\
let columns = vec4u(x, x + 1u, x + 2u, x + 3u) < vec4u(size);
let inside0 = select(vec4<bool>(false), columns, y < size);
let inside1 = select(vec4<bool>(false), columns, y + 1u < size);
let pixels = f32(size * size);
let place = Place(net, image, y / 2u, x / 2u, live);
";

/// `result` = `input`, which is haloed, convolved with `weights` packed for `tile`. With the norm's
/// weight and bias, (nets, outputs, 2), in `fused`, `result` is what the block's pool makes of it.
pub(crate) fn conv_tiles(
    gpu: &Gpu,
    tile: PixelTile,
    fused: Option<&Buffer<f32>>,
    (input, from): (&Buffer<f32>, Planes),
    weights: &Buffer<f32>,
    (result, to): (&Buffer<f32>, Planes),
    batch: Batch,
) -> Dispatch {
    let size = from.size as usize;
    let params = Params::new(from, to, batch);
    let params = Buffer::params(gpu, "conv_tiles params", &params);
    let (wide, high) = (4 * tile.across, 2 * tile.down);
    let per_net = batch.images / batch.nets * size.div_ceil(wide) * size.div_ceil(high);
    let groups = batch.nets * per_net.div_ceil(tile.tiles);
    let mut bindings = vec![params.binding(), input.binding(), weights.binding(), result.binding()];
    bindings.extend(fused.map(Buffer::binding));
    let grid = fold(groups * (to.channels as usize).div_ceil(tile.width()));
    tile.generate(fused.map(|_| size == wide && size == high))
        .dispatch(gpu, &bindings, grid)
        .flops(flops(from, to, batch.images))
        .values(batch.images * (from.values() + to.values()) + weights.len())
}
