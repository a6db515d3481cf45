//! Convolution 3×3 and its gradients: [planned](plan()) for a block on a device, and launched as planned.

pub(crate) mod cpu;
mod launch;
mod plan;

pub(crate) use launch::{conv, conv_backward_weight};
pub(crate) use plan::{
    Backward, BlockPlan, BlockShape, ConvKernel, Forward, Kept, LayerKernel, TexelKernel,
    WeightKernel, conv_kernel, layer_kernel, linear_kernel, plan, weight_kernel,
};
