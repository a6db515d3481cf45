//! Training on the GPU against its f64 twins: every kernel, then whole steps of several networks, in every family
//! of kernels that the adapter can have.

mod kernels;
pub mod setup;
mod slopes;
mod steps;
