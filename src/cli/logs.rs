//! Logs, on stderr: warnings, as people are told anything else; with `-v` what was chosen and found, with `-vv` every step towards it.

use dm_wgpu::report::printable;
use log::{Level, LevelFilter, Log, Metadata, Record};

use super::{events::Event, say};

/// The program's and the library's own; they have one name.
const OURS: &str = "dm_wgpu";

/// Listens, as `RUST_LOG` says, or else to warnings, which with `--json` are events. Any `-v` is heard beside
/// `RUST_LOG`.
pub fn listen(quiet: bool, verbose: u8, json: bool) {
    let usual = if quiet { "off" } else { "dm_wgpu=warn" };
    let asked = env_logger::Env::default().default_filter_or(usual);
    let mut builder = env_logger::Builder::from_env(asked);
    match verbose {
        0 => {}
        1 => drop(builder.filter_module(OURS, LevelFilter::Info)),
        _ => drop(builder.filter_module(OURS, LevelFilter::Debug)),
    }
    if say::dumb() {
        builder.write_style(env_logger::WriteStyle::Never);
    }
    let logger = builder.format_timestamp(None).build();
    log::set_max_level(logger.filter());
    let asked = verbose > 0 || std::env::var_os(env_logger::DEFAULT_FILTER_ENV).is_some();
    let style = match (asked, json) {
        (true, _) => Style::Log,
        (false, true) => Style::Event,
        (false, false) => Style::Line,
    };
    // Only fails where a logger is set already, and then there is one.
    let _ = log::set_boxed_logger(Box::new(Logger { logger, style }));
}

struct Logger {
    logger: env_logger::Logger,
    style: Style,
}

enum Style {
    /// With level and module, for whoever asked for logs.
    Log,
    /// A warning among what people are told.
    Line,
    /// The same for a program.
    Event,
}

impl Log for Logger {
    fn enabled(&self, about: &Metadata<'_>) -> bool {
        self.logger.enabled(about)
    }

    fn log(&self, record: &Record<'_>) {
        // Most are not meant for anybody.
        if !self.logger.matches(record) {
            return;
        }
        let text = || format!("{}: {}", word(record.level()), record.args());
        match self.style {
            // Progress bars step aside for a line.
            Style::Log => {
                let text = record.args().to_string();
                let (text, about) = (printable(&text), record.metadata().clone());
                say::BARS.suspend(|| {
                    let mut safe = Record::builder();
                    safe.metadata(about).module_path(record.module_path());
                    self.logger.log(&safe.args(format_args!("{text}")).build());
                });
            }
            Style::Line => say::err(&text()),
            Style::Event => Event::Message { text: &text() }.tell(),
        }
    }

    fn flush(&self) {
        self.logger.flush();
    }
}

fn word(level: Level) -> String {
    match level {
        Level::Warn => "warning".into(),
        other => other.as_str().to_lowercase(),
    }
}
