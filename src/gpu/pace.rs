//! How long work takes, learned from measurements, so that submissions stay as short as they should.
//!
//! Each pipeline has a pace, at first a cautious guess. What is encoded in one go is a [`Share`](super::Share) of expected
//! seconds; when it is done, its [`Ticket`](super::Ticket) tells how long it took, and its pipelines' paces are corrected.
//! Nothing here influences what is computed, only how it is cut.

use std::sync::Mutex;

use super::{Gpu, unpoisoned};

/// The least work that a dispatch must do, whatever its kernel does besides; for timing it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cost {
    /// Multiplications and additions.
    pub flops: Option<u64>,
    /// Bytes read or written, each counted once.
    pub bytes: Option<u64>,
}

/// The ratio of the time that a pipeline's work takes to the guess.
#[derive(Debug, Default)]
pub(super) struct Pace(Mutex<Known>);

#[derive(Debug, Clone, Copy, PartialEq)]
struct Known {
    factor: f64,
    measured: bool,
}

impl Default for Known {
    fn default() -> Self {
        Self { factor: 1.0, measured: false }
    }
}

/// The most by which one measurement can change a pace.
const MOST: f64 = 8.0;

impl Pace {
    /// Seconds that work of this cost is expected to take.
    pub fn seconds(&self, gpu: &Gpu, cost: Cost, groups: usize) -> f64 {
        // Assumes a weak GPU, or one core of a weak CPU, so that even the first submissions are short enough.
        let (flops, bytes, groups_per_second) =
            if gpu.caps().cpu { (1e10, 1e9, 1e5) } else { (1e11, 1e10, 1e6) };
        let guess = match (cost.flops, cost.bytes) {
            (Some(count), _) => count as f64 / flops,
            (None, Some(count)) => count as f64 / bytes,
            (None, None) => groups as f64 / groups_per_second,
        };
        // Above zero, because seconds of shares are divided by each other.
        (guess * self.factor()).max(1e-9)
    }

    pub fn factor(&self) -> f64 {
        unpoisoned(&self.0).factor
    }

    /// Sets the pace: work takes `ratio` times what was expected when the factor was `then`.
    pub fn correct(&self, then: f64, ratio: f64) {
        let factor = (then * ratio).clamp(1e-6, 1e6);
        *unpoisoned(&self.0) = Known { factor, measured: true };
    }

    /// Corrects the pace: work took `ratio` times what was expected when the factor was `then`.
    pub fn learn(&self, then: f64, ratio: f64) {
        let mut known = unpoisoned(&self.0);
        // Many drivers compile at the first use, so its time says nothing about the second.
        if ratio > 1.0 && !std::mem::replace(&mut known.measured, true) {
            return;
        }
        // Half of the way, because another of the pipelines that were measured together may be the cause.
        let factor = then * ratio.clamp(1.0 / MOST, MOST);
        known.factor = (known.factor * factor).sqrt().clamp(1e-6, 1e6);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_follows_what_is_measured() {
        let pace = Pace::default();
        pace.learn(1.0, 5.0);
        assert_eq!(pace.factor(), 1.0, "the first time may be that of a compiler");
        pace.learn(1.0, 0.25);
        assert_eq!(pace.factor(), 0.5, "half of the way");
        // However many were encoded by the same guess, they end where each of them points.
        (0..60).for_each(|_| pace.learn(1.0, 0.25));
        assert!((pace.factor() - 0.25).abs() < 1e-3, "{}", pace.factor());
        (0..60).for_each(|_| pace.learn(0.25, 1e9));
        assert!((pace.factor() - 0.25 * MOST).abs() < 1e-3, "one step at a time");
        (0..60).for_each(|_| pace.learn(pace.factor(), 1e9));
        assert!(pace.factor() <= 1e6 && pace.factor() > 1e5);
    }

    #[test]
    fn a_faster_first_measurement_is_believed() {
        let pace = Pace::default();
        pace.learn(1.0, 0.25);
        assert_eq!(pace.factor(), 0.5);
    }
}
