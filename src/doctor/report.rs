//! The findings of an examination.

use std::time::Duration;

use serde::Serialize;

use crate::{Gpu, Result, bench::Ceiling, wgpu::Features};

/// All that was found on one adapter. Its fields are the keys of `dm-wgpu doctor --json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Examination {
    /// The device that was opened.
    pub device: Device,
    /// Every family of kernels, and f16.
    pub variants: Vec<Variant>,
    /// The most that the adapter can do.
    pub speed: Speed,
}

impl Examination {
    /// Whether nothing is wrong. Variants that the adapter cannot run are not a fault.
    pub fn is_sound(&self) -> bool {
        let sound =
            |variant: &Variant| matches!(variant.outcome, Outcome::Right | Outcome::Absent { .. });
        self.variants.iter().all(sound) && matches!(self.speed, Speed::Measured(_))
    }

    /// A sentence or two about what is wrong and how to avoid it, with the driver's name for a bug report; `None` if it
    /// [`is_sound`](Self::is_sound).
    pub fn finding(&self) -> Option<String> {
        let of = |wanted: fn(&Outcome) -> bool| {
            self.variants.iter().filter(|v| wanted(&v.outcome)).collect::<Vec<_>>()
        };
        let names = |variants: &[&Variant]| {
            variants.iter().map(|v| v.name.as_str()).collect::<Vec<_>>().join(" and ")
        };
        let right = of(|outcome| *outcome == Outcome::Right);
        let wrong = of(|outcome| *outcome == Outcome::Wrong);
        let failed = of(|outcome| matches!(outcome, Outcome::Failed { .. }));
        let mut found = Vec::new();
        if !wrong.is_empty() {
            found.push(format!("WRONG RESULTS from {}", names(&wrong)));
        }
        if !failed.is_empty() {
            found.push(format!("{} FAILED", names(&failed)));
        }
        if let Speed::Failed { .. } = self.speed {
            found.push("measuring its speed FAILED".to_owned());
        }
        if found.is_empty() {
            return None;
        }
        let advice = match right.iter().find(|variant| variant.default).or(right.first()) {
            Some(variant) if variant.default => {
                format!("Runs use {} unless told otherwise, which is right.", variant.name)
            }
            Some(variant) => format!("Right is {}.", variant.name),
            None => "Nothing is right: do not use it.".to_owned(),
        };
        let Device { backend, driver, .. } = &self.device;
        let found = found.join(", ");
        Some(format!(
            "{found} ({backend}, {driver}). {advice} Update the driver; if that does not help, report \
             it with all of this."
        ))
    }
}

/// A device as this library opens it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Device {
    /// The name that the adapter reports.
    pub name: String,
    /// The graphics API.
    pub backend: String,
    /// The driver, with its version.
    pub driver: String,
    /// PCI vendor, 0 where there is none.
    pub vendor: u32,
    /// PCI device.
    pub device: u32,
    /// Whether it is a CPU that acts as a GPU.
    pub cpu: bool,
    /// Lanes of the smallest and the largest subgroup, if the device has subgroups.
    pub subgroups: Option<(u32, u32)>,
    /// Bytes that one binding can show a shader.
    pub max_binding_bytes: u64,
    /// Bytes of the largest buffer.
    pub max_buffer_bytes: u64,
    /// Invocations of the largest workgroup.
    pub max_invocations: u32,
    /// Bytes of workgroup memory.
    pub max_workgroup_bytes: u32,
    /// Storage buffers that a shader may bind.
    pub max_storage_buffers: u32,
}

impl Device {
    pub(super) fn of(gpu: &Gpu) -> Self {
        let (info, limits) = (gpu.info(), gpu.device().limits());
        let subgroups = gpu.device().features().contains(Features::SUBGROUP);
        Self {
            name: info.name.clone(),
            backend: info.backend.to_str().to_owned(),
            driver: format!("{} {}", info.driver, info.driver_info).trim().to_owned(),
            vendor: info.vendor,
            device: info.device,
            cpu: gpu.caps().cpu,
            subgroups: subgroups.then_some((info.subgroup_min_size, info.subgroup_max_size)),
            max_binding_bytes: limits.max_storage_buffer_binding_size,
            max_buffer_bytes: limits.max_buffer_size,
            max_invocations: limits.max_compute_invocations_per_workgroup,
            max_workgroup_bytes: limits.max_compute_workgroup_storage_size,
            max_storage_buffers: limits.max_storage_buffers_per_shader_stage,
        }
    }
}

/// A family of kernels, or f16.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Variant {
    /// `plain`, `lanes`, `tiles` or `f16`.
    pub name: String,
    /// Whether runs on this adapter use it by default.
    pub default: bool,
    /// The outcome.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// Each result beside the known one.
    pub checks: Vec<Check>,
    /// Time for all checks, including compiling.
    pub seconds: f64,
}

impl Variant {
    pub(super) fn of(name: &str, checks: Result<Vec<Check>>, took: Duration) -> Self {
        let (outcome, checks) = match checks {
            Ok(checks) if checks.iter().all(|check| check.right) => (Outcome::Right, checks),
            Ok(checks) => (Outcome::Wrong, checks),
            Err(error) => (Outcome::Failed { reason: error.to_string() }, Vec::new()),
        };
        Self { name: name.to_owned(), default: false, outcome, checks, seconds: took.as_secs_f64() }
    }
}

/// The outcome of a variant.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Outcome {
    /// Every result is right.
    Right,
    /// Some results are wrong.
    Wrong,
    /// The device failed before there were results.
    Failed {
        /// The driver's answer.
        reason: String,
    },
    /// The adapter cannot run this variant.
    Absent {
        /// What it lacks.
        missing: String,
    },
}

/// A result beside the known one.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Check {
    /// The case, and which of its results.
    pub what: String,
    /// Its error, relative to the right result; `None` if a value is not finite.
    pub error: Option<f64>,
    /// The largest error that is accepted.
    pub tolerance: f64,
    /// Whether its error is accepted.
    pub right: bool,
}

impl Check {
    pub(super) fn of(what: String, error: f64, tolerance: f64) -> Self {
        let error = error.is_finite().then_some(error);
        Self { what, error, tolerance, right: error.is_some_and(|error| error <= tolerance) }
    }
}

/// The most that the adapter can do.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Speed {
    /// Measured by kernels that do nothing else.
    Measured(Ceiling),
    /// The device failed during the measurement.
    Failed {
        /// The driver's answer.
        reason: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;

    fn variant(name: &str, error: f64) -> Variant {
        let checks = vec![Check::of("step, loss".into(), error, 1e-4)];
        Variant::of(name, Ok(checks), Duration::from_secs(1))
    }

    fn examination(variants: Vec<Variant>) -> Examination {
        let device = Device {
            name: "Test".into(),
            backend: "vulkan".into(),
            driver: "maker 1.2".into(),
            vendor: 1,
            device: 2,
            cpu: false,
            subgroups: None,
            max_binding_bytes: 0,
            max_buffer_bytes: 0,
            max_invocations: 0,
            max_workgroup_bytes: 0,
            max_storage_buffers: 0,
        };
        let ceiling = Ceiling { gflops: 1.0, gbytes_per_s: 1.0, copied_bytes: 1 };
        Examination { device, variants, speed: Speed::Measured(ceiling) }
    }

    #[test]
    fn wrong_results_are_listed_with_the_kernels_that_are_right() {
        let absent = Outcome::Absent { missing: "subgroups".into() };
        let absent = Variant { outcome: absent, ..variant("lanes", 0.0) };
        let sound = examination(vec![variant("plain", 1e-6), absent.clone()]);
        assert!(sound.is_sound() && sound.finding().is_none());

        let tiles = Variant { default: true, ..variant("tiles", 0.5) };
        let found = examination(vec![variant("plain", 1e-6), absent, tiles]);
        assert!(!found.is_sound());
        let finding = found.finding().unwrap();
        assert!(finding.starts_with("WRONG RESULTS from tiles (vulkan, maker 1.2)."), "{finding}");
        assert!(finding.contains(" Right is plain. "), "{finding}");

        let plain = Variant { default: true, ..variant("plain", 1e-6) };
        let found = examination(vec![plain, variant("f16", f64::NAN)]);
        assert_eq!(found.variants[1].checks[0].error, None);
        assert!(found.finding().unwrap().contains("Runs use plain unless told otherwise"));

        let failed = Variant::of("plain", Err(Error::gpu("wait", "lost")), Duration::ZERO);
        let finding = examination(vec![failed]).finding().unwrap();
        assert!(finding.starts_with("plain FAILED"), "{finding}");
        assert!(finding.contains("do not use it"), "{finding}");
    }

    #[test]
    fn json_says_the_same() {
        let json = serde_json::to_value(variant("tiles", f64::INFINITY)).unwrap();
        assert_eq!(json["outcome"], "wrong");
        assert_eq!(json["checks"][0]["error"], serde_json::Value::Null);
        let failed = Variant::of("tiles", Err(Error::gpu("wait", "lost")), Duration::ZERO);
        let json = serde_json::to_value(failed).unwrap();
        assert_eq!(
            (&json["outcome"], &json["reason"]),
            (&"failed".into(), &"the GPU failed to wait: lost".into())
        );
    }
}
