//! `dm-wgpu evaluate`: what a set is worth, wherever it came from.

use std::path::Path;

use serde::Serialize;

use dm_wgpu::{Accuracy, EvaluationSettings, Settings, SyntheticSet, TrainingSet, import};

use super::{
    args::EvaluateArgs,
    dataset::NAMES,
    failure::Failure,
    interrupt::{INTERRUPTED, Interrupt},
    measure::{Bench, how},
    method::Method,
    progress::Console,
    record::Adapter,
    say,
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
    let console = Console::new(args.machine.quiet);
    let interrupt = Interrupt::install(Vec::new(), console.quiet());
    let found = import::read(&args.path).map_err(Failure::of_data)?;
    let name = dataset_of(found.dataset(), args)?;
    let bench = Bench::open(&args.machine, &name, console, interrupt)?;
    let set = found.into_set(&bench.dataset).map_err(Failure::of_data)?;
    let settings = settings(args, &bench, &set);
    settings.check(&bench.dataset)?;
    let images = set.labels.len();
    console.say(&format!(
        "{}\nset       {images} images of {}\nevaluate  {}",
        bench.introduction(),
        args.path.display(),
        how(&settings)
    ));
    bench.interrupt.measuring();
    let measured = bench.measure(TrainingSet::Synthetic(set), &settings, "evaluating")?;
    let Some(measured) = measured else {
        console.say("interrupted: the accuracy was not measured");
        return Ok(INTERRUPTED);
    };
    let answer = Answer {
        version: env!("CARGO_PKG_VERSION"),
        path: &args.path,
        dataset: bench.dataset.name(),
        images,
        accuracy: &measured.accuracy,
        settings: &settings,
        adapter: Adapter::of(bench.gpu.info()),
        seconds: measured.seconds,
    };
    let text = if args.json {
        serde_json::to_string(&answer)
            .map_err(|error| Failure::Failed(format!("the results as JSON: {error}")))?
    } else {
        format!(
            "accuracy  {} ({images} images, {}, {:.1} seconds)",
            answer.accuracy,
            how(&settings),
            answer.seconds
        )
    };
    say::out(&text).map_err(|error| Failure::Failed(format!("stdout: {error}")))?;
    Ok(0)
}

/// The data set to test on: what the set says, or else what was asked for.
fn dataset_of(said: Option<&str>, args: &EvaluateArgs) -> Result<String, Failure> {
    let path = args.path.display();
    let names = NAMES.join(" or ");
    match (said, args.dataset.as_deref()) {
        (Some(said), Some(asked)) if said != asked && NAMES.contains(&said) => Err(Failure::Usage(
            format!("--dataset {asked}: {path} was made from {said}; leave --dataset out"),
        )),
        (_, Some(asked)) => Ok(asked.to_owned()),
        (Some(said), None) if NAMES.contains(&said) => Ok(said.to_owned()),
        (Some(said), None) => Err(Failure::Usage(format!(
            "{path} was made from {said:?}, which is not at hand here; say with --dataset {names} \
             on whose test images it shall be tested"
        ))),
        (None, None) => Err(Failure::Usage(format!(
            "{path} does not say from which data set it was made: add --dataset {names}"
        ))),
    }
}

/// The network is the one that the set was made with, if it says so.
fn settings(args: &EvaluateArgs, bench: &Bench, set: &SyntheticSet) -> EvaluationSettings {
    let made = serde_json::from_str::<serde_json::Value>(&set.settings).unwrap_or_default();
    let made = |name: &str| made.get(name)?.as_u64().and_then(|n| usize::try_from(n).ok());
    let suited = Settings::for_dataset(&bench.dataset);
    let width = made("width").unwrap_or(suited.width);
    let mut settings = args.eval.settings(&bench.dataset, Method::Dm.epochs(), width);
    settings.depth = made("depth").unwrap_or(suited.depth);
    settings.seed = args.seed;
    settings.memory_budget = args.machine.memory_budget;
    settings
}
