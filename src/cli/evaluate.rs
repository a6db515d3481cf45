//! `dm-wgpu evaluate`: what a set is worth, wherever it came from.

use std::path::Path;

use serde::Serialize;
use serde_json::{Map, Value, json};

use dm_wgpu::{
    Accuracy, EvaluationSettings, import,
    project::{
        self, Adapter, Measured, Saved, Setup, WidthFrom, check_evaluations,
        words::{counted, how},
    },
};

use super::{
    args::EvaluateArgs,
    commands::again,
    console::Console,
    dataset::{NAMES, is_known},
    events::Event,
    failure::{Failure, INTERRUPTED},
    screen::Screen,
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

pub fn run(args: &EvaluateArgs, console: Console) -> Result<u8, Failure> {
    let screen = &mut Screen::new(console);
    let saved = Saved::at(&args.path)?;
    let found = import::read(&args.path).map_err(Failure::of_data)?;
    let name = dataset_of(saved.dataset(found.dataset()).as_deref(), args)?;
    let given = &args.given;
    let setup = Setup::open(&given.machine(), &saved.data(given.data(name.clone())), screen)?;
    let set = found.into_set(&setup.dataset).map_err(Failure::of_data)?;
    let images = set.labels.len();
    let (suited, from) = saved.settings(&set, &setup, given.preset());
    let settings = given.evaluation_over(&suited);
    let width_from = match from {
        _ if given.origin("eval_width").is_some() => "as asked for",
        WidthFrom::Evaluation => "as the run's own evaluation",
        WidthFrom::Making => "as the set was made with",
        WidthFrom::Recipe => "by default",
    };
    let asked = given.networks().unwrap_or(vec![settings.net]);
    let kinds: Vec<_> = asked.into_iter().map(|net| settings.clone().net(net)).collect();
    check_evaluations(&setup, &name, images, &kinds)?;
    setup.begins(screen);
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
    let measured = project::evaluate(&setup, &set, &kinds, screen)?;
    let rows: Vec<_> =
        kinds.iter().zip(measured).map(|(settings, measured)| Row { settings, measured }).collect();
    let answer = Answer {
        version: env!("CARGO_PKG_VERSION"),
        path: &args.path,
        dataset: setup.dataset.name(),
        images,
        accuracy: rows.first().filter(|_| kinds.len() == 1).map(|row| &row.measured.accuracy),
        architectures: match kinds.len() {
            1 => Map::new(),
            _ => rows.iter().map(|row| row.json(&setup)).collect(),
        },
        settings: &kinds[0],
        adapter: Adapter::of(&setup.gpu),
        seconds: rows.iter().map(|row| row.measured.seconds).sum(),
    };
    let text = match (&kinds[..], &rows[..]) {
        ([_], [Row { measured, .. }]) => format!(
            "accuracy  {} ({}, {how}, {:.1} seconds)",
            measured.accuracy,
            counted(images, "image"),
            measured.seconds
        ),
        _ => table(&rows, &setup),
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
    fn parameters(&self, setup: &Setup) -> usize {
        let EvaluationSettings { net, width, depth, .. } = *self.settings;
        let images = (setup.dataset.channels(), setup.dataset.size());
        net.net(images, setup.dataset.classes(), (width, depth)).map_or(0, |net| net.parameters())
    }

    fn json(&self, setup: &Setup) -> (String, Value) {
        let Accuracy { mean, std, runs, .. } = &self.measured.accuracy;
        let (parameters, seconds) = (self.parameters(setup), self.measured.seconds);
        let value = json!({
            "mean": mean, "std": std, "runs": runs, "parameters": parameters, "seconds": seconds
        });
        (self.settings.net.to_string(), value)
    }
}

/// One line per kind.
fn table(rows: &[Row<'_>], setup: &Setup) -> String {
    let mut cells = vec![["network", "parameters", "accuracy", "seconds"].map(str::to_owned)];
    cells.extend(rows.iter().map(|row| {
        let Measured { accuracy, seconds } = &row.measured;
        let (net, parameters) = (row.settings.net.to_string(), row.parameters(setup).to_string());
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

/// The data set to test on: what the set or its run says, or else what was asked for.
fn dataset_of(said: Option<&str>, args: &EvaluateArgs) -> Result<String, Failure> {
    let path = args.path.display();
    let names = format!("{}|folder:PATH", NAMES.join("|"));
    match (said, args.given.get("dataset")) {
        (Some(said), Some::<String>(asked)) if said != asked && NAMES.contains(&said) => {
            Err(Failure::Usage(format!(
                "--dataset {asked}: {path} was made from {said}; leave --dataset out"
            )))
        }
        (_, Some(asked)) => Ok(asked),
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
