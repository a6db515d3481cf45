//! A door for this crate's own tests: every kernel and the whole step, from and to host memory.
//!
//! Not part of the public interface: no promise is made about anything here. Every function
//! blocks until the result is on the host. Images are NCHW f32 unless said otherwise.

mod block;
mod classifier;
mod cpu;
mod dm;
#[cfg(feature = "files")]
mod files;
mod memory;
mod spoil;

pub use block::*;
pub use classifier::*;
pub use cpu::*;
pub use dm::*;
#[cfg(feature = "files")]
pub use files::*;
pub use memory::*;
pub use spoil::{spoil, used};

pub use crate::augment::row::Row;
pub use crate::gpu::{Field, INVOCATIONS, STORAGE_BUFFERS, Slot, WORKGROUP_BYTES};
use crate::{
    ConvNet, Gpu, Result,
    gpu::{Buffer, Recording, Submissions, blocking, dispatch, fold},
    kernels::{
        self, Augment, Batch, Direction, Item, NetworkKey, Norm, Packing, Planes, Rates, Source,
    },
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
    /// Planes an image.
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

/// So many checks from now on find that the device has no memory left.
pub fn run_out_of_memory(gpu: &Gpu, times: u32) {
    gpu.pretend_out_of_memory(times);
}

/// Philox4x32-10 as the shaders compute it: one block for each counter.
pub fn philox4x32(gpu: &Gpu, key: [u32; 2], counters: &[[u32; 4]]) -> Result<Vec<[u32; 4]>> {
    let from = Buffer::from_slice(gpu, "counters", counters);
    let words = Buffer::zeros(gpu, "words", counters.len());
    run(gpu, |r| r.push(kernels::philox4x32(gpu, key, &from, &words)))?;
    words.read_blocking(gpu)
}

/// How often b goes into a, and what remains, for each (a, b): what `shaders/shared/quotient.wgsl` gives every kernel that
/// includes it.
pub fn quotients(gpu: &Gpu, numbers: &[[u32; 2]]) -> Result<Vec<[u32; 2]>> {
    const MAIN: &str = "
        @group(0) @binding(0) var<storage, read_write> numbers: array<vec2u>;
        @compute @workgroup_size(64)
        fn main(@builtin(global_invocation_id) id: vec3u) {
            if id.x < arrayLength(&numbers) {
                numbers[id.x] = parts(numbers[id.x].x, numbers[id.x].y);
            }
        }";
    let source = [include_str!("../../shaders/shared/quotient.wgsl"), MAIN].concat();
    let buffer = Buffer::from_slice(gpu, "numbers", numbers);
    let (bindings, grid) = ([buffer.binding()], fold(numbers.len().div_ceil(64)));
    run(gpu, |r| {
        let source = || source.into();
        r.push(dispatch(gpu, "quotients", source, &[Slot::Write], &[], &bindings, grid));
    })?;
    buffer.read_blocking(gpu)
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

/// One row an image.
pub fn augment_forward(gpu: &Gpu, x: &Images, rows: &[Row]) -> Result<Images> {
    let values = Buffer::from_slice(gpu, "x", &x.values);
    augment(gpu, Source::Values(&values), (x.channels, x.size), rows)
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
    let lists = Lists::new(gpu, rows);
    run(gpu, |r| {
        lists.augment().forward(gpu, r, source, layout, &result, layout, 0, rows.len());
    })?;
    Ok(Images { values: result.read_blocking(gpu)?, n: rows.len(), channels, size })
}

/// The gradient at the input of [`augment_forward`] from the one at its output.
pub fn augment_backward(gpu: &Gpu, dy: &Images, rows: &[Row]) -> Result<Images> {
    let layout = Planes::dense(dy.channels, dy.size);
    let from = Buffer::from_slice(gpu, "dy", &dy.values);
    let result = Buffer::zeros(gpu, "dx", dy.values.len());
    let lists = Lists::new(gpu, rows);
    run(gpu, |r| {
        lists.augment().backward(gpu, r, &from, layout, &result, layout, 0, rows.len());
    })?;
    Ok(Images { values: result.read_blocking(gpu)?, ..*dy })
}

/// Buffers that say: image i under row i.
struct Lists {
    items: Buffer<Item>,
    rows: Buffer<Row>,
    means: Buffer<f32>,
}

impl Lists {
    fn new(gpu: &Gpu, rows: &[Row]) -> Self {
        let items: Vec<_> = (0..rows.len() as u32).map(|i| Item { image: i, row: i }).collect();
        Self {
            items: Buffer::from_slice(gpu, "items", &items),
            rows: Buffer::from_slice(gpu, "rows", rows),
            means: Buffer::zeros(gpu, "means", rows.len()),
        }
    }

    fn augment(&self) -> Augment<'_> {
        Augment { items: &self.items, rows: &self.rows, means: &self.means }
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
    let embedder = Embedder::new(gpu, net, x.n, x.n);
    let (input, layout) = embedder.input();
    scatter(gpu, &x.values, input, layout);
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

/// 3×3 convolution, stride 1, padding 1, no bias. `weights`: (outputs, x.channels, 3, 3).
pub fn conv_forward(gpu: &Gpu, x: &Images, weights: &[f32], outputs: usize) -> Result<Images> {
    convolve(gpu, Direction::Forward, x, weights, outputs)
}

/// Its gradient at the input from `dy` (N, outputs, s, s). `weights`: (dy.channels, inputs, 3, 3).
pub fn conv_backward_data(
    gpu: &Gpu,
    dy: &Images,
    weights: &[f32],
    inputs: usize,
) -> Result<Images> {
    convolve(gpu, Direction::BackwardData, dy, weights, inputs)
}

fn convolve(
    gpu: &Gpu,
    direction: Direction,
    x: &Images,
    weights: &[f32],
    channels: usize,
) -> Result<Images> {
    let from = Planes::haloed(x.channels, x.size);
    let to = Planes::dense(channels, x.size);
    let input = Buffer::zeros(gpu, "x", x.n * from.image_len());
    scatter(gpu, &x.values, &input, from);
    let weights = Buffer::from_slice(gpu, "weights", weights);
    let result = Buffer::zeros(gpu, "y", x.n * to.image_len());
    let batch = Batch { images: x.n, nets: 1 };
    let (input, output) = ((&input, from), (&result, to));
    let kernel = kernels::conv_kernel(gpu.caps(), direction, x.size, (x.channels, channels));
    run(gpu, |r| {
        let shape = (channels, x.channels);
        let weights = packed(gpu, r, direction, kernel.packing(), shape, weights);
        r.push(kernels::conv(gpu, kernel, direction, None, input, &weights, output, batch));
    })?;
    Ok(Images { values: result.read_blocking(gpu)?, channels, ..*x })
}

/// Weights as a kernel wants them.
fn packed(
    gpu: &Gpu,
    recording: &mut Recording,
    direction: Direction,
    packing: Option<Packing>,
    (outputs, inputs): (usize, usize),
    weights: Buffer<f32>,
) -> Buffer<f32> {
    let Some(packing) = packing else { return weights };
    let packed = Buffer::zeros(gpu, "packed", packing.len(outputs, inputs));
    let shape = (outputs, inputs);
    recording.push(kernels::pack_weights(gpu, direction, packing, shape, &weights, &packed));
    packed
}

/// Instance norm → ReLU → average pool: (pooled, normalised planes, 1/std of each plane).
pub fn norm_relu_pool_forward(gpu: &Gpu, x: &Images) -> Result<(Images, Images, Vec<f32>)> {
    // With halos, as between the network's blocks.
    let from = Planes::haloed(x.channels, x.size);
    let to = Planes::haloed(x.channels, x.size / 2);
    let planes = Buffer::zeros(gpu, "planes", x.n * from.image_len());
    scatter(gpu, &x.values, &planes, from);
    let pooled = Buffer::zeros(gpu, "pooled", x.n * to.image_len());
    let inv_std = Buffer::zeros(gpu, "1/std", x.n * x.channels);
    run(gpu, |r| {
        let (planes, pooled) = ((&planes, from), (&pooled, to));
        let norm = Norm { affine: &identity(gpu, x.channels), inv_std: &inv_std };
        let batch = Batch { images: x.n, nets: 1 };
        r.push(kernels::norm_relu_pool_forward(gpu, planes, norm, pooled, batch, true));
    })?;
    Ok((
        Images { values: gather(gpu, &pooled, to, x.n)?, size: x.size / 2, ..*x },
        Images { values: gather(gpu, &planes, from, x.n)?, ..*x },
        inv_std.read_blocking(gpu)?,
    ))
}

/// Gradient at the input of [`norm_relu_pool_forward`] from its saved values and the gradient at
/// the pooled output.
pub fn norm_relu_pool_backward(
    gpu: &Gpu,
    normalised: &Images,
    inv_std: &[f32],
    dy: &Images,
) -> Result<Images> {
    let n = normalised.n;
    let layout = Planes::haloed(normalised.channels, normalised.size);
    let planes = Buffer::zeros(gpu, "planes", n * layout.image_len());
    scatter(gpu, &normalised.values, &planes, layout);
    let d_pooled = Buffer::from_slice(gpu, "d pooled", &dy.values);
    let inv_std = Buffer::from_slice(gpu, "1/std", inv_std);
    let d_affine = Buffer::zeros(gpu, "d affine", 2 * n * dy.channels);
    run(gpu, |r| {
        let planes = (&planes, layout);
        let d_pooled = (&d_pooled, Planes::dense(dy.channels, dy.size));
        let norm = Norm { affine: &identity(gpu, dy.channels), inv_std: &inv_std };
        let batch = Batch { images: n, nets: 1 };
        let own = (0, 1);
        r.push(kernels::norm_relu_pool_backward(
            gpu, planes, norm, d_pooled, &d_affine, batch, own,
        ));
    })?;
    Ok(Images { values: gather(gpu, &planes, layout, n)?, ..*normalised })
}

/// Sums of embeddings (N, features) over consecutive runs of `counts[k]` rows: (classes, features).
pub fn class_sum(
    gpu: &Gpu,
    embeddings: &[f32],
    features: usize,
    counts: &[usize],
) -> Result<Vec<f32>> {
    let starts = starts(gpu, counts);
    let images: usize = counts.iter().sum();
    let embeddings = Buffer::from_slice(gpu, "embeddings", embeddings);
    let sums = Buffer::zeros(gpu, "sums", counts.len() * features);
    let (chunk, classes) = (0..images, 0..counts.len());
    run(gpu, |r| {
        r.push(kernels::class_sum(
            gpu,
            &starts,
            &embeddings,
            &sums,
            features,
            chunk,
            classes,
            false,
        ));
    })?;
    sums.read_blocking(gpu)
}

/// (losses of each class, gradient at each class's synthetic embeddings (classes, features)) from
/// sums over `real_counts[k]` real and `ipc` synthetic embeddings: loss = ‖mean_r − mean_s‖²,
/// gradient = −2 (mean_r − mean_s) / ipc.
pub fn mean_difference(
    gpu: &Gpu,
    real: &[f32],
    syn: &[f32],
    features: usize,
    real_counts: &[usize],
    ipc: usize,
) -> Result<(Vec<f32>, Vec<f32>)> {
    let classes = real_counts.len();
    let real = (&starts(gpu, real_counts), &Buffer::from_slice(gpu, "real", real));
    let syn = (&starts(gpu, &vec![ipc; classes]), &Buffer::from_slice(gpu, "syn", syn));
    let d_embedding = Buffer::zeros(gpu, "d embedding", classes * features);
    let losses = Buffer::zeros(gpu, "losses", classes);
    run(gpu, |r| r.push(kernels::mean_difference(gpu, real, syn, &d_embedding, &losses)))?;
    Ok((losses.read_blocking(gpu)?, d_embedding.read_blocking(gpu)?))
}

/// velocity ← momentum·velocity + grad; x ← x − lr·velocity. Returns (x, velocity).
pub fn sgd(
    gpu: &Gpu,
    x: &[f32],
    velocity: &[f32],
    grad: &[f32],
    lr: f32,
    momentum: f32,
) -> Result<(Vec<f32>, Vec<f32>)> {
    let [x, velocity, grad] = [("x", x), ("velocity", velocity), ("grad", grad)]
        .map(|(l, v)| Buffer::from_slice(gpu, l, v));
    let rates = Buffer::params(gpu, "rates", &Rates::new(lr, momentum, 0.0));
    run(gpu, |r| r.push(kernels::sgd(gpu, &rates, &x, &velocity, &grad)))?;
    Ok((x.read_blocking(gpu)?, velocity.read_blocking(gpu)?))
}

/// Weight 1 and bias 0 for each channel.
fn identity(gpu: &Gpu, channels: usize) -> Buffer<f32> {
    Buffer::from_slice(gpu, "affine", &[1.0, 0.0].repeat(channels))
}

/// One shader as it is compiled, for the tests that translate it.
#[derive(Debug, Clone)]
pub struct Shader {
    /// The kernel's name and constants.
    pub name: String,
    /// The whole source.
    pub wgsl: String,
    /// Values of its override constants.
    pub constants: Vec<(String, f64)>,
    /// What the Rust side binds, by number.
    pub bindings: Vec<Slot>,
}

/// Every shader in every specialisation that is ever compiled.
pub fn shaders() -> Vec<Shader> {
    let mut all = Vec::new();
    for (kernel, variants) in kernels::all() {
        for constants in *variants {
            all.push(Shader {
                name: format!("{} {constants:?}", kernel.name),
                wgsl: kernel.source.to_owned(),
                constants: constants.iter().map(|(k, v)| ((*k).to_owned(), *v)).collect(),
                bindings: kernel.slots.to_vec(),
            });
        }
    }
    all.extend(kernels::generated().into_iter().map(|kernel| Shader {
        name: format!("{} {:?}", kernel.name, kernel.constants),
        wgsl: kernel.source(),
        constants: kernel.constants.iter().map(|(k, v)| ((*k).to_owned(), *v)).collect(),
        bindings: kernel.slots.to_vec(),
    }));
    all
}

fn run(gpu: &Gpu, record: impl FnOnce(&mut Recording)) -> Result<()> {
    let doing = "run a kernel";
    let checked = gpu.checked(doing, || {
        let mut recording = Recording::default();
        record(&mut recording);
        recording.submit(gpu, "test");
        Ok(())
    });
    blocking(doing, checked)
}

fn starts(gpu: &Gpu, counts: &[usize]) -> Buffer<u32> {
    let starts: Vec<_> =
        (0..=counts.len()).map(|k| counts[..k].iter().sum::<usize>() as u32).collect();
    Buffer::from_slice(gpu, "starts", &starts)
}

/// Element `index` of dense planes, in another layout.
fn place(layout: Planes, index: usize) -> usize {
    let size = layout.size as usize;
    let (plane, y, x) = (index / (size * size), index / size % size, index % size);
    plane * layout.stride as usize + layout.origin as usize + y * layout.pitch as usize + x
}

/// Writes dense values into a buffer of another layout, with zeros between.
fn scatter(gpu: &Gpu, values: &[f32], to: &Buffer<f32>, layout: Planes) {
    let mut spread = vec![0.0; to.len()];
    values.iter().enumerate().for_each(|(i, &v)| spread[place(layout, i)] = v);
    to.write(gpu, &spread);
}

/// Reads `n` images of a layout as dense values.
fn gather(gpu: &Gpu, from: &Buffer<f32>, layout: Planes, n: usize) -> Result<Vec<f32>> {
    let spread = from.read_blocking(gpu)?;
    let len = n * layout.channels as usize * (layout.size as usize).pow(2);
    Ok((0..len).map(|i| spread[place(layout, i)]).collect())
}
