//! Convolution by cooperative matrices, alone or fused with the block's norm, ReLU and pool: f16 factors,
//! f32 sums.

use minijinja::context;

use super::{
    Batch, Constants, Generated, Planes,
    conv_plain::{Params, flops},
    pack_weights::{Order, Packing},
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

const TEMPLATE: &str = wgsl!(
    "shared/f16",
    "shared/matrices",
    "shared/grid",
    "shared/planes",
    "shared/conv",
    "shared/fused",
    "conv_matrices"
);

/// The last is for fused blocks alone.
const SLOTS: &[Slot] = &[Slot::params::<Params>(), Slot::Read, Slot::Read, Slot::Write, Slot::Read];

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
        2 * pitch * self.staged() + 4 * self.matrices.side * self.distance() + 16 * self.slots
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
        let Self { matrices: Matrices { side, .. }, wide, slots, run, columns, blocks } = *self;
        let (threads, mixed) = (self.threads(), self.mixed());
        let (pitch, distance) = (self.pitch(), self.distance());
        let values = context!(
            side, wide, slots, mixed, run, columns, blocks, threads, pitch, distance,
            fused => fused.is_some(),
        );
        let constants = fused.map_or(&[][..], |filled| FILLED[usize::from(filled)]);
        let slots = if fused.is_some() { SLOTS } else { &SLOTS[..SLOTS.len() - 1] };
        let name = self.name(fused.is_some());
        Generated { name, template: TEMPLATE, values, constants, slots }
    }
}

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
