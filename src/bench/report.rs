//! What a benchmark says.

use serde::Serialize;

use super::Shape;
use crate::Architecture;

/// Everything that was measured. Its fields are the keys of `dm-wgpu bench --json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// Of this crate.
    pub version: String,
    /// What it ran on.
    pub adapter: BenchAdapter,
    /// The work.
    pub shape: Shape,
    /// Classes.
    pub classes: usize,
    /// Synthetic images of a class.
    pub ipc: usize,
    /// The kind of network.
    pub net: Architecture,
    /// Channels of every convolution of a ConvNet.
    pub width: usize,
    /// Blocks of a ConvNet.
    pub depth: usize,
    /// Real images of a class and iteration.
    pub batch_real: usize,
    /// Iterations of a condensation.
    pub iteration: Phase,
    /// Epochs of an evaluation: one network trained on the `ipc` images of each class.
    pub epoch: Phase,
    /// From opening the adapter to the end of the first iteration, without making up data.
    pub start: Start,
    /// What this adapter can do at most, measured in the same run.
    pub ceiling: Ceiling,
    /// The larger of the two phases' `peak_bytes`.
    pub peak_bytes: u64,
    /// What kernels were timed by.
    pub timed_by: TimedBy,
    /// The kernels of one iteration, the longest first.
    pub kernels: Vec<KernelTime>,
    /// The kernels of one epoch, the longest first.
    pub epoch_kernels: Vec<KernelTime>,
}

/// What a benchmark ran on.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct BenchAdapter {
    /// As the adapter says.
    pub name: String,
    /// The graphics API.
    pub backend: String,
    /// With its version.
    pub driver: String,
    /// Whether it is a CPU that acts as a GPU.
    pub cpu: bool,
    /// The family of kernels that it was served by.
    pub kernels: String,
    /// What its convolutions rounded their factors to.
    pub precision: String,
}

/// Times of something that was done several times. The next one is submitted while one is in
/// flight, as a run does.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Phase {
    /// How many were timed, after the first and two others that were not.
    pub timed: u32,
    /// Their median.
    pub median_ms: f64,
    /// The shortest.
    pub min_ms: f64,
    /// The longest.
    pub max_ms: f64,
    /// Making buffers and pipelines and sending what stays on the device.
    pub prepare_ms: f64,
    /// The first one, from its submission to its end.
    pub first_ms: f64,
    /// Pipelines made, which the phase before had not.
    pub pipelines: u32,
    /// Making those: part of `prepare_ms`.
    pub compile_ms: f64,
    /// What the first one took longer than the median. Some drivers compile at the first dispatch.
    pub first_use_ms: f64,
    /// Bytes of all buffers made, which stay until the phase ends. What the driver takes for itself,
    /// and what waits to be copied to the device, comes on top.
    pub peak_bytes: u64,
    /// The most that wgpu was seen to have allocated, with what waits to be copied; not every
    /// backend tells.
    pub allocated_bytes: Option<u64>,
}

/// The way to the end of the first iteration.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Start {
    /// Opening the adapter.
    pub open_ms: f64,
    /// That, then preparing, then the first iteration.
    pub total_ms: f64,
}

/// What an adapter does at most, by kernels that do nothing else.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Ceiling {
    /// Multiply-adds in f32, each two operations: 10⁹ a second.
    pub gflops: f64,
    /// Copying from one buffer to another, read and written bytes added up: 10⁹ a second.
    pub gbytes_per_s: f64,
    /// Length of each of those buffers. Where caches are larger, they are what was measured.
    pub copied_bytes: u64,
}

/// What kernels were timed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TimedBy {
    /// The device's own timestamps.
    Timestamps,
    /// Submitting each alone and waiting for it; the way there and back is in each time.
    Waiting,
}

/// All dispatches of one kernel.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct KernelTime {
    /// Its name, with what it is specialised to.
    pub name: String,
    /// Dispatches.
    pub calls: usize,
    /// All of them together.
    pub ms: f64,
    /// Of the time that all kernels take together: 0…1.
    pub share: f64,
    /// Multiplications and additions in 10⁹ a second, where they are well defined.
    pub gflops: Option<f64>,
    /// Bytes that must be read or written, each counted once, in 10⁹ a second.
    pub gbytes_per_s: Option<f64>,
    /// Part of the adapter's [`Ceiling::gflops`].
    pub of_gflops: Option<f64>,
    /// Part of the adapter's [`Ceiling::gbytes_per_s`]; above 1 where caches serve.
    pub of_gbytes_per_s: Option<f64>,
}
