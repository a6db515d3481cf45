//! The report of a benchmark.

use serde::Serialize;

use super::Shape;
use crate::{Architecture, Matching};

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
    /// The method that condensed.
    pub method: Matching,
    /// Classes.
    pub classes: usize,
    /// Synthetic images per class.
    pub ipc: usize,
    /// Tiles of a side that each of these is packed with.
    pub factor: usize,
    /// The kind of network.
    pub net: Architecture,
    /// Channels of every convolution of a ConvNet.
    pub width: usize,
    /// Blocks of a ConvNet.
    pub depth: usize,
    /// Real images per class and iteration.
    pub batch_real: usize,
    /// Iterations of a condensation.
    pub iteration: Phase,
    /// Epochs of an evaluation: one network trained on the `ipc` images of each class, unpacked.
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
    /// The name that the adapter reports.
    pub name: String,
    /// The graphics API.
    pub backend: String,
    /// The driver, with its version.
    pub driver: String,
    /// Whether it is a CPU that acts as a GPU.
    pub cpu: bool,
    /// The family of kernels that was used.
    pub kernels: String,
    /// The type to which convolutions rounded their factors.
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
    /// Pipelines that were compiled in this phase.
    pub pipelines: u32,
    /// Time to compile them: part of `prepare_ms`.
    pub compile_ms: f64,
    /// How much longer the first one took than the median. Some drivers compile at the first dispatch.
    pub first_use_ms: f64,
    /// Bytes of all buffers that were made; they stay until the phase ends. The driver's own
    /// memory, and data that waits to be copied to the device, come on top.
    pub peak_bytes: u64,
    /// The most bytes that wgpu reported as allocated, including data that waits to be copied; not
    /// every backend reports this.
    pub allocated_bytes: Option<u64>,
}

/// The way to the end of the first iteration.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Start {
    /// Opening the adapter.
    pub open_ms: f64,
    /// Opening the adapter, preparing, and the first iteration.
    pub total_ms: f64,
}

/// The most that an adapter can do, measured by kernels that do nothing else.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Ceiling {
    /// Multiply-adds in f32, each two operations: 10⁹ per second.
    pub gflops: f64,
    /// Copying from one buffer to another, read and written bytes added up: 10⁹ per second.
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
    /// Each dispatch is submitted alone and waited for; the time of a round trip to the device is included.
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
    /// Its share of the time that all kernels take together: 0…1.
    pub share: f64,
    /// Multiplications and additions in 10⁹ per second, where they are well defined.
    pub gflops: Option<f64>,
    /// Bytes that must be read or written, each counted once, in 10⁹ per second.
    pub gbytes_per_s: Option<f64>,
    /// Part of the adapter's [`Ceiling::gflops`].
    pub of_gflops: Option<f64>,
    /// Part of the adapter's [`Ceiling::gbytes_per_s`]; above 1 where caches serve.
    pub of_gbytes_per_s: Option<f64>,
}
