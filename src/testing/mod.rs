//! Access for this crate's own tests to every kernel alone, and to the functions of `hosted`.
//!
//! Not part of the public interface: it is compiled with the cargo feature `testing` only, which the tests turn on. Every
//! function blocks until the result is on the host. Images are NCHW f32 unless said otherwise.

mod block;
mod classifier;
mod cpu;
#[cfg(feature = "files")]
mod files;
mod memory;
mod mixing;
mod packing;
mod spoil;
mod tangents;
mod unrolled;

pub use block::*;
pub use classifier::*;
pub use cpu::*;
#[cfg(feature = "files")]
pub use files::*;
pub use memory::*;
pub use mixing::*;
pub use packing::*;
pub use spoil::{spoil, used};
pub use tangents::*;
pub use unrolled::*;

pub use crate::gpu::{BINDINGS, Field, INVOCATIONS, STORAGE_BUFFERS, Slot, WORKGROUP_BYTES};
pub use crate::hosted::*;
use crate::{
    Gpu, Result,
    gpu::{Buffer, Recording, dispatch, fold},
    hosted::{gather, place, run},
    kernels::{self, Batch, Direction, Norm, Packing, Planes, Rates},
};

/// Writes dense values into a buffer of another layout, with zeros between.
fn scatter(gpu: &Gpu, values: &[f32], to: &Buffer<f32>, layout: Planes) {
    let mut spread = vec![0.0; to.len()];
    values.iter().enumerate().for_each(|(i, &v)| spread[place(layout, i)] = v);
    to.write(gpu, &spread);
}

/// From now on, so many checks report that the device has no memory left.
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

fn starts(gpu: &Gpu, counts: &[usize]) -> Buffer<u32> {
    let starts: Vec<_> =
        (0..=counts.len()).map(|k| counts[..k].iter().sum::<usize>() as u32).collect();
    Buffer::from_slice(gpu, "starts", &starts)
}
