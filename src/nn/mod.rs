//! Networks: lists of layers (`layer`, `net`, `named`, `own`), their program of operations, their weights, and forward
//! and backward as lists of kernels (`network`).

mod architecture;
mod classifier;
mod embedder;
mod fast;
mod fast_passes;
mod forms;
mod gradients;
mod layer;
mod named;
mod net;
mod network;
mod own;
mod places;
mod program;
mod spec;
mod tangent;
mod tensors;
mod texel_blocks;
mod weights;

pub use architecture::Architecture;
pub(crate) use architecture::is_usual;
pub(crate) use classifier::{Answers, Classifiers, Part};
pub(crate) use embedder::Embedder;
pub(crate) use forms::Ways;
pub(crate) use gradients::{Gradients, Target};
pub use layer::{Activation, Layer, NormKind, PoolKind};
pub use net::Net;
pub(crate) use network::{Mode, Network};
pub(crate) use program::{OpKind, Program, Role};
pub use spec::ConvNet;
pub(crate) use tangent::{Along, Tangent};
pub(crate) use weights::Weights;
