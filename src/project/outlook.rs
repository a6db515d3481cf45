//! Estimates how long a command will take on this device, by measurements before it begins.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::{
    Event, Job, Method, MethodSettings, Observer, Record, Result, Series,
    expected::{Expected, Speeds},
    observer::prepare,
};
use crate::{
    Advance, Condensation, Dataset, Evaluation, EvaluationSettings, Gpu, Preset, Recipe, Settings,
    Subject, SyntheticSet, TrainingSet,
};

/// This many multiplications and additions take no time on a GPU, and minutes on a CPU.
const LITTLE: f64 = 2e12;

/// From this time on, people want to know before they wait.
const LONG: Duration = Duration::from_secs(600);

/// The time that measuring may take; what is not measured by then stays unknown.
const PATIENCE: Duration = Duration::from_secs(15);

/// The remaining work of a command, and its speed.
#[derive(Debug, Clone, Default)]
pub(super) struct Outlook {
    pub series: Series,
    /// In a comparison, the records that condense after the first, and the kinds of evaluation of each set after the first.
    pub besides: (Vec<Record>, Vec<EvaluationSettings>),
    known: Arc<Mutex<Known>>,
}

/// What was measured.
#[derive(Debug, Default)]
struct Known {
    speeds: Vec<(Option<Method>, Speeds)>,
    evaluations: Vec<EvaluationSettings>,
}

impl Outlook {
    /// With nothing known yet.
    pub fn of(series: Series) -> Self {
        Self { series, ..Self::default() }
    }

    /// Whether such evaluations of sets have been measured.
    pub fn knows(&self, evaluation: &EvaluationSettings) -> bool {
        self.known().evaluations.contains(evaluation)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn speeds_of(&self, record: &Record) -> Option<Speeds> {
        let known = self.known();
        let of = |(method, _): &&(Option<Method>, Speeds)| *method == record.method();
        known.speeds.iter().find(of).map(|(_, speeds)| *speeds)
    }
}

impl Outlook {
    /// Measures the speed of a condensation, unless that was done. If the rest of the command will take long, reports
    /// how long, and a quicker command.
    pub fn speeds(
        &self,
        device: (&Gpu, &Arc<Dataset>),
        settings: &Settings,
        record: &Record,
        done: u32,
        observer: &mut dyn Observer,
    ) -> Result<Speeds> {
        let (dataset, series) = (device.1, &self.series);
        if let Some(known) = self.speeds_of(record) {
            return Ok(known);
        }
        let begun = Instant::now();
        let long = f64::from(settings.iterations) * flops(dataset, settings) >= LITTLE;
        let (speeds, expected) = prepare(observer, (Job::Condensing, long), |observer| {
            // If nobody wants times, none are measured; but kernels are compiled, so that this time is not part of an
            // iteration.
            let patience = || observer.wants_times() && begun.elapsed() < PATIENCE;
            let baseline = series.has_baseline(record);
            let evaluations = Some(record.evaluations()).filter(|_| patience());
            let evaluations = evaluations.unwrap_or_default();
            let speeds = measured(device, settings, &evaluations, baseline)?;
            let mut known = self.known();
            // Of a comparison all was reported before its first method.
            let reported = matches!(series, Series::Methods { .. }) && !known.speeds.is_empty();
            known.speeds.push((record.method(), speeds));
            known.evaluations.extend(evaluations.into_iter().cloned());
            drop(known);
            if reported {
                return Ok((speeds, None));
            }
            let whole = match series {
                Series::Methods { whole: Some(whole), .. } if patience() => {
                    Some(evaluating(device, TrainingSet::Whole, whole)?)
                }
                _ => None,
            };
            let mut expected = series.expected(speeds, settings, record, done, whole);
            self.add_besides(&mut expected, device, settings, &patience)?;
            if !observer.wants_times() || expected.all() < LONG {
                return Ok((speeds, None));
            }
            // A run that has begun is not to be replaced by a quicker one.
            if done == 0 {
                let (small, small_record) = small(dataset, settings, record);
                let alone = self.besides.0.is_empty() && self.besides.1.is_empty();
                let speeds = match patience() && alone {
                    true => Some(measured(device, &small, &small_record.evaluations(), baseline)?),
                    false => None,
                };
                let time = speeds
                    .map(|speeds| series.expected(speeds, &small, &small_record, 0, whole).all());
                let less = flops(dataset, &small) * f64::from(small.iterations)
                    < flops(dataset, settings) * f64::from(settings.iterations) / 2.0;
                if time.map_or(less, |time| time < expected.all() / 2) {
                    expected.quicker = Some((small_record, time));
                }
            }
            Ok((speeds, Some(expected)))
        })?;
        if let Some(expected) = &expected {
            observer.see(Event::Expected(expected));
        }
        Ok(speeds)
    }
}

impl Outlook {
    /// Adds what a comparison does besides its first method that condenses.
    fn add_besides(
        &self,
        expected: &mut Expected<'_>,
        device: (&Gpu, &Arc<Dataset>),
        settings: &Settings,
        patience: &dyn Fn() -> bool,
    ) -> Result<()> {
        let Series::Methods { methods, baseline, .. } = &self.series else { return Ok(()) };
        let (records, kinds) = &self.besides;
        for record in records {
            let Some(MethodSettings::Condensing(settings)) = &record.settings else { continue };
            let evaluations = record.evaluations();
            // What cannot be made yet, because it needs networks that are to be trained, is not measured.
            let speeds =
                patience().then(|| measured(device, settings, &evaluations, false).ok()).flatten();
            self.known().speeds.extend(speeds.map(|speeds| (record.method(), speeds)));
            expected.add(speeds, settings, record);
        }
        let sets = methods.iter().filter(|method| **method != Method::Whole).count();
        let sets = (sets + usize::from(*baseline)) as u32;
        for kind in kinds {
            if !patience() {
                expected.unmeasured = true;
                break;
            }
            let mut run = Condensation::new(device.0, Arc::clone(device.1), settings.clone())?;
            let set = TrainingSet::Synthetic(run.images_blocking()?);
            expected.evaluating += evaluating(device, set, kind)?.saturating_mul(sets);
            self.known().evaluations.push(kind.clone());
        }
        expected.unmeasured |= !kinds.is_empty() && methods.contains(&Method::Whole);
        Ok(())
    }
}

/// Measured on a slice of each kernel.
fn measured(
    device: (&Gpu, &Arc<Dataset>),
    settings: &Settings,
    evaluations: &[&EvaluationSettings],
    baseline: bool,
) -> Result<Speeds> {
    let mut run = Condensation::new(device.0, Arc::clone(device.1), settings.clone())?;
    let iteration = mean(&run)? / settings.iterations.max(1);
    let set = run.images_blocking()?;
    drop(run);
    // Of stored images, which are fewer than the packed ones; else they are as many.
    let mut stored = set.clone();
    stored.factor = 1;
    let packed = set.factor > 1;
    let (mut evaluation, mut beside) = (None, Duration::ZERO);
    for &settings in evaluations {
        let time =
            |set: &SyntheticSet| evaluating(device, TrainingSet::Synthetic(set.clone()), settings);
        let own = time(&set)?;
        match evaluation {
            None => evaluation = Some(own),
            Some(_) => beside += own,
        }
        if baseline {
            beside += if packed { time(&stored)? } else { own };
        }
    }
    Ok(Speeds { iteration, evaluation, beside })
}

fn evaluating(
    (gpu, dataset): (&Gpu, &Arc<Dataset>),
    set: TrainingSet,
    settings: &EvaluationSettings,
) -> Result<Duration> {
    let evaluation = Evaluation::new(gpu, Arc::clone(dataset), set, settings.clone())?;
    Ok(mean(&evaluation)?)
}

/// The mean of two estimates, because slices are short, and other work on the machine makes some of them longer.
fn mean(work: &dyn Advance) -> crate::Result<Duration> {
    Ok(work.estimate_blocking()? / 2 + work.estimate_blocking()? / 2)
}

/// The same data set with the preset for slow devices.
fn small(dataset: &Dataset, asked: &Settings, record: &Record) -> (Settings, Record) {
    let Settings { ipc, method, ref per_class, .. } = *asked;
    let (preset, ipc) = (Preset::Small, Some(ipc));
    let subject = Subject { preset, ipc, method, ..Subject::from(dataset) };
    let recipe = Recipe::new(subject);
    let settings = Settings::of(&recipe).per_class(per_class.clone());
    let evaluation = record.evaluation.as_ref().map(|_| EvaluationSettings::of(&recipe));
    // What both share is by the same preset.
    let other_protocol = record.other_protocol.as_ref().map(|other| {
        let subject = Subject::from(dataset).preset(preset).ipc(ipc).method(method);
        EvaluationSettings::of(&Recipe::new(subject.protocol(other.protocol)))
    });
    let asked = Some(MethodSettings::Condensing(settings.clone()));
    let asked = Record { settings: asked, evaluation, other_protocol, ..record.clone() };
    (settings, Record { eval_every: None, ..asked })
}

/// Multiplications and additions of an iteration, roughly: those of the second block, which has most of them.
fn flops(dataset: &Dataset, settings: &Settings) -> f64 {
    let Settings { ipc, batch_real, width, .. } = settings;
    let images = dataset.classes() * (batch_real + 3 * ipc);
    let pixels = (dataset.size() / 2).pow(2);
    images as f64 * pixels as f64 * 18.0 * (width * width) as f64
}
