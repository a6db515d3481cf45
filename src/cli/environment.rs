//! Environment variables that drivers read when they are loaded.

/// Starts this program again in its own place (exec), if drivers need another environment variable than is set: Mesa's
/// Vulkan asks Wayland which GPU shows the screen. Where nobody has logged in, libwayland complains on stderr that it
/// can't look for one; at a place that is absolute it looks, and finds none.
///
/// A process cannot safely change its environment while it runs: hence the new start. If that fails, the program
/// continues as it is.
pub fn prepare() {
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::process::CommandExt;
        let set = |name| std::env::var_os(name).is_some();
        if set("XDG_RUNTIME_DIR") || set("WAYLAND_DISPLAY") {
            return;
        }
        let mut arguments = std::env::args_os();
        if let (Some(name), Ok(program)) = (arguments.next(), std::env::current_exe()) {
            let mut again = std::process::Command::new(program);
            let error = again.arg0(name).args(arguments).env("WAYLAND_DISPLAY", "/dev/null").exec();
            log::debug!("could not start again in another environment: {error}");
        }
    }
}
