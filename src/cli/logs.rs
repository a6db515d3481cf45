//! Logs, on stderr: warnings, which look like all other output; with `-v` what was chosen and found, with `-vv` every
//! step towards it.

use dm_wgpu::report::printable;
use log::{Level, LevelFilter, Log, Metadata, Record};

use super::{events::Event, say};

/// The program's and the library's own logs; both have the same name.
const OURS: &str = "dm_wgpu";

/// Logs what `RUST_LOG` asks for, or else warnings, which are events with `--json`. `-v` and `-vv` add to `RUST_LOG`.
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
    // This fails only if a logger is set already.
    let _ = log::set_boxed_logger(Box::new(Logger { logger, style }));
}

struct Logger {
    logger: env_logger::Logger,
    style: Style,
}

enum Style {
    /// With level and module, if logs were asked for.
    Log,
    /// A warning for people.
    Line,
    /// A warning for a program.
    Event,
}

impl Log for Logger {
    fn enabled(&self, about: &Metadata<'_>) -> bool {
        self.logger.enabled(about)
    }

    fn log(&self, record: &Record<'_>) {
        // Most log messages are not shown.
        if !self.logger.matches(record) {
            return;
        }
        let text = || format!("{}: {}", word(record.level()), record.args());
        match self.style {
            // Progress bars are hidden while a line is written.
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
