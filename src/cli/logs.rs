//! Logs, on stderr: warnings, with `-v` what was chosen and found, with `-vv` every step towards it.

use log::{LevelFilter, Log, Metadata, Record};

use super::say;

/// The program's and the library's own; they have one name.
const OURS: &str = "dm_wgpu";

/// Listens, as `RUST_LOG` says, or else to warnings. Any `-v` is heard beside `RUST_LOG`.
pub fn listen(quiet: bool, verbose: u8) {
    let usual = if quiet { "off" } else { "dm_wgpu=warn" };
    let asked = env_logger::Env::default().default_filter_or(usual);
    let mut builder = env_logger::Builder::from_env(asked);
    match verbose {
        0 => {}
        1 => drop(builder.filter_module(OURS, LevelFilter::Info)),
        _ => drop(builder.filter_module(OURS, LevelFilter::Debug)),
    }
    let logger = builder.format_timestamp(None).build();
    log::set_max_level(logger.filter());
    // Only fails where a logger is set already, and then there is one.
    let _ = log::set_boxed_logger(Box::new(BesideBars(logger)));
}

/// Progress bars step aside for a line.
struct BesideBars(env_logger::Logger);

impl Log for BesideBars {
    fn enabled(&self, about: &Metadata<'_>) -> bool {
        self.0.enabled(about)
    }

    fn log(&self, record: &Record<'_>) {
        // Most are not meant for anybody.
        if self.0.matches(record) {
            say::BARS.suspend(|| self.0.log(record));
        }
    }

    fn flush(&self) {
        self.0.flush();
    }
}
