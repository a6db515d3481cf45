//! Functions that compute on a device, from host memory to host memory: for the doctor's cases and, through `testing`,
//! for this crate's own tests.
//!
//! Every function blocks until the result is on the host. Images are NCHW f32 unless said otherwise.

mod classifier;
mod dm;
mod gradients;
mod mixing;
mod snapshots;
mod unrolled;

pub use classifier::*;
pub use dm::*;
pub use gradients::*;
pub use mixing::*;
pub use snapshots::*;
pub use unrolled::*;

pub use crate::augment::row::Row;
use crate::{
    ConvNet, Gpu, Result,
    gpu::{Buffer, Recording, Submissions, blocking},
    kernels::{Augment, AugmentRoom, Batch, Item, NetworkKey, Planes, Source},
    nn::{Embedder, Program, Target, Ways, Weights},
    rng::Purpose,
};

/// A batch of images on the host.
#[derive(Debug, Clone, PartialEq)]
pub struct Images {
    /// N × channels × size × size values.
    pub values: Vec<f32>,
    /// Number of images.
    pub n: usize,
    /// Planes per image.
    pub channels: usize,
    /// Height and width.
    pub size: usize,
}

/// What [`embed`] returns.
#[derive(Debug, Clone)]
pub struct Embedded {
    /// Output of each block, (N, width, s/2, s/2); the last is the embedding.
    pub blocks: Vec<Vec<f32>>,
    /// Gradient at the input, if a gradient at the embedding was given.
    pub dx: Option<Vec<f32>>,
}

/// The random network of (seed, iteration): each block's weights, (width, inputs, 3, 3).
pub fn random_weights(
    gpu: &Gpu,
    net: &ConvNet,
    seed: u64,
    iteration: u32,
) -> Result<Vec<Vec<f32>>> {
    let weights = Weights::new(gpu, &Program::of_blocks(net), 1, Ways::Ahead);
    let mut submissions = Submissions::new(gpu);
    weights.draw(gpu, &mut submissions, NetworkKey::new(seed, Purpose::Weights, iteration));
    submissions.finish();
    (0..net.depth()).map(|block| weights.conv(block).read_blocking(gpu)).collect()
}

/// One row per image.
pub fn augment_forward(gpu: &Gpu, x: &Images, rows: &[Row]) -> Result<Images> {
    let values = Buffer::from_slice(gpu, "x", &x.values);
    augment(gpu, Source::Values((&values).into()), (x.channels, x.size), rows)
}

/// 8-bit NCHW pixels, normalised by the channels' mean and std, then augmented.
pub fn augment_pixels(
    gpu: &Gpu,
    pixels: &[u8],
    channels: usize,
    size: usize,
    mean: &[f32],
    std: &[f32],
    rows: &[Row],
) -> Result<Images> {
    let bytes = &Buffer::from_slice(gpu, "pixels", pixels);
    augment(gpu, Source::Pixels { bytes, mean, std }, (channels, size), rows)
}

fn augment(
    gpu: &Gpu,
    source: Source<'_>,
    (channels, size): (usize, usize),
    rows: &[Row],
) -> Result<Images> {
    let layout = Planes::dense(channels, size);
    let result = Buffer::zeros(gpu, "y", rows.len() * layout.image_len());
    let lists = Lists::new(gpu, rows, (channels, size));
    run(gpu, |r| {
        let to = (&result).into();
        lists.augment().forward(gpu, r, source, layout, to, layout, 0, rows.len());
    })?;
    Ok(Images { values: result.read_blocking(gpu)?, n: rows.len(), channels, size })
}

/// The gradient at the input of [`augment_forward`] from the one at its output.
pub fn augment_backward(gpu: &Gpu, dy: &Images, rows: &[Row]) -> Result<Images> {
    let layout = Planes::dense(dy.channels, dy.size);
    let from = Buffer::from_slice(gpu, "dy", &dy.values);
    let result = Buffer::zeros(gpu, "dx", dy.values.len());
    let lists = Lists::new(gpu, rows, (dy.channels, dy.size));
    run(gpu, |r| {
        let (from, to) = ((&from).into(), (&result).into());
        lists.augment().backward(gpu, r, from, layout, to, layout, 0, rows.len());
    })?;
    Ok(Images { values: result.read_blocking(gpu)?, ..*dy })
}

/// Items that pair image i with row i.
pub(crate) struct Lists {
    items: Buffer<Item>,
    rows: Buffer<Row>,
    pub room: AugmentRoom,
}

impl Lists {
    pub fn new(gpu: &Gpu, rows: &[Row], image: (usize, usize)) -> Self {
        let items: Vec<_> = (0..rows.len() as u32).map(|i| Item { image: i, row: i }).collect();
        Self {
            items: Buffer::from_slice(gpu, "items", &items),
            rows: Buffer::from_slice(gpu, "rows", rows),
            room: AugmentRoom::new(gpu, "images", rows.len(), image),
        }
    }

    pub fn augment(&self) -> Augment<'_> {
        Augment { items: &self.items, rows: &self.rows, room: &self.room }
    }
}

/// The network's forward and, if `d_embedding` (N, features) is given, its backward to the input.
pub fn embed(
    gpu: &Gpu,
    net: &ConvNet,
    weights: &[Vec<f32>],
    x: &Images,
    d_embedding: Option<&[f32]>,
) -> Result<Embedded> {
    let held = Weights::new(gpu, &Program::of_blocks(net), 1, Ways::ToImages);
    for (block, values) in weights.iter().enumerate() {
        held.conv(block).write(gpu, values);
    }
    let embedder = Embedder::new(gpu, net, x.n, x.n, None);
    feed(gpu, x, embedder.input())?;
    let mut forward = Recording::default();
    let batch = Batch { images: x.n, nets: 1 };
    embedder.forward(gpu, &mut forward, &held, batch, d_embedding.is_some())?;
    let pooled = embedder.pooled(gpu, &mut forward, x.n);
    held.packing().submit(gpu, "pack weights");
    run(gpu, |r| *r = forward)?;
    let blocks = pooled
        .iter()
        .map(|(buffer, layout)| gather(gpu, buffer, *layout, x.n))
        .collect::<Result<_>>()?;
    let Some(d_embedding) = d_embedding else { return Ok(Embedded { blocks, dx: None }) };
    let d_embedding = Buffer::from_slice(gpu, "d embedding", d_embedding);
    let mut backward = Recording::default();
    let own = (0, 1);
    embedder.backward(gpu, &mut backward, &held, &d_embedding, own, batch, Target::INPUT)?;
    run(gpu, |r| *r = backward)?;
    let (d_input, layout) = embedder.d_input();
    Ok(Embedded { blocks, dx: Some(gather(gpu, d_input, layout, x.n)?) })
}

/// Records, submits and checks.
pub(crate) fn run(gpu: &Gpu, record: impl FnOnce(&mut Recording)) -> Result<()> {
    let doing = "run a kernel";
    let checked = gpu.checked(doing, || {
        let mut recording = Recording::default();
        record(&mut recording);
        recording.submit(gpu, "test");
        Ok(())
    });
    blocking(doing, checked)
}

/// Takes images to where a network reads them.
pub(crate) fn feed(
    gpu: &Gpu,
    x: &Images,
    (input, layout): (crate::gpu::Values<'_>, Planes),
) -> Result<()> {
    let values = Buffer::from_slice(gpu, "x", &x.values);
    let lists = Lists::new(gpu, &vec![Row::NONE; x.n], (x.channels, x.size));
    let (source, dense) = (Source::Values((&values).into()), Planes::dense(x.channels, x.size));
    run(gpu, |r| lists.augment().forward(gpu, r, source, dense, input, layout, 0, x.n))
}

/// Element `index` of dense planes, in another layout.
pub(crate) fn place(layout: Planes, index: usize) -> usize {
    let size = layout.size as usize;
    let (plane, y, x) = (index / (size * size), index / size % size, index % size);
    plane * layout.stride as usize + layout.origin as usize + y * layout.pitch as usize + x
}

/// Reads `n` images of a layout as dense values.
pub(crate) fn gather(gpu: &Gpu, from: &Buffer<f32>, layout: Planes, n: usize) -> Result<Vec<f32>> {
    let spread = from.read_blocking(gpu)?;
    let len = n * layout.channels as usize * (layout.size as usize).pow(2);
    Ok((0..len).map(|i| spread[place(layout, i)]).collect())
}
