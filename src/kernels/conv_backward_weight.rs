//! Gradient of convolution 3×3 at its weights: the simplest version, and the one for adapters with
//! subgroups of one fixed size.

use bytemuck::{Pod, Zeroable};

use super::{Batch, Generated, Planes, WORKGROUP, conv::flops, unrolled::put, wgsl};
use crate::gpu::{Buffer, Dispatch, Gpu, Kernel, Slot, fold};

#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
struct Params {
    input: Planes,
    planes: Planes,
    images_per_net: u32,
    nets: u32,
    accumulate: u32,
    pad: u32,
}

pub(super) const KERNEL: Kernel = Kernel {
    name: "conv_backward_weight",
    source: wgsl!(
        "shared/grid",
        "shared/planes",
        "shared/planar",
        "shared/conv_weights",
        "conv_backward_weight"
    ),
    slots: &[Slot::Params(size_of::<Params>()), Slot::Read, Slot::Read, Slot::Write],
};

/// `d_weights` (nets, outputs, inputs, 3, 3) from the convolution's `input` and the gradient at its
/// output, `d_planes`, both haloed or both dense. Adds to what is there if told to `accumulate`. Computed by
/// `unrolled`, which takes so many workgroups a network, or by the simplest kernel.
pub(super) fn conv_backward_weight(
    gpu: &Gpu,
    unrolled: Option<(usize, Generated)>,
    (input, from): (&Buffer<f32>, Planes),
    (d_planes, layout): (&Buffer<f32>, Planes),
    d_weights: &Buffer<f32>,
    batch: Batch,
    accumulate: bool,
) -> Dispatch {
    let params = Params {
        input: from,
        planes: layout,
        images_per_net: (batch.images / batch.nets) as u32,
        nets: batch.nets as u32,
        accumulate: u32::from(accumulate),
        pad: 0,
    };
    let params = Buffer::params(gpu, "conv_backward_weight params", &params);
    let bindings = [params.binding(), input.binding(), d_planes.binding(), d_weights.binding()];
    let dispatch = match unrolled {
        Some((groups, kernel)) => kernel.dispatch(gpu, &bindings, fold(batch.nets * groups)),
        None => KERNEL.dispatch(gpu, &[], &bindings, fold(d_weights.len().div_ceil(WORKGROUP))),
    };
    dispatch
        .flops(flops(from, layout, batch.images))
        .values(batch.images * (from.values() + layout.values()) + d_weights.len())
}

/// What a subgroup of the lanes version works at: the taps of `outputs` × `inputs` channel pairs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WeightTile {
    lanes: usize,
    outputs: usize,
    inputs: usize,
}

const TEMPLATE: &str = wgsl!(
    "shared/grid",
    "shared/planes",
    "shared/walk",
    "shared/planar_vec",
    "shared/conv_weights",
    "conv_backward_weight_lanes"
);

/// Rows of a tile. Two at most, for a plane's halo to be all that a tile can reach past its edge.
const ROWS: usize = 2;

impl WeightTile {
    /// On a CPU registers spill cheaply and loads are dear; on a GPU it is the other way round.
    pub fn new(lanes: usize, cpu: bool, inputs: usize) -> Self {
        let most = if cpu { 4 } else { 2 };
        Self { lanes, outputs: most, inputs: inputs.min(most) }
    }

    /// Workgroups for a network.
    pub fn groups(&self, outputs: usize, inputs: usize) -> usize {
        outputs.div_ceil(self.outputs) * inputs.div_ceil(self.inputs)
    }

    /// Every specialisation that any adapter can ask for, for the tests that read them all.
    pub fn all() -> Vec<Generated> {
        let every = [8, 16, 32, 64].into_iter().flat_map(|lanes| {
            [true, false].into_iter().flat_map(move |cpu| {
                [1, 3, 128].map(|inputs| Self::new(lanes, cpu, inputs).generate())
            })
        });
        every.collect()
    }

    pub(super) fn generate(&self) -> Generated {
        let (name, source) = (self.name(), self.source());
        Generated { name, source, constants: &[], slots: KERNEL.slots }
    }

    fn name(&self) -> String {
        let Self { lanes, outputs, inputs } = self;
        format!("conv_backward_weight_lanes {lanes}×({outputs}×{inputs})")
    }

    /// The whole WGSL.
    fn source(&self) -> String {
        let Self { lanes, outputs, inputs } = self;
        let constants = format!(
            "const LANES = {lanes}u;\nconst TEAM = LANES;\nconst OUTPUTS = {outputs}u;\nconst INPUTS = {inputs}u;\n\
             const ROWS = {ROWS}u;\n"
        );
        let body = TEMPLATE
            .replace("//{lanes_sum}", &self.lanes_sum())
            .replace("//{accumulators}", &self.accumulators())
            .replace("//{taps}", &self.taps())
            .replace("//{store}", &self.store());
        constants + &body
    }

    fn pairs(&self) -> impl Iterator<Item = (usize, usize)> + Clone {
        let inputs = self.inputs;
        (0..self.outputs).flat_map(move |k| (0..inputs).map(move |c| (k, c)))
    }

    fn lanes_sum(&self) -> String {
        let mut text = String::new();
        let mut distance = 1;
        while distance < self.lanes {
            put(&mut text, format_args!("sum += subgroupShuffleXor(sum, {distance}u);"));
            distance *= 2;
        }
        text
    }

    fn accumulators(&self) -> String {
        let mut text = String::new();
        for (k, c) in self.pairs() {
            for tap in 0..9 {
                put(&mut text, format_args!("var a{k}_{c}_{tap} = vec4f();"));
            }
        }
        text
    }

    /// One tile a lane: load the input's rows, then output by output the gradient's.
    fn taps(&self) -> String {
        let mut text = String::new();
        for c in 0..self.inputs {
            put(
                &mut text,
                format_args!(
                    "let x{c} = (image * inputs + min(first_c + {c}u, inputs - 1u)) * x_plane + offset;"
                ),
            );
            for r in 0..ROWS + 2 {
                put(&mut text, format_args!("let l{c}_{r} = input[x{c} + {r}u * pitch];"));
                put(&mut text, format_args!("let n{c}_{r} = input[x{c} + {r}u * pitch + 1u];"));
                let (l, n) = (format!("l{c}_{r}"), format!("n{c}_{r}"));
                put(&mut text, format_args!("let m{c}_{r} = vec4f({l}.yzw, {n}.x);"));
                put(&mut text, format_args!("let r{c}_{r} = vec4f({l}.zw, {n}.xy);"));
            }
        }
        for k in 0..self.outputs {
            put(
                &mut text,
                format_args!(
                    "let d{k} = (image * outputs + min(first_k + {k}u, outputs - 1u)) * d_plane + offset;"
                ),
            );
            for j in 0..ROWS {
                let row = format!("d{k} + {}u * pitch", j + 1);
                put(
                    &mut text,
                    format_args!(
                        "let g{k}_{j} = live * vec4f(d_planes[{row}].yzw, d_planes[{row} + 1u].x);"
                    ),
                );
                for c in 0..self.inputs {
                    for tap in 0..9 {
                        let (row, column) = (j + tap / 3, ["l", "m", "r"][tap % 3]);
                        put(
                            &mut text,
                            format_args!("a{k}_{c}_{tap} += g{k}_{j} * {column}{c}_{row};"),
                        );
                    }
                }
            }
        }
        text
    }

    fn store(&self) -> String {
        let mut text = String::new();
        for (k, c) in self.pairs() {
            for tap in 0..9 {
                put(&mut text, format_args!("let s{k}_{c}_{tap} = lanes_sum(a{k}_{c}_{tap});"));
            }
            put(
                &mut text,
                format_args!(
                    "if lane == 0u && first_k + {k}u < outputs && first_c + {c}u < inputs {{\n\
                     let at = ((net * outputs + first_k + {k}u) * inputs + first_c + {c}u) * 9u;"
                ),
            );
            for tap in 0..9 {
                put(
                    &mut text,
                    format_args!(
                        "d_weights[at + {tap}u] = s{k}_{c}_{tap} + kept * d_weights[at + {tap}u];"
                    ),
                );
            }
            text.push_str("}\n");
        }
        text
    }
}
