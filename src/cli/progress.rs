//! The progress of a run, on stderr: a bar on a terminal, a line now and then elsewhere, nothing with `--quiet`. For
//! programs, events on stdout.

use std::time::{Duration, Instant};

use indicatif::ProgressBar;

use dm_wgpu::project::{Evaluations, Losses, words::number};

use super::{
    console::Console,
    events::Event,
    pace::{Pace, Rhythm, Seconds, Speed},
    say,
};

enum Display {
    Nothing,
    Bar(ProgressBar),
    Lines(Rhythm),
    Events(Seconds),
}

impl Display {
    /// For lines of so many columns.
    fn of(console: &Console, total: u32, pace: Pace, longest: u16) -> Self {
        if console.quiet() {
            Self::Nothing
        } else if console.json() {
            Self::Events(Seconds::default())
        } else if console.terminal {
            // A line that is too long loses its bar rather than a number.
            let narrow = ::console::Term::stderr().size().1 < BAR + longest;
            let template = if narrow { "{wide_msg}" } else { "[{bar:16}] {wide_msg}" };
            Self::Bar(console.bar(TICKS * u64::from(total), template))
        } else {
            Self::Lines(Rhythm::new(pace))
        }
    }
}

/// The progress of the iterations.
pub struct Steps {
    total: u32,
    /// Without pauses.
    elapsed: Duration,
    losses: Vec<f32>,
    /// Iterations that are done, and the part of the next.
    work: f64,
    speed: Speed,
    evaluations: Option<Evaluations>,
    display: Display,
}

/// `, then evaluation about 0:40`, or as much of it as is known.
fn evaluations_left(evaluations: Evaluations, done: u32, total: u32) -> String {
    let each = evaluations.each.map(|each| clock(each.as_secs_f64()));
    match (evaluations.left(done, total), each) {
        (1, Some(_)) if !evaluations.beside.is_zero() => {
            let both = evaluations.each.unwrap_or_default() + evaluations.beside;
            format!(", then evaluations about {}", clock(both.as_secs_f64()))
        }
        (1, Some(each)) => format!(", then evaluation about {each}"),
        (1, None) => ", then an evaluation".to_owned(),
        (count, Some(each)) => format!(", and {count} evaluations of about {each}"),
        (count, None) => format!(", and {count} evaluations"),
    }
}

/// Columns of a bar, with what is around it.
const BAR: u16 = 24;

/// A bar moves within an iteration or an epoch, too.
const TICKS: u64 = 1000;

impl Steps {
    /// Continues after the iterations of an earlier part of the run, which took so many seconds. `each` is the measured
    /// time of an iteration.
    pub fn start(
        console: &Console,
        total: u32,
        losses: Vec<f32>,
        seconds: f64,
        each: Duration,
        evaluations: Option<Evaluations>,
    ) -> Self {
        let display = Display::of(console, total, Pace::Alive, 100);
        // Values from a file may be anything.
        let elapsed = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        let work = losses.len() as f64;
        let speed = Speed::new(work, elapsed, Some(1.0 / each.as_secs_f64().max(1e-9)));
        Self { total, elapsed, losses, work, speed, evaluations, display }
    }

    /// Out of the way of another bar.
    pub fn hide(&self) {
        if let Display::Bar(bar) = &self.display {
            say::BARS.remove(bar);
        }
    }

    /// Back again.
    pub fn reveal(&self) {
        if let Display::Bar(bar) = &self.display {
            say::BARS.add(bar.clone());
        }
    }

    fn at(&mut self, seconds: f64) -> Option<f64> {
        self.elapsed = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        self.speed.at(self.work, self.elapsed)
    }

    /// One more iteration's loss is known.
    pub fn arrived(&mut self, loss: f32, seconds: f64) {
        self.losses.push(loss);
        let done = self.done();
        self.work = self.work.max(done.into());
        let (rate, elapsed) = (self.at(seconds), self.elapsed);
        let due = match &mut self.display {
            Display::Nothing => false,
            // The bar itself limits how often it is drawn.
            Display::Bar(_) => true,
            Display::Lines(rhythm) => rhythm.due(done, self.total, elapsed),
            Display::Events(seconds) => seconds.due(done, elapsed),
        };
        if due {
            self.show(rate);
        }
    }

    /// So many iterations are done, and a part of the next.
    pub fn moved(&mut self, iterations: u32, part: f64, seconds: f64) {
        self.work = self.work.max(f64::from(iterations) + part);
        let done = self.done();
        let (rate, elapsed) = (self.at(seconds), self.elapsed);
        let due = match &mut self.display {
            Display::Nothing => false,
            Display::Bar(_) => true,
            Display::Lines(rhythm) => rhythm.due_within(done, self.total, elapsed),
            Display::Events(seconds) => seconds.due_within(done, elapsed),
        };
        if due {
            self.show(rate);
        }
    }

    fn done(&self) -> u32 {
        self.losses.len() as u32
    }

    /// Leaves the last state on the screen.
    pub fn finish(mut self, seconds: f64) {
        let done = self.done();
        // An unfinished iteration does not count.
        self.work = done.into();
        let rate = self.at(seconds);
        match &self.display {
            Display::Nothing => {}
            // The remains of a bar would be removed with the next bar, so a line takes its place.
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
        let mut status = status((self.done(), self.work), self.total, self.mean_loss(), rate);
        if let Some(evaluations) = self.evaluations.filter(|_| rate.is_some()) {
            status += &evaluations_left(evaluations, self.done(), self.total);
        }
        status
    }

    fn show(&self, rate: Option<f64>) {
        match &self.display {
            Display::Nothing => {}
            Display::Bar(bar) => {
                bar.set_message(self.status(rate));
                bar.set_position((self.work * TICKS as f64) as u64);
            }
            Display::Lines(_) => say::err(&self.status(rate)),
            Display::Events(_) => Event::Iteration {
                iteration: self.done(),
                of_next: self.work - f64::from(self.done()),
                total: self.total,
                loss: self.losses.last().copied(),
                mean_loss: self.mean_loss(),
                seconds: self.elapsed.as_secs_f64(),
                seconds_left: rate.map(|rate| left(self.work, self.total, rate)),
                evaluation_seconds_left: match self.evaluations {
                    None => Some(0.0),
                    Some(evaluations) => {
                        let left = evaluations.left(self.done(), self.total);
                        let beside = evaluations.beside;
                        evaluations.each.map(|each| (each * left + beside).as_secs_f64())
                    }
                },
            }
            .tell(),
        }
    }
}

/// Seconds until all is done.
fn left(done: f64, total: u32, rate: f64) -> f64 {
    (f64::from(total) - done).max(0.0) / rate
}

/// `iteration 12/1000, loss 3.214, 25.3/s, 0:39 left`; where they are long,
/// `iteration 12/1000, next 40 % done, loss 3.214, 15.2 s each, 4:10:00 left`.
fn status((done, work): (u32, f64), total: u32, loss: Option<f32>, rate: Option<f64>) -> String {
    let mut status = format!("iteration {done}/{total}");
    let part = work - f64::from(done);
    if part >= 0.01 && rate.is_none_or(|rate| rate < 0.5) {
        status += &format!(", next {:.0} % done", (100.0 * part).min(100.0).floor());
    }
    if let Some(loss) = loss {
        status += &format!(", loss {}", number(loss.into()));
    }
    if let Some(rate) = rate {
        let pace = match rate < 1.0 {
            true => format!("{} s each", number(1.0 / rate)),
            false => format!("{}/s", number(rate)),
        };
        status += &format!(", {pace}, {} left", clock(left(work, total, rate)));
    }
    status
}

/// Work before the first progress: kernels are compiled, and their speed is measured. On a terminal, a line says so
/// while it lasts.
pub struct Preparing(Option<ProgressBar>);

impl Preparing {
    pub fn start(console: &Console, what: &str) -> Self {
        let shown = console.terminal && !console.quiet() && !console.json();
        Self(shown.then(|| {
            let what = format!("{what}: compiling kernels and measuring their speed");
            let bar = console.bar(0, "{msg}, {elapsed}").with_message(what);
            bar.enable_steady_tick(Duration::from_secs(1));
            bar
        }))
    }
}

impl Drop for Preparing {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

/// The progress of something that comes in pieces.
pub struct Pieces {
    what: String,
    unit: &'static str,
    pub total: u32,
    started: Instant,
    speed: Speed,
    /// Whether nothing was told yet: what is done then was done before.
    new: bool,
    display: Display,
}

impl Pieces {
    /// All pieces together will take so long, if that was measured.
    pub fn start(
        console: &Console,
        what: impl Into<String>,
        (total, unit): (u32, &'static str),
        all: Option<Duration>,
    ) -> Self {
        let display = Display::of(console, total, Pace::Tenths, 48);
        let rate = all.map(|all| f64::from(total) / all.as_secs_f64().max(1e-9));
        let (started, speed) = (Instant::now(), Speed::new(0.0, Duration::ZERO, rate));
        Self { what: what.into(), unit, total, started, speed, new: true, display }
    }

    /// So many pieces are done, which are this part of the work.
    pub fn at(&mut self, done: f64, share: f64) {
        let elapsed = self.started.elapsed();
        let (whole, end) = (done as u32, done >= f64::from(self.total));
        let total = f64::from(self.total.max(1));
        let mut status = format!("{}: {:.0} %", self.what, (100.0 * share).floor());
        if std::mem::take(&mut self.new) {
            let rate = self.speed.at(0.0, elapsed);
            self.speed = Speed::new(share * total, elapsed, rate);
        }
        let rate = self.speed.at(share * total, elapsed);
        let left = rate.filter(|_| !end).map(|rate| left(share * total, self.total, rate));
        if let Some(left) = left {
            status += &format!(", {} left", clock(left));
        }
        match &mut self.display {
            Display::Nothing => {}
            Display::Bar(bar) => {
                bar.set_message(status);
                bar.set_position((share * total * TICKS as f64) as u64);
            }
            Display::Lines(rhythm) => {
                if rhythm.due(whole, self.total, elapsed) {
                    say::err(&status);
                }
            }
            Display::Events(seconds) => {
                if seconds.due(whole, elapsed) || end {
                    Event::Progress {
                        what: &self.what,
                        done: whole.into(),
                        of_next: done - f64::from(whole),
                        total: Some(self.total.into()),
                        unit: self.unit,
                        seconds: elapsed.as_secs_f64(),
                        seconds_left: left,
                    }
                    .tell();
                }
            }
        }
    }

    /// The caller reports the result.
    pub fn finish(self) {
        if let Display::Bar(bar) = &self.display {
            bar.finish_and_clear();
        }
    }
}

/// `40 seconds`, `12 minutes`, `4 h 10 min`, `3 days`.
pub fn rough(time: Duration) -> String {
    let minutes = (time.as_secs_f64() / 60.0).round() as u64;
    match (minutes, minutes / 60) {
        _ if time < Duration::from_secs(100) => format!("{:.0} seconds", time.as_secs_f64()),
        (_, 0..2) => format!("{minutes} minutes"),
        (_, hours @ 2..48) => format!("{hours} h {:02} min", minutes % 60),
        (_, hours) => format!("{} days", (hours + 12) / 24),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_says_it_all() {
        let line = status((10, 10.0), 30, Some(3.21456), Some(2.0));
        assert_eq!(line, "iteration 10/30, loss 3.215, 2.000/s, 0:10 left");
        let line = status((10, 10.5), 30, Some(3.21456), Some(0.1));
        let said = "iteration 10/30, next 50 % done, loss 3.215, 10.00 s each, 3:15 left";
        assert_eq!(line, said);
        assert_eq!(status((1, 1.0), 30, Some(3.21456), None), "iteration 1/30, loss 3.215");
        assert_eq!(status((0, 0.04), 30, None, None), "iteration 0/30, next 4 % done");
        assert_eq!(status((0, 0.009), 30, None, None), "iteration 0/30", "nothing of note");
        assert_eq!(clock(3721.0), "1:02:01");
    }

    #[test]
    fn evaluations_that_follow_are_told_as_far_as_they_are_known() {
        let told = |every, seconds: Option<u64>, done| {
            let (each, beside) = (seconds.map(Duration::from_secs), Duration::ZERO);
            evaluations_left(Evaluations { every, each, beside }, done, 10)
        };
        assert_eq!(told(None, Some(40), 3), ", then evaluation about 0:40");
        assert_eq!(told(None, None, 3), ", then an evaluation");
        assert_eq!(told(Some(4), Some(40), 3), ", and 3 evaluations of about 0:40");
        assert_eq!(told(Some(4), None, 4), ", and 2 evaluations", "after 4 it was measured");
        assert_eq!(told(Some(5), Some(40), 10), ", then evaluation about 0:40");
    }

    #[test]
    fn times_are_told_roughly() {
        for (seconds, text) in [
            (0, "0 seconds"),
            (99, "99 seconds"),
            (100, "2 minutes"),
            (7199, "2 h 00 min"),
            (15_000, "4 h 10 min"),
            (200_000, "2 days"),
        ] {
            assert_eq!(rough(Duration::from_secs(seconds)), text);
        }
    }
}
