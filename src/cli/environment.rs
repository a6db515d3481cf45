//! Environment variables that drivers read when they are loaded.

/// The variable by which Mesa's software device (llvmpipe, lavapipe) is told a vector's width in bits.
pub const VECTOR_WIDTH: &str = "LP_NATIVE_VECTOR_WIDTH";

/// Starts this program again in its own place (exec), if drivers need other environment variables than are set:
///
/// - On a CPU with AVX-512, Mesa's software device would use half of a vector by itself; all of it is worth a third
///   of the time (`wide`; not for f16, as the device's matrices take 256 bits only). A variable that is set already, to
///   256 for example, is left alone.
/// - Mesa's Vulkan asks Wayland which GPU shows the screen. Where nobody has logged in, libwayland complains on stderr
///   that it can't look for one; at a place that is absolute it looks, and finds none.
///
/// A process cannot safely change its environment while it runs: hence the new start. If that fails, the program
/// continues as it is.
pub fn prepare(wide: bool) {
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::process::CommandExt;
        let missing = |name| std::env::var_os(name).is_none();
        let mut needed = Vec::new();
        if wide && has_avx512() && missing(VECTOR_WIDTH) {
            needed.push((VECTOR_WIDTH, "512"));
        }
        if missing("XDG_RUNTIME_DIR") && missing("WAYLAND_DISPLAY") {
            needed.push(("WAYLAND_DISPLAY", "/dev/null"));
        }
        let mut arguments = std::env::args_os();
        let (Some(name), Ok(program)) = (arguments.next(), std::env::current_exe()) else { return };
        if !needed.is_empty() {
            let mut again = std::process::Command::new(program);
            let error = again.arg0(name).args(arguments).envs(needed).exec();
            log::debug!("could not start again in another environment: {error}");
        }
    }
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn has_avx512() -> bool {
    std::arch::is_x86_feature_detected!("avx512f")
}

#[cfg(all(target_os = "linux", not(target_arch = "x86_64")))]
fn has_avx512() -> bool {
    false
}
