//! Evaluates what a set has to beat: as many random real images of each class as it stores.

use super::{Baseline, Job, Measured, Observer, Result, Setup};
use crate::{Accuracy, EvaluationSettings, Selection, SyntheticSet, TrainingSet};

/// Whether this set is itself a random selection, which needs no comparison with one.
pub fn is_random(set: &SyntheticSet) -> bool {
    serde_json::from_str::<serde_json::Value>(&set.settings)
        .is_ok_and(|settings| settings["selection"] == "random")
}

/// Draws as many images of each class as the set stores, as `--method random` does with this seed, and evaluates
/// them. `accuracy` is the set's own by the same settings. Also returns the seconds; `None` if it was stopped.
pub(super) fn measure(
    setup: &Setup,
    set: &SyntheticSet,
    seed: u64,
    (settings, accuracy): (&EvaluationSettings, &Accuracy),
    observer: &mut dyn Observer,
) -> Result<Option<(Baseline, f64)>> {
    let random = of_equal_storage(setup, set, seed)?;
    let images = random.labels.len();
    let train = TrainingSet::Synthetic(random);
    let measured = setup.measure(train, settings, Job::EvaluatingRandom, observer)?;
    Ok(measured
        .map(|Measured { accuracy: own, seconds }| (Baseline::new(own, images, accuracy), seconds)))
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
