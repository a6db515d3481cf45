//! Convolution for adapters with subgroups of one fixed size. Writes out the unrolled parts of
//! `shaders/conv_lanes.wgsl`.

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

const SLOTS: &[Slot] = &[Slot::Params(size_of::<Params>()), Slot::Read, Slot::Read, Slot::Write];

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

    fn name(&self) -> String {
        let Self { lanes, quads, rows, outputs } = self;
        format!("conv_lanes {lanes}×({}×{rows}×{outputs})", 4 * quads)
    }

    /// The whole WGSL.
    fn source(&self) -> String {
        let Self { lanes, quads, rows, outputs } = self;
        let constants = format!(
            "const LANES = {lanes}u;\nconst QUADS = {quads}u;\nconst ROWS = {rows}u;\n\
             const OUTPUTS = {outputs}u;\nconst CHUNK = {}u;\n",
            self.chunk() / 4
        );
        let body = TEMPLATE
            .replace("//{accumulators}", &self.accumulators())
            .replace("//{taps}", &self.taps())
            .replace("//{store}", &self.store());
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

    /// Every specialisation that any adapter can ask for, for the tests that read them all.
    pub fn all() -> Vec<Generated> {
        // Adapters' subgroups are powers of two.
        let every = [8, 16, 32, 64].into_iter();
        let every =
            every.flat_map(|lanes| [false, true].map(|cpu| Self::for_conv(lanes, cpu, 128)));
        every.map(|tile| tile.generate()).collect()
    }

    fn generate(&self) -> Generated {
        Generated { name: self.name(), source: self.source(), constants: &[], slots: SLOTS }
    }
}

fn output_start(k: usize) -> String {
    format!("let start = plane_start(params.result, image, block * OUTPUTS + {k}u);")
}

/// `result` = `input`, which is haloed, convolved with `weights` packed for `tile`.
pub(crate) fn conv_lanes(
    gpu: &Gpu,
    tile: Tile,
    (input, from): (&Buffer<f32>, Planes),
    weights: &Buffer<f32>,
    (result, to): (&Buffer<f32>, Planes),
    batch: Batch,
) -> Dispatch {
    let size = from.size as usize;
    let params = Params::new(from, to, batch);
    let params = Buffer::params(gpu, "conv_lanes params", &params);
    let per_net = batch.images / batch.nets * tile.tiles(size);
    let groups = batch.nets * per_net.div_ceil(tile.lanes);
    let bindings = [params.binding(), input.binding(), weights.binding(), result.binding()];
    let grid = fold(groups * (to.channels as usize).div_ceil(tile.outputs));
    tile.generate()
        .dispatch(gpu, &bindings, grid)
        .flops(flops(from, to, batch.images))
        .values(batch.images * (from.values() + to.values()) + weights.len())
}
