//! Taking planes from buffers to textures and back, where kernels of both kinds meet.

use crate::{
    gpu::{Buffer, Dispatch, Gpu, Kernel, Slot, Texels, fold, params},
    kernels::{Planes, WORKGROUP, wgsl},
};

params! {
    struct Params {
        planes: Planes,
        images: u32,
        /// Rows of texels in a plane, and values in each.
        rows: u32,
        row: u32,
        pad: u32,
    }
}

pub(in crate::kernels) const TO: Kernel = Kernel {
    name: "to_texels",
    source: wgsl!(
        "shared/grid",
        "shared/quotient",
        "shared/planes",
        "shared/texels",
        "conv/cpu/to_texels"
    ),
    slots: &[Slot::params::<Params>(), Slot::Read, Slot::Write],
};

pub(in crate::kernels) const FROM: Kernel = Kernel {
    name: "from_texels",
    source: wgsl!(
        "shared/grid",
        "shared/quotient",
        "shared/planes",
        "shared/texels",
        "conv/cpu/from_texels"
    ),
    slots: &[Slot::params::<Params>(), Slot::Texels, Slot::Write],
};

/// Takes the planes of so many images to `texels`.
pub(crate) fn to_texels(
    gpu: &Gpu,
    (planes, layout): (&Buffer<f32>, Planes),
    texels: &Texels,
    images: usize,
) -> Dispatch {
    let size = layout.size as usize;
    rows_to_texels(gpu, (planes, layout), (size, size), texels, images)
}

/// Takes planes of so many rows with so many values.
pub(super) fn rows_to_texels(
    gpu: &Gpu,
    (planes, layout): (&Buffer<f32>, Planes),
    (rows, row): (usize, usize),
    texels: &Texels,
    images: usize,
) -> Dispatch {
    let channels = (layout.channels as usize).next_multiple_of(2);
    let len = images * channels * rows * row.div_ceil(4);
    let (params, grid) = shape(gpu, layout, (rows, row), images, len);
    TO.dispatch(gpu, &[], &[params.binding(), planes.binding(), texels.target()], grid)
        .values(2 * images * layout.values())
        .fills(texels, 4 * len)
}

/// Takes the planes of so many images from `texels`.
pub(crate) fn from_texels(
    gpu: &Gpu,
    texels: &Texels,
    (planes, layout): (&Buffer<f32>, Planes),
    images: usize,
) -> Dispatch {
    let size = layout.size as usize;
    let len = images * layout.channels as usize * size * size.div_ceil(4);
    let (params, grid) = shape(gpu, layout, (size, size), images, len);
    FROM.dispatch(gpu, &[], &[params.binding(), texels.binding(), planes.binding()], grid)
        .values(2 * images * layout.values())
}

fn shape(
    gpu: &Gpu,
    planes: Planes,
    (rows, row): (usize, usize),
    images: usize,
    texels: usize,
) -> (Buffer<Params>, [u32; 3]) {
    let params =
        Params { planes, images: images as u32, rows: rows as u32, row: row as u32, pad: 0 };
    (Buffer::params(gpu, "texels params", &params), fold(texels.div_ceil(WORKGROUP)))
}
