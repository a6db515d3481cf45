//! How far a run is, on stderr: a bar on a terminal, now and then a line elsewhere, nothing if quiet.

use std::{
    io::IsTerminal,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{dataset::Progress, say};

/// What is told of a run, and how.
#[derive(Debug, Clone, Copy)]
pub struct Console {
    quiet: bool,
    terminal: bool,
}

impl Console {
    pub fn new(quiet: bool) -> Self {
        Self { quiet, terminal: std::io::stderr().is_terminal() }
    }

    pub fn say(&self, line: &str) {
        if !self.quiet {
            say::err(line);
        }
    }

    pub fn quiet(&self) -> bool {
        self.quiet
    }

    fn bar(&self, length: u64, template: &str) -> ProgressBar {
        let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
        // A template that indicatif does not take costs its looks, no more.
        let style = ProgressStyle::with_template(template);
        bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "))
    }
}

/// The loss, freed of the noise that every iteration's fresh network brings: an exponential moving
/// average, corrected for having begun at 0.
#[derive(Debug, Default)]
struct Smoothed {
    sum: f64,
    weight: f64,
}

impl Smoothed {
    const KEPT: f64 = 0.95;

    fn add(&mut self, value: f64) {
        self.sum = Self::KEPT * self.sum + (1.0 - Self::KEPT) * value;
        self.weight = Self::KEPT * self.weight + (1.0 - Self::KEPT);
    }

    fn value(&self) -> Option<f64> {
        (self.weight > 0.0).then(|| self.sum / self.weight)
    }
}

/// When the next line is due: after the first iteration, at every tenth of the run, every few
/// seconds (more as time goes on, so that a day's log stays readable), and after the last.
#[derive(Debug, Default)]
struct Rhythm {
    tenths: u64,
    last: Duration,
    said: Option<u32>,
}

impl Rhythm {
    fn due(&mut self, done: u32, total: u32, elapsed: Duration) -> bool {
        let tenths = u64::from(done) * 10 / u64::from(total.max(1));
        let pause = Duration::from_secs(5).max(elapsed / 20);
        let due = self.said.is_none() || tenths > self.tenths || elapsed >= self.last + pause;
        if due {
            *self = Self { tenths, last: elapsed, said: Some(done) };
        }
        due
    }
}

enum Display {
    Nothing,
    Bar(ProgressBar),
    Lines(Rhythm),
}

impl Display {
    fn of(console: &Console, total: u32) -> Self {
        match console {
            Console { quiet: true, .. } => Self::Nothing,
            Console { terminal: true, .. } => {
                Self::Bar(console.bar(total.into(), "[{bar:30}] {msg}"))
            }
            _ => Self::Lines(Rhythm::default()),
        }
    }
}

/// The progress of the iterations.
pub struct Steps {
    total: u32,
    done: u32,
    started: Instant,
    paused: Duration,
    loss: Smoothed,
    display: Display,
}

impl Steps {
    pub fn start(console: &Console, total: u32) -> Self {
        let display = Display::of(console, total);
        let (started, paused) = (Instant::now(), Duration::ZERO);
        Self { total, done: 0, started, paused, loss: Smoothed::default(), display }
    }

    /// Seconds since the start, without pauses.
    pub fn seconds(&self) -> f64 {
        self.elapsed().as_secs_f64()
    }

    fn elapsed(&self) -> Duration {
        self.started.elapsed().saturating_sub(self.paused)
    }

    /// Does something else in between, whose time is not the iterations'.
    pub fn pause<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let draw = |bar: &ProgressBar, target| bar.set_draw_target(target);
        // Two bars would draw over each other.
        if let Display::Bar(bar) = &self.display {
            draw(bar, ProgressDrawTarget::hidden());
        }
        let result = work();
        if let Display::Bar(bar) = &self.display {
            draw(bar, ProgressDrawTarget::stderr());
        }
        self.paused += begun.elapsed();
        result
    }

    /// One more iteration's loss is known.
    pub fn arrived(&mut self, loss: f32) {
        self.done += 1;
        self.loss.add(loss.into());
        let elapsed = self.elapsed();
        let due = match &mut self.display {
            Display::Nothing => false,
            // The bar itself draws no more often than eyes can follow.
            Display::Bar(_) => true,
            Display::Lines(rhythm) => rhythm.due(self.done, self.total, elapsed),
        };
        if due {
            self.show(elapsed);
        }
    }

    /// Leaves the last state on the screen.
    pub fn finish(self) {
        match &self.display {
            Display::Nothing => {}
            Display::Bar(bar) => bar.abandon(),
            Display::Lines(rhythm) if rhythm.said == Some(self.done) || self.done == 0 => {}
            Display::Lines(_) => self.show(self.elapsed()),
        }
    }

    fn show(&self, elapsed: Duration) {
        let status = status(self.done, self.total, self.loss.value(), elapsed);
        match &self.display {
            Display::Nothing => {}
            Display::Bar(bar) => {
                bar.set_message(status);
                bar.set_position(self.done.into());
            }
            Display::Lines(_) => say::err(&status),
        }
    }
}

/// `iteration 12/1000, loss 3.214, 25.3/s, 0:39 left`.
fn status(done: u32, total: u32, loss: Option<f64>, elapsed: Duration) -> String {
    let loss = loss.map_or_else(|| "?".to_owned(), number);
    let seconds = elapsed.as_secs_f64();
    let mut status = format!("iteration {done}/{total}, loss {loss}");
    if done > 0 && seconds > 0.0 {
        let rate = f64::from(done) / seconds;
        let left = f64::from(total.saturating_sub(done)) / rate;
        status += &format!(", {}/s, {} left", number(rate), clock(left));
    }
    status
}

/// The progress of something that comes in equal pieces.
pub struct Pieces {
    what: String,
    total: u32,
    started: Instant,
    display: Display,
}

impl Pieces {
    pub fn start(console: &Console, what: impl Into<String>, total: u32) -> Self {
        let display = Display::of(console, total);
        Self { what: what.into(), total, started: Instant::now(), display }
    }

    pub fn seconds(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    /// How many there are, if that was not known from the start.
    pub fn set_total(&mut self, total: u32) {
        self.total = total;
        if let Display::Bar(bar) = &self.display {
            bar.set_length(total.into());
        }
    }

    /// So many pieces are done.
    pub fn at(&mut self, done: u32) {
        let elapsed = self.started.elapsed();
        let share = 100.0 * f64::from(done) / f64::from(self.total.max(1));
        let mut status = format!("{}: {share:.0} %", self.what);
        if done > 0 && done < self.total {
            let left = elapsed.as_secs_f64() * f64::from(self.total - done) / f64::from(done);
            status += &format!(", {} left", clock(left));
        }
        match &mut self.display {
            Display::Nothing => {}
            Display::Bar(bar) => {
                bar.set_message(status);
                bar.set_position(done.into());
            }
            Display::Lines(rhythm) => {
                if done > 0 && rhythm.due(done, self.total, elapsed) {
                    say::err(&status);
                }
            }
        }
    }

    /// Leaves the last state on the screen.
    pub fn finish(self) {
        if let Display::Bar(bar) = &self.display {
            bar.abandon();
        }
    }
}

/// Four digits that count.
pub fn number(value: f64) -> String {
    let digits = |decimals: usize| format!("{value:.decimals$}");
    match value.abs() {
        0.0 => "0".into(),
        size if !(1e-3..1e7).contains(&size) => format!("{value:.3e}"),
        size if size >= 1000.0 => digits(0),
        size if size >= 100.0 => digits(1),
        size if size >= 10.0 => digits(2),
        size if size >= 1.0 => digits(3),
        _ => digits(4),
    }
}

/// `0:05`, `12:30`, `3:02:01`.
fn clock(seconds: f64) -> String {
    let seconds = seconds.ceil() as u64;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match hours {
        0 => format!("{minutes}:{seconds:02}"),
        _ => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

/// The progress of downloads: a bar for each file, or a line where there is no terminal.
pub struct Downloads<'a> {
    console: &'a Console,
    current: Option<(String, Option<ProgressBar>)>,
}

impl<'a> Downloads<'a> {
    pub fn new(console: &'a Console) -> Self {
        Self { console, current: None }
    }

    pub fn progress(&mut self, progress: Progress<'_>) {
        if self.console.quiet {
            return;
        }
        let Progress { file, done: bytes, total, .. } = progress;
        if self.current.as_ref().is_none_or(|(name, _)| name != file) {
            self.finish();
            let bar = self.console.terminal.then(|| {
                let template = "downloading {msg} [{bar:30}] {bytes}/{total_bytes}";
                self.console.bar(total.unwrap_or(0), template).with_message(file.to_owned())
            });
            if bar.is_none() {
                self.console.say(&format!("downloading {file}"));
            }
            self.current = Some((file.to_owned(), bar));
        }
        if let Some((_, Some(bar))) = &self.current {
            // Without a total there is no end to draw: it moves along with what came.
            bar.set_length(total.unwrap_or(bytes).max(bytes));
            bar.set_position(bytes);
        }
    }

    pub fn finish(&mut self) {
        if let Some((_, Some(bar))) = self.current.take() {
            bar.abandon();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smoothing_starts_at_the_first_value_and_follows() {
        let mut loss = Smoothed::default();
        assert_eq!(loss.value(), None);
        loss.add(8.0);
        assert!((loss.value().unwrap() - 8.0).abs() < 1e-12);
        loss.add(4.0);
        // Weights 0.95 and 1, over their sum.
        assert!((loss.value().unwrap() - (0.95 * 8.0 + 4.0) / 1.95).abs() < 1e-12);
        (0..1000).for_each(|_| loss.add(2.0));
        assert!((loss.value().unwrap() - 2.0).abs() < 1e-9);
    }

    fn lines(total: u32, seconds_each: f64) -> Vec<u32> {
        let mut rhythm = Rhythm::default();
        (1..=total)
            .filter(|&done| {
                rhythm.due(done, total, Duration::from_secs_f64(seconds_each * f64::from(done)))
            })
            .collect()
    }

    #[test]
    fn lines_come_at_a_sensible_rhythm() {
        assert_eq!(lines(1, 1.0), [1]);
        assert_eq!(lines(2, 0.0), [1, 2]);
        assert_eq!(lines(100, 0.001), [1, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100]);
        assert_eq!(lines(1000, 6.0)[..4], [1, 2, 3, 4]);
        let day = lines(86_400, 1.0);
        assert!((30..200).contains(&day.len()), "{} lines", day.len());
        assert_eq!(day.last(), Some(&86_400));
    }

    #[test]
    fn a_status_says_it_all() {
        let status = status(10, 30, Some(3.21456), Duration::from_secs(5));
        assert_eq!(status, "iteration 10/30, loss 3.215, 2.000/s, 0:10 left");
        assert_eq!(clock(3721.0), "1:02:01");
    }

    #[test]
    fn numbers_have_four_digits() {
        for (value, text) in [
            (0.0, "0"),
            (12345.6, "12346"),
            (123.456, "123.5"),
            (0.0123456, "0.0123"),
            (1e-9, "1.000e-9"),
            (1e9, "1.000e9"),
        ] {
            assert_eq!(number(value), text);
        }
    }
}
