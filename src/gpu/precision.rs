//! Which precision convolutions are computed in, and the cooperative matrices that f16 needs.

use wgpu::{CooperativeMatrixProperties, CooperativeScalarType, Features};

use crate::Text;

/// The type to which the factors of convolutions are rounded. Sums and everything else are f32 with either.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Precision {
    /// f32, as everything else: the reference.
    #[default]
    F32,
    /// f16 in forward convolutions that use cooperative matrices (for instance tensor cores), on adapters that have
    /// them. Other convolutions, such as those of a first block with few channels, stay f32.
    F16,
}

impl Precision {
    /// Both.
    pub const ALL: [Self; 2] = [Self::F32, Self::F16];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
        }
    }

    /// The features that a device needs for it.
    pub fn features(self) -> Features {
        match self {
            Self::F32 => Features::empty(),
            Self::F16 => {
                Features::SHADER_F16
                    | Features::SUBGROUP
                    | Features::EXPERIMENTAL_COOPERATIVE_MATRIX
            }
        }
    }
}

/// Workgroup memory of the kernels with matrices, in bytes: twice what WebGPU guarantees. Every adapter known to have
/// such matrices has this much.
pub(crate) const MATRICES_BYTES: usize = 32 << 10;

/// Square matrices of f16 that a subgroup multiplies and adds up in f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Matrices {
    /// Rows and columns: 8 or 16.
    pub side: usize,
    /// Lanes of a subgroup; if the size varies, the largest.
    pub lanes: usize,
}

impl Matrices {
    /// The largest matrices that such a device offers; the error says what it lacks.
    pub fn of(
        info: &wgpu::AdapterInfo,
        features: Features,
        limits: &wgpu::Limits,
        properties: &[CooperativeMatrixProperties],
    ) -> Result<Self, Text> {
        let missing = Precision::F16.features() - features;
        if !missing.is_empty() {
            let names = [
                (Features::SHADER_F16, "f16 in shaders"),
                (Features::SUBGROUP, "subgroups"),
                (Features::EXPERIMENTAL_COOPERATIVE_MATRIX, "cooperative matrices of f16"),
            ];
            let names = names.into_iter().filter(|(feature, _)| missing.contains(*feature));
            return Err(names.map(|(_, name)| name).collect::<Vec<_>>().join(" and ").into());
        }
        let bytes = limits.max_compute_workgroup_storage_size as usize;
        if bytes < MATRICES_BYTES {
            return Err(little(MATRICES_BYTES, bytes));
        }
        let fit = |side: u32, p: &CooperativeMatrixProperties| {
            (p.m_size, p.n_size, p.k_size) == (side, side, side)
                && p.ab_type == CooperativeScalarType::F16
                && p.cr_type == CooperativeScalarType::F32
                && !p.saturating_accumulation
        };
        let offered = |&side: &u32| properties.iter().any(|p| fit(side, p));
        let Some(side) = [16, 8].into_iter().find(offered) else {
            return Err("cooperative matrices of f16, summed in f32, of 8×8 or 16×16".into());
        };
        // wgpu reports the widest range on Metal, but Apple's GPUs, which have the matrices, have 32.
        let lanes = match info.backend {
            wgpu::Backend::Metal => 32,
            _ => info.subgroup_max_size,
        };
        if !(8..=64).contains(&lanes) {
            return Err("subgroups of 8 to 64".into());
        }
        if info.device_type == wgpu::DeviceType::Cpu && lanes > 8 {
            // It reports such matrices nevertheless, but its compiler crashes.
            let vectors = "cooperative matrices in vectors of 512 bits, whatever it says: set \
                           LP_NATIVE_VECTOR_WIDTH=256";
            return Err(vectors.into());
        }
        Ok(Self { side: side as usize, lanes: lanes as usize })
    }
}

/// The token by which wgpu makes sure that the caller knows what an experimental feature means: it may have bugs, up to
/// undefined behaviour. It is requested only if the user has asked for f16.
#[allow(unsafe_code)]
pub(super) fn experimental() -> wgpu::ExperimentalFeatures {
    // SAFETY: what the feature's documentation demands of shaders holds for those of ours that use it: all
    // lanes of a subgroup reach each of these operations together, with the same pointers and strides, and
    // all of a matrix lies within its buffer or array.
    unsafe { wgpu::ExperimentalFeatures::enabled() }
}

/// Too little workgroup memory.
pub(super) fn little(least: usize, bytes: usize) -> Text {
    let text = Text::default().bytes(least as u64).then(" of workgroup memory, but ");
    text.bytes(bytes as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(
        sides: &[(u32, u32, CooperativeScalarType)],
        features: Features,
        bytes: u32,
    ) -> Result<Matrices, Text> {
        let info = wgpu::AdapterInfo {
            subgroup_min_size: 32,
            subgroup_max_size: 64,
            ..wgpu::AdapterInfo::new(wgpu::DeviceType::DiscreteGpu, wgpu::Backend::Vulkan)
        };
        let properties: Vec<_> = sides
            .iter()
            .map(|&(m_size, k_size, cr_type)| CooperativeMatrixProperties {
                m_size,
                n_size: m_size,
                k_size,
                ab_type: CooperativeScalarType::F16,
                cr_type,
                saturating_accumulation: false,
            })
            .collect();
        let limits =
            wgpu::Limits { max_compute_workgroup_storage_size: bytes, ..Default::default() };
        Matrices::of(&info, features, &limits, &properties)
    }

    #[test]
    fn the_largest_matrices_that_fit_are_taken() {
        use CooperativeScalarType::{F16, F32};
        let all = Precision::F16.features();
        let made = |side| Ok(Matrices { side, lanes: 64 });
        assert_eq!(of(&[(8, 8, F32), (16, 16, F32)], all, 48 << 10), made(16));
        assert_eq!(of(&[(8, 8, F32), (16, 16, F16), (16, 8, F32)], all, 32 << 10), made(8));
        assert!(
            of(&[(16, 16, F16)], all, 32 << 10).unwrap_err().to_string().contains("summed in f32")
        );
        let without = of(&[(16, 16, F32)], all - Features::SHADER_F16, 32 << 10).unwrap_err();
        assert_eq!(without.to_string(), "f16 in shaders");
        let small = of(&[(16, 16, F32)], all, 16 << 10).unwrap_err();
        assert_eq!(small.to_string(), "32768 bytes of workgroup memory, but 16384 bytes");
    }
}
