//! How often something is said, and how fast things go.

use std::time::Duration;

/// When the next line is due where there is no terminal: the first at once, then none within ten
/// seconds of another, but for the end.
#[derive(Debug)]
pub struct Rhythm {
    pace: Pace,
    tenths: u64,
    last: Duration,
    pub said: Option<u32>,
}

/// What it takes beside the ten seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// Another tenth of the whole.
    Tenths,
    /// That, or some time, more as time goes on so that a day's log stays readable.
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

/// How fast something goes, told by all but its first piece, for which drivers compile. Where pieces are long, parts
/// of the first one give an estimate until then.
#[derive(Debug)]
pub struct Speed {
    started: Sample,
    first: Option<Sample>,
    /// Whether parts of pieces are ever seen.
    parts: bool,
}

/// Pieces that are done, and when.
type Sample = (f64, Duration);

/// What must be known of a first piece, and for how long it must have been at work, to estimate by.
const ENOUGH: (f64, Duration) = (0.01, Duration::from_secs(2));

/// What must be known of the pieces after the first, where these come in parts.
const MORE: f64 = 0.2;

impl Speed {
    pub fn new(done: f64, elapsed: Duration) -> Self {
        Self { started: (done, elapsed), first: None, parts: false }
    }

    /// Pieces per second, once that can be told.
    pub fn at(&mut self, done: f64, elapsed: Duration) -> Option<f64> {
        self.parts |= done.fract() > 0.0;
        if done >= self.started.0 + 1.0 {
            self.first.get_or_insert((done, elapsed));
        }
        let since = |(before, then): Sample| (done - before, elapsed.saturating_sub(then));
        let known = self.first.map(since).filter(|&(more, _)| more >= MORE);
        let estimated = || {
            let (some, time) = since(self.started);
            (self.parts && some >= ENOUGH.0 && time >= ENOUGH.1).then_some((some, time))
        };
        let (done, time) = known.or_else(estimated)?;
        (!time.is_zero()).then(|| done / time.as_secs_f64())
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

    #[test]
    fn the_first_piece_tells_nothing_of_speed() {
        let at = |seconds| Duration::from_secs(seconds);
        let mut speed = Speed::new(0.0, Duration::ZERO);
        assert_eq!(speed.at(1.0, at(100)), None);
        assert_eq!(speed.at(1.0, at(101)), None);
        assert_eq!(speed.at(5.0, at(102)), Some(2.0));
    }

    #[test]
    fn parts_of_a_long_first_piece_tell_the_speed() {
        let at = |seconds| Duration::from_secs(seconds);
        let mut speed = Speed::new(3.0, at(50));
        assert_eq!(speed.at(3.1, at(51)), None, "too early");
        assert_eq!(speed.at(3.5, at(60)), Some(0.05));
        assert_eq!(speed.at(4.0, at(70)), Some(0.05), "nothing of the next is known");
        assert_eq!(
            speed.at(4.5, at(75)),
            Some(0.1),
            "what the first took in addition is forgotten"
        );
        assert_eq!(speed.at(6.0, at(90)), Some(0.1));
    }

    #[test]
    fn lines_come_within_long_pieces_too() {
        let mut rhythm = Rhythm::new(Pace::Alive);
        let due =
            [1, 9, 10, 11, 19, 20].map(|s| rhythm.due_within(0, 1000, Duration::from_secs(s)));
        assert_eq!(due, [false, false, true, false, false, true]);
    }
}
