//! What a set has to beat: as many real images of each class as it stores, drawn at random, and evaluated as it was.

use serde::{Deserialize, Serialize};

use super::words::counted;
use crate::Accuracy;

/// What networks of the same kind, number and seeds learn from random real images of equal storage. A packed image counts
/// as one stored image: the real ones are not packed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// In per cent.
    #[serde(flatten)]
    pub accuracy: Accuracy,
    /// Real images in all; a class that has fewer than are stored gives all that it has.
    pub images: usize,
    /// By how many points the set's accuracy is higher.
    pub improvement: f64,
}

impl Baseline {
    /// Of random images with an accuracy of their own, beside a set's.
    pub(super) fn new(own: Accuracy, images: usize, accuracy: &Accuracy) -> Self {
        Self { improvement: accuracy.mean - own.mean, accuracy: own, images }
    }

    /// The same beside another accuracy of the set.
    pub fn beside(self, accuracy: &Accuracy) -> Self {
        Self { improvement: accuracy.mean - self.accuracy.mean, ..self }
    }

    /// By how many points another accuracy is higher: `+12.30`.
    pub fn beaten_by(&self, accuracy: &Accuracy) -> String {
        points(accuracy.mean - self.accuracy.mean)
    }

    /// `77.20 ± 1.00 % by 100 real images drawn at random: +12.30 points`.
    pub fn said(&self) -> String {
        let Self { accuracy, images, improvement, .. } = self;
        let improvement = points(*improvement);
        let many = counted(*images, "real image");
        format!("{accuracy} by {many} drawn at random: {improvement} points")
    }
}

/// `+12.30`.
pub fn points(improvement: f64) -> String {
    // Not the zero below zero.
    let rounded = (improvement * 100.0).round() / 100.0 + 0.0;
    format!("{rounded:+.2}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn improvements_have_a_sign() {
        let random = Accuracy::of(vec![70.0, 72.0]);
        let baseline = Baseline::new(random, 20, &Accuracy::of(vec![80.0]));
        assert_eq!(
            baseline.said(),
            "71.00 ± 1.00 % by 20 real images drawn at random: +9.00 points"
        );
        assert_eq!(baseline.beaten_by(&Accuracy::of(vec![70.5])), "-0.50");
        assert_eq!(points(-0.001), "+0.00");
        let json = serde_json::to_value(&baseline).unwrap();
        assert_eq!((&json["mean"], &json["improvement"]), (&71.0.into(), &9.0.into()));
        assert_eq!(serde_json::from_value::<Baseline>(json).unwrap(), baseline);
    }
}
