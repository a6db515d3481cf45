//! `dm-wgpu adapters`: the adapters that a run can use.

use std::fmt::Write;

use dm_wgpu::{
    AdapterReport, adapters_blocking,
    wgpu::{CooperativeMatrixProperties, DeviceType, Features},
};

use super::{failure::Failure, say};

pub fn list(backend: Option<&str>) -> Result<u8, Failure> {
    let adapters = adapters_blocking(backend)?;
    if adapters.is_empty() {
        return Err(none(backend));
    }
    let blocks: Vec<_> =
        adapters.iter().enumerate().map(|(index, report)| describe(index, report)).collect();
    say::out(&blocks.join("\n\n"))
        .map(|()| 0)
        .map_err(|error| Failure::Failed(format!("stdout: {error}")))
}

/// The message that there is no adapter (of this API, if one was asked for).
pub fn none(backend: Option<&str>) -> Failure {
    let which = backend.map(|backend| format!("{backend} ")).unwrap_or_default();
    Failure::Failed(format!(
        "no {which}adapter was found: install the GPU's driver, or Mesa's lavapipe to run on the CPU"
    ))
}

/// A few lines on one adapter; the index is what `--adapter` takes.
pub fn describe(index: usize, report: &AdapterReport) -> String {
    let AdapterReport { info, limits, features, matrices, hidden, .. } = report;
    let kind = match info.device_type {
        DeviceType::DiscreteGpu => "discrete GPU",
        DeviceType::IntegratedGpu => "integrated GPU",
        DeviceType::VirtualGpu => "virtual GPU",
        DeviceType::Cpu => "CPU",
        DeviceType::Other => "unknown",
    };
    let driver = format!("{} {}", info.driver, info.driver_info);
    let driver = if driver.trim().is_empty() { "unknown" } else { driver.trim() };
    let subgroups = match (info.subgroup_min_size, info.subgroup_max_size) {
        _ if !features.contains(Features::SUBGROUP) => "none".to_owned(),
        (min, max) if min == max => min.to_string(),
        (min, max) => format!("{min} to {max}"),
    };
    let has = |feature| if features.contains(feature) { "yes" } else { "no" };
    let rows = [
        ("type", kind.to_owned()),
        ("backend", info.backend.to_str().to_owned()),
        ("driver", driver.to_owned()),
        ("storage binding", format!("{} at most", bytes(limits.max_storage_buffer_binding_size))),
        ("buffer", format!("{} at most", bytes(limits.max_buffer_size))),
        ("workgroup", format!("{} invocations", limits.max_compute_invocations_per_workgroup)),
        ("workgroup memory", bytes(limits.max_compute_workgroup_storage_size.into())),
        ("subgroup size", subgroups),
        ("f16", has(Features::SHADER_F16).to_owned()),
        ("matrices", sizes(matrices)),
        ("timestamps", has(Features::TIMESTAMP_QUERY).to_owned()),
    ];
    let mut text = format!("{index}: {}", info.name);
    let hidden = hidden.then(|| {
        format!(
            "its Vulkan driver does not claim to conform to the standard; --adapter {index} takes it \
             nevertheless, dm-wgpu doctor --adapter {index} checks it"
        )
    });
    for (what, value) in rows.into_iter().chain(hidden.map(|why| ("hidden", why))) {
        // Writing to a String can't fail.
        let _ = write!(text, "\n   {what:<17}{value}");
    }
    text
}

/// `8×8 f16 to f32, 16×16 f16 to f32`: cooperative matrices by their sizes, factors and sums.
fn sizes(matrices: &[CooperativeMatrixProperties]) -> String {
    let named = matrices.iter().map(|of| {
        let CooperativeMatrixProperties { m_size, n_size, k_size, ab_type, cr_type, .. } = of;
        let size = match m_size == n_size && n_size == k_size {
            true => format!("{m_size}×{m_size}"),
            false => format!("{m_size}×{n_size}×{k_size}"),
        };
        format!("{size} {ab_type:?} to {cr_type:?}").to_lowercase()
    });
    let mut named: Vec<_> = named.collect();
    named.dedup();
    if named.is_empty() { "none".to_owned() } else { named.join(", ") }
}

/// `2.0 GiB`: in the largest unit that leaves something before the point.
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let mut value = bytes as f64;
    let mut unit = "bytes";
    for larger in UNITS {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = larger;
    }
    if value.fract() == 0.0 { format!("{value} {unit}") } else { format!("{value:.1} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn sizes_are_readable() {
        for (value, text) in [
            (0, "0 bytes"),
            (1023, "1023 bytes"),
            (49_152, "48 KiB"),
            ((2 << 30) - 4, "2.0 GiB"),
            (u64::MAX, "16 EiB"),
        ] {
            assert_eq!(bytes(value), text);
        }
    }
}
