//! A door for this crate's own tests: every kernel and the whole step, from and to host memory.
//!
//! Not part of the public interface: no promise is made about anything here. Every function
//! blocks until the result is on the host. Images are NCHW f32 unless said otherwise.

pub use crate::augment::Row;
use crate::{ConvNet, Gpu, Result};

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

/// Settings of a [`DmSession`].
#[derive(Debug, Clone)]
pub struct DmCase {
    /// The network.
    pub net: ConvNet,
    /// Number of classes.
    pub classes: usize,
    /// Synthetic images a class.
    pub ipc: usize,
    /// Real images a class.
    pub batch_real: usize,
    /// Learning rate of the pixels.
    pub lr: f32,
    /// Bytes of device memory to stay within.
    pub memory_budget: u64,
}

/// What one step of [`DmSession`] left.
#[derive(Debug, Clone)]
pub struct DmResult {
    /// Sum over classes.
    pub loss: f32,
    /// Gradient at the synthetic pixels.
    pub grad: Vec<f32>,
    /// Synthetic pixels after the step.
    pub syn: Vec<f32>,
    /// Velocity after the step.
    pub velocity: Vec<f32>,
}

/// Distribution-matching steps with everything random given by the caller.
pub struct DmSession {}

impl DmSession {
    /// Starts from the given synthetic images, class-major.
    pub fn new(_gpu: &Gpu, _case: &DmCase, _syn: &[f32]) -> Result<Self> {
        unimplemented!()
    }
    /// One step: weights (width, inputs, 3, 3) of each block, one row a class, real images class-major.
    pub fn step(
        &mut self,
        _weights: &[Vec<f32>],
        _rows: &[Row],
        _real: &[f32],
    ) -> Result<DmResult> {
        unimplemented!()
    }
}

/// Philox4x32-10 as the shaders compute it: one block for each counter.
pub fn philox4x32(_gpu: &Gpu, _key: [u32; 2], _counters: &[[u32; 4]]) -> Result<Vec<[u32; 4]>> {
    unimplemented!()
}
/// The random network of (seed, iteration): each block's weights, (width, inputs, 3, 3).
pub fn random_weights(
    _gpu: &Gpu,
    _net: &ConvNet,
    _seed: u64,
    _iteration: u32,
) -> Result<Vec<Vec<f32>>> {
    unimplemented!()
}
/// One row an image.
pub fn augment_forward(_gpu: &Gpu, _x: &Images, _rows: &[Row]) -> Result<Images> {
    unimplemented!()
}
/// 8-bit NCHW pixels, normalised by the channels' mean and std, then augmented.
pub fn augment_pixels(
    _gpu: &Gpu,
    _pixels: &[u8],
    _channels: usize,
    _size: usize,
    _mean: &[f32],
    _std: &[f32],
    _rows: &[Row],
) -> Result<Images> {
    unimplemented!()
}
/// The gradient at the input of [`augment_forward`] from the one at its output.
pub fn augment_backward(_gpu: &Gpu, _dy: &Images, _rows: &[Row]) -> Result<Images> {
    unimplemented!()
}
/// The network's forward and, if `d_embedding` is given, its backward to the input.
pub fn embed(
    _gpu: &Gpu,
    _net: &ConvNet,
    _weights: &[Vec<f32>],
    _x: &Images,
    _d_embedding: Option<&[f32]>,
) -> Result<Embedded> {
    unimplemented!()
}
/// 3×3 convolution, stride 1, padding 1, no bias. `weights`: (outputs, x.channels, 3, 3).
pub fn conv_forward(_gpu: &Gpu, _x: &Images, _weights: &[f32], _outputs: usize) -> Result<Images> {
    unimplemented!()
}
/// Its gradient at the input from `dy` (N, outputs, s, s). `weights`: (dy.channels, inputs, 3, 3).
pub fn conv_backward_data(
    _gpu: &Gpu,
    _dy: &Images,
    _weights: &[f32],
    _inputs: usize,
) -> Result<Images> {
    unimplemented!()
}
/// Instance norm → ReLU → average pool: (pooled, normalised planes, 1/std of each plane).
pub fn norm_relu_pool_forward(_gpu: &Gpu, _x: &Images) -> Result<(Images, Images, Vec<f32>)> {
    unimplemented!()
}
/// Gradient at the input of [`norm_relu_pool_forward`] from its saved values and the gradient at the pooled output.
pub fn norm_relu_pool_backward(
    _gpu: &Gpu,
    _normalised: &Images,
    _inv_std: &[f32],
    _dy: &Images,
) -> Result<Images> {
    unimplemented!()
}
/// Sums of embeddings (N, features) over consecutive runs of `counts[k]` rows: (classes, features).
pub fn class_sum(
    _gpu: &Gpu,
    _embeddings: &[f32],
    _features: usize,
    _counts: &[usize],
) -> Result<Vec<f32>> {
    unimplemented!()
}
/// (losses of each class, gradient at each class's synthetic embeddings (classes, features)) from sums over
/// `real_counts[k]` real and `ipc` synthetic embeddings: loss = ‖mean_r − mean_s‖², gradient = −2 (mean_r − mean_s) / ipc.
pub fn mean_difference(
    _gpu: &Gpu,
    _real: &[f32],
    _syn: &[f32],
    _features: usize,
    _real_counts: &[usize],
    _ipc: usize,
) -> Result<(Vec<f32>, Vec<f32>)> {
    unimplemented!()
}
/// velocity ← momentum·velocity + grad; x ← x − lr·velocity. Returns (x, velocity).
pub fn sgd(
    _gpu: &Gpu,
    _x: &[f32],
    _velocity: &[f32],
    _grad: &[f32],
    _lr: f32,
    _momentum: f32,
) -> Result<(Vec<f32>, Vec<f32>)> {
    unimplemented!()
}
