//! Lets Mesa's software device (llvmpipe, lavapipe) use all of a CPU's vectors.

/// The variable by which the driver is told a vector's width in bits.
pub const VARIABLE: &str = "LP_NATIVE_VECTOR_WIDTH";

/// On a CPU with AVX-512, starts this program again in its own place with the variable set to 512,
/// which the driver would not use by itself; it is worth a third of the time. Whoever sets the
/// variable, to 256 for example, is left alone. Not for f16: the driver's matrices take 256 bits only.
///
/// The driver reads its environment when it is loaded, and a process cannot safely change its own
/// while it runs: hence the new start. If that fails, all goes on as it was.
pub fn widen() {
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    if std::env::var_os(VARIABLE).is_none() && std::arch::is_x86_feature_detected!("avx512f") {
        use std::os::unix::process::CommandExt;
        let mut arguments = std::env::args_os();
        let (Some(name), Ok(program)) = (arguments.next(), std::env::current_exe()) else { return };
        let mut again = std::process::Command::new(program);
        again.arg0(name).args(arguments).env(VARIABLE, "512");
        // Where nobody has logged in, the driver's library for windows would complain on stderr that it
        // can't look for a screen; at a place that is absolute it looks, and finds none.
        let missing = |name| std::env::var_os(name).is_none();
        if missing("XDG_RUNTIME_DIR") && missing("WAYLAND_DISPLAY") {
            again.env("WAYLAND_DISPLAY", "/dev/null");
        }
        let error = again.exec();
        log::debug!("could not start again with wider vectors: {error}");
    }
}
