//! How long a command will take, from the times of its parts.

use std::time::Duration;

use super::{Method, Record};
use crate::{EvaluationSettings, Settings};

/// What a command does besides one run.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Series {
    /// Nothing.
    #[default]
    Single,
    /// Several runs of these settings.
    Runs {
        /// In all.
        asked: u32,
        /// Runs that are not finished yet.
        left: u32,
    },
    /// This method and others.
    Methods {
        /// All of them.
        methods: Vec<Method>,
        /// The evaluation on the whole training set, if `whole` is among them.
        whole: Option<EvaluationSettings>,
        /// Whether random images are evaluated although `random` is not among them.
        baseline: bool,
    },
}

/// How long a command will take.
#[derive(Debug, Clone)]
pub struct Expected<'a> {
    /// The devices that work at once.
    pub devices: usize,
    /// In iterations.
    pub condensing: Duration,
    /// Time in evaluations; `None` if there are none, or none were measured.
    pub evaluating: Duration,
    /// Whether there is work that was not measured: of one method, evaluations.
    pub unmeasured: bool,
    /// Whether a part of the work was done before.
    pub resumed: bool,
    /// The work to which the times belong.
    pub series: &'a Series,
    /// The same data set with the preset for slow devices, if that is much quicker; and its time, if it was measured.
    pub quicker: Option<(Record, Option<Duration>)>,
}

impl Expected<'_> {
    /// Condensing and evaluating.
    pub fn all(&self) -> Duration {
        self.condensing.saturating_add(self.evaluating)
    }
}

/// The evaluations of a run.
#[derive(Debug, Clone, Copy)]
pub struct Evaluations {
    /// Iterations between two evaluations on the way; `None` for only the last one.
    pub every: Option<u32>,
    /// How long each takes, if that was measured.
    pub each: Option<Duration>,
    /// What further evaluations at the end take: of random images, and by another protocol.
    pub beside: Duration,
}

impl Evaluations {
    /// How many evaluations remain after so many of all iterations.
    pub fn left(self, done: u32, total: u32) -> u32 {
        1 + self
            .every
            .map_or(0, |every| total.saturating_sub(1) / every - done.min(total - 1) / every)
    }
}

/// How long the work takes on this device.
#[derive(Debug, Clone, Copy)]
pub(super) struct Speeds {
    pub iteration: Duration,
    /// `None` without evaluations, or if measuring would have taken too long.
    pub evaluation: Option<Duration>,
    /// What a run's further evaluations take: of random images, and by another protocol.
    pub beside: Duration,
}

/// Evaluations of a run in so many iterations.
fn evaluations(record: &Record, iterations: u32) -> u32 {
    match &record.evaluation {
        Some(_) => 1 + record.eval_every.map_or(0, |every| iterations.div_ceil(every)),
        None => 0,
    }
}

impl Expected<'_> {
    /// Adds a further method that condenses, if it could be measured.
    pub(super) fn add(&mut self, speeds: Option<Speeds>, settings: &Settings, record: &Record) {
        let times = evaluations(record, settings.iterations);
        let Some(speeds) = speeds else {
            self.unmeasured = true;
            return;
        };
        let evaluation = speeds.evaluation.unwrap_or_default();
        self.condensing += speeds.iteration.saturating_mul(settings.iterations);
        self.evaluating += evaluation.saturating_mul(times);
        self.unmeasured |= times > 0 && speeds.evaluation.is_none();
    }
}

impl Series {
    /// Whether random images are evaluated, for each run or once for several methods.
    pub(super) fn has_baseline(&self, record: &Record) -> bool {
        match self {
            Self::Methods { baseline, .. } => *baseline,
            _ => record.wants_baseline(),
        }
    }

    pub(super) fn expected(
        &self,
        speeds: Speeds,
        settings: &Settings,
        record: &Record,
        done: u32,
        whole: Option<Duration>,
    ) -> Expected<'_> {
        let evaluations = |iterations: u32| evaluations(record, iterations);
        let left = settings.iterations.saturating_sub(done);
        let (mut iterations, mut times) = (left, evaluations(left));
        let (mut beside, mut unmeasured) = (Duration::ZERO, false);
        let mut ends = 1;
        match self {
            Self::Single => {}
            Self::Runs { left, .. } => {
                let others = left.saturating_sub(1);
                iterations = iterations.saturating_add(others.saturating_mul(settings.iterations));
                times =
                    times.saturating_add(others.saturating_mul(evaluations(settings.iterations)));
                ends = *left;
            }
            Self::Methods { methods, whole: asked, .. } => {
                let chosen = methods.iter().filter(|by| matches!(by, Method::Selection(_)));
                times += chosen.count() as u32;
                beside = whole.unwrap_or_default();
                unmeasured = asked.is_some() && whole.is_none();
            }
        }
        unmeasured |= times > 0 && speeds.evaluation.is_none();
        Expected {
            devices: 1,
            condensing: speeds.iteration.saturating_mul(iterations),
            evaluating: speeds.evaluation.unwrap_or_default().saturating_mul(times)
                + speeds.beside.saturating_mul(ends)
                + beside,
            unmeasured,
            resumed: done > 0,
            series: self,
            quicker: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::{MethodSettings, record::tests::sample};

    /// Minutes that a run of 100 iterations is expected to condense and to evaluate.
    fn expected(
        series: &Series,
        every: Option<u32>,
        done: u32,
        evaluation: Option<u64>,
    ) -> (u64, u64, bool) {
        of_record(series, every, done, evaluation, false)
    }

    /// The same, with the evaluation of random images where each run has one.
    fn of_record(
        series: &Series,
        every: Option<u32>,
        done: u32,
        evaluation: Option<u64>,
        baseline: bool,
    ) -> (u64, u64, bool) {
        let mut record = sample(0);
        record.eval_every = every;
        record.no_baseline = !baseline;
        let Some(MethodSettings::Condensing(settings)) = &mut record.settings else { panic!() };
        settings.iterations = 100;
        let settings = settings.clone();
        let evaluation = evaluation.map(Duration::from_secs);
        let beside = evaluation.filter(|_| baseline).unwrap_or_default();
        let speeds = Speeds { iteration: Duration::from_secs(6), evaluation, beside };
        let whole = Some(Duration::from_secs(7200));
        let Expected { condensing, evaluating, unmeasured, .. } =
            series.expected(speeds, &settings, &record, done, whole);
        (condensing.as_secs() / 60, evaluating.as_secs() / 60, unmeasured)
    }

    #[test]
    fn what_is_expected_counts_all_that_a_command_does() {
        assert_eq!(expected(&Series::Single, Some(50), 0, Some(600)), (10, 30, false));
        assert_eq!(expected(&Series::Single, Some(50), 60, Some(600)), (4, 20, false));
        assert_eq!(expected(&Series::Single, None, 0, None), (10, 0, true));
        let runs = |left| Series::Runs { asked: 3, left };
        assert_eq!(expected(&runs(3), None, 0, Some(60)), (30, 3, false));
        assert_eq!(expected(&runs(2), None, 50, Some(60)), (15, 2, false));
        let methods = ["dm", "random", "whole"].map(|name| Method::named(name).unwrap()).to_vec();
        let whole = sample(0).evaluation;
        let methods = |baseline| {
            let (methods, whole) = (methods.clone(), whole.clone());
            Series::Methods { methods, whole, baseline }
        };
        assert_eq!(expected(&methods(false), None, 0, Some(600)), (10, 140, false));
        // Random images of each run, or once for all methods.
        assert_eq!(of_record(&Series::Single, Some(50), 0, Some(600), true), (10, 40, false));
        assert_eq!(of_record(&runs(2), None, 50, Some(60), true), (15, 4, false));
        assert_eq!(of_record(&methods(true), None, 0, Some(600), true), (10, 150, false));
    }

    #[test]
    fn further_methods_are_added() {
        let record = sample(0);
        let Some(MethodSettings::Condensing(mut settings)) = record.settings.clone() else {
            panic!()
        };
        settings.iterations = 100;
        let seconds = Duration::from_secs;
        let speeds = |evaluation: Option<u64>| Speeds {
            iteration: seconds(6),
            evaluation: evaluation.map(seconds),
            beside: Duration::ZERO,
        };
        let series = Series::default();
        let expected = |further: Option<Speeds>| {
            let mut all = series.expected(speeds(Some(60)), &settings, &record, 0, None);
            all.add(further, &settings, &record);
            (all.condensing, all.evaluating, all.unmeasured)
        };
        let evaluations = evaluations(&record, 100);
        let own = (seconds(600), seconds(60) * evaluations);
        assert_eq!(expected(Some(speeds(Some(30)))), (own.0 * 2, own.1 * 3 / 2, false));
        assert_eq!(expected(Some(speeds(None))), (own.0 * 2, own.1, true));
        assert_eq!(expected(None), (own.0, own.1, true));
    }

    #[test]
    fn evaluations_that_are_left_are_counted() {
        let (each, beside) = (None, Duration::ZERO);
        let left = |every, done| Evaluations { every, each, beside }.left(done, 10);
        assert_eq!(
            [left(None, 3), left(Some(4), 3), left(Some(4), 4), left(Some(5), 10)],
            [1, 3, 2, 1]
        );
    }
}
