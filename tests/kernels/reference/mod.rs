//! Plain-Rust twins of every kernel, in f64, one file each and named as its WGSL file is; in `layers`, one file per layer.
//!
//! They follow `tests/golden/README.md` as literally as they can and share no code with the crate:
//! clear first, fast never. `twins` proves them against PyTorch's numbers and
//! finite differences; everything that runs on a GPU is then compared with them. The one of `picture` is beside
//! its test, in `tests/library/embed`.

pub mod adam;
pub mod augment_backward;
pub mod augment_forward;
pub mod class_sum;
pub mod classifier;
pub mod conv_backward_data;
pub mod conv_backward_weight;
pub mod conv_forward;
pub mod count_correct;
pub mod cutmix;
pub mod gradient_match;
pub mod image_mean;
pub mod init_normal;
pub mod init_uniform;
pub mod layers;
pub mod learned_rates;
pub mod linear_backward_data;
pub mod linear_backward_weight;
pub mod linear_forward;
pub mod mean_difference;
pub mod network;
pub mod norm_relu_pool_backward;
pub mod norm_relu_pool_forward;
pub mod op;
pub mod philox;
pub mod rate_gradient;
pub mod sgd;
pub mod softmax_cross_entropy;
pub mod softmax_tangent;
pub mod unpack;

pub use adam::adam;
pub use augment_backward::augment_backward;
pub use augment_forward::{augment_forward, normalise};
pub use class_sum::class_sum;
pub use classifier::{Params, Training, classify};
pub use conv_backward_data::conv_backward_data;
pub use conv_backward_weight::conv_backward_weight;
pub use conv_forward::conv_forward;
pub use count_correct::count_correct;
pub use image_mean::image_mean;
pub use init_normal::normal;
pub use init_uniform::random_weights;
pub use learned_rates::softplus;
pub use linear_backward_data::linear_backward_data;
pub use linear_backward_weight::linear_backward_weight;
pub use linear_forward::linear_forward;
pub use mean_difference::mean_difference;
pub use network::{DmStep, embed_backward, embed_forward};
pub use norm_relu_pool_backward::{norm_affine_relu_pool_backward, norm_relu_pool_backward};
pub use norm_relu_pool_forward::{norm_affine_relu_pool_forward, norm_relu_pool_forward};
pub use op::Op;
pub use philox::philox4x32;
pub use rate_gradient::{rate_gradient, softplus_slope};
pub use sgd::{sgd, sgd_with_decay};
pub use softmax_cross_entropy::softmax_cross_entropy;
pub use softmax_tangent::softmax_tangent;
pub use unpack::{unpack, unpack_backward};

use dm_wgpu::testing::Images;

/// Square images or planes, (n, channels, size, size).
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    pub values: Vec<f64>,
    pub n: usize,
    pub channels: usize,
    pub size: usize,
}

impl Batch {
    pub fn new(values: Vec<f64>, n: usize, channels: usize, size: usize) -> Self {
        assert_eq!(values.len(), n * channels * size * size, "({n}, {channels}, {size}, {size})");
        Self { values, n, channels, size }
    }
    pub fn zeros(n: usize, channels: usize, size: usize) -> Self {
        Self::new(vec![0.0; n * channels * size * size], n, channels, size)
    }
    /// As many zeros, in the same shape.
    pub fn zeros_like(&self) -> Self {
        Self::zeros(self.n, self.channels, self.size)
    }
    /// The same shape with other values.
    pub fn with(&self, values: Vec<f64>) -> Self {
        Self::new(values, self.n, self.channels, self.size)
    }
    fn index(&self, i: usize, c: usize, y: usize, x: usize) -> usize {
        assert!(i < self.n && c < self.channels && y < self.size && x < self.size);
        ((i * self.channels + c) * self.size + y) * self.size + x
    }
    pub fn at(&self, i: usize, c: usize, y: usize, x: usize) -> f64 {
        self.values[self.index(i, c, y, x)]
    }
    pub fn at_mut(&mut self, i: usize, c: usize, y: usize, x: usize) -> &mut f64 {
        let index = self.index(i, c, y, x);
        &mut self.values[index]
    }
    /// Whether (y, x) is a pixel; if so, as indices.
    pub fn inside(&self, y: isize, x: isize) -> Option<(usize, usize)> {
        let range = 0..self.size as isize;
        (range.contains(&y) && range.contains(&x)).then_some((y as usize, x as usize))
    }
    /// Images `from..to`.
    pub fn slice(&self, from: usize, to: usize) -> Self {
        let each = self.channels * self.size * self.size;
        Self::new(self.values[from * each..to * each].to_vec(), to - from, self.channels, self.size)
    }
}

impl From<&Images> for Batch {
    fn from(images: &Images) -> Self {
        Self::new(widen(&images.values), images.n, images.channels, images.size)
    }
}

impl From<&Batch> for Images {
    fn from(batch: &Batch) -> Self {
        let Batch { n, channels, size, .. } = *batch;
        Self { values: narrow(&batch.values), n, channels, size }
    }
}

/// f32 as f64: exact.
pub fn widen(values: &[f32]) -> Vec<f64> {
    values.iter().map(|v| f64::from(*v)).collect()
}

/// [`widen`] of every block's weights.
pub fn widen_all(blocks: &[Vec<f32>]) -> Vec<Vec<f64>> {
    blocks.iter().map(|b| widen(b)).collect()
}

/// f64 rounded to f32, for comparison with what a GPU returns.
pub fn narrow(values: &[f64]) -> Vec<f32> {
    values.iter().map(|v| *v as f32).collect()
}
