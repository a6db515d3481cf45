//! `dm-wgpu evaluate`: what a set is worth, wherever it came from.

use std::path::Path;

use serde::Serialize;
use serde_json::{Map, Value, json};

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
    measure::{Bench, Measured},
};

/// What `--json` prints.
#[derive(Serialize)]
struct Answer<'a> {
    version: &'a str,
    path: &'a Path,
    dataset: &'a str,
    images: usize,
    /// In per cent; none of several kinds of network.
    #[serde(skip_serializing_if = "Option::is_none")]
    accuracy: Option<&'a Accuracy>,
    /// Of several kinds, what each came to.
    #[serde(skip_serializing_if = "Map::is_empty")]
    architectures: Map<String, Value>,
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
    let asked = args.eval.eval_net.as_ref().map_or(vec![settings.net], |kinds| kinds.0.clone());
    let kinds: Vec<_> =
        asked.into_iter().map(|net| EvaluationSettings { net, ..settings.clone() }).collect();
    for settings in &kinds {
        Evaluation::check(&bench.gpu, &bench.dataset, Some(images), settings)?;
    }
    bench.introduce();
    let how = match &kinds[..] {
        [one] => how(one),
        several => format!("{} of each of {} kinds", how(&settings), several.len()),
    };
    let width = if kinds.iter().any(|kind| kind.net.is_convnet()) {
        format!(" (width {width_from})")
    } else {
        String::new()
    };
    let said = format!(
        "set       {} of {}\nevaluate  {how}{width}",
        counted(images, "image"),
        args.path.display(),
    );
    console.tell(&said, &Event::Set { path: &args.path, images, evaluation: &kinds[0] });
    bench.interrupt.measuring();
    let mut rows = Vec::new();
    for settings in &kinds {
        let what = match kinds.len() {
            1 => "evaluating".to_owned(),
            _ => format!("evaluating by {}", settings.net),
        };
        let train = TrainingSet::Synthetic(set.clone());
        match bench.measure(train, settings, &what)? {
            Some(measured) => rows.push(Row { settings, measured }),
            None => break,
        }
    }
    let answer = Answer {
        version: env!("CARGO_PKG_VERSION"),
        path: &args.path,
        dataset: bench.dataset.name(),
        images,
        accuracy: rows.first().filter(|_| kinds.len() == 1).map(|row| &row.measured.accuracy),
        architectures: match kinds.len() {
            1 => Map::new(),
            _ => rows.iter().map(|row| row.json(&bench)).collect(),
        },
        settings: &kinds[0],
        adapter: Adapter::of(&bench.gpu),
        seconds: rows.iter().map(|row| row.measured.seconds).sum(),
    };
    let text = match (&kinds[..], &rows[..]) {
        ([_], [Row { measured, .. }]) => format!(
            "accuracy  {} ({}, {how}, {:.1} seconds)",
            measured.accuracy,
            counted(images, "image"),
            measured.seconds
        ),
        _ => table(&rows, &bench),
    };
    if rows.len() < kinds.len() {
        // What was measured is not lost.
        if !rows.is_empty() {
            console.say(&text);
        }
        let what = match rows.len() {
            0 => "the accuracy was not measured".to_owned(),
            some => format!("{some} of {} kinds were measured", kinds.len()),
        };
        console.interrupted(&format!("interrupted: {what}\n{}", again()));
        return Ok(INTERRUPTED);
    }
    console.result(&text, &answer)?;
    Ok(0)
}

/// What one kind of network came to.
struct Row<'a> {
    settings: &'a EvaluationSettings,
    measured: Measured,
}

impl Row<'_> {
    /// Parameters of one network.
    fn parameters(&self, bench: &Bench) -> usize {
        let EvaluationSettings { net, width, depth, .. } = *self.settings;
        let images = (bench.dataset.channels(), bench.dataset.size());
        net.net(images, bench.dataset.classes(), (width, depth)).map_or(0, |net| net.parameters())
    }

    fn json(&self, bench: &Bench) -> (String, Value) {
        let Accuracy { mean, std, runs, .. } = &self.measured.accuracy;
        let (parameters, seconds) = (self.parameters(bench), self.measured.seconds);
        let value = json!({
            "mean": mean, "std": std, "runs": runs, "parameters": parameters, "seconds": seconds
        });
        (self.settings.net.to_string(), value)
    }
}

/// One line per kind.
fn table(rows: &[Row<'_>], bench: &Bench) -> String {
    let mut cells = vec![["network", "parameters", "accuracy", "seconds"].map(str::to_owned)];
    cells.extend(rows.iter().map(|row| {
        let Measured { accuracy, seconds } = &row.measured;
        let (net, parameters) = (row.settings.net.to_string(), row.parameters(bench).to_string());
        [net, parameters, accuracy.to_string(), format!("{seconds:.1}")]
    }));
    let width = |column: usize| cells.iter().map(|row| row[column].chars().count()).max();
    let widths = [0, 1, 2, 3].map(|column| width(column).unwrap_or(0));
    let line = |row: &[String; 4]| {
        let [net, numbers @ ..] = row;
        let numbers = numbers.iter().zip(&widths[1..]);
        let numbers: String = numbers.map(|(cell, width)| format!("  {cell:>width$}")).collect();
        format!("{net:<0$}{numbers}", widths[0])
    };
    cells.iter().map(line).collect::<Vec<_>>().join("\n")
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
    let kind = [&report["evaluation"], &report["settings"], &made].into_iter();
    // What has none is older than other kinds, or the usual one.
    let net = kind.filter(|settings| settings["width"].is_u64()).map(|settings| {
        settings["net"].as_str().and_then(|name| name.parse().ok()).unwrap_or_default()
    });
    let net = net.take(1).next().unwrap_or(suited.net);
    let suited = EvaluationSettings { net, width, depth, seed: args.seed, ..suited };
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
