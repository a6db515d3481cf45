//! What a set has to beat: as many real images of each class as it stores, drawn at random, and evaluated as it was.

use serde::{Deserialize, Serialize};

use super::{Job, Measured, Observer, Result, Setup};
use crate::{Accuracy, EvaluationSettings, Selection, SyntheticSet, TrainingSet};

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

/// Whether this set is itself a random selection, which needs no comparison with one.
pub fn is_random(set: &SyntheticSet) -> bool {
    serde_json::from_str::<serde_json::Value>(&set.settings)
        .is_ok_and(|settings| settings["selection"] == "random")
}

impl Baseline {
    /// Draws as many images of each class as the set stores, as `--method random` does with this seed, and evaluates
    /// them. `accuracy` is the set's own by the same settings. Also returns the seconds; `None` if it was stopped.
    pub(super) fn measure(
        setup: &Setup,
        set: &SyntheticSet,
        seed: u64,
        (settings, accuracy): (&EvaluationSettings, &Accuracy),
        observer: &mut dyn Observer,
    ) -> Result<Option<(Self, f64)>> {
        let random = Self::of_equal_storage(setup, set, seed)?;
        let images = random.labels.len();
        let train = TrainingSet::Synthetic(random);
        let measured = setup.measure(train, settings, Job::EvaluatingRandom, observer)?;
        Ok(measured
            .map(|Measured { accuracy: own, seconds }| (Self::new(own, images, accuracy), seconds)))
    }

    /// The images themselves.
    pub(super) fn of_equal_storage(
        setup: &Setup,
        set: &SyntheticSet,
        seed: u64,
    ) -> Result<SyntheticSet> {
        let mut counts = vec![0; setup.dataset.classes()];
        for &label in &set.labels {
            // A set of another data set's classes was refused before.
            counts.get_mut(label as usize).into_iter().for_each(|count| *count += 1);
        }
        Ok(Selection::at_random(&setup.dataset, &counts, seed)?)
    }

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
        let many = super::words::counted(*images, "real image");
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
