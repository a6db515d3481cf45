//! Reading, normalising and augmenting images, and the transpose; the means that contrast needs.

use bytemuck::{Pod, Zeroable};

use super::{Planes, wgsl};
use crate::{
    augment::Row,
    gpu::{Buffer, Gpu, Kernel, Memory, Recording, Slot, fold, params},
};

params! {
    struct Params {
        source: Planes,
        result: Planes,
        mean: [f32; 4],
        deviation: [f32; 4],
        first_item: u32,
        images: u32,
        gather: u32,
        pad: u32,
    }
}

/// Which image of the source, under which row.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
pub(crate) struct Item {
    pub image: u32,
    pub row: u32,
}

const SLOTS: [Slot; 6] =
    [Slot::params::<Params>(), Slot::Read, Slot::Read, Slot::Read, Slot::Read, Slot::Write];

pub(super) const IMAGE_MEAN: Kernel = Kernel {
    name: "image_mean",
    source: wgsl!(
        "shared/grid",
        "shared/planes",
        "shared/team",
        "shared/reduce",
        "shared/walk",
        "shared/augment",
        "shared/augment_batch",
        "shared/source",
        "image_mean"
    ),
    slots: &[SLOTS[0], SLOTS[1], SLOTS[2], SLOTS[3], Slot::Write],
};

pub(super) const FORWARD: Kernel = Kernel {
    name: "augment_forward",
    source: wgsl!(
        "shared/grid",
        "shared/planes",
        "shared/team",
        "shared/walk",
        "shared/augment",
        "shared/augment_batch",
        "shared/source",
        "augment_forward"
    ),
    slots: &SLOTS,
};

pub(super) const BACKWARD: Kernel = Kernel {
    name: "augment_backward",
    source: wgsl!(
        "shared/grid",
        "shared/planes",
        "shared/team",
        "shared/walk",
        "shared/augment",
        "shared/augment_batch",
        "shared/source",
        "shared/augment_transpose",
        "augment_backward"
    ),
    slots: &SLOTS,
};

/// The same for CPU adapters: images are taken to a texture first.
pub(super) const READ: Kernel = Kernel {
    name: "augment_read_cpu",
    source: wgsl!(
        "shared/grid",
        "shared/planes",
        "shared/team",
        "shared/walk",
        "shared/texels",
        "shared/augment",
        "shared/augment_batch",
        "shared/source",
        "augment_cpu/read"
    ),
    slots: &[SLOTS[0], SLOTS[1], SLOTS[2], SLOTS[3], Slot::Write],
};

pub(super) const MEAN_CPU: Kernel = Kernel {
    name: "image_mean_cpu",
    source: wgsl!(
        "shared/grid",
        "shared/planes",
        "shared/team",
        "shared/reduce",
        "shared/texels",
        "shared/augment",
        "shared/augment_batch",
        "shared/augment_values",
        "augment_cpu/mean"
    ),
    slots: &[SLOTS[0], SLOTS[1], SLOTS[2], Slot::Texels, Slot::Write],
};

const SLOTS_CPU: [Slot; 6] = [SLOTS[0], SLOTS[1], SLOTS[2], Slot::Texels, Slot::Read, Slot::Write];

pub(super) const FORWARD_CPU: Kernel = Kernel {
    name: "augment_forward_cpu",
    source: wgsl!(
        "shared/grid",
        "shared/planes",
        "shared/team",
        "shared/walk",
        "shared/texels",
        "shared/augment",
        "shared/augment_batch",
        "shared/augment_values",
        "shared/augment_four",
        "augment_cpu/forward"
    ),
    slots: &SLOTS_CPU,
};

pub(super) const BACKWARD_CPU: Kernel = Kernel {
    name: "augment_backward_cpu",
    source: wgsl!(
        "shared/grid",
        "shared/planes",
        "shared/team",
        "shared/walk",
        "shared/texels",
        "shared/augment",
        "shared/augment_batch",
        "shared/augment_values",
        "shared/augment_four",
        "shared/augment_transpose",
        "augment_cpu/backward"
    ),
    slots: &SLOTS_CPU,
};

pub(super) const VARIANTS: &[&[(&str, f64)]] = &[&[("PIXELS", 0.0)], &[("PIXELS", 1.0)]];

/// What is augmented: values, or pixels with the mean and std that normalise them.
#[derive(Clone, Copy)]
pub(crate) enum Source<'a> {
    Values(&'a Buffer<f32>),
    Pixels { bytes: &'a Buffer<u8>, mean: &'a [f32], std: &'a [f32] },
}

/// What augmentation needs of its own, for the images of a chunk.
#[derive(Debug)]
pub(crate) struct AugmentRoom<M: Memory = Gpu> {
    means: M::Buffer<f32>,
    /// On CPU adapters the images themselves: loads from textures are far cheaper there.
    texels: Option<M::Texels>,
}

impl<M: Memory> AugmentRoom<M> {
    pub fn new(memory: &M, of: &str, images: usize, (channels, size): (usize, usize)) -> Self {
        let in_texels =
            memory.caps().texel_lanes().is_some() && size.is_multiple_of(4) && channels <= 3;
        let len = images * channels * size * size / 4;
        Self {
            means: memory.buffer(&format!("means of {of}"), images),
            texels: in_texels.then(|| {
                let staging = memory.staging(&format!("texels of {of}, written"), len);
                memory.texels(&format!("texels of {of}"), len, &staging)
            }),
        }
    }
}

/// The buffers of a batch's augmentation: one [`Item`] an image, the rows they name, and room for a chunk.
#[derive(Clone, Copy)]
pub(crate) struct Augment<'a> {
    pub items: &'a Buffer<Item>,
    pub rows: &'a Buffer<Row>,
    pub room: &'a AugmentRoom,
}

impl Augment<'_> {
    /// Augments items `first_item…first_item + images`, each from the source image it names, to
    /// consecutive images of `result`. The border around `to` in `result` stays as it is.
    #[allow(clippy::too_many_arguments)]
    pub fn forward(
        &self,
        gpu: &Gpu,
        recording: &mut Recording,
        source: Source<'_>,
        from: Planes,
        result: &Buffer<f32>,
        to: Planes,
        first_item: usize,
        images: usize,
    ) {
        let (binding, constants) = match source {
            Source::Values(values) => (values.binding(), VARIANTS[0]),
            Source::Pixels { bytes, .. } => (bytes.binding(), VARIANTS[1]),
        };
        let mut params = params(from, to, first_item, images, true);
        if let Source::Pixels { mean, std, .. } = source {
            params.mean[..mean.len()].copy_from_slice(mean);
            params.deviation[..std.len()].copy_from_slice(std);
        }
        let kernels = [&FORWARD, &FORWARD_CPU];
        self.record(gpu, recording, kernels, params, constants, &binding, result);
    }

    /// The transpose: from the gradient at consecutive augmented images, `d_output`, to the one at
    /// each item's own image in `d_input`.
    #[allow(clippy::too_many_arguments)]
    pub fn backward(
        &self,
        gpu: &Gpu,
        recording: &mut Recording,
        d_output: &Buffer<f32>,
        from: Planes,
        d_input: &Buffer<f32>,
        to: Planes,
        first_item: usize,
        images: usize,
    ) {
        let params = params(from, to, first_item, images, false);
        let source = d_output.binding();
        let kernels = [&BACKWARD, &BACKWARD_CPU];
        self.record(gpu, recording, kernels, params, VARIANTS[0], &source, d_input);
    }

    #[allow(clippy::too_many_arguments)]
    fn record(
        &self,
        gpu: &Gpu,
        recording: &mut Recording,
        [kernel, of_texels]: [&Kernel; 2],
        params: Params,
        constants: &[(&str, f64)],
        source: &wgpu::BindingResource<'_>,
        result: &Buffer<f32>,
    ) {
        let images = params.images as usize;
        let value = if constants == VARIANTS[1] { 1 } else { size_of::<f32>() };
        let (from, to) =
            (params.source.values() * value, params.result.values() * size_of::<f32>());
        let planes = params.source;
        let params = Buffer::params(gpu, "augment params", &params);
        let [params, items, rows] = [params.binding(), self.items.binding(), self.rows.binding()];
        let (means, result) = (self.room.means.binding(), result.binding());
        let grid = fold(images);
        let Some(texels) = &self.room.texels else {
            let inputs = [params, items, rows, source.clone(), means];
            recording.push(IMAGE_MEAN.dispatch(gpu, constants, &inputs, grid));
            let all = [&inputs[..], &[result]].concat();
            recording.push(kernel.dispatch(gpu, constants, &all, grid).bytes(images * (from + to)));
            return;
        };
        let inputs = [params.clone(), items.clone(), rows.clone(), source.clone(), texels.target()];
        let read = READ.dispatch(gpu, constants, &inputs, grid).bytes(images * (from + to));
        recording.push(read.fills(texels, images * planes.values()));
        let inputs = [params, items, rows, texels.binding(), means];
        recording.push(MEAN_CPU.dispatch(gpu, &[], &inputs, grid));
        let all = [&inputs[..], &[result]].concat();
        recording.push(of_texels.dispatch(gpu, &[], &all, grid).bytes(images * 2 * to));
    }
}

fn params(
    source: Planes,
    result: Planes,
    first_item: usize,
    images: usize,
    gather: bool,
) -> Params {
    Params {
        source,
        result,
        mean: [0.0; 4],
        deviation: [1.0; 4],
        first_item: first_item as u32,
        images: images as u32,
        gather: u32::from(gather),
        pad: 0,
    }
}
