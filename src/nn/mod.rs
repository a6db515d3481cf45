//! Networks as lists of kernels.

mod classifier;
mod embedder;
mod spec;
mod texel_blocks;
mod weights;

pub(crate) use classifier::{Classifiers, Part};
pub(crate) use embedder::{BlockGradients, Embedder, Target};
pub use spec::ConvNet;
pub(crate) use weights::{Ways, Weights};
