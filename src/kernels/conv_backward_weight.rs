//! Gradient of convolution 3×3 at its weights: the simplest version, and the one for adapters with
//! subgroups of one fixed size.

use minijinja::context;

use super::{Batch, Generated, Planes, WORKGROUP, conv_plain::flops, wgsl};
use crate::gpu::{Buffer, Dispatch, Gpu, Kernel, Slot, fold, params};

params! {
    /// Twin of `shaders/shared/conv_weights.wgsl`.
    pub(super) struct Params {
        pub input: Planes,
        pub planes: Planes,
        pub images_per_net: u32,
        pub nets: u32,
        pub accumulate: u32,
        /// Of conv_backward_weight_tiles: workgroups that share a network's images.
        pub parts: u32,
    }
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
    slots: &[Slot::params::<Params>(), Slot::Read, Slot::Read, Slot::Write],
};

/// `d_weights` (nets, outputs, inputs, 3, 3) from the convolution's `input` and the gradient at its
/// output, `d_planes`, both haloed or both dense. Adds to what is there if told to `accumulate`. Computed by
/// `unrolled`, which takes so many workgroups per network, or by the simplest kernel.
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
        parts: 1,
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
    /// On a CPU, registers spill cheaply and loads are expensive; on a GPU it is the other way round.
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
        let Self { lanes, outputs, inputs } = *self;
        Generated {
            name: format!("conv_backward_weight_lanes {lanes}×({outputs}×{inputs})"),
            template: TEMPLATE,
            values: context!(lanes, outputs, inputs, rows => ROWS),
            constants: &[],
            slots: KERNEL.slots,
        }
    }
}
