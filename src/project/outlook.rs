//! Estimates how long a command will take on this device, by measurements before it begins.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use super::{
    Device, Event, Job, Method, MethodSettings, Observer, Record, Result, Series,
    expected::{Expected, Speeds},
    observer::prepare,
};
use crate::{
    Advance, Condensation, Dataset, Evaluation, EvaluationSettings, Gpu, Preset, Recipe, Selection,
    Settings, Subject, SyntheticSet, TrainingSet,
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
                if time.map_or(is_half(dataset, &small, settings), |t| t < expected.all() / 2) {
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

/// Several devices that share out a run.
pub(super) struct AllDevices<'a> {
    /// Each with the outlook of its own work.
    pub devices: &'a [(Device, Outlook)],
    /// All classes.
    pub dataset: &'a Arc<Dataset>,
    /// The classes that one device has at a time, on which they are measured.
    pub part: &'a Arc<Dataset>,
}

impl Outlook {
    /// Measures several devices at once, because some share a processor, and reports how long the rest of the command will
    /// take them together, if that is long. Returns how long they take for an iteration of all classes; `None` if it was not
    /// measured. A device that fails is left to its work to report.
    pub fn together(
        &self,
        all: &AllDevices<'_>,
        settings: &Settings,
        record: &Record,
        done: u32,
        observer: &mut dyn Observer,
    ) -> Result<Option<Duration>> {
        if let Some(known) = self.speeds_of(record) {
            return Ok(Some(known.iteration));
        }
        if !observer.wants_times() {
            return Ok(None);
        }
        let speeds = prepare(observer, (Job::Condensing, true), |_| all.speeds(settings, record))?;
        let Some(speeds) = speeds else { return Ok(None) };
        self.known().speeds.push((record.method(), speeds));
        let mut expected = self.series.expected(speeds, settings, record, done, None);
        expected.devices = all.devices.len();
        if expected.all() >= LONG {
            let (small, small_record) = small(all.dataset, settings, record);
            if done == 0 && is_half(all.dataset, &small, settings) {
                expected.quicker = Some((small_record, None));
            }
            observer.see(Event::Expected(&expected));
        }
        Ok(Some(speeds.iteration))
    }
}

impl AllDevices<'_> {
    /// Of all devices together. `None` if all of them fail.
    fn speeds(&self, settings: &Settings, record: &Record) -> Result<Option<Speeds>> {
        let counts = settings.per_class.counts(self.dataset.classes(), settings.ipc);
        let mut set = Selection::at_random(self.dataset, &counts, record.seed())?;
        set.factor = settings.factor;
        let (evaluations, baseline) = (record.evaluations(), record.wants_baseline());
        let (begun, set) = (Instant::now(), &set);
        let one = |(device, outlook): &(Device, Outlook)| -> Result<Speeds> {
            let own = measured((&device.gpu, self.part), settings, &[], false)?;
            outlook.known().speeds.push((record.method(), own));
            if begun.elapsed() >= PATIENCE {
                return Ok(own);
            }
            let device = (&device.gpu, self.dataset);
            let (evaluation, beside) = all_evaluations(device, set, &evaluations, baseline)?;
            Ok(Speeds { evaluation, beside, ..own })
        };
        let own: Vec<_> = thread::scope(|scope| {
            let (all, one) = (self.devices.iter(), &one);
            let begun: Vec<_> = all.map(|device| scope.spawn(move || one(device))).collect();
            begun.into_iter().filter_map(|thread| thread.join().ok()?.ok()).collect()
        });
        if own.is_empty() {
            return Ok(None);
        }
        // Classes are shared out, and networks are, but one network is not.
        let classes = self.dataset.classes() as f64 / self.part.classes() as f64;
        let one = evaluations.iter().any(|settings| settings.nets == 1);
        let judges = if one { &own[..1] } else { &own[..] };
        let evaluations: Option<Vec<_>> = judges.iter().map(|speeds| speeds.evaluation).collect();
        Ok(Some(Speeds {
            iteration: shared(own.iter().map(|speeds| speeds.iteration)).mul_f64(classes),
            evaluation: evaluations.map(|times| shared(times.into_iter())),
            beside: shared(judges.iter().map(|speeds| speeds.beside)),
        }))
    }
}

/// What work takes that is shared out among devices on which it takes so long.
fn shared(times: impl Iterator<Item = Duration>) -> Duration {
    let rate: f64 = times.map(|time| 1.0 / time.as_secs_f64().max(1e-9)).sum();
    Duration::try_from_secs_f64(1.0 / rate).unwrap_or_default()
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
    let (evaluation, beside) = all_evaluations(device, &set, evaluations, baseline)?;
    Ok(Speeds { iteration, evaluation, beside })
}

/// The first evaluation of such a set, if there is one, and those beside it.
fn all_evaluations(
    device: (&Gpu, &Arc<Dataset>),
    set: &SyntheticSet,
    evaluations: &[&EvaluationSettings],
    baseline: bool,
) -> Result<(Option<Duration>, Duration)> {
    // Of stored images, which are fewer than the packed ones; else they are as many.
    let mut stored = set.clone();
    stored.factor = 1;
    let packed = set.factor > 1;
    let (mut evaluation, mut beside) = (None, Duration::ZERO);
    for &settings in evaluations {
        let time =
            |set: &SyntheticSet| evaluating(device, TrainingSet::Synthetic(set.clone()), settings);
        let own = time(set)?;
        match evaluation {
            None => evaluation = Some(own),
            Some(_) => beside += own,
        }
        if baseline {
            beside += if packed { time(&stored)? } else { own };
        }
    }
    Ok((evaluation, beside))
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

/// Whether these settings need less than half of the work of those.
fn is_half(dataset: &Dataset, small: &Settings, asked: &Settings) -> bool {
    let all = |settings| flops(dataset, settings) * f64::from(settings.iterations);
    all(small) < all(asked) / 2.0
}

/// Multiplications and additions of an iteration, roughly: those of the second block, which has most of them.
fn flops(dataset: &Dataset, settings: &Settings) -> f64 {
    let Settings { ipc, batch_real, width, .. } = settings;
    let images = dataset.classes() * (batch_real + 3 * ipc);
    let pixels = (dataset.size() / 2).pow(2);
    images as f64 * pixels as f64 * 18.0 * (width * width) as f64
}
