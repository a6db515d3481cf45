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
    pub fn due(&mut self, done: u32, elapsed: Duration) -> bool {
        let since = elapsed.saturating_sub(self.last);
        let due = self.said.is_none() || since >= Duration::from_secs(1);
        if due {
            *self = Self { last: elapsed, said: Some(done) };
        }
        due
    }
}

/// How fast something goes, told by all but its first piece, for which drivers compile.
#[derive(Debug, Default)]
pub struct Speed(Option<(u32, Duration)>);

impl Speed {
    /// Pieces a second, once that can be told.
    pub fn at(&mut self, done: u32, elapsed: Duration) -> Option<f64> {
        let (first, since) = *self.0.get_or_insert((done, elapsed));
        let seconds = elapsed.saturating_sub(since).as_secs_f64();
        (done > first && seconds > 0.0).then(|| f64::from(done - first) / seconds)
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
        let mut speed = Speed::default();
        let at = |seconds| Duration::from_secs(seconds);
        assert_eq!(speed.at(1, at(100)), None);
        assert_eq!(speed.at(1, at(101)), None);
        assert_eq!(speed.at(5, at(102)), Some(2.0));
    }
}
