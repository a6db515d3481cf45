//! Whether an adapter and its driver compute what they should: every family of kernels on small cases with
//! known answers. Wrong results are a finding, not an error.
//!
//! ```no_run
//! use dm_wgpu::{AdapterChoice, doctor};
//!
//! let found = doctor::examine_blocking(&AdapterChoice::default(), &mut |_| {})?;
//! for variant in &found.variants {
//!     println!("{}: {:?}", variant.name, variant.outcome);
//! }
//! # Ok::<(), dm_wgpu::Error>(())
//! ```

mod cases;
mod golden;
mod report;

#[doc(hidden)]
pub use cases::{Along, CASES, Case, Computed, Kind, Layers, Match, Task, Training};
#[doc(hidden)]
pub use golden::{GOLDEN, PROJECTIONS, projections};
pub use report::{Check, Device, Examination, Outcome, Speed, Variant};

use crate::{AdapterChoice, Error, Gpu, Kernels, Precision, Result, bench, clock::Instant};

/// How far results may be from the known ones, by the relative error of their projections. Rounding causes some 1e-6;
/// the errors of a wrong kernel are far above both tolerances.
fn tolerance(precision: Precision, kind: Kind) -> f64 {
    match (precision, kind) {
        (Precision::F32, Kind::Value) => 1e-4,
        (Precision::F32, Kind::Gradient) => 1e-3,
        // Factors have eleven bits; some rounding switches a ReLU, which is a jump in the gradient.
        (Precision::F16, Kind::Value) => 2e-2,
        (Precision::F16, Kind::Gradient) => 2e-1,
    }
}

/// Opens the adapter once for every family of kernels, and for f16, and checks each; measures the most that the adapter
/// can do. `begin` is called with the name of each check as it begins.
///
/// # Errors
/// As [`Gpu::headless_blocking`], if the adapter can't be opened at all. Whatever goes wrong later is in the
/// [`Examination`].
pub fn examine_blocking(
    choice: &AdapterChoice,
    begin: &mut dyn FnMut(&str),
) -> Result<Examination> {
    let with = |kernels, precision| AdapterChoice { kernels, precision, ..choice.clone() };
    begin("opening");
    let gpu = Gpu::headless_blocking(&with(None, Precision::F32))?;
    let mut variants = Vec::new();
    let families = Kernels::ALL.map(|kernels| (kernels.name(), Some(kernels), Precision::F32));
    for (name, kernels, precision) in families.into_iter().chain([("f16", None, Precision::F16)]) {
        begin(name);
        // Each check has its own device, because a device that failed cannot be used for the next check.
        let mut variant = match Gpu::headless_blocking(&with(kernels, precision)) {
            Ok(gpu) => check_blocking(&gpu),
            Err(error) => Variant::unopened(name, error),
        };
        variant.default = kernels == Some(gpu.kernels());
        variants.push(variant);
    }
    begin("speed");
    let speed = match bench::ceiling_blocking(&gpu) {
        Ok(ceiling) => Speed::Measured(ceiling),
        Err(error) => Speed::Failed { reason: error.to_string() },
    };
    Ok(Examination { device: Device::of(&gpu), variants, speed })
}

/// Checks the kernels that a device uses: its family's, or with f16 those of matrices.
pub fn check_blocking(gpu: &Gpu) -> Variant {
    let begun = Instant::now();
    let checks = || -> Result<Vec<Check>> {
        let mut checks = Vec::new();
        for case in CASES {
            for Computed { what, kind, values } in case.compute(gpu)? {
                let what = format!("{}, {what}", case.name);
                let error = golden::error(&what, &values)?;
                checks.push(Check::of(what, error, tolerance(gpu.precision(), kind)));
            }
        }
        Ok(checks)
    };
    let name = match gpu.precision() {
        Precision::F32 => gpu.kernels().name(),
        Precision::F16 => Precision::F16.name(),
    };
    Variant::of(name, checks(), begun.elapsed())
}

impl Variant {
    fn unopened(name: &str, error: Error) -> Self {
        let outcome = match error {
            Error::Missing { missing, .. } => Outcome::Absent { missing: missing.to_string() },
            error => Outcome::Failed { reason: error.to_string() },
        };
        Self { name: name.to_owned(), default: false, outcome, checks: Vec::new(), seconds: 0.0 }
    }
}
