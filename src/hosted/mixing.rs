//! CutMix, from and to host memory.

use super::{Images, gather, run};
use crate::{
    Gpu, Result,
    gpu::Buffer,
    kernels::{Planes, cutmix},
};

/// Each image of `x` with its box from the image of `others` at its place.
pub fn cutmixed(gpu: &Gpu, x: &Images, others: &Images, boxes: &[[u32; 4]]) -> Result<Images> {
    let [own, others] = [x, others].map(|images| Buffer::from_slice(gpu, "x", &images.values));
    let boxes = Buffer::from_slice(gpu, "boxes", boxes);
    let (dense, to) = (Planes::dense(x.channels, x.size), Planes::haloed(x.channels, x.size));
    let result = Buffer::zeros(gpu, "mixed", x.n * to.image_len());
    run(gpu, |r| {
        r.push(cutmix(gpu, &boxes, (&own, &others), dense, (&result, to), (0, x.n)));
    })?;
    Ok(Images { values: gather(gpu, &result, to, x.n)?, ..*x })
}
