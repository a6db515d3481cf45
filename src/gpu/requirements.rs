//! The features and limits to request for a device on which this library works well, for callers who open their own;
//! and what a device must have at least.

use wgpu::{Adapter, Features, Limits};

use super::dispatch::ROW;
use crate::{Error, Result};

/// The environment variable that makes a good adapter behave like a modest one; see
/// [`Gpu::headless`](super::Gpu::headless).
const LIMITS_VARIABLE: &str = "DM_WGPU_LIMITS";

/// Features that make work faster or report more; none is required. With subgroups, CPUs that act as GPUs get faster
/// kernels; with timestamps, work is cut by exact times (as in [`encode_some`](crate::Condensation::encode_some)) and
/// [`bench`](crate::bench) times single kernels.
const USEFUL: Features = Features::SUBGROUP.union(Features::TIMESTAMP_QUERY);

/// The features that are preferred, of those that this adapter has: open a device with them, beside your own. None is
/// required. `SUBGROUP` is for faster kernels on CPUs that act as GPUs; by `TIMESTAMP_QUERY`
/// [`encode_some`](crate::Condensation::encode_some) and [`bench`](crate::bench) know how long work takes. Without them, other
/// kernels and clocks serve. [`Precision::features`](super::Precision::features) has those of half precision.
///
/// ```no_run
/// # async fn open(adapter: &dm_wgpu::wgpu::Adapter) -> Result<(), Box<dyn std::error::Error>> {
/// use dm_wgpu::{Gpu, preferred_features, preferred_limits, wgpu};
///
/// let descriptor = wgpu::DeviceDescriptor {
///     required_features: preferred_features(adapter), // | your own
///     required_limits: preferred_limits(adapter),     // .or_better_values_from(your own)
///     ..Default::default()
/// };
/// let (device, queue) = adapter.request_device(&descriptor).await?;
/// let gpu = Gpu::from_parts(device, queue, adapter.get_info());
/// # Ok(())
/// # }
/// ```
pub fn preferred_features(adapter: &Adapter) -> Features {
    useful(adapter.features())
}

pub(super) fn useful(features: Features) -> Features {
    features & USEFUL
}

/// The limits that are preferred: WebGPU's defaults (or the adapter's limits where those are lower), but with buffers
/// and bindings as large as the adapter allows, so that the training set can stay on the device and batches need not be
/// cut. They are not required: WebGPU's defaults suffice as well; with workgroups of less than 256 invocations or 16
/// KiB, only the `plain` kernels are possible.
pub fn preferred_limits(adapter: &Adapter) -> Limits {
    limits(&adapter.limits())
}

/// The features and limits that devices of our own may be opened with on this adapter: its own, unless the
/// environment asks for less.
pub(super) fn offered(adapter: &Adapter) -> Result<(Features, Limits)> {
    let Some(asked) = asked() else { return Ok((adapter.features(), adapter.limits())) };
    let least = match asked.as_str() {
        "webgpu" => Limits::default(),
        "downlevel" => Limits::downlevel_defaults(),
        _ => {
            let possible = "webgpu and downlevel are possible";
            return Err(Error::setting(LIMITS_VARIABLE, format!("{asked:?}"), possible));
        }
    };
    Ok((Features::empty(), least.or_worse_values_from(&adapter.limits())))
}

/// The limits that the environment variable asks for.
fn asked() -> Option<String> {
    std::env::var(LIMITS_VARIABLE).ok().filter(|asked| !asked.is_empty())
}

/// Warns if a device has less than its adapter, because other kernels are then used.
pub(super) fn tell(name: &str) {
    if let Some(asked) = asked() {
        log::info!(
            "{name} is opened at {LIMITS_VARIABLE}={asked}: without optional features, so that bits may differ \
             from those of other runs"
        );
    }
}

/// What every device must have: below these limits, runs have kernels that do not compile, or grids that are too large. (Limit, its name in
/// wgpu, what is needed, what the device has.)
fn needed(device: &Limits) -> [(&'static str, &'static str, u32, u32); 7] {
    [
        ("bind groups", "max_bind_groups", BIND_GROUPS, device.max_bind_groups),
        (
            "bindings a bind group",
            "max_bindings_per_bind_group",
            BINDINGS,
            device.max_bindings_per_bind_group,
        ),
        (
            "uniform buffers a shader stage",
            "max_uniform_buffers_per_shader_stage",
            1,
            device.max_uniform_buffers_per_shader_stage,
        ),
        (
            "workgroups along a side of a grid",
            "max_compute_workgroups_per_dimension",
            ROW as u32,
            device.max_compute_workgroups_per_dimension,
        ),
        (
            "storage buffers a shader stage",
            "max_storage_buffers_per_shader_stage",
            STORAGE_BUFFERS,
            device.max_storage_buffers_per_shader_stage,
        ),
        (
            "invocations a workgroup",
            "max_compute_invocations_per_workgroup",
            INVOCATIONS,
            device.max_compute_invocations_per_workgroup.min(device.max_compute_workgroup_size_x),
        ),
        (
            "bytes of workgroup memory",
            "max_compute_workgroup_storage_size",
            WORKGROUP_BYTES,
            device.max_compute_workgroup_storage_size,
        ),
    ]
}

/// One for a kernel's own bindings, and one that says where a slice of its grid begins.
const BIND_GROUPS: u32 = 2;
/// Bindings that a kernel has at most.
pub const BINDINGS: u32 = 8;
/// Storage buffers that a kernel binds at most.
pub const STORAGE_BUFFERS: u32 = 8;
/// Invocations of the largest workgroup of those that have a choice of none.
pub const INVOCATIONS: u32 = 64;
/// And the most workgroup memory that these use.
pub const WORKGROUP_BYTES: u32 = 512;

/// Refuses a device that is too limited for this library, and names the limit.
pub(super) fn suffices(name: &str, device: &Limits) -> Result<()> {
    let missing = needed(device).into_iter().find(|(.., least, has)| has < least);
    let Some((what, limit, least, has)) = missing else { return Ok(()) };
    Err(Error::Adapter(format!(
        "{name}{} allows {has} {what} ({limit}), but {least} are needed: WebGPU's default limits would do, \
         less does not",
        asked().map_or(String::new(), |asked| format!(" at {LIMITS_VARIABLE}={asked}"))
    )))
}

pub(super) fn limits(adapter: &Limits) -> Limits {
    Limits {
        max_buffer_size: adapter.max_buffer_size,
        max_storage_buffer_binding_size: adapter.max_storage_buffer_binding_size,
        ..Limits::default().or_worse_values_from(adapter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limits_asked_for_are_those_of_the_adapter() {
        let large = Limits {
            max_buffer_size: 1 << 40,
            max_storage_buffer_binding_size: 1 << 31,
            max_compute_invocations_per_workgroup: 1024,
            ..Limits::default()
        };
        let asked = limits(&large);
        assert_eq!(
            (asked.max_buffer_size, asked.max_storage_buffer_binding_size),
            (1 << 40, 1 << 31)
        );
        assert_eq!(asked.max_compute_invocations_per_workgroup, 256, "no more than is used");
        for adapter in [large, Limits::downlevel_defaults(), Limits::downlevel_webgl2_defaults()] {
            assert!(limits(&adapter).check_limits(&adapter), "{adapter:?}");
        }
    }
}
