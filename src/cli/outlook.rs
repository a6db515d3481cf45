//! How long a run will take on this device: measured, and told before it begins if that is long.

use std::{sync::Arc, time::Duration};

use dm_wgpu::{
    Condensation, Dataset, Evaluation, EvaluationSettings, Preset, Recipe, Settings, Subject,
    TrainingSet,
};

use super::{
    failure::Failure,
    measure::Bench,
    record::{Record, quoted},
};

/// Multiplications and additions that are over in no time on a GPU, and in minutes on a CPU.
const LITTLE: f64 = 2e12;

/// From here on people want to know before they wait.
const LONG: Duration = Duration::from_secs(600);

/// What a run will take.
struct Outlook {
    condensing: Duration,
    evaluating: Duration,
}

/// Says how long the iterations that are left and the evaluations will take, if that is long, and which command is
/// quicker.
pub fn tell(bench: &Bench, settings: &Settings, record: &Record, done: u32) -> Result<(), Failure> {
    let left = settings.iterations.saturating_sub(done);
    if bench.console.quiet() || f64::from(left) * flops(&bench.dataset, settings) < LITTLE {
        return Ok(());
    }
    let evaluation = record.evaluation.as_ref();
    let times = 1 + record.eval_every.map_or(0, |every| left.div_ceil(every));
    let outlook = Outlook::of(bench, settings, evaluation, left, times)?;
    if outlook.all() < LONG {
        return Ok(());
    }
    let mut told = format!("expected  about {} on this device", rough(outlook.all()));
    if evaluation.is_some() {
        let Outlook { condensing, evaluating } = outlook;
        told += &format!(": {} condensing, {} evaluating", rough(condensing), rough(evaluating));
    }
    let (command, small) = small(bench, settings, record)?;
    if small.all() < outlook.all() / 2 {
        told += &format!("\n          quicker: {command} (about {})", rough(small.all()));
    }
    bench.console.say(&told);
    Ok(())
}

/// The same data set with the preset for slow devices, and how long that will take.
fn small(bench: &Bench, asked: &Settings, record: &Record) -> Result<(String, Outlook), Failure> {
    let preset = Preset::Small;
    let ipc = asked.ipc;
    let subject = Subject { preset, ipc: Some(ipc), ..Subject::from(&*bench.dataset) };
    let recipe = Recipe::new(subject);
    let settings = Settings::of(&recipe);
    let evaluation = record.evaluation.as_ref().map(|_| EvaluationSettings::of(&recipe));
    let outlook = Outlook::of(bench, &settings, evaluation.as_ref(), settings.iterations, 1)?;
    let mut command = format!("dm-wgpu --dataset {}", quoted(&record.data.name));
    let data_dir = record.data.data_dir.as_ref().map(|path| path.to_string_lossy().into_owned());
    for (flag, value) in [
        ("data-dir", data_dir),
        ("resize", record.data.resize.map(|size| size.to_string())),
        ("test-fraction", record.data.test_fraction.map(|part| part.to_string())),
        ("ipc", Some(ipc.to_string())),
        ("preset", Some(preset.name().to_owned())),
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
    Ok((command, outlook))
}

impl Outlook {
    /// Measured, on a slice of each kernel.
    fn of(
        bench: &Bench,
        settings: &Settings,
        evaluation: Option<&EvaluationSettings>,
        iterations: u32,
        times: u32,
    ) -> Result<Self, Failure> {
        let (gpu, dataset) = (&bench.gpu, &bench.dataset);
        let mut run = Condensation::new(gpu, Arc::clone(dataset), settings.clone())?;
        let condensing = run.estimate_blocking()? * iterations;
        let set = TrainingSet::Synthetic(run.images_blocking()?);
        drop(run);
        let evaluating = match evaluation {
            Some(settings) => {
                let dataset = Arc::clone(dataset);
                Evaluation::new(gpu, dataset, set, settings.clone())?.estimate_blocking()? * times
            }
            None => Duration::ZERO,
        };
        Ok(Self { condensing, evaluating })
    }

    fn all(&self) -> Duration {
        self.condensing + self.evaluating
    }
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
