//! How long work takes, learned from what was measured of it, so that submissions stay as short as they should.
//!
//! Each pipeline has a pace, at first a cautious guess. What is encoded in one go is a [`Share`](super::Share) of expected
//! seconds; when it is done, its [`Ticket`](super::Ticket) tells how long it took, and its pipelines' paces are corrected.
//! Nothing here has a say in what is computed, only in how it is cut.

use std::sync::Mutex;

use super::{Gpu, unpoisoned};

/// What a dispatch cannot do without, whatever its kernel does besides; for those who time it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cost {
    /// Multiplications and additions.
    pub flops: Option<u64>,
    /// Bytes read or written, each counted once.
    pub bytes: Option<u64>,
}

/// How many times as long a pipeline's work takes as was guessed.
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

/// What one measurement can change a pace by.
const MOST: f64 = 8.0;

impl Pace {
    /// Seconds that work of this cost is expected to take.
    pub fn seconds(&self, gpu: &Gpu, cost: Cost, groups: usize) -> f64 {
        // A weak GPU, and one core of a weak CPU: the first submissions must be short enough as well.
        let (flops, bytes, groups_per_second) =
            if gpu.caps().cpu { (1e10, 1e9, 1e5) } else { (1e11, 1e10, 1e6) };
        let guess = match (cost.flops, cost.bytes) {
            (Some(count), _) => count as f64 / flops,
            (None, Some(count)) => count as f64 / bytes,
            (None, None) => groups as f64 / groups_per_second,
        };
        // More than nothing, or shares of nothing would be divided.
        (guess * self.factor()).max(1e-9)
    }

    pub fn factor(&self) -> f64 {
        unpoisoned(&self.0).factor
    }

    /// Knows from now on that work takes `ratio` times what was expected of it when the factor was `then`.
    pub fn correct(&self, then: f64, ratio: f64) {
        let factor = (then * ratio).clamp(1e-6, 1e6);
        *unpoisoned(&self.0) = Known { factor, measured: true };
    }

    /// Learns that work took `ratio` times what was expected of it when the factor was `then`.
    pub fn learn(&self, then: f64, ratio: f64) {
        let mut known = unpoisoned(&self.0);
        // Many a driver compiles at the first use; that is no measure of the second.
        if ratio > 1.0 && !std::mem::replace(&mut known.measured, true) {
            return;
        }
        // Half of the way, because the blame may be another's of those that were measured together.
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
