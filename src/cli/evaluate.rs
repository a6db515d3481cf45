//! `dm-wgpu evaluate`: what a set is worth, wherever it came from.

use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use dm_wgpu::{
    Accuracy, Evaluation, EvaluationSettings, Recipe, Subject, SyntheticSet, TrainingSet, import,
    project::{
        Adapter, Data, Record, check_set,
        files::{FIGURES, IMAGES, RECORD, SET, text_of},
        words::{counted, how},
    },
};

use super::{
    args::EvaluateArgs,
    asked,
    commands::again,
    console::Console,
    dataset::{NAMES, check_test, is_known, name_of},
    events::Event,
    failure::{Failure, INTERRUPTED},
    interrupt::Interrupt,
    measure::Bench,
};

/// What `--json` prints.
#[derive(Serialize)]
struct Answer<'a> {
    version: &'a str,
    path: &'a Path,
    dataset: &'a str,
    images: usize,
    /// In per cent.
    accuracy: &'a Accuracy,
    settings: &'a EvaluationSettings,
    adapter: Adapter,
    seconds: f64,
}

pub fn run(args: &EvaluateArgs) -> Result<u8, Failure> {
    let console = Console::new(args.machine.quiet).with_json(args.json);
    let interrupt = Interrupt::install(console);
    check_set(&args.path)?;
    let found = import::read(&args.path).map_err(Failure::of_data)?;
    let report = report_of(&args.path);
    let said = found.dataset().or(report["dataset"].as_str());
    let name = dataset_of(said.map(|said| asked_for(said, &args.path)).as_deref(), args)?;
    let data = as_the_run_had(asked::data(&name, &args.machine), &report);
    let bench = Bench::open(&asked::machine(&args.machine), &data, console, interrupt)?;
    let set = found.into_set(&bench.dataset).map_err(Failure::of_data)?;
    let (settings, width_from) = settings(args, &bench, &set, &report);
    let images = set.labels.len();
    check_test(&name, &bench.dataset)?;
    Evaluation::check(&bench.gpu, &bench.dataset, Some(images), &settings)?;
    bench.introduce();
    let said = format!(
        "set       {} of {}\nevaluate  {} (width {width_from})",
        counted(images, "image"),
        args.path.display(),
        how(&settings)
    );
    console.tell(&said, &Event::Set { path: &args.path, images, evaluation: &settings });
    bench.interrupt.measuring();
    let measured = bench.measure(TrainingSet::Synthetic(set), &settings, "evaluating")?;
    let Some(measured) = measured else {
        let again = again();
        console.interrupted(&format!("interrupted: the accuracy was not measured\n{again}"));
        return Ok(INTERRUPTED);
    };
    let answer = Answer {
        version: env!("CARGO_PKG_VERSION"),
        path: &args.path,
        dataset: bench.dataset.name(),
        images,
        accuracy: &measured.accuracy,
        settings: &settings,
        adapter: Adapter::of(&bench.gpu),
        seconds: measured.seconds,
    };
    let text = format!(
        "accuracy  {} ({}, {}, {:.1} seconds)",
        answer.accuracy,
        counted(images, "image"),
        how(&settings),
        answer.seconds
    );
    console.result(&text, &answer)?;
    Ok(0)
}

/// What a run left beside the set, if the path is a run's folder or one of its sets; else null.
pub fn report_of(path: &Path) -> Value {
    let text = text_of(&run_of(path).join(FIGURES)).unwrap_or_default();
    // Someone else's report is as good as none.
    serde_json::from_str(&text).unwrap_or_default()
}

/// The run's folder, if the path is that or one of the sets in it.
fn run_of(path: &Path) -> &Path {
    let left_by_runs = [SET, IMAGES];
    let in_a_run = path.file_name().is_some_and(|name| left_by_runs.iter().any(|n| name == *n));
    if in_a_run { path.parent().unwrap_or(path) } else { path }
}

/// The data set of this name as its run asked for it: pictures have their path in no other place.
fn asked_for(name: &str, path: &Path) -> String {
    let record = Record::read(&run_of(path).join(RECORD));
    let asked = record.ok().map(|record| record.data.name);
    asked.filter(|asked| name_of(asked) == name).unwrap_or_else(|| name.to_owned())
}

/// The same pictures as the run had, where nothing else is asked for.
fn as_the_run_had(asked: Data, report: &Value) -> Data {
    if report["dataset"].as_str().map(name_of) != Some(name_of(&asked.name)) {
        return asked;
    }
    let resize = report["resize"].as_u64().and_then(|size| usize::try_from(size).ok());
    Data {
        resize: asked.resize.or(resize),
        test_fraction: asked.test_fraction.or(report["test_fraction"].as_f64()),
        ..asked
    }
}

/// The data set to test on: what the set or its run says, or else what was asked for.
fn dataset_of(said: Option<&str>, args: &EvaluateArgs) -> Result<String, Failure> {
    let path = args.path.display();
    let names = format!("{}|folder:PATH", NAMES.join("|"));
    match (said, args.dataset.as_deref()) {
        (Some(said), Some(asked)) if said != asked && NAMES.contains(&said) => Err(Failure::Usage(
            format!("--dataset {asked}: {path} was made from {said}; leave --dataset out"),
        )),
        (_, Some(asked)) => Ok(asked.to_owned()),
        (Some(said), None) if is_known(said) => Ok(said.to_owned()),
        (Some(said), None) => Err(Failure::Usage(format!(
            "{path} was made from {said:?}, which is not at hand here; say with --dataset {names} \
             on whose test images it shall be tested"
        ))),
        (None, None) => Err(Failure::Usage(format!(
            "{path} does not say from which data set it was made: add --dataset {names}"
        ))),
    }
}

/// The networks are those that judged the run, or else the one that the set was made with, where
/// either is known. Beside the settings, where the width is from.
fn settings(
    args: &EvaluateArgs,
    bench: &Bench,
    set: &SyntheticSet,
    report: &Value,
) -> (EvaluationSettings, &'static str) {
    let made: Value = serde_json::from_str(&set.settings).unwrap_or_default();
    let known = |name: &str| {
        [
            (&report["evaluation"], "as the run's own evaluation"),
            (&report["settings"], "as the set was made with"),
            (&made, "as the set was made with"),
        ]
        .into_iter()
        .find_map(|(settings, from)| Some((usize::try_from(settings[name].as_u64()?).ok()?, from)))
    };
    let subject = Subject { preset: args.layers.preset, ..Subject::from(&*bench.dataset) };
    let suited = EvaluationSettings::of(&Recipe::new(subject));
    let (width, from) = known("width").unwrap_or((suited.width, "by default"));
    let from = if args.eval.eval_width.is_some() { "as asked for" } else { from };
    let depth = known("depth").map_or(suited.depth, |(depth, _)| depth);
    let suited = EvaluationSettings { width, depth, seed: args.seed, ..suited };
    let settings = args.eval.over(suited);
    (settings, from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_a_run_get_its_report() {
        let place = tempfile::tempdir().unwrap();
        let run = place.path();
        std::fs::write(run.join("report.json"), r#"{"dataset": "glyphs"}"#).unwrap();
        for name in ["", "synthetic.safetensors", "images", "images/"] {
            assert_eq!(report_of(&run.join(name))["dataset"], "glyphs", "{name}");
        }
        for name in ["mine.npz", "pictures", "images/0"] {
            assert!(report_of(&run.join(name)).is_null(), "{name}");
        }
        std::fs::write(run.join("report.json"), "not JSON").unwrap();
        assert!(report_of(run).is_null());
        #[cfg(unix)]
        {
            std::fs::remove_file(run.join("report.json")).unwrap();
            let pipe = std::process::Command::new("mkfifo").arg(run.join("report.json")).status();
            assert!(pipe.unwrap().success());
            assert!(report_of(run).is_null());
        }
    }
}
