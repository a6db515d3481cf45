//! Networks as lists of kernels.

mod embedder;
mod spec;
mod weights;

pub(crate) use embedder::{BlockGradients, Embedder, Target};
pub use spec::ConvNet;
pub(crate) use weights::Weights;
