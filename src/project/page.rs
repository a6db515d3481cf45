//! Makes the contents of `report.html` for one run, or for several side by side: from figures,
//! tables and images it builds a `report::Page`, which `report/page` draws.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use serde_json::Value;

use super::{
    Baseline, Differences, Error, FolderFault, Past, Result, Worth,
    baseline::points,
    figures::Losses,
    files::{COMPARISON, FIGURES, PAGE, SEEDS, are_several, text_of},
    record::OfShard,
    repeats::{Repeats, over},
    words::{ONLY_IN_ORDER, counted, how, in_order, number},
};
use crate::{
    Accuracy, Error as Failure, EvaluationSettings, Settings,
    report::{self, Chart, Curve, Fact, Gallery, List, Page, Point, Row, Table},
};

/// Writes the page of a run, of runs with several seeds or of a comparison, from what is in its folder.
pub fn write(folder: &Path) -> Result<PathBuf> {
    if are_several(folder) {
        write_seeds(folder)
    } else if folder.join(COMPARISON).is_file() {
        write_compared(folder)
    } else {
        write_run(folder)
    }
}

/// Writes the page of a run into its folder.
fn write_run(folder: &Path) -> Result<PathBuf> {
    save(&of_run(Past::read(folder)?), folder)
}

/// Writes the page of several, each with the name that it has there.
pub fn write_comparison(title: &str, runs: &[(String, Past)], folder: &Path) -> Result<PathBuf> {
    save(&of_several(title, runs), folder)
}

/// Writes the page of runs that differ in their seeds, with their common accuracy.
fn write_seeds(folder: &Path) -> Result<PathBuf> {
    let asked = Repeats::read(&folder.join(SEEDS))?.runs as usize;
    let path = folder.join(FIGURES);
    let Ok(text) = text_of(&path) else {
        return Err(Error::folder(folder, FolderFault::NoneEnded));
    };
    let Together { runs, accuracy, means, baseline } =
        serde_json::from_str(&text).map_err(|error| Failure::format(&path, error.to_string()))?;
    // Without an evaluation there is no common accuracy.
    let together = accuracy.zip(means).map(|(all, means)| Fact {
        name: "Test accuracy".into(),
        value: all.to_string(),
        note: over(&all, &means),
    });
    let random = baseline.map(|random| Fact {
        name: "Over random images".into(),
        value: points(random.improvement),
        note: format!("points; these reach {}", random.accuracy),
    });
    let read = |OfSeed { folder: own }: OfSeed| Ok((own.clone(), Past::read(&folder.join(own))?));
    let runs = runs.into_iter().map(read).collect::<Result<Vec<_>>>()?;
    let title = runs.first().map(|(_, past)| title(past)).unwrap_or_default();
    let seeds = counted(asked, "seed");
    let lead = match runs.len() {
        ended if ended < asked => format!("The same run with {ended} of {seeds} so far."),
        _ if runs.iter().any(|(_, past)| past.interrupted()) => {
            format!("The same run with {seeds}; stopped before it was complete.")
        }
        _ => format!("The same run with {seeds}."),
    };
    let mut page = of_several(&title, &runs);
    // The names of the runs already show the seed.
    for table in &mut page.tables {
        table.rows.retain(|row| {
            row.cells.first().is_none_or(|name| !["seed", "eval-seed"].contains(&&**name))
        });
    }
    save(&Page { lead, facts: together.into_iter().chain(random).collect(), ..page }, folder)
}

/// What the page needs of the figures of several seeds, whatever version wrote them.
#[derive(Deserialize)]
struct Together {
    runs: Vec<OfSeed>,
    accuracy: Option<Accuracy>,
    means: Option<Accuracy>,
    baseline: Option<Baseline>,
}

#[derive(Deserialize)]
struct OfSeed {
    folder: String,
}

/// Writes a comparison's page.
fn write_compared(folder: &Path) -> Result<PathBuf> {
    let path = folder.join(COMPARISON);
    let wrong = |why: &str| Failure::format(&path, why);
    let text = text_of(&path).map_err(|error| wrong(&error.to_string()))?;
    let table: Value = serde_json::from_str(&text).map_err(|error| wrong(&error.to_string()))?;
    let rows = |name: &str| table[name].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut runs = Vec::new();
    // Methods lie in the comparison's own folder, runs elsewhere.
    for row in rows("methods").iter().chain(rows("runs")) {
        let (Some(name), Some(own)) =
            (row["name"].as_str().or(row["method"].as_str()), row["folder"].as_str())
        else {
            continue;
        };
        let mut past = Past::read(&folder.join(own))?;
        // What was measured once for all methods.
        if row["baseline"].is_object() {
            past.figures["baseline"] = row["baseline"].clone();
        }
        runs.push((name.to_owned(), past));
    }
    if runs.is_empty() {
        return Err(wrong("it names no run that left a folder").into());
    }
    let title = match table["dataset"].as_str() {
        Some(dataset) => {
            // As the methods have it, but `whole`.
            let own = runs.iter().find_map(|(_, past)| past.each_class());
            let each = own.unwrap_or_else(|| table["ipc"].to_string());
            let images = if each == "1" { "image" } else { "images" };
            format!("{dataset}, {each} {images} per class: methods compared")
        }
        None => format!("{} compared", counted(runs.len(), "run")),
    };
    write_comparison(&title, &runs, folder)
}

fn save(page: &Page, folder: &Path) -> Result<PathBuf> {
    let path = folder.join(PAGE);
    report::write_page(page, &path)?;
    Ok(path)
}

/// `glyphs, 10 images per class`.
fn title(past: &Past) -> String {
    match past.each_class() {
        Some(each) if each == "1" => format!("{}, 1 image per class", past.text("dataset")),
        Some(each) => format!("{}, {each} images per class", past.text("dataset")),
        None => past.text("dataset").to_owned(),
    }
}

fn lead(past: &Past) -> String {
    let images = past.figures["images"].as_u64().unwrap_or(0) as usize;
    let done = past.figures["completed_iterations"].as_u64();
    match (past.text("method"), done) {
        (by @ ("dm" | "dc" | "dsa" | "dd" | "trajectory"), Some(done)) => format!(
            "{} condensed from the training set by {}, after {}{}.{}",
            match past.figures["packed_into"].as_u64() {
                Some(stored) =>
                    format!("{} packed into {stored},", counted(images, "synthetic image")),
                None => counted(images, "synthetic image"),
            },
            match by {
                "dm" => "distribution matching",
                "dc" => "gradient matching",
                "dd" => "dataset distillation",
                "trajectory" => "matching along the trajectories of trained networks",
                _ => "gradient matching with siamese augmentation",
            },
            iterations(past, done),
            if past.interrupted() { "; stopped before it was complete" } else { "" },
            if by == "dd" { format!(" {ONLY_IN_ORDER}") } else { String::new() }
        ),
        ("whole", _) => {
            format!("All {images} training images: the upper bound for any smaller set.")
        }
        (method, _) => {
            format!("{} chosen from the training set by {method}.", counted(images, "real image"))
        }
    }
}

/// `150 iterations`, or `37 of 150 iterations`.
fn iterations(past: &Past, done: u64) -> String {
    match past.figures["settings"]["iterations"].as_u64() {
        Some(asked) if asked != done => format!("{done} of {asked} iterations"),
        _ => counted(done as usize, "iteration"),
    }
}

/// `7.5 s`, `3 min 5 s`, `12 min`, `3 h 20 min`.
fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        0..10 => format!("{seconds:.1} s"),
        10..60 => format!("{whole} s"),
        60..600 if !whole.is_multiple_of(60) => format!("{} min {} s", whole / 60, whole % 60),
        60..3600 => format!("{} min", whole / 60),
        _ => format!("{} h {} min", whole / 3600, whole / 60 % 60),
    }
}

fn facts(past: &Past) -> Vec<Fact> {
    let mut facts = Vec::new();
    let mut fact = |name: &str, value: String, note: String| {
        facts.push(Fact { name: name.into(), value, note });
    };
    let asked = serde_json::from_value::<EvaluationSettings>(past.figures["evaluation"].clone());
    let ordinary = past.ordinary_accuracy();
    let made = serde_json::from_value::<Settings>(past.figures["settings"].clone());
    match (past.accuracy(), asked) {
        (Some(accuracy), Ok(asked)) => match (ordinary, made) {
            (Some(ordinary), Ok(made)) => {
                fact("Test accuracy", accuracy.to_string(), in_order(&made, asked.nets));
                let note = format!("by the ordinary protocol, {}", how(&asked));
                fact("Shuffled", ordinary.to_string(), note);
            }
            _ => fact("Test accuracy", accuracy.to_string(), how(&asked)),
        },
        (Some(accuracy), Err(_)) => fact("Test accuracy", accuracy.to_string(), String::new()),
        (None, Ok(_)) => fact("Test accuracy", "not measured".into(), "interrupted".into()),
        (None, Err(_)) => {}
    }
    if let (Some(accuracy), Some(random)) = (past.accuracy(), past.baseline()) {
        let many = counted(random.images, "real image");
        let note = format!("points; {many} drawn at random reach {}", random.accuracy);
        fact("Over random images", random.beaten_by(&accuracy), note);
    }
    if let Some(images) = past.figures["images"].as_u64() {
        let each = past.each_class();
        let packed = past.figures["packed_into"].as_u64();
        let each = match (each, packed) {
            (Some(each), Some(stored)) => format!("packed into {stored}, {each} per class"),
            (Some(each), None) => format!("{each} per class"),
            _ => String::new(),
        };
        fact("Images", images.to_string(), each);
    }
    let losses: Vec<_> = past.rows.iter().filter_map(|row| row.loss).collect();
    if let (Some(done), Some(Losses { first, last })) =
        (past.figures["completed_iterations"].as_u64(), Losses::of(&losses))
    {
        let asked = past.figures["settings"]["iterations"].as_u64().unwrap_or(done);
        let value = if asked == done { done.to_string() } else { format!("{done} of {asked}") };
        let loss = format!("loss {} → {}", number(first.into()), number(last.into()));
        fact("Iterations", value, loss);
    }
    if let Some(classes) = past.figures["classes"].as_str() {
        fact("Classes", classes.to_owned(), "a shard, to be joined with others".into());
    }
    let evaluating = past.seconds("evaluating").filter(|seconds| *seconds > 0.0).map(duration);
    match (past.seconds("condensing").filter(|seconds| *seconds > 0.0), evaluating) {
        (Some(making), evaluating) => {
            let training = past.seconds("training").map(duration);
            let notes = training.map(|time| format!("{time} of it training networks"));
            let evaluating = evaluating.map(|time| format!("and {time} to evaluate"));
            let notes: Vec<_> = notes.into_iter().chain(evaluating).collect();
            fact("Time", duration(making), notes.join(", "));
        }
        (None, Some(time)) => fact("Time", time, "to evaluate".into()),
        (None, None) => {}
    }
    facts
}

fn after(iteration: u32) -> String {
    format!("iteration {iteration}")
}

/// The images at the start, and those on the way; only the images if the method has no iterations.
fn galleries(past: &Past) -> Vec<Gallery> {
    let Some(images) = &past.images else { return Vec::new() };
    let mut stages = past.snapshots.clone();
    let done = past.figures["completed_iterations"].as_u64().and_then(|n| u32::try_from(n).ok());
    if let Some(done) = done {
        // A folder may hold more of them than the run has come to.
        stages.retain(|(iteration, _)| *iteration < done);
        stages.push((done, images.clone()));
    }
    let gallery = |title: &str, note: &str, stages| Gallery {
        title: title.into(),
        note: note.into(),
        stages,
    };
    let named = |(iteration, sheet): &(u32, _)| (after(*iteration), Clone::clone(sheet));
    let decoded = past.decoded.iter().map(|sheet| {
        let tiles = past.figures["settings"]["factor"].as_u64().unwrap_or_default();
        let note = format!("The images that networks see, {tiles}×{tiles} in each of the above.");
        gallery("Decoded", &note, vec![(String::new(), sheet.clone())])
    });
    let stored = match &stages[..] {
        [] => vec![gallery("Chosen", "", vec![(past.text("method").to_owned(), images.clone())])],
        [only] => vec![gallery("After", &after(only.0), vec![named(only)])],
        [first, ..] => {
            let begun = match past.figures["settings"]["init"].as_str() {
                Some("real") if first.0 == 0 => "Real images, drawn at random.",
                Some("noise") if first.0 == 0 => "Noise.",
                _ => "",
            };
            let before = gallery("Before", begun, vec![named(first)]);
            vec![before, gallery("After", "", stages.iter().map(named).collect())]
        }
    };
    stored.into_iter().chain(decoded).collect()
}

fn charts(runs: &[(String, Past)]) -> Vec<Chart> {
    let curve = |name: &str, points: Vec<Point>, noisy| Curve { name: name.into(), points, noisy };
    let losses = runs.iter().map(|(name, past)| {
        let point = |iteration, loss: f32| Point { iteration, value: loss.into(), spread: 0.0 };
        let rows = past.rows.iter();
        let points = rows.filter_map(|row| Some(point(row.iteration, row.loss?))).collect();
        curve(name, points, true)
    });
    let accuracies = runs.iter().map(|(name, past)| {
        let points = past.curve().into_iter().map(|(iteration, accuracy)| Point {
            iteration,
            value: accuracy.mean,
            spread: accuracy.std,
        });
        // A method without iterations has the same accuracy after any number of them.
        curve(name, points.collect(), false)
    });
    vec![
        Chart { title: "Loss".into(), axis: "loss".into(), span: 0.0, curves: losses.collect() },
        Chart {
            title: "Test accuracy on the way".into(),
            axis: "accuracy, %".into(),
            span: 4.0,
            curves: accuracies.collect(),
        },
    ]
}

fn lists(past: &Past) -> Vec<List> {
    let spaced = |rows: Vec<(String, String)>| {
        rows.into_iter().map(|(name, value)| (name.replace('_', " "), value)).collect()
    };
    let list = |title: &str, part| List { title: title.into(), rows: spaced(past.part(part)) };
    let mut machine = list("Machine", "adapter");
    machine.rows.push(("dm-wgpu".into(), past.text("version").to_owned()));
    vec![list("Settings", "settings"), list("Evaluation", "evaluation"), machine]
}

fn footer() -> String {
    format!("Made by dm-wgpu {}.", env!("CARGO_PKG_VERSION"))
}

/// The table by kind of network, if other kinds than the evaluation's were asked for.
fn worths(past: &Past) -> Option<Table> {
    let row = |(name, worth): (&String, &Worth)| Row {
        bar: Some((2, worth.accuracy.mean / 100.0)),
        cells: worth.cells(name).into(),
    };
    (!past.worths.is_empty()).then(|| Table {
        title: "By kind of network".into(),
        header: Worth::HEADER.map(str::to_owned).into(),
        rows: past.worths.iter().map(row).collect(),
    })
}

/// The shards that a run was joined from.
fn shards(past: &Past) -> Option<Table> {
    let shards: Vec<OfShard> = serde_json::from_value(past.figures["shards"].clone()).ok()?;
    let row = |OfShard { folder, classes, host, seconds, index, adapter }: OfShard| {
        let index = index.filter(|index| index.parse::<usize>().is_ok());
        let index = index.map(|index| format!("{index}: ")).unwrap_or_default();
        Row {
            bar: None,
            cells: vec![
                folder.display().to_string(),
                classes.to_string(),
                host.unwrap_or_else(|| "–".into()),
                format!("{index}{} ({})", adapter.name, adapter.backend),
                duration(seconds),
            ],
        }
    };
    Some(Table {
        title: "Shards".into(),
        header: ["", "classes", "machine", "adapter", "to make"].map(str::to_owned).into(),
        rows: shards.into_iter().map(row).collect(),
    })
}

/// The same for several sets: one column per kind.
fn worths_of_several(runs: &[(String, Past)]) -> Option<Table> {
    let kinds: BTreeSet<_> = runs.iter().flat_map(|(_, past)| past.worths.keys()).collect();
    let row = |(name, past): &(String, Past)| {
        let cell = |kind: &&String| match past.worths.get(*kind) {
            Some(worth) => worth.accuracy.to_string(),
            None => "–".into(),
        };
        Row { bar: None, cells: [name.clone()].into_iter().chain(kinds.iter().map(cell)).collect() }
    };
    let header = kinds.iter().map(|kind| kind.to_string());
    (!kinds.is_empty()).then(|| Table {
        title: "By kind of network".into(),
        header: [String::new()].into_iter().chain(header).collect(),
        rows: runs.iter().map(row).collect(),
    })
}

fn of_run(past: Past) -> Page {
    let tables = worths(&past).into_iter().chain(shards(&past)).collect();
    let (title, lead, facts, lists) = (title(&past), lead(&past), facts(&past), lists(&past));
    let galleries = galleries(&past);
    let commands = past.command.iter().map(|line| (String::new(), line.clone())).collect();
    let charts = charts(&[(String::new(), past)]);
    Page { title, lead, facts, tables, galleries, charts, lists, commands, footer: footer() }
}

fn of_several(title: &str, runs: &[(String, Past)]) -> Page {
    let count = |past: &Past| past.figures["images"].as_u64().unwrap_or(0);
    let seconds = |time: Option<f64>| match time {
        Some(seconds) if seconds > 0.0 => duration(seconds),
        _ => "–".into(),
    };
    let row = |(name, past): &(String, Past)| {
        let accuracy = past.accuracy();
        Row {
            bar: accuracy.as_ref().map(|accuracy| (1, accuracy.mean / 100.0)),
            cells: vec![
                name.clone(),
                accuracy.map_or_else(|| "not measured".to_owned(), |accuracy| accuracy.to_string()),
                past.over_random().unwrap_or_else(|| "–".into()),
                count(past).to_string(),
                seconds(past.seconds("condensing")),
                seconds(past.seconds("evaluating")),
            ],
        }
    };
    let header = ["", "test accuracy", "over random", "images", "to make", "to evaluate"];
    let mut accuracies = Table {
        title: "Accuracies".into(),
        header: header.map(str::to_owned).into(),
        rows: runs.iter().map(row).collect(),
    };
    if runs.iter().all(|(_, past)| past.over_random().is_none()) {
        accuracies.header.remove(2);
        accuracies.rows.iter_mut().for_each(|row| drop(row.cells.remove(2)));
    }
    let settings = Differences::of(runs);
    let header = runs.iter().map(|(name, _)| name.clone());
    let difference = |(name, values): &(String, Vec<Option<String>>)| Row {
        cells: [name.clone()]
            .into_iter()
            .chain(values.iter().map(|value| value.clone().unwrap_or_else(|| "–".into())))
            .collect(),
        bar: None,
    };
    let different = Table {
        title: "What differs".into(),
        header: [String::new()].into_iter().chain(header).collect(),
        rows: settings.different.iter().map(difference).collect(),
    };
    let gallery = |(name, past): &(String, Past)| {
        let mut gallery = galleries(past).pop()?;
        gallery.title = name.clone();
        gallery.note = past.accuracy().map(|accuracy| accuracy.to_string()).unwrap_or_default();
        Some(gallery)
    };
    Page {
        title: title.to_owned(),
        lead: format!("{} side by side.", counted(runs.len(), "set")),
        tables: [accuracies]
            .into_iter()
            .chain(worths_of_several(runs))
            .chain([different])
            .collect(),
        galleries: runs.iter().filter_map(gallery).collect(),
        charts: charts(runs),
        lists: [("In common".to_owned(), settings.common)]
            .into_iter()
            .chain(settings.of_methods.into_iter().map(|(m, rows)| (format!("Only {m}"), rows)))
            .map(|(title, rows)| List { title, rows })
            .collect(),
        commands: runs
            .iter()
            .filter_map(|(name, past)| Some((name.clone(), past.command.clone()?)))
            .collect(),
        footer: footer(),
        ..Page::default()
    }
}

#[cfg(test)]
mod tests {
    use super::duration;

    #[test]
    fn times_are_as_long_as_needed() {
        for (seconds, text) in [
            (0.04, "0.0 s"),
            (7.46, "7.5 s"),
            (59.4, "59 s"),
            (120.2, "2 min"),
            (185.0, "3 min 5 s"),
            (725.0, "12 min"),
            (12_000.0, "3 h 20 min"),
        ] {
            assert_eq!(duration(seconds), text);
        }
    }
}
