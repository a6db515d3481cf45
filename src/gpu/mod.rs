//! Device, typed buffers, pipelines, recording and submitting. Knows nothing of networks.
use crate::Result;

/// A device to run on.
#[derive(Clone)]
pub struct Gpu {}

/// Which adapter to take.
#[derive(Debug, Clone, Default)]
pub struct AdapterChoice {
    /// Part of a name (any case), or an index into [`adapters_blocking`]'s list.
    pub adapter: Option<String>,
    /// `vulkan`, `metal`, `dx12` or `gl`.
    pub backend: Option<String>,
}

/// What an adapter says of itself.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct AdapterReport {
    /// wgpu's description: name, driver, type, backend.
    pub info: wgpu::AdapterInfo,
    /// What it can do at most.
    pub limits: wgpu::Limits,
    /// Optional features it has.
    pub features: wgpu::Features,
}

/// Every adapter of this machine, best first (discrete, integrated, virtual, CPU): the order that `AdapterChoice` indexes.
pub fn adapters_blocking(_backend: Option<&str>) -> Result<Vec<AdapterReport>> {
    unimplemented!()
}

impl Gpu {
    /// stub
    pub fn headless_blocking(_choice: &AdapterChoice) -> Result<Self> {
        unimplemented!()
    }
    /// stub
    pub fn info(&self) -> &wgpu::AdapterInfo {
        unimplemented!()
    }
}
