//! Families of kernels: what each needs, and which suits a device.

use super::{Gpu, Texels, requirements};
use crate::{Error, Result};

/// Families of convolution kernels. All give the same result but for rounding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kernels {
    /// The simplest ones, for any adapter.
    Plain,
    /// For CPUs that act as GPUs with subgroups of one fixed size; for GPUs with such, if asked: whole blocks
    /// in registers, nothing in workgroup memory.
    Lanes,
    /// For GPUs: workgroups share what they load through workgroup memory.
    Tiles,
}

/// The Mesa whose software device was seen to make a loop over the lanes of each broadcast. Those between
/// 22 and this were not tried.
const MESA_LOOPS: u32 = 25;

/// The major version of Mesa that made the driver, if it says so: "Mesa 25.0.7-2 (LLVM 19.1.7)".
fn mesa_version(driver_info: &str) -> Option<u32> {
    let (_, version) = driver_info.split_once("Mesa ")?;
    version.split('.').next()?.parse().ok()
}

/// Workgroup memory of the tiles family, in bytes: what WebGPU guarantees.
pub(crate) const TILES_BYTES: usize = 16 << 10;
/// And its invocations a workgroup.
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

impl Gpu {
    /// The same device with these kernels.
    ///
    /// # Errors
    /// [`Error::Setting`] if the adapter does not have what they need.
    pub fn with_kernels(mut self, kernels: Kernels) -> Result<Self> {
        if let Some(missing) = self.missing_for(kernels) {
            let possible = |kernels: &Kernels| self.missing_for(*kernels).is_none();
            let others: Vec<_> =
                Kernels::ALL.into_iter().filter(possible).map(Kernels::name).collect();
            let (name, others) = (&self.info().name, others.join(" and "));
            let expected = format!("{name} has no {missing}; possible: {others}");
            return Err(Error::setting("kernels", kernels.name(), expected));
        }
        self.kernels = kernels;
        Ok(self)
    }

    /// The family that suits the device. What the adapter says decides, nothing measured: the same adapter, the
    /// same kernels.
    pub(super) fn suited(&self) -> Kernels {
        let possible = |kernels: &Kernels| self.missing_for(*kernels).is_none();
        let suited = [Kernels::Lanes, Kernels::Tiles];
        let mut suited = suited.into_iter().skip(if self.is_cpu() { 0 } else { 1 });
        suited.find(possible).unwrap_or(Kernels::Plain)
    }

    /// What the device lacks for a family of kernels, if anything.
    pub(super) fn missing_for(&self, kernels: Kernels) -> Option<String> {
        match kernels {
            Kernels::Plain => None,
            Kernels::Lanes => match self.fixed_subgroup() {
                Some(_) => requirements::lanes_missing(&self.device().limits()),
                None => Some("subgroups of one fixed size from 8 to 64".into()),
            },
            Kernels::Tiles => {
                let limits = self.device().limits();
                let invocations = (limits.max_compute_invocations_per_workgroup)
                    .min(limits.max_compute_workgroup_size_x);
                if invocations < TILES_INVOCATIONS {
                    return Some(format!("workgroups of {TILES_INVOCATIONS} invocations"));
                }
                let bytes = limits.max_compute_workgroup_storage_size as usize;
                (bytes < TILES_BYTES)
                    .then(|| format!("{TILES_BYTES} bytes of workgroup memory, but {bytes} bytes"))
            }
        }
    }

    /// Lanes of a subgroup, where the kernels that need to know are used.
    pub(crate) fn lanes(&self) -> Option<usize> {
        (self.kernels == Kernels::Lanes).then(|| self.fixed_subgroup()).flatten()
    }

    /// Whether the adapter is a CPU: registers spill cheaply there and loads are dear.
    pub(crate) fn is_cpu(&self) -> bool {
        self.info().device_type == wgpu::DeviceType::Cpu
    }

    /// Lanes of a subgroup on a CPU whose driver broadcasts from one of them in an instruction or two:
    /// where kernels with an output channel per lane pay.
    pub(crate) fn broadcasting_lanes(&self) -> Option<usize> {
        let slow = mesa_version(&self.info().driver_info).is_some_and(|mesa| mesa >= MESA_LOOPS);
        // Their planes are dense, but matrices are filled from haloed ones.
        self.lanes().filter(|_| self.is_cpu() && !slow && self.matrices.is_none())
    }

    /// Lanes of a subgroup on a CPU where planes may lie in textures, whose loads are cheap there.
    pub(crate) fn texel_lanes(&self) -> Option<usize> {
        let suffices = Texels::suffices(&self.device().limits());
        self.lanes().filter(|_| self.is_cpu() && suffices && self.matrices.is_none())
    }

    fn fixed_subgroup(&self) -> Option<usize> {
        let info = self.info();
        let has = self.device().features().contains(wgpu::Features::SUBGROUP);
        let fixed = info.subgroup_min_size == info.subgroup_max_size;
        // The kernel's weights are spread over at least 8 lanes, and over 64 at most usefully.
        (has && fixed && (8..=64).contains(&info.subgroup_min_size))
            .then_some(info.subgroup_min_size as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mesa_tells_its_version() {
        assert_eq!(mesa_version("Mesa 22.3.6 (LLVM 15.0.6)"), Some(22));
        assert_eq!(mesa_version("Mesa 25.0.7-2+deb13u1 (LLVM 19.1.7)"), Some(25));
        for other in ["", "550.90.07", "Mesa", "Mesa devel"] {
            assert_eq!(mesa_version(other), None, "{other}");
        }
    }
}
