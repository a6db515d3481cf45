//! Convolution for adapters with subgroups of one fixed size.

use minijinja::context;

use super::{
    Batch, Generated, Planes,
    conv_plain::{Params, flops},
    pack_weights::{Order, Packing},
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

const SLOTS: &[Slot] = &[Slot::params::<Params>(), Slot::Read, Slot::Read, Slot::Write];

const TEMPLATE: &str =
    wgsl!("shared/grid", "shared/planes", "shared/conv", "shared/put", "conv_lanes");

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

    /// Every specialisation that any adapter can ask for, for the tests that read them all.
    pub fn all() -> Vec<Generated> {
        // Adapters' subgroups are powers of two.
        let every = [8, 16, 32, 64].into_iter();
        let every =
            every.flat_map(|lanes| [false, true].map(|cpu| Self::for_conv(lanes, cpu, 128)));
        every.map(|tile| tile.generate()).collect()
    }

    fn generate(&self) -> Generated {
        let Self { lanes, quads, rows, outputs } = *self;
        Generated {
            name: format!("conv_lanes {lanes}×({}×{rows}×{outputs})", 4 * quads),
            template: TEMPLATE,
            // Weights are loaded four at a time.
            values: context!(lanes, quads, rows, outputs, chunk => self.chunk() / 4),
            constants: &[],
            slots: SLOTS,
        }
    }
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
