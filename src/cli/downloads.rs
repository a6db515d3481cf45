//! The progress of downloads and of decoding pictures.

use std::time::Instant;

use dm_wgpu::{
    data::{Progress, Work},
    report::printable,
};
use indicatif::ProgressBar;

use super::{console::Console, events::Event, pace::Seconds};

/// The progress of downloads and of decoding: a bar for each, or a line where there is no terminal.
pub struct Downloads {
    console: Console,
    current: Option<(String, Option<ProgressBar>)>,
    begun: Instant,
    seconds: Seconds,
}

impl Downloads {
    pub fn new(console: Console) -> Self {
        let (begun, seconds) = (Instant::now(), Seconds::default());
        Self { console, current: None, begun, seconds }
    }

    pub fn progress(&mut self, progress: Progress<'_>) {
        if self.console.quiet() {
            return;
        }
        let Progress { work, file, done, total, .. } = progress;
        let (doing, counted) = match work {
            Work::Decoding => ("decoding", "{pos}/{len} pictures"),
            _ => ("downloading", "{bytes}/{total_bytes}"),
        };
        if self.current.as_ref().is_none_or(|(name, _)| name != file) {
            self.finish();
            self.seconds = Seconds::default();
            let bar = (self.console.terminal && !self.console.json()).then(|| {
                let template = format!("{doing} {{msg}} [{{bar:16}}] {counted}");
                self.console
                    .bar(total.unwrap_or(0), &template)
                    .with_message(printable(file).into_owned())
            });
            if bar.is_none() && !self.console.json() {
                self.console.say(&format!("{doing} {file}"));
            }
            self.current = Some((file.to_owned(), bar));
        }
        let elapsed = self.begun.elapsed();
        if self.console.json() && (self.seconds.due(0, elapsed) || total == Some(done)) {
            let what = format!("{doing} {file}");
            let (seconds, seconds_left) = (elapsed.as_secs_f64(), None);
            let unit = if matches!(work, Work::Decoding) { "pictures" } else { "bytes" };
            let of_next = 0.0;
            Event::Progress { what: &what, done, of_next, total, unit, seconds, seconds_left }
                .tell();
        }
        if let Some((_, Some(bar))) = &self.current {
            // Without a total the bar has no end: its length follows what has arrived.
            bar.set_length(total.unwrap_or(done).max(done));
            bar.set_position(done);
        }
    }

    pub fn finish(&mut self) {
        if let Some((_, Some(bar))) = self.current.take() {
            bar.finish_and_clear();
        }
    }
}
