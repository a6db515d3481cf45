//! Taking planes from buffers to textures and back, where kernels of both kinds meet.

use super::Layer;
use crate::{
    gpu::{Buffer, Dispatch, Gpu, Kernel, Slot, Texels, fold, params},
    kernels::{Planes, WORKGROUP, wgsl},
};

params! {
    struct Params {
        planes: Planes,
        images: u32,
        pad: [u32; 3],
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
    let (params, grid) = shape(gpu, layout, images);
    TO.dispatch(gpu, &[], &[params.binding(), planes.binding(), texels.target()], grid)
        .values(2 * images * layout.values())
        .fills(texels, images * layer(layout).stored())
}

/// Takes the planes of so many images from `texels`.
pub(crate) fn from_texels(
    gpu: &Gpu,
    texels: &Texels,
    (planes, layout): (&Buffer<f32>, Planes),
    images: usize,
) -> Dispatch {
    let (params, grid) = shape(gpu, layout, images);
    FROM.dispatch(gpu, &[], &[params.binding(), texels.binding(), planes.binding()], grid)
        .values(2 * images * layout.values())
}

fn shape(gpu: &Gpu, planes: Planes, images: usize) -> (Buffer<Params>, [u32; 3]) {
    let params = Params { planes, images: images as u32, pad: [0; 3] };
    let grid = fold((images * layer(planes).image_len()).div_ceil(WORKGROUP));
    (Buffer::params(gpu, "texels params", &params), grid)
}

fn layer(planes: Planes) -> Layer {
    Layer { channels: planes.channels as usize, size: planes.size as usize }
}
