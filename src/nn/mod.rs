//! Networks as lists of kernels.
mod spec;
pub use spec::ConvNet;
