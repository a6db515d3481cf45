//! How fast devices are, and which of them is so slow that another one should take over its piece.

use std::time::Instant;

use super::{Pieces, queue::Queue};

/// How fast a device is.
#[derive(Default)]
pub(super) struct Pace {
    pub(super) begun: Option<Begun>,
    /// The weight of what it has done before, and the seconds.
    before: (f64, f64),
    /// Whether it was asked to give its piece back, once for all.
    pub(super) asked: bool,
}

/// The piece that a device has, and when it was first told of, with the part that was done then: before that, kernels are
/// compiled.
pub(super) struct Begun {
    pub(super) piece: usize,
    pub(super) first: Option<(Instant, f64)>,
}

impl Pace {
    /// The weight of what it has done in all, and the seconds.
    fn all(&self, pieces: &Pieces<'_>) -> (f64, f64) {
        let (weight, seconds) = self.before;
        match &self.begun {
            Some(Begun { piece, first: Some((when, part)) }) => {
                let more = (pieces.parts[*piece] - part).max(0.0) * pieces.weights[*piece];
                (weight + more, seconds + when.elapsed().as_secs_f64())
            }
            _ => (weight, seconds),
        }
    }

    pub(super) fn ended(&mut self, pieces: &Pieces<'_>) {
        self.before = self.all(pieces);
        self.begun = None;
    }
}

/// A device whose piece is better taken over by one that has nothing left: that would be done in less than half of the
/// time, and `SPARED` seconds are gained.
pub(super) fn too_slow(paces: &[Pace], pieces: &Pieces<'_>, queue: &Queue) -> Option<usize> {
    const SPARED: f64 = 5.0;
    let rate =
        |pace: &Pace| Some(pace.all(pieces)).map(|(weight, seconds)| weight / seconds.max(1e-9));
    let idle = paces.iter().filter(|pace| pace.begun.is_none() && pace.before.0 > 0.0);
    let fastest = idle.filter_map(rate).max_by(f64::total_cmp)?;
    if !queue.state().waiting.is_empty() {
        return None;
    }
    let gained = |pace: &Pace| {
        let Begun { piece, first } = pace.begun.as_ref().filter(|_| !pace.asked)?;
        let (when, _) = first.as_ref()?;
        let (weight, left) = (pieces.weights[*piece], 1.0 - pieces.parts[*piece]);
        let own = left * weight / rate(pace)?.max(1e-9);
        let other = weight * if pieces.resumed { left } else { 1.0 } / fastest;
        let seen = when.elapsed().as_secs_f64() >= SPARED;
        (seen && own > 2.0 * other + SPARED).then_some(own - other)
    };
    let all = paces.iter().enumerate().filter_map(|(at, pace)| Some((at, gained(pace)?)));
    all.max_by(|(_, a), (_, b)| a.total_cmp(b)).map(|(at, _)| at)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_piece_is_taken_over_only_if_that_gains_time() {
        let weights = [4.0, 4.0];
        let pieces = |part, resumed| Pieces {
            weights: &weights,
            parts: vec![part, 1.0],
            open: Vec::new(),
            resumed,
        };
        let ago = |seconds| Instant::now().checked_sub(Duration::from_secs(seconds)).unwrap();
        let told = |part: f64, seconds: u64, (weight, of_idle): (f64, f64), resumed| {
            let begun = Some(Begun { piece: 0, first: Some((ago(seconds), 0.0)) });
            let paces = [
                Pace { begun, ..Pace::default() },
                Pace { before: (weight, of_idle), ..Pace::default() },
            ];
            too_slow(&paces, &pieces(part, resumed), &Queue::new(0..0))
        };
        // Half of it took 20 seconds: 20 are left, and the other takes 2, or 4 from the start.
        assert_eq!(told(0.5, 20, (4.0, 4.0), true), Some(0));
        assert_eq!(told(0.5, 20, (4.0, 4.0), false), Some(0));
        assert_eq!(told(0.5, 20, (4.0, 10.0), false), None, "it would begin again");
        assert_eq!(told(0.5, 20, (4.0, 16.0), true), None, "hardly faster");
        assert_eq!(told(0.9, 20, (4.0, 4.0), true), None, "soon done");
        assert_eq!(told(0.0, 4, (4.0, 4.0), true), None, "too early to say");
        assert_eq!(told(0.0, 20, (4.0, 4.0), true), Some(0), "it does nothing at all");
        assert_eq!(told(0.5, 20, (0.0, 0.0), true), None, "nothing is known of the other");
    }
}
