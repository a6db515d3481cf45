//! Making a set by a method: condensing it, or choosing it.

use std::sync::Arc;

use dm_wgpu::{
    Condensation, Error, Evaluation, EvaluationSettings, Selection, SelectionSettings, Settings,
    SyntheticSet, TrainingSet, report::Measurement,
};

use super::{
    failure::Failure,
    measure::{Bench, Measured},
    progress::{Pieces, Steps},
    say::counted,
    snapshots::Snapshots,
};

/// Iterations that the GPU may be behind: enough to keep it busy, few enough to stop soon.
const IN_FLIGHT: u32 = 2;

/// A set and how it came about.
pub struct Made {
    pub set: SyntheticSet,
    /// A row an iteration.
    pub rows: Vec<Measurement>,
    /// None if the method has no iterations.
    pub iterations: Option<u32>,
    /// Without those of evaluations.
    pub seconds: f64,
    /// Those of evaluations on the way.
    pub evaluating: f64,
}

/// Whether it could be condensed so, and evaluated on the way if that is asked for.
pub fn check_condensing(
    bench: &Bench,
    settings: &Settings,
    follow: Option<&EvaluationSettings>,
) -> Result<(), Failure> {
    let (gpu, dataset) = (&bench.gpu, &bench.dataset);
    let Some(evaluation) = follow else {
        return Ok(Condensation::check(gpu, dataset, settings)?);
    };
    let shared = |error| match error {
        Error::Setting { name: "memory_budget", expected, .. } => Failure::from(Error::Setting {
            name: "memory_budget",
            given: format!("{} bytes", settings.memory_budget),
            expected: format!("with --eval-every half of it must do, and {expected}"),
        }),
        other => other.into(),
    };
    let half = settings.memory_budget / 2;
    let condensing = Settings { memory_budget: half, ..settings.clone() };
    Condensation::check(gpu, dataset, &condensing).map_err(shared)?;
    let images = settings.ipc * dataset.classes();
    let evaluation = EvaluationSettings { memory_budget: half, ..evaluation.clone() };
    Evaluation::check(gpu, dataset, Some(images), &evaluation).map_err(shared)
}

/// How to follow the accuracy on the way.
pub struct Follow {
    pub every: u32,
    pub settings: EvaluationSettings,
}

/// All iterations, or as many as there were before Ctrl-C; nothing if there was none.
pub fn condense(
    bench: &Bench,
    settings: &Settings,
    follow: Option<Follow>,
    mut snapshots: Snapshots,
) -> Result<Option<Made>, Failure> {
    let mut asked = settings.clone();
    let follow = follow.map(|mut follow| {
        // Both are on the device at once. Neither's result depends on how much it has.
        asked.memory_budget /= 2;
        follow.settings.memory_budget /= 2;
        follow
    });
    let mut condensation = Condensation::new(&bench.gpu, Arc::clone(&bench.dataset), asked)?;
    bench.interrupt.working();
    let mut rows = Vec::new();
    let mut curve = Vec::new();
    let mut evaluating = 0.0;
    let mut steps = Steps::start(&bench.console, settings.iterations);
    let mut take = |condensation: &mut Condensation, steps: &mut Steps| {
        for arrived in condensation.take_losses()? {
            steps.arrived(arrived.loss);
            rows.push(Measurement {
                iteration: arrived.iteration + 1,
                loss: Some(arrived.loss),
                seconds: steps.seconds(),
                accuracy: None,
            });
        }
        Ok::<_, Failure>(())
    };
    while !condensation.is_done() && !bench.interrupt.requested() {
        let iteration = condensation.iteration();
        if let Some(Follow { every, settings }) = &follow
            && iteration.is_multiple_of(*every)
        {
            let set = condensation.images_blocking()?;
            take(&mut condensation, &mut steps)?;
            let after = format!("after {}", counted(iteration as usize, "iteration"));
            let what = format!("evaluating {after}");
            let measured =
                steps.pause(|| bench.measure(TrainingSet::Synthetic(set), settings, &what))?;
            let Some(Measured { accuracy, seconds }) = measured else { break };
            bench.console.say(&format!("accuracy {after}: {accuracy}"));
            evaluating += seconds;
            curve.push((iteration, accuracy));
        }
        if snapshots.due(iteration) {
            snapshots.take(iteration, &condensation.images_blocking()?);
        }
        condensation.step()?;
        take(&mut condensation, &mut steps)?;
        condensation.wait_blocking(IN_FLIGHT)?;
    }
    if condensation.iteration() == 0 {
        steps.finish();
        return Ok(None);
    }
    let mut set = condensation.images_blocking()?;
    // The last ones, and with them whether the images are numbers at all.
    take(&mut condensation, &mut steps)?;
    let seconds = steps.seconds();
    steps.finish();
    let iterations = condensation.iteration();
    snapshots.last(iterations, &set);
    // The last step has no loss that would have told.
    if !set.images.iter().all(|value| value.is_finite()) {
        return Err(Failure::Failed(format!(
            "after {} the images hold values that are no numbers: lower --lr-img, or change the \
             seed",
            counted(iterations as usize, "iteration")
        )));
    }
    for (iteration, accuracy) in curve {
        match rows.iter_mut().find(|row| row.iteration == iteration) {
            Some(row) => row.accuracy = Some(accuracy),
            // What the images began with has no loss yet.
            None => {
                let accuracy = Some(accuracy);
                rows.insert(0, Measurement { iteration, loss: None, seconds: 0.0, accuracy });
            }
        }
    }
    // As was asked for, however the memory was shared.
    set.settings = serde_json::to_string(settings)
        .map_err(|error| Failure::Failed(format!("the settings: {error}")))?;
    Ok(Some(Made { set, rows, iterations: Some(iterations), seconds, evaluating }))
}

/// A selection, unless Ctrl-C was before its end: a part of one is of no use.
pub fn select(bench: &Bench, settings: SelectionSettings) -> Result<Option<Made>, Failure> {
    let dataset = Arc::clone(&bench.dataset);
    let classes = dataset.classes() as u32;
    let mut progress = Pieces::start(&bench.console, "choosing images", classes);
    let mut selection = Selection::new(&bench.gpu, dataset, settings)?;
    while !selection.is_done() {
        if bench.interrupt.requested() {
            progress.finish();
            return Ok(None);
        }
        selection.class_blocking()?;
        progress.at(selection.done() as u32);
    }
    let set = selection.set_blocking()?;
    let seconds = progress.seconds();
    progress.finish();
    Ok(Some(Made { set, rows: Vec::new(), iterations: None, seconds, evaluating: 0.0 }))
}
