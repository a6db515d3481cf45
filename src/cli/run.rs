//! Runs one method with one seed or several, from the arguments to the report at the end.

use std::path::Path;

use serde::Serialize;

use dm_wgpu::{
    Accuracy, EvaluationSettings, Matching, Settings,
    data::ClassChoice,
    project::{
        self, Figures, Losses, MethodSettings, OfSeed, OutputFolder, Ran, Repeated, Repeats,
        Seconds, Setup, Together, files, over, points,
        words::{ONLY_IN_ORDER, counted, how, in_order, number},
    },
};

use super::{
    args::{Cli, Given},
    asked,
    commands::{again, go_on},
    console::Console,
    evaluate::table,
    failure::{Failure, INTERRUPTED},
    ipc_file,
    screen::Screen,
};

/// The last line with `--json`.
#[derive(Serialize)]
struct Finished<'a> {
    folder: &'a Path,
    #[serde(flatten)]
    figures: &'a Figures,
}

/// Runs once, or with so many seeds, and returns the exit code.
pub fn run(cli: &Cli, console: Console) -> Result<u8, Failure> {
    let (given, runs): (&Given, _) = (&cli.given, cli.given.runs());
    if let Some(runs) = runs {
        Repeats::check(runs, given.get("seed").unwrap_or_default())?;
    }
    let (out, every) = (cli.run.out.as_deref(), cli.lasting.checkpoint_every);
    OutputFolder::check_for(out, &given.dataset())?;
    let mut data = given.data(given.dataset());
    if let Some(shard) = cli.shard.chosen().map_err(Failure::Usage)? {
        data.classes = Some(ClassChoice::Shard(shard));
    }
    let runs = match &data.classes {
        // A preset may ask for several; a shard is of one.
        Some(_) if given.origin("runs").is_none() => None,
        _ => runs,
    };
    let screen = &mut Screen::new(console);
    let setup = Setup::open(&given.machine(), &data, screen)?;
    let given = &ipc_file::over(given, cli.run.ipc_file.as_deref(), &setup.dataset)?;
    let record = asked::record(given, given.method(), &*setup.dataset);
    if let Some((method, source)) = given.chosen() {
        console.say(&best(method, source, record.settings.as_ref()));
    }
    match runs {
        None => told(project::run(&setup, record, out, every, screen)?, &console),
        Some(runs) => {
            let repeated = project::repeat(&setup, record, runs, out, every, screen)?;
            told_together(&repeated, &console)
        }
    }
}

/// What the preset chose, and why.
fn best(method: Matching, source: &str, settings: Option<&MethodSettings>) -> String {
    let packed = match settings {
        Some(MethodSettings::Condensing(Settings { factor, .. })) if *factor > 1 => {
            format!(", each image packed with {}", factor * factor)
        }
        _ => String::new(),
    };
    format!("best      --method {method}{packed} ({source})")
}

/// Device and data set, as these arguments ask.
pub fn open(given: &Given, screen: &mut Screen) -> Result<Setup, Failure> {
    Ok(Setup::open(&given.machine(), &given.data(given.dataset()), screen)?)
}

/// Reports the outcome of a run, and returns the exit code.
pub fn told(ran: Ran, console: &Console) -> Result<u8, Failure> {
    let Ran { folder, figures, stays, .. } = ran;
    let Some(figures) = figures else {
        let further = if stays { go_on(&folder) } else { again() };
        console.interrupted(&format!("interrupted before there were results\n{further}"));
        return Ok(INTERRUPTED);
    };
    let finished = Finished { folder: &folder, figures: &figures };
    console.summary(&summary(&figures, &folder), &finished)?;
    Ok(if figures.interrupted { INTERRUPTED } else { 0 })
}

/// The same of several.
pub fn told_together(repeated: &Repeated, console: &Console) -> Result<u8, Failure> {
    let Repeated { folder, together } = repeated;
    console.say("");
    console.summary(&summary_together(together, folder), together)?;
    Ok(if together.interrupted { INTERRUPTED } else { 0 })
}

pub fn summary(figures: &Figures, path: &Path) -> String {
    let Seconds { condensing, training, evaluating } = figures.seconds;
    let training = training.map(|seconds| format!(" ({seconds:.1} of them training networks)"));
    let training = training.unwrap_or_default();
    let mut lines = Vec::new();
    let images = match figures.packed_into {
        Some(stored) => format!("{} packed into {stored}", counted(figures.images, "image")),
        None => counted(figures.images, "image"),
    };
    match (&figures.settings, figures.completed_iterations, figures.loss) {
        (Some(MethodSettings::Condensing(asked)), Some(done), Some(Losses { first, last })) => {
            let iterations = match done < asked.iterations {
                true => format!("{done} of {} iterations", asked.iterations),
                false => counted(done as usize, "iteration"),
            };
            let all = if figures.shards.is_empty() { "" } else { " of all shards" };
            lines.push(format!(
                "{images} after {iterations} in {condensing:.1} seconds{all}{training}, loss {} → {}",
                number(first.into()),
                number(last.into())
            ));
        }
        (Some(_), ..) => {
            lines.push(format!("{images} chosen by {} in {condensing:.1} seconds", figures.method))
        }
        (None, ..) => lines.push(format!("all {} training images", figures.images)),
    }
    match (&figures.accuracy, &figures.evaluation) {
        (Some(accuracy), Some(settings)) if figures.ordinary_accuracy.is_some() => {
            lines.extend(by_course(figures, accuracy, settings));
        }
        (Some(accuracy), Some(settings)) => {
            // By both protocols, the first one's part.
            let own = figures.architectures.values().find(|worth| worth.settings == *settings);
            let evaluating = own.map_or(evaluating, |worth| worth.seconds);
            lines.push(format!("accuracy  {accuracy} ({}, {evaluating:.1} seconds)", how(settings)))
        }
        (None, Some(_)) => lines.push("accuracy  not measured: interrupted".to_owned()),
        (None, None) if figures.classes.is_some() => {
            lines.push("accuracy  not measured: `dm-wgpu join` joins the shards".to_owned());
        }
        _ => {}
    }
    match (&figures.baseline, &figures.ordinary_accuracy) {
        (Some(random), Some(ordinary)) => {
            let shuffled = random.beaten_by(ordinary);
            lines.push(format!("random    {} (shuffled: {shuffled})", random.said()));
        }
        (Some(random), None) => lines.push(format!("random    {}", random.said())),
        (None, _) => {}
    }
    if figures.interrupted && figures.accuracy.is_some() {
        let what = match figures.baseline {
            Some(_) => "protocol  the accuracy by the other was",
            None => "further   evaluations were",
        };
        lines.push(format!("{what} not measured: interrupted"));
    }
    if !figures.architectures.is_empty() {
        lines.push(table(&figures.architectures));
    }
    if figures.settings.is_some() {
        let decoded = figures.packed_into.map(|_| path.join(files::DECODED));
        let decoded = decoded.map(|decoded| format!(", decoded {}", decoded.display()));
        lines.push(format!(
            "pictures  {}{} (each one in {})",
            path.join(files::GRID).display(),
            decoded.unwrap_or_default(),
            path.join(files::IMAGES).display()
        ));
        lines.push(format!("data      {}", path.join(files::SET).display()));
    }
    lines.push(format!("figures   {}", path.join(files::FIGURES).display()));
    lines.push(format!("page      {}", path.join(files::PAGE).display()));
    if figures.interrupted {
        lines.push(go_on(path));
    }
    lines.join("\n")
}

/// The accuracies of a set with a course of its own.
fn by_course(figures: &Figures, accuracy: &Accuracy, settings: &EvaluationSettings) -> Vec<String> {
    let Some(MethodSettings::Condensing(made)) = &figures.settings else { return Vec::new() };
    let (evaluating, ordinary) = (figures.seconds.evaluating, figures.ordinary_accuracy.iter());
    let mut lines = vec![format!("accuracy  {accuracy} ({})", in_order(made, settings.nets))];
    lines.extend(ordinary.map(|ordinary| {
        let how = how(settings);
        format!("shuffled  {ordinary} (by the ordinary protocol: {how}, {evaluating:.1} seconds)")
    }));
    lines.push(format!("note      {ONLY_IN_ORDER}"));
    lines
}

fn summary_together(together: &Together, dir: &Path) -> String {
    let mut lines = Vec::new();
    for OfSeed { folder, accuracy, baseline, seconds, .. } in &together.runs {
        let accuracy = accuracy.as_ref().map(|accuracy| format!("{accuracy}, "));
        let over = baseline.as_ref().map(|random| points(random.improvement));
        let over = over.map(|over| format!("{over} over random images, ")).unwrap_or_default();
        let accuracy = accuracy.unwrap_or_default();
        lines.push(format!("{folder:<9} {accuracy}{over}{seconds:.1} seconds"));
    }
    if let (Some(all), Some(means)) = (&together.accuracy, &together.means) {
        lines.push(format!("accuracy  {all} ({})", over(all, means)));
    }
    if !together.architectures.is_empty() {
        lines.push(table(&together.architectures));
    }
    lines.extend(together.baseline.iter().map(|random| format!("random    {}", random.said())));
    // Before the first run has ended there is neither.
    if !together.runs.is_empty() {
        lines.push(format!("figures   {}", dir.join(files::FIGURES).display()));
        lines.push(format!("page      {}", dir.join(files::PAGE).display()));
    }
    if together.interrupted {
        lines.push(go_on(dir));
    }
    lines.join("\n")
}
