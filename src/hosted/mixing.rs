//! CutMix, from and to host memory.

use super::{Images, gather, run};
use crate::{
    Gpu, Result,
    gpu::Buffer,
    kernels::{Planes, cutmix},
};

/// Each image of `x` with its box from the image of `others` at its place; so many `more` planes of zeros follow, and
/// `border` zeros lie around each plane.
pub fn cutmixed(
    gpu: &Gpu,
    x: &Images,
    others: &Images,
    boxes: &[[u32; 4]],
    (more, border): (usize, usize),
) -> Result<Images> {
    let [own, others] = [x, others].map(|images| Buffer::from_slice(gpu, "x", &images.values));
    let boxes = Buffer::from_slice(gpu, "boxes", boxes);
    let (channels, size) = (x.channels + more, x.size + 2 * border);
    let (dense, to) = (Planes::dense(x.channels, x.size), Planes::haloed(channels, size));
    let result = Buffer::from_slice(gpu, "mixed", &vec![f32::NAN; x.n * to.image_len()]);
    run(gpu, |r| {
        r.push(cutmix(gpu, &boxes, (&own, &others), dense, ((&result).into(), to), (0, x.n)));
    })?;
    Ok(Images { values: gather(gpu, &result, to, x.n)?, n: x.n, channels, size })
}
