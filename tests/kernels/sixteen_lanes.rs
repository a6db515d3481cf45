//! Runs tests again on subgroups of sixteen lanes, which Mesa's software Vulkan has on a CPU with
//! AVX-512 when it is told to before it loads: hence in a process of their own.

use std::process::Command;

use crate::common::{at_limits, gpu, is_lavapipe};

/// What Mesa reads: the width of its vectors in bits, 32 per lane.
const VARIABLE: &str = "LP_NATIVE_VECTOR_WIDTH";

/// The tests whose names contain one of `filters`, on sixteen lanes. Says so when that
/// is not possible here.
pub fn run_again(filters: &[&str]) {
    let skip = |why: &str| println!("SKIPPED, no subgroups of sixteen lanes: {why}");
    if std::env::var_os(VARIABLE).is_some() {
        // This is the process below, or someone has chosen another width.
        return skip(&format!("{VARIABLE} is set already"));
    }
    if let Some(limits) = at_limits() {
        return skip(&format!("DM_WGPU_LIMITS={limits} allows no subgroups"));
    }
    if !is_lavapipe() {
        return skip(&format!("{} is not Mesa's software device", gpu().info().name));
    }
    if !has_512_bits() {
        return skip("this CPU has no AVX-512");
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(filters)
        .arg("--nocapture")
        .env(VARIABLE, "512")
        .output()
        .unwrap();
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "on sixteen lanes:\n{out}{err}");
    let ran = out.matches("... ok").count();
    assert!(
        out.contains("kernels plain and lanes and tiles, subgroups of 16 to 16 lanes"),
        "they were not there:\n{out}{err}"
    );
    assert!(ran >= filters.len(), "{ran} tests of {filters:?} ran:\n{out}");
}

fn has_512_bits() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("avx512f");
    #[cfg(not(target_arch = "x86_64"))]
    return false;
}
