//! Convolution for adapters with subgroups of one fixed size, alone or fused with the block's
//! norm, ReLU and pool. Writes out the unrolled parts of `shaders/conv_lanes.wgsl`.

use super::{
    Batch, Generated, Planes,
    conv::{Params, flops},
    pack_weights::{Order, Packing},
    unrolled::{COMPONENTS, put},
    wgsl,
};
use crate::gpu::{Buffer, Dispatch, Gpu, Slot, fold};

/// What one lane computes at a time: 4·`quads` × `rows` pixels of `outputs` channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Tile {
    pub lanes: usize,
    pub quads: usize,
    pub rows: usize,
    pub outputs: usize,
}

/// The last is for fused blocks alone.
pub(super) const SLOTS: &[Slot] =
    &[Slot::Params(size_of::<Params>()), Slot::Read, Slot::Read, Slot::Write, Slot::Read];

/// The norm's weight and bias, bound there.
pub(super) fn affine(binding: usize) -> String {
    format!("@group(0) @binding({binding}) var<storage, read> affine: array<vec2f>;")
}

const TEMPLATE: &str = wgsl!("shared/grid", "shared/planes", "shared/conv", "conv_lanes");

impl Tile {
    /// For convolution alone, which takes planes of any size.
    /// More channels share what is loaded where registers spill cheaply.
    pub fn for_conv(lanes: usize, cpu: bool, outputs: usize) -> Self {
        if cpu && outputs <= 3 {
            return Self { lanes, quads: 2, rows: 8, outputs };
        }
        let most = if cpu && outputs > 8 { 16 } else { 8 };
        Self { lanes, quads: 1, rows: 4, outputs: most }
    }

    /// For a fused block on planes of this size, if a subgroup can hold whole planes.
    pub fn for_block(lanes: usize, cpu: bool, size: usize) -> Option<Self> {
        // Fewest pixels a lane first: more channels then share what is loaded.
        const SHAPES: [(usize, usize); 6] = [(1, 2), (1, 4), (1, 8), (2, 8), (1, 16), (2, 16)];
        // On a CPU registers spill cheaply, on a GPU they must not.
        let most = if cpu { 128 } else { 32 };
        SHAPES
            .into_iter()
            .map(|(quads, rows)| {
                let outputs = (most / (quads * rows)).clamp(1, 32);
                Self { lanes, quads, rows, outputs }
            })
            .find(|tile| tile.holds_planes(size))
    }

    fn holds_planes(&self, size: usize) -> bool {
        let tiles = (size / (4 * self.quads)) * (size / self.rows);
        size.is_multiple_of(4 * self.quads)
            && size.is_multiple_of(self.rows)
            && tiles <= self.lanes
            && self.lanes.is_multiple_of(tiles)
            && tiles.is_power_of_two()
    }

    fn tiles(&self, size: usize) -> usize {
        size.div_ceil(4 * self.quads) * size.div_ceil(self.rows)
    }

    /// Values that the weights of one input channel and `outputs` output channels are padded to:
    /// the lanes load a vec4f each, a whole number of times.
    fn chunk(&self) -> usize {
        (9 * self.outputs).next_multiple_of(4 * self.lanes)
    }

    /// How its weights lie.
    pub fn packing(&self) -> Packing {
        Packing { outputs: self.outputs, chunk: self.chunk(), order: Order::Taps }
    }

    fn name(&self, fused: Option<usize>) -> String {
        let Self { lanes, quads, rows, outputs } = self;
        let kind = fused.map_or("conv_lanes".to_owned(), |size| format!("block_lanes {size}"));
        format!("{kind} {lanes}×({}×{rows}×{outputs})", 4 * quads)
    }

    /// The whole WGSL; `fused` is the size of the planes, for a fused block.
    fn source(&self, fused: Option<usize>) -> String {
        let Self { lanes, quads, rows, outputs } = self;
        let constants = format!(
            "const LANES = {lanes}u;\nconst QUADS = {quads}u;\nconst ROWS = {rows}u;\n\
             const OUTPUTS = {outputs}u;\nconst CHUNK = {}u;\n",
            self.chunk() / 4
        );
        let body = TEMPLATE
            .replace("//{affine}", &fused.map_or(String::new(), |_| affine(4)))
            .replace("//{plane_sum}", &fused.map_or(String::new(), |size| self.plane_sum(size)))
            .replace("//{accumulators}", &self.accumulators())
            .replace("//{taps}", &self.taps())
            .replace("//{finish}", &fused.map_or_else(|| self.store(), |size| self.finish(size)));
        constants + &body
    }

    /// Every accumulator: rows j, quads q, outputs k.
    fn patch(&self) -> impl Iterator<Item = (usize, usize)> + Clone {
        let quads = self.quads;
        (0..self.rows).flat_map(move |j| (0..quads).map(move |q| (j, q)))
    }

    fn accumulators(&self) -> String {
        let mut text = String::new();
        for k in 0..self.outputs {
            for (j, q) in self.patch() {
                put(&mut text, format_args!("var a{j}_{q}_{k} = vec4f();"));
            }
        }
        text
    }

    /// One input channel: load pixels and weights, then every tap of every output.
    fn taps(&self) -> String {
        let mut text = String::new();
        for r in 0..self.rows + 2 {
            for q in 0..=self.quads {
                put(&mut text, format_args!("let l{r}_{q} = input[at + {r}u * pitch + {q}u];"));
            }
            // The same pixels as seen by the middle and by the right tap.
            for q in 0..self.quads {
                let (l, next) = (format!("l{r}_{q}"), format!("l{r}_{}", q + 1));
                put(&mut text, format_args!("let m{r}_{q} = vec4f({l}.yzw, {next}.x);"));
                put(&mut text, format_args!("let r{r}_{q} = vec4f({l}.zw, {next}.xy);"));
            }
        }
        let loads = self.chunk() / (4 * self.lanes);
        for i in 0..loads {
            put(&mut text, format_args!("let w{i} = weights[w_at + {}u];", i * self.lanes));
        }
        for k in 0..self.outputs {
            for tap in 0..9 {
                let element = tap * self.outputs + k;
                let (load, within) = (element / (4 * self.lanes), element % (4 * self.lanes));
                let component = COMPONENTS[within % 4];
                let lane = within / 4;
                put(
                    &mut text,
                    format_args!(
                        "let b{tap}_{k} = subgroupBroadcast(w{load}.{component}, {lane}u);"
                    ),
                );
            }
            for (j, q) in self.patch() {
                for tap in 0..9 {
                    let (row, column) = (j + tap / 3, ["l", "m", "r"][tap % 3]);
                    put(&mut text, format_args!("a{j}_{q}_{k} += {column}{row}_{q} * b{tap}_{k};"));
                }
            }
        }
        text
    }

    /// Stores the convolution itself.
    fn store(&self) -> String {
        let mut text = String::new();
        for k in 0..self.outputs {
            put(&mut text, format_args!("if block * OUTPUTS + {k}u < outputs {{"));
            put(&mut text, format_args!("{}", output_start(k)));
            for (j, q) in self.patch() {
                put(&mut text, format_args!("put(start, y + {j}u, x + {}u, a{j}_{q}_{k});", 4 * q));
            }
            text.push_str("}\n");
        }
        text
    }

    /// Normalises, rectifies and pools planes of `size`, then stores.
    fn finish(&self, size: usize) -> String {
        let sum = |term: &dyn Fn(usize, usize) -> String| {
            self.patch().map(|(j, q)| term(j, q)).collect::<Vec<_>>().join(" + ")
        };
        let count = (size * size) as f32;
        let mut text = String::new();
        for k in 0..self.outputs {
            text.push_str("{\n");
            let all = sum(&|j, q| format!("a{j}_{q}_{k}"));
            put(&mut text, format_args!("let mean = plane_sum(total({all})) / {count:?};"));
            for (j, q) in self.patch() {
                put(&mut text, format_args!("let d{j}_{q} = a{j}_{q}_{k} - mean;"));
            }
            let all = sum(&|j, q| format!("d{j}_{q} * d{j}_{q}"));
            put(&mut text, format_args!("let variance = plane_sum(total({all})) / {count:?};"));
            put(&mut text, format_args!("if block * OUTPUTS + {k}u < outputs {{"));
            put(
                &mut text,
                format_args!("let weight_bias = affine[net * outputs + block * OUTPUTS + {k}u];"),
            );
            put(
                &mut text,
                format_args!("let scale = inverseSqrt(variance + 1e-5) * weight_bias.x;"),
            );
            put(&mut text, format_args!("{}", output_start(k)));
            for (j, q) in self.patch().filter(|(j, _)| j % 2 == 0) {
                let below = j + 1;
                put(
                    &mut text,
                    format_args!(
                        "let p{j}_{q} = 0.25 * (max(d{j}_{q} * scale + weight_bias.y, vec4f()) \
                         + max(d{below}_{q} * scale + weight_bias.y, vec4f()));"
                    ),
                );
                put(
                    &mut text,
                    format_args!(
                        "let o{j}_{q} = start + (y / 2u + {}u) * params.result.pitch + x / 2u + {}u;",
                        j / 2,
                        2 * q
                    ),
                );
                put(&mut text, format_args!("result[o{j}_{q}] = p{j}_{q}.x + p{j}_{q}.y;"));
                put(&mut text, format_args!("result[o{j}_{q} + 1u] = p{j}_{q}.z + p{j}_{q}.w;"));
            }
            text.push_str("}\n}\n");
        }
        text
    }

    /// Every specialisation that any adapter can ask for, for the tests that read them all.
    pub fn all() -> Vec<Generated> {
        // Adapters' subgroups are powers of two; larger planes fit no subgroup.
        let every = [8, 16, 32, 64].into_iter().flat_map(|lanes| {
            let blocks = [true, false].into_iter().flat_map(move |cpu| {
                (1..=128).map(move |size| (Self::for_block(lanes, cpu, size), Some(size)))
            });
            let convs = [false, true].map(|cpu| (Some(Self::for_conv(lanes, cpu, 128)), None));
            convs.into_iter().chain(blocks)
        });
        every.filter_map(|(tile, fused)| tile.map(|t| t.generate(fused))).collect()
    }

    fn generate(&self, fused: Option<usize>) -> Generated {
        let slots = if fused.is_some() { SLOTS } else { &SLOTS[..SLOTS.len() - 1] };
        let (name, source) = (self.name(fused), self.source(fused));
        Generated { name, source, constants: &[], slots }
    }

    fn plane_sum(&self, size: usize) -> String {
        let mut text = String::new();
        let mut distance = 1;
        while distance < self.tiles(size) {
            put(&mut text, format_args!("sum += subgroupShuffleXor(sum, {distance}u);"));
            distance *= 2;
        }
        text
    }
}

fn output_start(k: usize) -> String {
    format!("let start = plane_start(params.result, image, block * OUTPUTS + {k}u);")
}

/// `result` = `input`, which is haloed, convolved with `weights` packed for `tile`. With the norm's
/// weight and bias, (nets, outputs, 2), in `fused`, `result` is what the block's pool makes of it.
pub(crate) fn conv_lanes(
    gpu: &Gpu,
    tile: Tile,
    fused: Option<&Buffer<f32>>,
    (input, from): (&Buffer<f32>, Planes),
    weights: &Buffer<f32>,
    (result, to): (&Buffer<f32>, Planes),
    batch: Batch,
) -> Dispatch {
    let size = from.size as usize;
    let params = Params::new(from, to, batch);
    let params = Buffer::params(gpu, "conv_lanes params", &params);
    let planes = fused.map(|_| size);
    let per_net = batch.images / batch.nets * tile.tiles(size);
    let groups = batch.nets * per_net.div_ceil(tile.lanes);
    let mut bindings = vec![params.binding(), input.binding(), weights.binding(), result.binding()];
    bindings.extend(fused.map(Buffer::binding));
    let grid = fold(groups * (to.channels as usize).div_ceil(tile.outputs));
    tile.generate(planes)
        .dispatch(gpu, &bindings, grid)
        .flops(flops(from, to, batch.images))
        .values(batch.images * (from.values() + to.values()) + weights.len())
}
