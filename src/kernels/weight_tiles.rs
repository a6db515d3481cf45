//! Gradient of convolution 3×3 at its weights for GPUs, in tiles that workgroups share.

use minijinja::context;

use super::{
    Batch, Generated, Planes, class_sum, conv_backward_weight::Params, conv_plain::flops, wgsl,
};
use crate::gpu::{Buffer, Gpu, Recording, Slot, fold};

/// What a workgroup owns: the taps of 4·`lots_k` × `lots_c` channel pairs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WeightTiles {
    lots_k: usize,
    lots_c: usize,
}

const TEMPLATE: &str = wgsl!(
    "shared/grid",
    "shared/planes",
    "shared/planar_vec",
    "shared/conv_weights",
    "conv_backward_weight_tiles"
);

const SLOTS: &[Slot] = &[Slot::params::<Params>(), Slot::Read, Slot::Read, Slot::Write];

/// Workgroups that a network's gradient is shared out to at least, where it has as many images. A
/// fixed number, as the parts decide how sums are rounded.
const WORKGROUPS: usize = 64;

impl WeightTiles {
    pub fn new(outputs: usize, inputs: usize) -> Self {
        let lots_c = match inputs {
            // Images: the gradient, which is all that matters, is then read once.
            0..=4 => inputs.max(1),
            5..=8 => 8,
            _ => 16,
        };
        let most = if lots_c == 16 { 16 } else { 32 };
        let lots_k = [4, 16, 32].into_iter().find(|lots| 4 * lots >= outputs).unwrap_or(32);
        Self { lots_k: lots_k.min(most), lots_c }
    }

    /// Workgroups for all channel pairs.
    fn groups(&self, outputs: usize, inputs: usize) -> usize {
        outputs.div_ceil(4 * self.lots_k) * inputs.div_ceil(self.lots_c)
    }

    /// Into how many parts a network's images are cut.
    fn parts(&self, outputs: usize, inputs: usize, images: usize) -> usize {
        let most = (WORKGROUPS / self.groups(outputs, inputs)).clamp(1, images.max(1));
        images.max(1).div_ceil(images.max(1).div_ceil(most))
    }

    /// Values that the parts of a network's gradient take: none if there is one part only.
    pub fn parts_len(&self, outputs: usize, inputs: usize) -> usize {
        let most = WORKGROUPS / self.groups(outputs, inputs);
        if most > 1 { most * outputs * inputs * 9 } else { 0 }
    }

    /// Every specialisation that any adapter can ask for, for the tests that read them all.
    pub fn all() -> Vec<Generated> {
        let mut all = Vec::new();
        for outputs in [16, 64, 128] {
            for inputs in [1, 2, 3, 4, 8, 16] {
                all.push(Self::new(outputs, inputs).generate());
            }
        }
        all
    }

    fn generate(&self) -> Generated {
        let Self { lots_k, lots_c } = *self;
        Generated {
            name: format!("conv_backward_weight_tiles {}×{lots_c}", 4 * lots_k),
            template: TEMPLATE,
            values: context!(lots_k, inputs => lots_c),
            constants: &[],
            slots: SLOTS,
        }
    }
}

/// As [`conv_backward_weight`](super::conv_backward_weight); `parts` has
/// [`WeightTiles::parts_len`] values per network, and nothing in it is kept.
#[allow(clippy::too_many_arguments)]
pub(super) fn conv_backward_weight_tiles(
    gpu: &Gpu,
    recording: &mut Recording,
    tile: WeightTiles,
    (input, from): (&Buffer<f32>, Planes),
    (d_planes, layout): (&Buffer<f32>, Planes),
    d_weights: &Buffer<f32>,
    parts: &Buffer<f32>,
    batch: Batch,
    accumulate: bool,
) {
    let (inputs, outputs) = (from.channels as usize, layout.channels as usize);
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
        let values = outputs * inputs * 9;
        let sum = class_sum(gpu, &starts, parts, d_weights, values, all, nets, accumulate);
        recording.push(sum);
    }
}
