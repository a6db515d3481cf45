//! Convolution for GPUs, in tiles that workgroups share, alone or fused with the block's norm, ReLU
//! and pool.

use minijinja::context;

use super::{
    Batch, Constants, Generated, Planes,
    conv_plain::{Params, flops},
    pack_weights::{Order, Packing},
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

const TEMPLATE: &str = wgsl!(
    "shared/grid",
    "shared/planes",
    "shared/conv",
    "shared/put",
    "shared/fused",
    "conv_tiles"
);

/// The last is for fused blocks alone.
const SLOTS: &[Slot] = &[Slot::params::<Params>(), Slot::Read, Slot::Read, Slot::Write, Slot::Read];

/// Whether planes fill their tiles, for fused blocks.
const FILLED: [Constants; 2] = [&[("FILLED", 0.0)], &[("FILLED", 1.0)]];

/// Input channels, those of images, for which loading ahead costs more than it saves.
const FEW: u32 = 4;

/// vec4f that a thread stages at a time at most: each takes four registers and some lines.
const WRITTEN_OUT: usize = 12;

/// Of the largest GPUs, about.
const MULTIPROCESSORS: usize = 128;

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

    /// The same for so many tiles of pixels and output channels. Where they would leave much of a large GPU without
    /// work, with fewer tiles in a workgroup; this changes no sum and no packing.
    fn for_grid(self, tiles: usize, outputs: usize) -> Self {
        let groups = tiles.div_ceil(self.tiles) * outputs.div_ceil(self.width());
        if groups < MULTIPROCESSORS { self.spread() } else { self }
    }

    /// With as few tiles as fill a subgroup.
    fn spread(self) -> Self {
        let tiles = 32_usize.div_ceil(self.team() * self.groups).min(self.tiles);
        Self { tiles, ..self }
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

    /// Input channels that are staged at a time. More than four save few barriers, and what a thread stages is
    /// written out.
    fn step(&self) -> usize {
        let (patch, taps) = self.staged();
        let room = TILES_BYTES / 16 - self.tiles.div_ceil(4);
        let most = (room / (patch + taps)).clamp(1, 4);
        let written_out = |step: usize| {
            let (loads, weights) = self.shares(step);
            loads + weights <= WRITTEN_OUT
        };
        (1..=most).rev().find(|&step| written_out(step)).unwrap_or(1)
    }

    /// vec4f of pixels and of weights that each thread stages of so many input channels.
    fn shares(&self, step: usize) -> (usize, usize) {
        let pixels = self.tiles * (2 * self.down + 2) * (self.across + 1);
        let threads = self.threads();
        ((step * pixels).div_ceil(threads), (step * self.staged().1).div_ceil(threads))
    }

    fn name(&self, fused: bool, ahead: bool) -> String {
        let Self { across, down, tiles, groups, outputs } = self;
        let kind = if fused { "block_tiles" } else { "conv_tiles" };
        let few = if ahead { "" } else { " few" };
        format!("{kind} {tiles}×({}×{})×{}{few}", 4 * across, 2 * down, groups * outputs)
    }

    /// How the weights are to be packed for it.
    pub fn packing(&self) -> Packing {
        Packing { outputs: self.width(), chunk: 9 * self.width(), order: Order::Taps }
    }

    /// Every specialisation that any adapter can ask for, for the tests that read them all.
    pub fn all() -> Vec<Generated> {
        let mut all = Vec::new();
        // Widths that take every number of groups; sizes that take every shape.
        for outputs in [4, 8, 16, 32, 64] {
            for size in [1, 2, 4, 8, 16, 32] {
                let conv = Self::for_conv(size, outputs);
                let block = Self::for_block(size, outputs);
                for ahead in [false, true] {
                    all.extend([conv, conv.spread()].map(|tile| tile.generate(None, ahead)));
                    for tile in block.into_iter().flat_map(|tile| [tile, tile.spread()]) {
                        all.extend([false, true].map(|filled| tile.generate(Some(filled), ahead)));
                    }
                }
            }
        }
        all
    }

    /// With `fused`: whether planes fill their tiles. `ahead`: whether a step's input channels are loaded
    /// while the step before is computed.
    fn generate(&self, fused: Option<bool>, ahead: bool) -> Generated {
        let slots = if fused.is_some() { SLOTS } else { &SLOTS[..SLOTS.len() - 1] };
        let Self { across, down, tiles, groups, outputs } = *self;
        let (threads, step, pitch, stride) =
            (self.threads(), self.step(), self.pitch(), self.stride());
        // Room for sums over planes, too.
        let patch = (step * self.staged().0).max(if fused.is_some() { threads } else { 0 });
        let (loads, weights) = self.shares(step);
        let values = context!(
            across, down, tiles, groups, outputs, threads, step, pitch, stride, patch, loads, weights, ahead,
            fused => fused.is_some(),
        );
        let constants = fused.map_or(&[][..], |filled| FILLED[usize::from(filled)]);
        let name = self.name(fused.is_some(), ahead);
        Generated { name, template: TEMPLATE, values, constants, slots }
    }
}

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
    let tile = tile.for_grid(batch.nets * per_net, to.channels as usize);
    let groups = batch.nets * per_net.div_ceil(tile.tiles);
    let mut bindings = vec![params.binding(), input.binding(), weights.binding(), result.binding()];
    bindings.extend(fused.map(Buffer::binding));
    let grid = fold(groups * (to.channels as usize).div_ceil(tile.width()));
    tile.generate(fused.map(|_| size == wide && size == high), from.channels > FEW)
        .dispatch(gpu, &bindings, grid)
        .flops(flops(from, to, batch.images))
        .values(batch.images * (from.values() + to.values()) + weights.len())
}
