//! What to ask of an adapter for a device that serves this library well, for those who open their own.

use wgpu::{Adapter, Features, Limits};

/// Features that make work faster or tell more, of which none is needed: with subgroups, CPUs that act as
/// GPUs get faster kernels; with timestamps, [`bench`](crate::bench) times single kernels.
const USEFUL: Features = Features::SUBGROUP.union(Features::TIMESTAMP_QUERY);

/// The features of this adapter to open a device with, beside your own. None is needed: without any, other
/// kernels serve. [`Precision::features`](super::Precision::features) has those of half precision.
///
/// ```no_run
/// # async fn open(adapter: &dm_wgpu::wgpu::Adapter) -> Result<(), Box<dyn std::error::Error>> {
/// use dm_wgpu::{Gpu, required_features, required_limits, wgpu};
///
/// let descriptor = wgpu::DeviceDescriptor {
///     required_features: required_features(adapter), // | your own
///     required_limits: required_limits(adapter),     // .or_better_values_from(your own)
///     ..Default::default()
/// };
/// let (device, queue) = adapter.request_device(&descriptor).await?;
/// let gpu = Gpu::from_parts(device, queue, adapter.get_info());
/// # Ok(())
/// # }
/// ```
pub fn required_features(adapter: &Adapter) -> Features {
    adapter.features() & USEFUL
}

/// The limits of this adapter to open a device with: WebGPU's defaults, or what the adapter has where that is
/// less, but buffers as large as it binds at once, so that the training set can stay on the device and
/// batches need not be cut. The defaults suffice as well; workgroups of less than 256 invocations or 16 KiB
/// are served by the `plain` kernels only.
pub fn required_limits(adapter: &Adapter) -> Limits {
    limits(&adapter.limits())
}

fn limits(adapter: &Limits) -> Limits {
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
    fn asked_for_is_what_the_adapter_has() {
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
