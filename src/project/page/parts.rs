//! What a page shows of each run: sentences, facts, images, curves and tables.

use indexmap::IndexSet;

use crate::{
    EvaluationSettings, Settings,
    project::{
        Past, Worth,
        figures::Losses,
        record::OfShard,
        words::{ONLY_IN_ORDER, counted, how, in_order, number},
    },
    report::{Chart, Curve, Fact, Gallery, List, Point, Row, Table},
};

/// `glyphs, 10 images per class`.
pub(super) fn title(past: &Past) -> String {
    match past.each_class() {
        Some(each) if each == "1" => format!("{}, 1 image per class", past.text("dataset")),
        Some(each) => format!("{}, {each} images per class", past.text("dataset")),
        None => past.text("dataset").to_owned(),
    }
}

pub(super) fn lead(past: &Past) -> String {
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
pub(super) fn iterations(past: &Past, done: u64) -> String {
    match past.figures["settings"]["iterations"].as_u64() {
        Some(asked) if asked != done => format!("{done} of {asked} iterations"),
        _ => counted(done as usize, "iteration"),
    }
}

/// `7.5 s`, `3 min 5 s`, `12 min`, `3 h 20 min`.
pub(super) fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        0..10 => format!("{seconds:.1} s"),
        10..60 => format!("{whole} s"),
        60..600 if !whole.is_multiple_of(60) => format!("{} min {} s", whole / 60, whole % 60),
        60..3600 => format!("{} min", whole / 60),
        _ => format!("{} h {} min", whole / 3600, whole / 60 % 60),
    }
}

pub(super) fn facts(past: &Past) -> Vec<Fact> {
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

pub(super) fn after(iteration: u32) -> String {
    format!("iteration {iteration}")
}

/// The images at the start, and those on the way; only the images if the method has no iterations.
pub(super) fn galleries(past: &Past) -> Vec<Gallery> {
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

pub(super) fn charts(runs: &[(String, Past)]) -> Vec<Chart> {
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

pub(super) fn lists(past: &Past) -> Vec<List> {
    let spaced = |rows: Vec<(String, String)>| {
        rows.into_iter().map(|(name, value)| (name.replace('_', " "), value)).collect()
    };
    let list = |title: &str, part| List { title: title.into(), rows: spaced(past.part(part)) };
    let mut machine = list("Machine", "adapter");
    machine.rows.push(("dm-wgpu".into(), past.text("version").to_owned()));
    vec![list("Settings", "settings"), list("Evaluation", "evaluation"), machine]
}

pub(super) fn footer() -> String {
    format!("Made by dm-wgpu {}.", env!("CARGO_PKG_VERSION"))
}

/// The table by kind of network, if other kinds than the evaluation's were asked for.
pub(super) fn worths(past: &Past) -> Option<Table> {
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
pub(super) fn shards(past: &Past) -> Option<Table> {
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
pub(super) fn worths_of_several(runs: &[(String, Past)]) -> Option<Table> {
    let all = || runs.iter().flat_map(|(_, past)| &past.worths);
    let kinds: IndexSet<_> = all().map(|(kind, _)| kind).collect();
    let alike = all().map(|(_, worth)| worth.trained()).collect::<IndexSet<_>>().len() == 1;
    let row = |(name, past): &(String, Past)| {
        let cell = |kind: &&String| match past.worths.get(*kind) {
            Some(worth) if alike => worth.accuracy.to_string(),
            // Networks × epochs, which accuracies depend on.
            Some(worth) => format!("{} ({})", worth.accuracy, worth.trained()),
            None => "–".into(),
        };
        Row { bar: None, cells: [name.clone()].into_iter().chain(kinds.iter().map(cell)).collect() }
    };
    let header = kinds.iter().map(|kind| kind.to_string());
    let title = if alike { "By kind of network" } else { "By kind of network (nets × epochs)" };
    (!kinds.is_empty()).then(|| Table {
        title: title.into(),
        header: [String::new()].into_iter().chain(header).collect(),
        rows: runs.iter().map(row).collect(),
    })
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
