//! How long a command will take on this device: measured, and told before it begins if that is long.

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use dm_wgpu::{
    Condensation, Dataset, Evaluation, EvaluationSettings, Gpu, Preset, Recipe, Settings, Subject,
    TrainingSet,
    project::{Record, words::quoted},
};

use super::{console::Console, failure::Failure, progress::Preparing};

/// Multiplications and additions that are over in no time on a GPU, and in minutes on a CPU.
const LITTLE: f64 = 2e12;

/// From here on people want to know before they wait.
const LONG: Duration = Duration::from_secs(600);

/// What measuring may take; what is not measured by then stays unknown.
const PATIENCE: Duration = Duration::from_secs(15);

/// What speeds are measured on, and who hears of it.
pub struct Device<'a> {
    pub gpu: &'a Gpu,
    pub dataset: &'a Arc<Dataset>,
    pub console: &'a Console,
}

/// What is ahead of a command, and how fast it goes.
#[derive(Clone, Default)]
pub struct Outlook {
    pub series: Series,
    known: Arc<OnceLock<Speeds>>,
}

/// What a command does beside one run.
#[derive(Clone, Default)]
pub enum Series {
    #[default]
    Single,
    /// Several runs of these settings: so many are still to end.
    Runs { asked: u32, left: u32 },
    /// This and other methods. `sets` of them are evaluated like the condensed images.
    Methods { names: String, sets: u32, whole: Option<EvaluationSettings> },
}

/// How long the work takes on this device.
#[derive(Debug, Clone, Copy)]
pub struct Speeds {
    pub iteration: Duration,
    /// None without evaluations, or if there was no patience to measure it.
    pub evaluation: Option<Duration>,
}

impl Outlook {
    /// Of another device, whose speed is not known.
    pub fn of_another(series: Series) -> Self {
        Self { series, ..Self::default() }
    }

    /// Whether evaluations of sets have been measured.
    pub fn knows_evaluations(&self) -> bool {
        self.known.get().is_some_and(|speeds| speeds.evaluation.is_some())
    }

    /// Measures the speeds of a condensation, unless that was done. Says how long the command will take from now on,
    /// if that is long, and which command is quicker.
    pub fn of(
        &self,
        device: &Device<'_>,
        settings: &Settings,
        record: &Record,
        done: u32,
    ) -> Result<Speeds, Failure> {
        if let Some(known) = self.known.get() {
            return Ok(*known);
        }
        let begun = Instant::now();
        let little = f64::from(settings.iterations) * flops(device.dataset, settings) < LITTLE;
        if !little && !device.console.terminal {
            device.console.say("measuring the speed of this device: some seconds");
        }
        let preparing = Preparing::start(device.console, "preparing");
        // Quiet runs show no time; but what compiling takes is part of no iteration of theirs, either.
        let patience = || !device.console.quiet() && begun.elapsed() < PATIENCE;
        let evaluation = record.evaluation.as_ref();
        let speeds = Speeds::of(device, settings, evaluation.filter(|_| patience()))?;
        let _ = self.known.set(speeds);
        let whole = match &self.series {
            Series::Methods { whole: Some(whole), .. } if patience() => {
                Some(evaluating(device, TrainingSet::Whole, whole)?)
            }
            _ => None,
        };
        let ahead = self.series.ahead(speeds, settings, record, done, whole);
        if device.console.quiet() || ahead.all() < LONG {
            return Ok(speeds);
        }
        let mut told = ahead.told(&self.series, done > 0);
        // Who has begun does not want to begin with another.
        if done == 0 {
            let (small, small_record) = small(device, settings, record);
            let command = command(&small_record, settings.ipc, &self.series);
            let small_evaluation = small_record.evaluation.as_ref();
            let speeds = match patience() {
                true => Some(Speeds::of(device, &small, small_evaluation)?),
                false => None,
            };
            let quicker = speeds
                .map(|speeds| self.series.ahead(speeds, &small, &small_record, 0, whole).all());
            let time = quicker.map(|time| format!(" (about {})", rough(time))).unwrap_or_default();
            let less = flops(device.dataset, &small) * f64::from(small.iterations)
                < flops(device.dataset, settings) * f64::from(settings.iterations) / 2.0;
            if quicker.map_or(less, |time| time < ahead.all() / 2) {
                told += &format!("\n          quicker: {command}{time}");
            }
        }
        drop(preparing);
        device.console.say(&told);
        Ok(speeds)
    }
}

impl Speeds {
    /// Measured, on a slice of each kernel.
    fn of(
        device: &Device<'_>,
        settings: &Settings,
        evaluation: Option<&EvaluationSettings>,
    ) -> Result<Self, Failure> {
        let mut run = Condensation::new(device.gpu, Arc::clone(device.dataset), settings.clone())?;
        let iteration = mean(|| run.estimate_blocking())?;
        let set = TrainingSet::Synthetic(run.images_blocking()?);
        drop(run);
        let evaluation =
            evaluation.map(|settings| evaluating(device, set, settings)).transpose()?;
        Ok(Self { iteration, evaluation })
    }
}

fn evaluating(
    device: &Device<'_>,
    set: TrainingSet,
    settings: &EvaluationSettings,
) -> Result<Duration, Failure> {
    let dataset = Arc::clone(device.dataset);
    let evaluation = Evaluation::new(device.gpu, dataset, set, settings.clone())?;
    Ok(mean(|| evaluation.estimate_blocking())?)
}

/// Of two estimates, because slices are short, and what else the machine does makes some of them longer.
fn mean(estimate: impl Fn() -> dm_wgpu::Result<Duration>) -> dm_wgpu::Result<Duration> {
    Ok((estimate()? + estimate()?) / 2)
}

/// How long a command will take.
struct Ahead {
    condensing: Duration,
    /// Nothing if there are no evaluations, or none were measured.
    evaluating: Duration,
    /// Whether there are some that were not measured.
    more: bool,
}

impl Series {
    fn ahead(
        &self,
        speeds: Speeds,
        settings: &Settings,
        record: &Record,
        done: u32,
        whole: Option<Duration>,
    ) -> Ahead {
        let evaluations = |iterations: u32| match &record.evaluation {
            Some(_) => 1 + record.eval_every.map_or(0, |every| iterations.div_ceil(every)),
            None => 0,
        };
        let left = settings.iterations.saturating_sub(done);
        let (mut iterations, mut times) = (left, evaluations(left));
        let (mut beside, mut more) = (Duration::ZERO, false);
        match self {
            Self::Single => {}
            Self::Runs { left, .. } => {
                let others = left.saturating_sub(1);
                iterations = iterations.saturating_add(others.saturating_mul(settings.iterations));
                times =
                    times.saturating_add(others.saturating_mul(evaluations(settings.iterations)));
            }
            Self::Methods { sets, whole: asked, .. } => {
                times += sets;
                beside = whole.unwrap_or_default();
                more = asked.is_some() && whole.is_none();
            }
        }
        more |= times > 0 && speeds.evaluation.is_none();
        Ahead {
            condensing: speeds.iteration.saturating_mul(iterations),
            evaluating: speeds.evaluation.unwrap_or_default().saturating_mul(times) + beside,
            more,
        }
    }
}

impl Ahead {
    fn all(&self) -> Duration {
        self.condensing.saturating_add(self.evaluating)
    }

    fn told(&self, series: &Series, resumed: bool) -> String {
        let Self { condensing, evaluating, more } = self;
        let what = match series {
            Series::Single => String::new(),
            Series::Runs { asked, left } if asked == left => format!(" for {asked} runs"),
            Series::Runs { left: 1, .. } => " for the last run".to_owned(),
            Series::Runs { left, .. } => format!(" for the {left} runs that are left"),
            Series::Methods { names, .. } => format!(" for {names}"),
        };
        let further = if resumed { " more" } else { "" };
        let mut told =
            format!("expected  about {}{further} on this device{what}", rough(self.all()));
        if !evaluating.is_zero() {
            told +=
                &format!(": {} condensing, {} evaluating", rough(*condensing), rough(*evaluating));
        }
        if *more {
            told +=
                if evaluating.is_zero() { ", then evaluations" } else { ", and other evaluations" };
            told += " that were not measured";
        }
        told
    }
}

/// The same data set with the preset for slow devices.
fn small(device: &Device<'_>, asked: &Settings, record: &Record) -> (Settings, Record) {
    let subject =
        Subject { preset: Preset::Small, ipc: Some(asked.ipc), ..Subject::from(&**device.dataset) };
    let recipe = Recipe::new(subject);
    let settings = Settings::of(&recipe);
    let evaluation = record.evaluation.as_ref().map(|_| EvaluationSettings::of(&recipe));
    (settings, Record { evaluation, eval_every: None, ..record.clone() })
}

/// The command for that.
fn command(record: &Record, ipc: usize, series: &Series) -> String {
    let (verb, runs, methods) = match series {
        Series::Single => ("", None, None),
        Series::Runs { asked, .. } => ("", Some(asked.to_string()), None),
        Series::Methods { names, .. } => (" compare", None, Some(names.replace(", ", ","))),
    };
    let mut command = format!("dm-wgpu{verb} --dataset {}", quoted(&record.data.name));
    let data_dir = record.data.data_dir.as_ref().map(|path| path.to_string_lossy().into_owned());
    for (flag, value) in [
        ("data-dir", data_dir),
        ("resize", record.data.resize.map(|size| size.to_string())),
        ("test-fraction", record.data.test_fraction.map(|part| part.to_string())),
        ("ipc", Some(ipc.to_string())),
        ("preset", Some(Preset::Small.name().to_owned())),
        ("runs", runs),
        ("methods", methods),
        ("adapter", record.machine.adapter.clone()),
        ("backend", record.machine.backend.clone()),
    ] {
        if let Some(value) = value {
            command += &format!(" --{flag} {}", quoted(&value));
        }
    }
    if record.evaluation.is_none() {
        command += " --no-eval";
    }
    command
}

/// Multiplications and additions of an iteration, roughly: those of the second block, which has most of them.
fn flops(dataset: &Dataset, settings: &Settings) -> f64 {
    let Settings { ipc, batch_real, width, .. } = settings;
    let images = dataset.classes() * (batch_real + 3 * ipc);
    let pixels = (dataset.size() / 2).pow(2);
    images as f64 * pixels as f64 * 18.0 * (width * width) as f64
}

/// `40 seconds`, `12 minutes`, `4 h 10 min`, `3 days`.
fn rough(time: Duration) -> String {
    let minutes = (time.as_secs_f64() / 60.0).round() as u64;
    match (minutes, minutes / 60) {
        _ if time < Duration::from_secs(100) => format!("{:.0} seconds", time.as_secs_f64()),
        (_, 0..2) => format!("{minutes} minutes"),
        (_, hours @ 2..48) => format!("{hours} h {:02} min", minutes % 60),
        (_, hours) => format!("{} days", (hours + 12) / 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{args::Cli, asked, dataset::tests::tiny};
    use dm_wgpu::project::{Adapter, Method};

    fn ahead(line: &str, series: &Series, done: u32, evaluation: Option<u64>) -> (String, String) {
        let cli = Cli::from_arguments(line.split_whitespace()).unwrap();
        let settings = cli.run.settings(&tiny());
        let evaluate = !cli.method.no_eval;
        let record = asked::record(&cli.run, Method::Dm, evaluate, &tiny(), Adapter::default());
        let evaluation = evaluation.map(Duration::from_secs);
        let speeds = Speeds { iteration: Duration::from_secs(6), evaluation };
        let whole = Some(Duration::from_secs(7200));
        let ahead = series.ahead(speeds, &settings, &record, done, whole);
        (ahead.told(series, done > 0), command(&record, 10, series))
    }

    #[test]
    fn what_is_expected_counts_all_that_a_command_does() {
        let line = "dm-wgpu --dataset glyphs --iterations 100 --eval-every 50";
        let (told, command) = ahead(line, &Series::Single, 0, Some(600));
        let expected = "expected  about 40 minutes on this device: 10 minutes condensing, 30 minutes evaluating";
        assert_eq!(told, expected);
        assert_eq!(command, "dm-wgpu --dataset glyphs --ipc 10 --preset small");
        let (told, _) = ahead(line, &Series::Single, 60, Some(600));
        assert!(
            told.starts_with("expected  about 24 minutes more on this device: 4 minutes"),
            "{told}"
        );

        let runs = |left| Series::Runs { asked: 3, left };
        let line = "dm-wgpu --dataset glyphs --iterations 100 --no-eval";
        let (told, command) = ahead(line, &runs(3), 0, None);
        assert_eq!(told, "expected  about 30 minutes on this device for 3 runs");
        assert_eq!(command, "dm-wgpu --dataset glyphs --ipc 10 --preset small --runs 3 --no-eval");
        let (told, _) = ahead(line, &runs(2), 50, None);
        assert_eq!(
            told,
            "expected  about 15 minutes more on this device for the 2 runs that are left"
        );

        let line = "dm-wgpu --dataset glyphs --iterations 100";
        let whole = Some(EvaluationSettings::for_dataset(&tiny()));
        let methods = Series::Methods { names: "dm, random, whole".into(), sets: 1, whole };
        let (told, command) = ahead(line, &methods, 0, Some(600));
        assert!(
            told.contains("about 2 h 30 min on this device for dm, random, whole: 10 min"),
            "{told}"
        );
        let expected =
            "dm-wgpu compare --dataset glyphs --ipc 10 --preset small --methods dm,random,whole";
        assert_eq!(command, expected);
        let (told, _) = ahead(line, &Series::Single, 0, None);
        assert_eq!(
            told,
            "expected  about 10 minutes on this device, then evaluations that were not measured"
        );
    }

    #[test]
    fn times_are_told_roughly() {
        for (seconds, text) in [
            (0, "0 seconds"),
            (99, "99 seconds"),
            (100, "2 minutes"),
            (7199, "2 h 00 min"),
            (15_000, "4 h 10 min"),
            (200_000, "2 days"),
        ] {
            assert_eq!(rough(Duration::from_secs(seconds)), text);
        }
    }
}
