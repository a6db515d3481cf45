//! What a device can do, and which family of kernels suits it.

use wgpu::{AdapterInfo, Features, Limits};

use super::{Gpu, Matrices, Texels, precision::little};
use crate::{Error, Result, Text};

/// Families of convolution kernels. All give the same result up to rounding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kernels {
    /// The simplest ones, for any adapter.
    Plain,
    /// For CPUs that act as GPUs, with subgroups of 8 or 16: planes lie in textures, a lane has an output channel, and nothing
    /// is in workgroup memory.
    Lanes,
    /// For GPUs: workgroups share what they load through workgroup memory.
    Tiles,
}

/// Workgroup memory of the tiles family, in bytes: what WebGPU guarantees.
pub(crate) const TILES_BYTES: usize = 16 << 10;
/// Invocations per workgroup of the tiles family.
const TILES_INVOCATIONS: u32 = 256;

impl Kernels {
    /// Every family.
    pub const ALL: [Self; 3] = [Self::Plain, Self::Lanes, Self::Tiles];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Lanes => "lanes",
            Self::Tiles => "tiles",
        }
    }
}

/// What a device can do, as plain data. The choice of kernels depends on this and on shapes, and on nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Caps {
    /// The family that suits the device, or the one that was asked for.
    pub kernels: Kernels,
    /// Whether the adapter is a CPU.
    pub cpu: bool,
    /// Lanes of a subgroup, if all subgroups have the same number, 8 or 16.
    pub subgroup: Option<usize>,
    /// With f16: the matrices that its convolutions are made of.
    pub matrices: Option<Matrices>,
    /// Whether planes may lie in textures.
    pub texels: bool,
    /// Invocations of the largest workgroup.
    pub invocations: u32,
    /// Workgroup memory, in bytes.
    pub workgroup_bytes: usize,
}

impl Caps {
    /// The capabilities of a device with these features and limits, with the family of kernels that suits it. The
    /// adapter's report decides, never a measurement: the same adapter always gets the same kernels.
    pub fn of(info: &AdapterInfo, features: Features, limits: &Limits) -> Self {
        let fixed = info.subgroup_min_size == info.subgroup_max_size;
        let has = features.contains(Features::SUBGROUP) && fixed;
        let mut caps = Self {
            kernels: Kernels::Plain,
            cpu: info.device_type == wgpu::DeviceType::Cpu,
            subgroup: has
                .then_some(info.subgroup_min_size as usize)
                .filter(|lanes| matches!(lanes, 8 | 16)),
            matrices: None,
            texels: Texels::suffices(limits),
            invocations: (limits.max_compute_invocations_per_workgroup)
                .min(limits.max_compute_workgroup_size_x),
            workgroup_bytes: limits.max_compute_workgroup_storage_size as usize,
        };
        caps.kernels = caps.suited();
        caps
    }

    /// The same with f16.
    pub fn with_matrices(self, matrices: Matrices) -> Self {
        let mut caps = Self { matrices: Some(matrices), ..self };
        if caps.missing_for(caps.kernels).is_some() {
            caps.kernels = caps.suited();
        }
        caps
    }

    fn suited(&self) -> Kernels {
        let possible = |kernels: &Kernels| self.missing_for(*kernels).is_none();
        let best = [Kernels::Lanes, Kernels::Tiles].into_iter().find(possible);
        best.unwrap_or(Kernels::Plain)
    }

    /// What the device lacks for a family of kernels, if anything.
    pub fn missing_for(&self, kernels: Kernels) -> Option<Text> {
        let bytes = self.workgroup_bytes;
        match kernels {
            Kernels::Lanes if !self.cpu => Some("cores of a CPU, which these are for".into()),
            Kernels::Lanes if self.subgroup.is_none() => {
                Some("subgroups of one fixed size, 8 or 16".into())
            }
            Kernels::Lanes if !self.texels => Some("textures of WebGPU's default limits".into()),
            // Planes in textures are not what matrices are loaded from.
            Kernels::Lanes if self.matrices.is_some() => Some("such kernels with f16".into()),
            Kernels::Tiles if self.invocations < TILES_INVOCATIONS => {
                Some(format!("workgroups of {TILES_INVOCATIONS} invocations").into())
            }
            Kernels::Tiles if bytes < TILES_BYTES => Some(little(TILES_BYTES, bytes)),
            _ => None,
        }
    }

    /// Lanes of a subgroup, with the family whose kernels depend on them and whose planes lie in textures.
    pub fn lanes(&self) -> Option<usize> {
        self.subgroup.filter(|_| self.kernels == Kernels::Lanes)
    }
}

impl Gpu {
    /// The same device with these kernels.
    ///
    /// # Errors
    /// [`Error::Missing`] if the adapter does not have what they need.
    pub fn with_kernels(mut self, kernels: Kernels) -> Result<Self> {
        if let Some(missing) = self.caps.missing_for(kernels) {
            let possible = |kernels: &Kernels| self.caps.missing_for(*kernels).is_none();
            let others: Vec<_> =
                Kernels::ALL.into_iter().filter(possible).map(Kernels::name).collect();
            return Err(Error::Missing {
                name: "kernels",
                given: kernels.name(),
                adapter: self.info().name.clone(),
                missing,
                possible: format!("possible: {}", others.join(" and ")),
            });
        }
        self.caps.kernels = kernels;
        Ok(self)
    }
}
