//! Gradient of convolution 3×3 at its weights for GPUs, in tiles that workgroups share. Writes out the
//! unrolled parts of `shaders/conv_backward_weight_tiles.wgsl`.

use bytemuck::{Pod, Zeroable};

use super::{Batch, Generated, Planes, class_sum, conv::flops, conv_lanes::put, wgsl};
use crate::gpu::{Buffer, Gpu, Recording, Slot, fold};

#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
struct Params {
    input: Planes,
    planes: Planes,
    images_per_net: u32,
    nets: u32,
    accumulate: u32,
    parts: u32,
}

/// What a workgroup owns: the taps of 4·`lots_k` × `per_c`·`lots_c` channel pairs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WeightTiles {
    lots_k: usize,
    per_c: usize,
    lots_c: usize,
}

const TEMPLATE: &str = wgsl!("shared/grid", "shared/planes", "conv_backward_weight_tiles");

const SLOTS: &[Slot] = &[Slot::Params(size_of::<Params>()), Slot::Read, Slot::Read, Slot::Write];

/// Workgroups that a network's gradient is shared out to at least, where it has as many images. A
/// fixed number, as the parts decide how sums are rounded.
const WORKGROUPS: usize = 64;

impl WeightTiles {
    pub fn new(outputs: usize, inputs: usize) -> Self {
        let (per_c, lots_c) = match inputs {
            // Images: the gradient, which is all that matters, is then read once.
            0..=4 => (1, inputs.max(1)),
            5..=16 => (2, 8),
            _ => (2, 16),
        };
        let most = if lots_c == 16 { 16 } else { 32 };
        let lots_k = [4, 16, 32].into_iter().find(|lots| 4 * lots >= outputs).unwrap_or(32);
        Self { lots_k: lots_k.min(most), per_c, lots_c }
    }

    /// Workgroups for all channel pairs.
    fn groups(&self, outputs: usize, inputs: usize) -> usize {
        outputs.div_ceil(4 * self.lots_k) * inputs.div_ceil(self.per_c * self.lots_c)
    }

    /// Into how many parts a network's images are cut.
    fn parts(&self, outputs: usize, inputs: usize, images: usize) -> usize {
        let most = (WORKGROUPS / self.groups(outputs, inputs)).clamp(1, images.max(1));
        images.max(1).div_ceil(images.max(1).div_ceil(most))
    }

    /// Values that the parts of a network's gradient take: none if there is one part only.
    pub fn parts_len(outputs: usize, inputs: usize) -> usize {
        let most = WORKGROUPS / Self::new(outputs, inputs).groups(outputs, inputs);
        if most > 1 { most * outputs * inputs * 9 } else { 0 }
    }

    /// Every specialisation that any adapter can ask for, for the tests that read them all.
    pub fn all() -> Vec<Generated> {
        let mut all = Vec::new();
        for outputs in [16, 64, 128] {
            for inputs in [1, 2, 3, 4, 16, 17] {
                all.push(Self::new(outputs, inputs).generate());
            }
        }
        all
    }

    fn generate(&self) -> Generated {
        let Self { lots_k, per_c, lots_c } = self;
        let (outputs, inputs) = (4 * lots_k, per_c * lots_c);
        let name = format!("conv_backward_weight_tiles {outputs}×{inputs}");
        Generated { name, source: self.source(), constants: &[], slots: SLOTS }
    }

    /// The whole WGSL.
    fn source(&self) -> String {
        let Self { lots_k, per_c, lots_c } = self;
        let constants = format!(
            "const LOTS_K = {lots_k}u;\nconst PER_C = {per_c}u;\nconst LOTS_C = {lots_c}u;\n"
        );
        let mut accumulators = String::new();
        for (k, c) in self.pairs() {
            for tap in 0..9 {
                put(&mut accumulators, format_args!("var a{k}_{c}_{tap} = 0.0;"));
            }
        }
        let body = TEMPLATE
            .replace("//{accumulators}", &accumulators)
            .replace("//{tile}", &self.tile())
            .replace("//{store}", &self.store());
        constants + &body
    }

    fn pairs(&self) -> impl Iterator<Item = (usize, usize)> + Clone {
        let inputs = self.per_c;
        (0..4).flat_map(move |k| (0..inputs).map(move |c| (k, c)))
    }

    /// One tile, row by row. Each row of the input is loaded when it is first needed, and each vec4f
    /// of the gradient serves all inputs at once: in any other order compilers keep more of them.
    fn tile(&self) -> String {
        let mut text = String::new();
        let load = |text: &mut String, r: usize| {
            for c in 0..self.per_c {
                let (from, n) =
                    (format!("staged[lot_c + {}u]", c * self.lots_c), format!("{c}_{r}"));
                put(text, format_args!("let l{n} = {from}[{}];", 2 * r));
                put(text, format_args!("let n{n} = {from}[{}].xy;", 2 * r + 1));
                // The same pixels as seen by the middle and by the right tap.
                put(text, format_args!("let m{n} = vec4f(l{n}.yzw, n{n}.x);"));
                put(text, format_args!("let r{n} = vec4f(l{n}.zw, n{n});"));
            }
        };
        (0..2).for_each(|r| load(&mut text, r));
        for row in 0..4 {
            load(&mut text, row + 2);
            for k in 0..4 {
                let g = format!("g{k}_{row}");
                put(&mut text, format_args!("let {g} = gradient[lot_k][{}];", 4 * k + row));
                for (c, tap) in (0..self.per_c).flat_map(|c| (0..9).map(move |tap| (c, tap))) {
                    let x = format!("{}{c}_{}", ["l", "m", "r"][tap % 3], row + tap / 3);
                    let [x0, x1, x2, x3] =
                        ["x", "y", "z", "w"].map(|i| format!("{g}.{i} * {x}.{i}"));
                    let a = format!("a{k}_{c}_{tap}");
                    put(&mut text, format_args!("{a} = {a} + {x0} + {x1} + {x2} + {x3};"));
                }
            }
        }
        text
    }

    fn store(&self) -> String {
        let mut text = String::new();
        for (k, c) in self.pairs() {
            put(
                &mut text,
                format_args!(
                    "{{\nlet k = first_k + 4u * lot_k + {k}u;\n\
                     let c = first_c + {}u + lot_c;\n\
                     if k < outputs && c < inputs {{\n\
                     let at = ((first + k) * inputs + c) * 9u;\n\
                     if params.accumulate == 1u {{",
                    c * self.lots_c
                ),
            );
            for tap in 0..9 {
                put(&mut text, format_args!("a{k}_{c}_{tap} += d_weights[at + {tap}u];"));
            }
            text.push_str("}\n");
            for tap in 0..9 {
                put(&mut text, format_args!("d_weights[at + {tap}u] = a{k}_{c}_{tap};"));
            }
            text.push_str("}\n}\n");
        }
        text
    }
}

/// As [`conv_backward_weight`](super::conv_backward_weight); `parts` has
/// [`WeightTiles::parts_len`] values a network, and nothing in it is kept.
#[allow(clippy::too_many_arguments)]
pub(crate) fn conv_backward_weight_tiles(
    gpu: &Gpu,
    recording: &mut Recording,
    (input, from): (&Buffer<f32>, Planes),
    (d_planes, layout): (&Buffer<f32>, Planes),
    d_weights: &Buffer<f32>,
    parts: &Buffer<f32>,
    batch: Batch,
    accumulate: bool,
) {
    let (inputs, outputs) = (from.channels as usize, layout.channels as usize);
    let tile = WeightTiles::new(outputs, inputs);
    let images_per_net = batch.images / batch.nets;
    let count = tile.parts(outputs, inputs, images_per_net);
    let params = Params {
        input: from,
        planes: layout,
        images_per_net: images_per_net as u32,
        nets: batch.nets as u32,
        accumulate: u32::from(accumulate && count == 1),
        parts: count as u32,
    };
    let params = Buffer::params(gpu, "conv_backward_weight_tiles params", &params);
    let result = if count == 1 { d_weights } else { parts };
    let bindings = [params.binding(), input.binding(), d_planes.binding(), result.binding()];
    let grid = fold(batch.nets * count * tile.groups(outputs, inputs));
    recording.push(
        tile.generate()
            .dispatch(gpu, &bindings, grid)
            .flops(flops(from, layout, batch.images))
            .values(batch.images * (from.values() + layout.values()) + count * d_weights.len()),
    );
    if count > 1 {
        let starts: Vec<_> = (0..=batch.nets).map(|net| (net * count) as u32).collect();
        let starts = Buffer::from_slice(gpu, "part starts", &starts);
        let (all, nets) = (0..batch.nets * count, 0..batch.nets);
        let values = d_weights.len() / batch.nets;
        let sum = class_sum(gpu, &starts, parts, d_weights, values, all, nets, accumulate);
        recording.push(sum);
    }
}
