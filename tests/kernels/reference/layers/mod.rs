//! Twins of the plain kernels of layers, and of a network of any layers.

mod act;
mod conv;
mod network;
mod norm;
mod pool;
mod tangent;

pub use act::{act_backward, act_forward};
pub use conv::{Conv, conv_backward, conv_forward};
pub use network::{Step, Tensors, Training, embed, evaluate, measured, step_of};
pub use norm::{Norm, norm_backward, norm_forward, running};
pub use pool::{Pool, pool_backward, pool_forward};
pub use tangent::{act_tangent, norm_tangent, pool_tangent};
