//! Reading, normalising and augmenting images, and the transpose; the means that contrast needs.

use bytemuck::{Pod, Zeroable};

use super::{Planes, wgsl};
use crate::{
    augment::Row,
    gpu::{Buffer, Caps, Gpu, Kernel, Memory, Recording, Slot, Stored, Values, fold, params},
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
        "shared/walk",
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

/// Of the kernels that write four pixels at once.
pub(super) const ALIGNMENTS: &[&[(&str, f64)]] = &[&[("ALIGNED", 0.0)], &[("ALIGNED", 1.0)]];

/// What is augmented: values, or pixels with the mean and std that normalise them.
#[derive(Clone, Copy)]
pub(crate) enum Source<'a> {
    /// In a texture only what an augmentation has left there, image for image.
    Values(Values<'a>),
    Pixels {
        bytes: &'a Buffer<u8>,
        mean: &'a [f32],
        std: &'a [f32],
    },
}

/// What augmentation needs of its own, for the images of a chunk.
#[derive(Debug)]
pub(crate) struct AugmentRoom<M: Memory = Gpu> {
    means: M::Buffer<f32>,
    image_len: usize,
    /// On CPU adapters the images themselves: loads from textures are far cheaper there.
    texels: Option<(M::Texels, M::Staging)>,
}

/// Whether a device augments such images in textures, so that it can leave them there.
pub(crate) fn augments_in_texels(caps: &Caps, (channels, size): (usize, usize)) -> bool {
    caps.lanes().is_some() && size.is_multiple_of(4) && channels <= 3
}

impl<M: Memory> AugmentRoom<M> {
    pub fn new(memory: &M, of: &str, images: usize, image: (usize, usize)) -> Self {
        let image_len = image.0 * image.1 * image.1;
        let len = images * image_len / 4;
        Self {
            means: memory.buffer(&format!("means of {of}"), images),
            image_len,
            texels: augments_in_texels(memory.caps(), image).then(|| {
                let staging = memory.staging(&format!("texels of {of}, written"), len);
                (memory.texels(&format!("texels of {of}"), len, &staging), staging)
            }),
        }
    }

    /// Room for at most as many images between two augmentations.
    pub fn between(&self, memory: &M, label: &str, images: usize) -> Stored<M> {
        let len = images * self.image_len;
        match &self.texels {
            Some((_, staging)) => Stored::Texels(memory.texels(label, len / 4, staging)),
            None => Stored::Buffer(memory.buffer(label, len)),
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
    /// consecutive images of `result`, whose planes lie around each image's; what is left is zero. Outside of the planes,
    /// `result` stays as it is.
    #[allow(clippy::too_many_arguments)]
    pub fn forward(
        &self,
        gpu: &Gpu,
        recording: &mut Recording,
        source: Source<'_>,
        from: Planes,
        result: Values<'_>,
        to: Planes,
        first_item: usize,
        images: usize,
    ) {
        let mut params = params(from, to, first_item, images, true);
        if let Source::Pixels { mean, std, .. } = source {
            params.mean[..mean.len()].copy_from_slice(mean);
            params.deviation[..std.len()].copy_from_slice(std);
        }
        let kernels = [&FORWARD, &FORWARD_CPU];
        self.record(gpu, recording, kernels, params, source, result);
    }

    /// The transpose: from the gradient at consecutive augmented images, `d_output`, to the one at
    /// each item's own image in `d_input`.
    #[allow(clippy::too_many_arguments)]
    pub fn backward(
        &self,
        gpu: &Gpu,
        recording: &mut Recording,
        d_output: Values<'_>,
        from: Planes,
        d_input: Values<'_>,
        to: Planes,
        first_item: usize,
        images: usize,
    ) {
        let params = params(from, to, first_item, images, false);
        let kernels = [&BACKWARD, &BACKWARD_CPU];
        self.record(gpu, recording, kernels, params, Source::Values(d_output), d_input);
    }

    fn record(
        &self,
        gpu: &Gpu,
        recording: &mut Recording,
        [kernel, of_texels]: [&Kernel; 2],
        params: Params,
        source: Source<'_>,
        result: Values<'_>,
    ) {
        let (given, constants, value) = match source {
            Source::Values(values) => (values.binding(), VARIANTS[0], size_of::<f32>()),
            Source::Pixels { bytes, .. } => (bytes.binding(), VARIANTS[1], 1),
        };
        let images = params.images as usize;
        let (from, to) =
            (params.source.values() * value, params.result.values() * size_of::<f32>());
        let (planes, made) = (params.source, images * params.result.image_len());
        let aligned = usize::from(params.result.is_aligned());
        let params = Buffer::params(gpu, "augment params", &params);
        let [params, items, rows] = [params.binding(), self.items.binding(), self.rows.binding()];
        let means = self.room.means.binding();
        let grid = fold(images);
        let Some((texels, _)) = &self.room.texels else {
            let inputs = [params, items, rows, given, means];
            recording.push(IMAGE_MEAN.dispatch(gpu, constants, &inputs, grid));
            let all = [&inputs[..], &[result.target()]].concat();
            recording.push(kernel.dispatch(gpu, constants, &all, grid).bytes(images * (from + to)));
            return;
        };
        let read = match source {
            Source::Values(Values::Texels(given)) => given,
            Source::Values(Values::Buffer(_)) | Source::Pixels { .. } => {
                let inputs = [params.clone(), items.clone(), rows.clone(), given, texels.target()];
                let read = READ.dispatch(gpu, constants, &inputs, grid).bytes(images * (from + to));
                recording.push(read.fills(texels, images * planes.values()));
                texels
            }
        };
        let inputs = [params, items, rows, read.binding(), means];
        recording.push(MEAN_CPU.dispatch(gpu, &[], &inputs, grid));
        let all = [&inputs[..], &[result.target()]].concat();
        let own = of_texels.dispatch(gpu, ALIGNMENTS[aligned], &all, grid);
        recording.push(own.bytes(images * 2 * to).fills(result, made));
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
