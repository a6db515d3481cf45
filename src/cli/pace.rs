//! How often progress is printed, and how fast work goes.

use std::{collections::VecDeque, time::Duration};

/// When the next line is due where there is no terminal: the first at once, then none within ten
/// seconds of another, but for the end.
#[derive(Debug)]
pub struct Rhythm {
    pace: Pace,
    tenths: u64,
    last: Duration,
    pub said: Option<u32>,
}

/// What is needed beside the ten seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// Another tenth of the whole work is done.
    Tenths,
    /// Another tenth is done, or some time has passed: more and more time, so that the log of a day stays readable.
    Alive,
}

impl Rhythm {
    pub fn new(pace: Pace) -> Self {
        Self { pace, tenths: 0, last: Duration::ZERO, said: None }
    }

    /// Within a piece: as [`due`](Self::due), but the first does not come at once.
    pub fn due_within(&mut self, done: u32, total: u32, elapsed: Duration) -> bool {
        let since = elapsed.saturating_sub(self.last);
        since >= Duration::from_secs(10) && self.due(done, total, elapsed)
    }

    pub fn due(&mut self, done: u32, total: u32, elapsed: Duration) -> bool {
        let tenths = u64::from(done) * 10 / u64::from(total.max(1));
        let since = elapsed.saturating_sub(self.last);
        let more = tenths > self.tenths || self.pace == Pace::Alive && since >= elapsed / 20;
        let end = done >= total && self.said != Some(done);
        let due = self.said.is_none() || end || more && since >= Duration::from_secs(10);
        if due {
            *self = Self { pace: self.pace, tenths, last: elapsed, said: Some(done) };
        }
        due
    }
}

/// When the next event is due: the first at once, then none within a second of another.
#[derive(Debug, Default)]
pub struct Seconds {
    last: Duration,
    pub said: Option<u32>,
}

impl Seconds {
    /// Within a piece: as [`due`](Self::due), but the first does not come at once.
    pub fn due_within(&mut self, done: u32, elapsed: Duration) -> bool {
        elapsed.saturating_sub(self.last) >= Duration::from_secs(1) && self.due(done, elapsed)
    }

    pub fn due(&mut self, done: u32, elapsed: Duration) -> bool {
        let since = elapsed.saturating_sub(self.last);
        let due = self.said.is_none() || since >= Duration::from_secs(1);
        if due {
            *self = Self { last: elapsed, said: Some(done) };
        }
        due
    }
}

/// How fast work has gone lately.
#[derive(Debug)]
pub struct Speed {
    began: Duration,
    /// The samples that the speed follows from, oldest first, thinned.
    window: VecDeque<Sample>,
    last: Sample,
    /// The speed of the most recent samples only.
    lately: Option<f64>,
    /// Pieces per second: at first as measured beforehand, then as observed.
    rate: Option<f64>,
    /// The same before the window.
    before: Option<f64>,
}

/// Pieces that are done, and when.
type Sample = (f64, Duration);

/// The shortest time that the speed is taken over. It is at least [`PART`] of the whole time, so that the speed does
/// not jump.
const WINDOW: Duration = Duration::from_secs(20);
const PART: u32 = 4;

/// What must be observed before the speed is known.
const ENOUGH: Duration = Duration::from_secs(3);

/// A longer time without progress is not slow work: kernels are compiled, or the machine slept.
const STALL: Duration = Duration::from_secs(3);

impl Speed {
    /// `rate` as measured beforehand, if it was.
    pub fn new(done: f64, elapsed: Duration, rate: Option<f64>) -> Self {
        let last = (done, elapsed);
        Self {
            began: elapsed,
            window: VecDeque::from([last]),
            last,
            lately: None,
            rate,
            before: rate,
        }
    }

    /// Pieces per second, once they are known.
    pub fn at(&mut self, done: f64, elapsed: Duration) -> Option<f64> {
        let since = |(before, then): Sample| (done - before, elapsed.saturating_sub(then));
        let (more, gap) = since(self.last);
        if more <= 0.0 || gap.is_zero() {
            return self.rate;
        }
        self.last = (done, elapsed);
        let lately = more / gap.as_secs_f64();
        // If every piece takes that long, it is not a stall.
        let usual = self.rate.or(self.lately);
        let stalled = gap > STALL && usual.is_none_or(|usual| lately < usual / 3.0);
        if stalled {
            self.window.clear();
            self.before = self.rate;
        }
        self.lately =
            Some(usual.filter(|_| stalled).map_or(lately, |usual| (usual * lately).sqrt()));
        let window = WINDOW.max((elapsed - self.began) / PART);
        let newest = self.window.back().copied();
        if newest.is_none_or(|newest| since(newest).1 >= window / 100) {
            self.window.push_back(self.last);
        }
        // A whole piece at least, because its parts may be of different speeds.
        let spans = |&sample: &Sample| since(sample).1 >= window && since(sample).0 >= 1.0;
        while self.window.get(1).is_some_and(spans) {
            self.window.pop_front();
        }
        if let Some((some, time)) = self.window.front().copied().map(since)
            && time >= ENOUGH
        {
            // Parts of a piece have different speeds: for the part that is missing of a whole piece, the earlier speed
            // is assumed.
            let missing = (1.0 - some).max(0.0);
            let (assumed, longer) =
                self.before.map_or((0.0, 0.0), |rate| (missing, missing / rate));
            self.rate = Some((some + assumed) / (time.as_secs_f64() + longer));
        }
        self.rate
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
            assert_eq!(lines(pace, 100, 0.09), [1, 100], "ten seconds are not over");
        }
        assert_eq!(lines(Pace::Tenths, 100, 0.6), [1, 18, 35, 52, 69, 86, 100]);
        let mut rhythm = Rhythm::new(Pace::Tenths);
        let ends = [100, 100].map(|done| rhythm.due(done, 100, Duration::ZERO));
        assert_eq!(ends, [true, false], "an end is told once");
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

    fn at(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[test]
    fn what_was_measured_beforehand_holds_until_enough_was_seen() {
        let mut speed = Speed::new(3.0, at(50.0), Some(0.5));
        assert_eq!(speed.at(3.5, at(51.0)), Some(0.5));
        assert_eq!(speed.at(3.5, at(51.5)), Some(0.5));
        assert_eq!(speed.at(3.5, at(53.5)), Some(0.5), "nothing new");
        assert_eq!(speed.at(3.75, at(54.0)), Some(1.0 / 4.5), "the missing quarter as measured");
        assert_eq!(speed.at(4.0, at(55.0)), Some(0.2), "a whole one, since 50");
        let mut unknown = Speed::new(3.0, at(50.0), None);
        assert_eq!(unknown.at(3.5, at(51.0)), None);
        assert_eq!(unknown.at(4.0, at(54.0)), Some(0.25));
    }

    /// In steps of half a second, as submissions are, because a long gap tells of a stall and no speed.
    #[test]
    fn parts_of_a_long_first_piece_tell_the_speed() {
        let mut speed = Speed::new(3.0, at(50.0), None);
        let mut seen = |from: f64, to: f64, first: f64, each: f64| {
            let steps = ((to - from) / each).round() as u32;
            let sample = |i: u32| (from + each * f64::from(i), first + 0.5 * f64::from(i));
            (1..=steps).map(sample).map(|(done, time)| speed.at(done, at(time))).last()
        };
        let near = |rate: Option<Option<f64>>, told: f64| {
            let rate = rate.flatten().unwrap_or_default();
            assert!((rate / told - 1.0).abs() < 0.01, "{rate}, not {told}");
        };
        assert_eq!(seen(3.0, 3.125, 50.0, 0.025), Some(None), "too early");
        near(seen(3.125, 3.5, 52.5, 0.025), 0.05);
        near(seen(3.5, 4.0, 60.0, 0.025), 0.05);
        near(seen(4.0, 8.0, 70.0, 0.05), 0.1);
    }

    #[test]
    fn compiling_counts_for_nothing() {
        for measured in [None, Some(2.0)] {
            let mut speed = Speed::new(0.0, Duration::ZERO, measured);
            assert_eq!(speed.at(0.1, at(0.1)), measured);
            assert_eq!(speed.at(0.2, at(9.0)), measured, "a kernel was compiled");
            assert_eq!(speed.at(0.3, at(15.0)), measured, "and another");
            let told = (1..=20)
                .map(|i| speed.at(0.3 + 0.5 * f64::from(i), at(15.0 + 0.25 * f64::from(i))));
            let told: Vec<_> = told.collect();
            assert_eq!(told[10], measured, "too early");
            assert!(
                told[12..].iter().all(|rate| rate.is_some_and(|rate| (rate - 2.0).abs() < 1e-9))
            );
        }
        // A night's sleep of the machine.
        let mut speed = Speed::new(0.0, Duration::ZERO, None);
        for second in 1..=60 {
            speed.at(f64::from(second), at(second.into()));
        }
        assert_eq!(speed.at(61.0, at(30_000.0)), Some(1.0));
        assert_eq!(speed.at(65.0, at(30_004.0)), Some(1.0));
    }

    #[test]
    fn pieces_that_all_take_long_are_no_stall() {
        let mut speed = Speed::new(0.0, Duration::ZERO, None);
        let told = (1..=4).map(|i| speed.at(i.into(), at(20.0 * f64::from(i))));
        assert_eq!(told.collect::<Vec<_>>(), [None, Some(0.05), Some(0.05), Some(0.05)]);
    }

    #[test]
    fn the_speed_is_that_of_late_and_stays_calm() {
        let mut speed = Speed::new(0.0, Duration::ZERO, None);
        for i in 1..=1000 {
            speed.at(f64::from(i), at(0.1 * f64::from(i)));
        }
        // Twice as slow from second 100 on: known as soon as a quarter of the time was.
        let told: Vec<_> = (1..=200)
            .map(|i| speed.at(1000.0 + f64::from(i), at(100.0 + 0.2 * f64::from(i))))
            .collect();
        assert!(told[0].is_some_and(|rate| rate > 9.9));
        assert!(told[199].is_some_and(|rate| (rate - 5.0).abs() < 0.1), "{:?}", told[199]);
        assert!(speed.window.len() < 110, "{} samples", speed.window.len());
    }

    #[test]
    fn lines_come_within_long_pieces_too() {
        let mut rhythm = Rhythm::new(Pace::Alive);
        let due =
            [1, 9, 10, 11, 19, 20].map(|s| rhythm.due_within(0, 1000, Duration::from_secs(s)));
        assert_eq!(due, [false, false, true, false, false, true]);
    }
}
