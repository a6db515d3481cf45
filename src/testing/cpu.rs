//! The kernels for CPU adapters alone.

use super::{Images, Lists, Row, gather, run, scatter};
use crate::{
    Gpu, Result,
    gpu::{Buffer, Memory, Texels},
    kernels::{Batch, Direction, Planes, Source, TexelKernel, augments_in_texels, cpu},
};

/// What a block left.
#[derive(Debug, Clone)]
pub struct CpuBlock {
    /// Pooled planes.
    pub pooled: Images,
    /// Normalised planes and 1/σ of each, if they were to be kept.
    pub kept: Option<(Images, Vec<f32>)>,
}

/// A block whose planes lie in textures, if this adapter has one for such planes: with `first`, by the kernel
/// for first blocks. `weights`: (nets, outputs, x.channels, 3, 3); `affine`: (nets, outputs, 2).
pub fn cpu_block(
    gpu: &Gpu,
    first: bool,
    x: &Images,
    (weights, affine): (&[f32], &[f32]),
    outputs: usize,
    keep: bool,
) -> Result<Option<CpuBlock>> {
    let Some(lanes) = gpu.caps().lanes() else { return Ok(None) };
    let kernel = match first {
        true => cpu::FirstBlock::new(lanes, x.channels, x.size).map(TexelKernel::First),
        false => cpu::SmallPlanes::new(lanes, x.size)
            .map(TexelKernel::Small)
            .or(Some(TexelKernel::Any(cpu::AnyPlanes::new(lanes)))),
    };
    let Some(kernel) = kernel else { return Ok(None) };
    let packing = kernel.packing();
    let nets = affine.len() / 2 / outputs;
    let batch = Batch { images: x.n, nets };
    let layer = cpu::Layer { channels: outputs, size: x.size };
    let (planes, result) = (used(gpu, layer, x.n)?, used(gpu, layer.pooled(), x.n)?);
    let inv_std = Buffer::zeros(gpu, "1/std", x.n * outputs);
    let (from, raw) = (cpu::Layer { channels: x.channels, ..layer }, used(gpu, layer, x.n)?);
    let input = used(gpu, from, x.n)?;
    let affine = Buffer::from_slice(gpu, "affine", affine);
    let kept = keep.then_some(cpu::Kept { planes: &planes, inv_std: &inv_std });
    let weights = Buffer::from_slice(gpu, "weights", weights);
    let packed = texels(gpu, "packed", nets * packing.len(outputs, x.channels));
    upload(gpu, x, &input)?;
    run(gpu, |r| {
        let (forward, shape) = (Direction::Forward, (outputs, x.channels));
        let winograd = cpu::TexelPacking::Winograd(packing);
        r.push(cpu::pack_texels(gpu, forward, winograd, shape, &weights, &packed));
        let to = (&result, outputs);
        let block = match kernel {
            TexelKernel::First(first) => {
                cpu::first_block(gpu, first, kept, &input, (&packed, &affine), to, batch)
            }
            TexelKernel::Small(_) => {
                let finish = match kept {
                    Some(kept) => cpu::Finish::Keep(&affine, kept),
                    None => cpu::Finish::Pool(&affine),
                };
                cpu::convolve(gpu, lanes, finish, (&input, from), &packed, to, batch)
            }
            TexelKernel::Any(_) => {
                let (from, store) = ((&input, from), cpu::Finish::Store);
                r.push(cpu::convolve(gpu, lanes, store, from, &packed, (&raw, outputs), batch));
                cpu::norm_forward(gpu, layer, &raw, &affine, &result, kept, batch)
            }
        };
        r.push(block);
    })?;
    let kept = match keep {
        true => Some((download(gpu, &planes, x.n, layer)?, inv_std.read_blocking(gpu)?)),
        false => None,
    };
    Ok(Some(CpuBlock { pooled: download(gpu, &result, x.n, layer.pooled())?, kept }))
}

/// A convolution alone, in one of its two directions, of so many channels; if this adapter has such kernels
/// for such planes.
pub fn cpu_convolution(
    gpu: &Gpu,
    backward: bool,
    x: &Images,
    weights: &[f32],
    channels: usize,
) -> Result<Option<Images>> {
    let Some(lanes) = gpu.caps().lanes() else { return Ok(None) };
    let packing = cpu::AnyPlanes::new(lanes).packing();
    let [from, to] = [x.channels, channels].map(|channels| cpu::Layer { channels, size: x.size });
    let (input, result) = (used(gpu, from, x.n)?, used(gpu, to, x.n)?);
    let weights = Buffer::from_slice(gpu, "weights", weights);
    let packed = texels(gpu, "packed", packing.len(channels, x.channels));
    let direction = if backward { Direction::BackwardData } else { Direction::Forward };
    upload(gpu, x, &input)?;
    run(gpu, |r| {
        let shape = (channels, x.channels);
        let winograd = cpu::TexelPacking::Winograd(packing);
        r.push(cpu::pack_texels(gpu, direction, winograd, shape, &weights, &packed));
        let (from, to) = ((&input, from), (&result, channels));
        let batch = Batch { images: x.n, nets: 1 };
        r.push(cpu::convolve(gpu, lanes, cpu::Finish::Store, from, &packed, to, batch));
    })?;
    download(gpu, &result, x.n, to).map(Some)
}

/// The gradients at the images `x` and at the weights, from the one at the pooled planes of a first block, `dy`; if this
/// adapter has such kernels for them. `normalised` and `inv_std` are as [`cpu_block`] keeps them; image i takes gradient
/// (`first_image` + i) / `sharing`. `weights`: (nets, dy.channels, x.channels, 3, 3); `affine`: (nets, dy.channels, 2).
pub fn cpu_first_backward(
    gpu: &Gpu,
    x: &Images,
    (normalised, inv_std): (&Images, &[f32]),
    dy: &Images,
    (first_image, sharing): (usize, usize),
    (weights, affine): (&[f32], &[f32]),
) -> Result<Option<(Images, Vec<f32>)>> {
    let Some(lanes) = gpu.caps().lanes() else { return Ok(None) };
    let first = cpu::FirstBlock::new(lanes, x.channels, x.size);
    let Some(kernels) = first else { return Ok(None) };
    let nets = affine.len() / 2 / dy.channels;
    let batch = Batch { images: x.n, nets };
    let layer = |channels| cpu::Layer { channels, size: x.size };
    let [from, to] = [layer(dy.channels), layer(x.channels)];
    let (planes, pooled) = (used(gpu, from, x.n)?, used(gpu, from.pooled(), dy.n)?);
    let (input, d_input) = (used(gpu, to, x.n)?, used(gpu, to, x.n)?);
    let moments = texels(gpu, "moments", x.n * dy.channels * cpu::MOMENTS);
    let inv_std = Buffer::from_slice(gpu, "1/std", inv_std);
    let d_affine = Buffer::zeros(gpu, "d affine", 2 * x.n * dy.channels);
    let d_weights = Buffer::zeros(gpu, "dw", weights.len());
    let packing = kernels.packing();
    let packed = texels(gpu, "packed", nets * packing.len(dy.channels, x.channels));
    let weights = Buffer::from_slice(gpu, "weights", weights);
    let affine = Buffer::from_slice(gpu, "affine", affine);
    upload(gpu, x, &input)?;
    upload(gpu, normalised, &planes)?;
    upload(gpu, dy, &pooled)?;
    let d_pooled = cpu::Pooled { planes: &pooled, first_image, sharing };
    let given = cpu::FirstGradient { kernels, planes: &planes, d_pooled, moments: &moments };
    let gradient = cpu::Gradient::First(given);
    run(gpu, |r| {
        let (forward, shape) = (Direction::Forward, (dy.channels, x.channels));
        let winograd = cpu::TexelPacking::Winograd(packing);
        r.push(cpu::pack_texels(gpu, forward, winograd, shape, &weights, &packed));
        let kept = cpu::Kept { planes: &planes, inv_std: &inv_std };
        let result = (gradient, &d_affine);
        r.push(cpu::norm_backward(gpu, from, kept, &affine, d_pooled, result, batch));
        let images = (given, dy.channels);
        r.push(cpu::first_block_backward(gpu, images, &packed, &d_input, batch));
        let (x, dy) = ((&input, to), (gradient, from));
        r.push(cpu::weight_gradient(gpu, lanes, x, dy, &d_weights, batch, false));
    })?;
    Ok(Some((download(gpu, &d_input, x.n, to)?, d_weights.read_blocking(gpu)?)))
}

/// As [`conv_backward_weight`](super::conv_backward_weight), in textures, if this adapter has such kernels; added
/// to `before`.
pub fn cpu_weight_gradient(
    gpu: &Gpu,
    x: &Images,
    dy: &Images,
    nets: usize,
    before: Option<&[f32]>,
) -> Result<Option<Vec<f32>>> {
    let Some(lanes) = gpu.caps().lanes() else { return Ok(None) };
    let [from, to] =
        [x, dy].map(|images| cpu::Layer { channels: images.channels, size: images.size });
    let (input, d_planes) = (used(gpu, from, x.n)?, used(gpu, to, x.n)?);
    let nothing = vec![f32::NAN; nets * dy.channels * x.channels * 9];
    let result = Buffer::from_slice(gpu, "dw", before.unwrap_or(&nothing));
    upload(gpu, x, &input)?;
    upload(gpu, dy, &d_planes)?;
    let batch = Batch { images: x.n, nets };
    run(gpu, |r| {
        let (x, dy) = ((&input, from), (cpu::Gradient::Planes(&d_planes), to));
        r.push(cpu::weight_gradient(gpu, lanes, x, dy, &result, batch, before.is_some()));
    })?;
    result.read_blocking(gpu).map(Some)
}

/// As [`norm_relu_pool_backward`](super::norm_relu_pool_backward), of planes in textures: norms of weight 1 and bias 0.
pub fn cpu_norm_backward(
    gpu: &Gpu,
    normalised: &Images,
    inv_std: &[f32],
    dy: &Images,
) -> Result<Option<Images>> {
    if gpu.caps().lanes().is_none() {
        return Ok(None);
    }
    let &Images { n, channels, size, .. } = normalised;
    let layer = cpu::Layer { channels, size };
    let (planes, d_planes) = (used(gpu, layer, n)?, used(gpu, layer, n)?);
    let d_pooled = used(gpu, layer.pooled(), n)?;
    let affine = Buffer::from_slice(gpu, "affine", &[1.0, 0.0].repeat(channels));
    let inv_std = Buffer::from_slice(gpu, "1/std", inv_std);
    let d_affine = Buffer::zeros(gpu, "d affine", 2 * n * channels);
    upload(gpu, normalised, &planes)?;
    upload(gpu, dy, &d_pooled)?;
    run(gpu, |r| {
        let (kept, batch) =
            (cpu::Kept { planes: &planes, inv_std: &inv_std }, Batch { images: n, nets: 1 });
        let to = (cpu::Gradient::Planes(&d_planes), &d_affine);
        let d_pooled = cpu::Pooled { planes: &d_pooled, first_image: 0, sharing: 1 };
        r.push(cpu::norm_backward(gpu, layer, kept, &affine, d_pooled, to, batch));
    })?;
    download(gpu, &d_planes, n, layer).map(Some)
}

/// Images after these passes, of a row per image each, which textures lie between: planes of the size that a network takes,
/// with `border` zeros on each side. If this adapter augments such images in textures.
pub fn cpu_augment(
    gpu: &Gpu,
    x: &Images,
    passes: &[Vec<Row>],
    border: usize,
) -> Result<Option<Images>> {
    let image = (x.channels, x.size);
    if !augments_in_texels(gpu.caps(), image) {
        return Ok(None);
    }
    let lists: Vec<_> = passes.iter().map(|rows| Lists::new(gpu, rows, image)).collect();
    let between = ["even", "odd"].map(|label| lists[0].room.between(gpu, label, x.n));
    let layer = cpu::Layer { channels: x.channels, size: x.size + 2 * border };
    let result = used(gpu, layer, x.n)?;
    let (dense, planes) = (
        Planes::dense(x.channels, x.size),
        Planes::dense(layer.channels.next_multiple_of(2), layer.size),
    );
    let values = Buffer::from_slice(gpu, "x", &x.values);
    run(gpu, |r| {
        let mut source = (&values).into();
        for (pass, lists) in lists.iter().enumerate() {
            let (to, layout) = match pass + 1 == passes.len() {
                true => ((&result).into(), planes),
                false => (between[pass % 2].values(), dense),
            };
            lists.augment().forward(gpu, r, Source::Values(source), dense, to, layout, 0, x.n);
            source = to;
        }
    })?;
    download(gpu, &result, x.n, layer).map(Some)
}

fn texels(gpu: &Gpu, label: &str, len: usize) -> Texels {
    gpu.texels(label, len, &gpu.staging("written", len))
}

/// A layer whose texels, and the buffer in which kernels write them, hold what other work left there.
fn used(gpu: &Gpu, layer: cpu::Layer, n: usize) -> Result<Texels> {
    // As planes of four texels, so that the ends of rows hold something as well.
    let planes = (n * layer.image_len()).div_ceil(4).next_multiple_of(2);
    let texels = texels(gpu, "planes", 4 * planes);
    let values = vec![f32::NAN; 16 * planes];
    upload(gpu, &Images { values, n: 1, channels: planes, size: 4 }, &texels)?;
    Ok(texels)
}

fn upload(gpu: &Gpu, x: &Images, texels: &Texels) -> Result<()> {
    // Of another layout than texels have.
    let planes = Planes::haloed(x.channels, x.size);
    let values = Buffer::zeros(gpu, "x", x.n * planes.image_len());
    scatter(gpu, &x.values, &values, planes);
    run(gpu, |r| r.push(cpu::to_texels(gpu, (&values, planes), texels, x.n)))
}

/// Kernels take two channels at a time, so that of an odd number a plane of zeros must follow.
fn download(gpu: &Gpu, texels: &Texels, n: usize, layer: cpu::Layer) -> Result<Images> {
    let cpu::Layer { channels, size } = layer;
    let stored = channels.next_multiple_of(2);
    let planes = Planes::haloed(stored, size);
    let buffer = Buffer::zeros(gpu, "planes", n * planes.image_len());
    run(gpu, |r| r.push(cpu::from_texels(gpu, texels, (&buffer, planes), n)))?;
    let mut values = Vec::new();
    for image in gather(gpu, &buffer, planes, n)?.chunks(stored * size * size) {
        let (own, padding) = image.split_at(channels * size * size);
        let spoilt = own.iter().any(|value| value.is_nan());
        assert!(spoilt || padding.iter().all(|&value| value == 0.0), "padding of {layer:?}");
        values.extend_from_slice(own);
    }
    Ok(Images { values, n, channels, size })
}
