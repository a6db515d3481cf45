//! How far a run is, on stderr: a bar on a terminal, now and then a line elsewhere, nothing if quiet. Or, for
//! programs, events on stdout.

use std::{
    io::IsTerminal,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::{
    dataset::{Progress, Work},
    events::{Answer, Event},
    failure::Failure,
    figures::Losses,
    interrupt::INTERRUPTED,
    say,
};

/// What is told of a run, and how.
#[derive(Debug, Clone, Copy)]
pub struct Console {
    quiet: bool,
    terminal: bool,
    json: bool,
}

impl Console {
    pub fn new(quiet: bool) -> Self {
        // Such a terminal can't move back to draw a bar anew.
        let dumb = std::env::var_os("TERM").is_some_and(|name| name == "dumb");
        Self { quiet, terminal: std::io::stderr().is_terminal() && !dumb, json: false }
    }

    /// Whether to speak to a program instead of to people.
    pub fn json(self, json: bool) -> Self {
        Self { json, ..self }
    }

    pub fn say(&self, line: &str) {
        match line.trim() {
            "" if self.json => {}
            text => self.tell(line, &Event::Message { text }),
        }
    }

    /// A line for people, or what a program hears instead.
    pub fn tell(&self, line: &str, event: &Event<'_>) {
        match self {
            Self { quiet: true, .. } => {}
            Self { json: true, .. } => event.tell(),
            _ => say::err(line),
        }
    }

    /// The last word where Ctrl-C left no result.
    pub fn interrupted(&self, line: &str) {
        let end = Event::Error { message: line, exit_code: INTERRUPTED };
        match self.json {
            // The result of quiet programs as well.
            true => end.tell(),
            false => self.say(line),
        }
    }

    /// As a result, but quiet people don't want it.
    pub fn summary(&self, text: &str, value: &impl Serialize) -> Result<(), Failure> {
        if self.quiet && !self.json { Ok(()) } else { self.result(text, value) }
    }

    /// What was asked for: the last event, or else the text, on stdout.
    pub fn result(&self, text: &str, value: &impl Serialize) -> Result<(), Failure> {
        let line = match self.json {
            true => serde_json::to_string(&Answer::of(value))
                .map_err(|error| Failure::Failed(format!("the results as JSON: {error}")))?,
            false => text.to_owned(),
        };
        say::out(&line).map_err(|error| Failure::Failed(format!("stdout: {error}")))
    }

    pub fn quiet(&self) -> bool {
        self.quiet
    }

    fn bar(&self, length: u64, template: &str) -> ProgressBar {
        let bar = say::BARS.add(ProgressBar::new(length));
        // A template that indicatif does not take costs its looks, no more.
        let style = ProgressStyle::with_template(template);
        bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "))
    }
}

/// When the next line is due where there is no terminal: the first at once, then none within ten
/// seconds of another.
#[derive(Debug)]
struct Rhythm {
    pace: Pace,
    tenths: u64,
    last: Duration,
    said: Option<u32>,
}

/// What it takes beside the ten seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Pace {
    /// Another tenth of the whole.
    Tenths,
    /// That, or some time, more as time goes on so that a day's log stays readable.
    Alive,
}

impl Rhythm {
    fn new(pace: Pace) -> Self {
        Self { pace, tenths: 0, last: Duration::ZERO, said: None }
    }

    fn due(&mut self, done: u32, total: u32, elapsed: Duration) -> bool {
        let tenths = u64::from(done) * 10 / u64::from(total.max(1));
        let since = elapsed.saturating_sub(self.last);
        let more = tenths > self.tenths || self.pace == Pace::Alive && since >= elapsed / 20;
        let due = self.said.is_none() || more && since >= Duration::from_secs(10);
        if due {
            *self = Self { pace: self.pace, tenths, last: elapsed, said: Some(done) };
        }
        due
    }
}

enum Display {
    Nothing,
    Bar(ProgressBar),
    Lines(Rhythm),
    Events(Seconds),
}

/// When the next event is due: the first at once, then none within a second of another.
#[derive(Debug, Default)]
struct Seconds {
    last: Duration,
    said: Option<u32>,
}

impl Seconds {
    fn due(&mut self, done: u32, elapsed: Duration) -> bool {
        let since = elapsed.saturating_sub(self.last);
        let due = self.said.is_none() || since >= Duration::from_secs(1);
        if due {
            *self = Self { last: elapsed, said: Some(done) };
        }
        due
    }
}

impl Display {
    fn of(console: &Console, total: u32, pace: Pace) -> Self {
        match console {
            Console { quiet: true, .. } => Self::Nothing,
            Console { json: true, .. } => Self::Events(Seconds::default()),
            Console { terminal: true, .. } => {
                Self::Bar(console.bar(total.into(), "[{bar:30}] {msg}"))
            }
            _ => Self::Lines(Rhythm::new(pace)),
        }
    }
}

/// The progress of the iterations.
pub struct Steps {
    total: u32,
    /// Of an earlier part of the run.
    before: Duration,
    started: Instant,
    paused: Duration,
    losses: Vec<f32>,
    speed: Speed,
    display: Display,
}

impl Steps {
    /// After those that an earlier part of the run did, in so many seconds.
    pub fn start(console: &Console, total: u32, losses: Vec<f32>, seconds: f64) -> Self {
        let display = Display::of(console, total, Pace::Alive);
        // What comes from a file may be anything.
        let before = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        let (started, paused) = (Instant::now(), Duration::ZERO);
        Self { total, before, started, paused, losses, speed: Speed::default(), display }
    }

    /// Seconds since the start, without pauses.
    pub fn seconds(&self) -> f64 {
        self.elapsed().as_secs_f64()
    }

    fn elapsed(&self) -> Duration {
        self.before + self.started.elapsed().saturating_sub(self.paused)
    }

    /// Does something else in between, whose time is not the iterations'.
    pub fn pause<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        // One bar at a time, or those of what is over would pile up below it.
        if let Display::Bar(bar) = &self.display {
            say::BARS.remove(bar);
        }
        let result = work();
        if let Display::Bar(bar) = &self.display {
            say::BARS.add(bar.clone());
        }
        self.paused += begun.elapsed();
        result
    }

    /// One more iteration's loss is known.
    pub fn arrived(&mut self, loss: f32) {
        self.losses.push(loss);
        let (done, elapsed) = (self.done(), self.elapsed());
        let rate = self.speed.at(done, elapsed);
        let due = match &mut self.display {
            Display::Nothing => false,
            // The bar itself draws no more often than eyes can follow.
            Display::Bar(_) => true,
            Display::Lines(rhythm) => rhythm.due(done, self.total, elapsed),
            Display::Events(seconds) => seconds.due(done, elapsed),
        };
        if due {
            self.show(rate);
        }
    }

    fn done(&self) -> u32 {
        self.losses.len() as u32
    }

    /// Leaves the last state on the screen.
    pub fn finish(mut self) {
        let done = self.done();
        let rate = self.speed.at(done, self.elapsed());
        match &self.display {
            Display::Nothing => {}
            // What a bar leaves would go with the next one: a line takes its place.
            Display::Bar(bar) => {
                bar.finish_and_clear();
                if done > 0 {
                    say::err(&self.status(rate));
                }
            }
            Display::Lines(Rhythm { said, .. }) | Display::Events(Seconds { said, .. })
                if *said == Some(done) || done == 0 => {}
            Display::Lines(_) | Display::Events(_) => self.show(rate),
        }
    }

    fn mean_loss(&self) -> Option<f32> {
        Losses::of(&self.losses).map(|losses| losses.last)
    }

    fn status(&self, rate: Option<f64>) -> String {
        status(self.done(), self.total, self.mean_loss(), rate)
    }

    fn show(&self, rate: Option<f64>) {
        match &self.display {
            Display::Nothing => {}
            Display::Bar(bar) => {
                bar.set_message(self.status(rate));
                bar.set_position(self.done().into());
            }
            Display::Lines(_) => say::err(&self.status(rate)),
            Display::Events(_) => Event::Iteration {
                iteration: self.done(),
                total: self.total,
                loss: self.losses.last().copied(),
                mean_loss: self.mean_loss(),
                seconds: self.seconds(),
                seconds_left: rate.map(|rate| left(self.done(), self.total, rate)),
            }
            .tell(),
        }
    }
}

/// Seconds until all is done.
fn left(done: u32, total: u32, rate: f64) -> f64 {
    f64::from(total.saturating_sub(done)) / rate
}

/// How fast something goes, told by all but its first piece, for which drivers compile.
#[derive(Debug, Default)]
struct Speed(Option<(u32, Duration)>);

impl Speed {
    /// Pieces a second, once that can be told.
    fn at(&mut self, done: u32, elapsed: Duration) -> Option<f64> {
        let (first, since) = *self.0.get_or_insert((done, elapsed));
        let seconds = elapsed.saturating_sub(since).as_secs_f64();
        (done > first && seconds > 0.0).then(|| f64::from(done - first) / seconds)
    }
}

/// `iteration 12/1000, loss 3.214, 25.3/s, 0:39 left`.
fn status(done: u32, total: u32, loss: Option<f32>, rate: Option<f64>) -> String {
    let loss = loss.map_or_else(|| "?".to_owned(), |loss| number(loss.into()));
    let rate =
        rate.map(|rate| format!(", {}/s, {} left", number(rate), clock(left(done, total, rate))));
    format!("iteration {done}/{total}, loss {loss}{}", rate.unwrap_or_default())
}

/// The progress of something that comes in equal pieces.
pub struct Pieces {
    what: String,
    total: u32,
    started: Instant,
    speed: Speed,
    display: Display,
}

impl Pieces {
    pub fn start(console: &Console, what: impl Into<String>, total: u32) -> Self {
        let display = Display::of(console, total, Pace::Tenths);
        let (started, speed) = (Instant::now(), Speed::default());
        let mut pieces = Self { what: what.into(), total, started, speed, display };
        pieces.at(0);
        pieces
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
        let rate = if done > 0 { self.speed.at(done, elapsed) } else { None };
        let left = rate.filter(|_| done < self.total).map(|rate| left(done, self.total, rate));
        if let Some(left) = left {
            status += &format!(", {} left", clock(left));
        }
        match &mut self.display {
            Display::Nothing => {}
            Display::Bar(bar) => {
                bar.set_message(status);
                bar.set_position(done.into());
            }
            Display::Lines(rhythm) => {
                if rhythm.due(done, self.total, elapsed) {
                    say::err(&status);
                }
            }
            Display::Events(seconds) => {
                if seconds.due(done, elapsed) || done == self.total {
                    Event::Progress {
                        what: &self.what,
                        done: done.into(),
                        total: Some(self.total.into()),
                        seconds: elapsed.as_secs_f64(),
                        seconds_left: left,
                    }
                    .tell();
                }
            }
        }
    }

    /// What comes of it is told by whoever began it.
    pub fn finish(self) {
        if let Display::Bar(bar) = &self.display {
            bar.finish_and_clear();
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

/// The progress of downloads and of decoding: a bar for each, or a line where there is no terminal.
pub struct Downloads<'a> {
    console: &'a Console,
    current: Option<(String, Option<ProgressBar>)>,
    begun: Instant,
    seconds: Seconds,
}

impl<'a> Downloads<'a> {
    pub fn new(console: &'a Console) -> Self {
        let (begun, seconds) = (Instant::now(), Seconds::default());
        Self { console, current: None, begun, seconds }
    }

    pub fn progress(&mut self, progress: Progress<'_>) {
        if self.console.quiet {
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
            let bar = (self.console.terminal && !self.console.json).then(|| {
                let template = format!("{doing} {{msg}} [{{bar:30}}] {counted}");
                self.console.bar(total.unwrap_or(0), &template).with_message(file.to_owned())
            });
            if bar.is_none() && !self.console.json {
                self.console.say(&format!("{doing} {file}"));
            }
            self.current = Some((file.to_owned(), bar));
        }
        let elapsed = self.begun.elapsed();
        if self.console.json && (self.seconds.due(0, elapsed) || total == Some(done)) {
            let what = format!("{doing} {file}");
            let (seconds, seconds_left) = (elapsed.as_secs_f64(), None);
            Event::Progress { what: &what, done, total, seconds, seconds_left }.tell();
        }
        if let Some((_, Some(bar))) = &self.current {
            // Without a total there is no end to draw: it moves along with what came.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(pace: Pace, total: u32, seconds_each: f64) -> Vec<u32> {
        let mut rhythm = Rhythm::new(pace);
        (1..=total)
            .filter(|&done| {
                rhythm.due(done, total, Duration::from_secs_f64(seconds_each * f64::from(done)))
            })
            .collect()
    }

    #[test]
    fn lines_come_at_a_sensible_rhythm() {
        for pace in [Pace::Tenths, Pace::Alive] {
            assert_eq!(lines(pace, 1, 1.0), [1]);
            assert_eq!(lines(pace, 100, 0.09), [1], "ten seconds are not over");
        }
        assert_eq!(lines(Pace::Tenths, 100, 0.6), [1, 18, 35, 52, 69, 86]);
        assert_eq!(lines(Pace::Alive, 1000, 6.0)[..4], [1, 3, 5, 7]);
        let tenths = [1, 100, 200, 300, 400, 500, 600, 700, 800, 900, 1000];
        assert_eq!(lines(Pace::Tenths, 1000, 6.0), tenths);
        let day = lines(Pace::Alive, 86_400, 1.0);
        assert!((30..200).contains(&day.len()), "{} lines", day.len());
        assert_eq!(day.last(), Some(&86_400));
    }

    #[test]
    fn events_come_once_a_second() {
        let mut seconds = Seconds::default();
        let told = (1..=1000).filter(|&done| seconds.due(done, Duration::from_millis(10) * done));
        assert_eq!(told.collect::<Vec<_>>(), [1, 101, 201, 301, 401, 501, 601, 701, 801, 901]);
    }

    #[test]
    fn a_status_says_it_all() {
        let line = status(10, 30, Some(3.21456), Some(2.0));
        assert_eq!(line, "iteration 10/30, loss 3.215, 2.000/s, 0:10 left");
        assert_eq!(status(1, 30, Some(3.21456), None), "iteration 1/30, loss 3.215");
        assert_eq!(clock(3721.0), "1:02:01");
    }

    #[test]
    fn the_first_piece_tells_nothing_of_speed() {
        let mut speed = Speed::default();
        let at = |seconds| Duration::from_secs(seconds);
        assert_eq!(speed.at(1, at(100)), None);
        assert_eq!(speed.at(1, at(101)), None);
        assert_eq!(speed.at(5, at(102)), Some(2.0));
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
