//! Makes the contents of `report.html` for one run, or for several side by side: from figures,
//! tables and images it builds a `report::Page`, which `report/page` draws.

mod parts;

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use super::{
    Baseline, Differences, Error, FolderFault, Past, Result,
    baseline::points,
    files::{COMPARISON, FIGURES, PAGE, SEEDS, are_several, text_of},
    repeats::{Repeats, over},
    words::counted,
};
use crate::{
    Accuracy, Error as Failure,
    report::{self, Fact, List, Page, Row, Table},
};

use parts::{
    charts, duration, facts, footer, galleries, lead, lists, shards, title, worths,
    worths_of_several,
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
        let place = folder.join(own);
        if !place.exists() {
            return Err(wrong(&format!("{} is not there any more", place.display())).into());
        }
        let mut past = Past::read(&place)?;
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
    if let Some(judges) = Past::judges(runs) {
        accuracies.header.push("judged by".into());
        accuracies.rows.iter_mut().zip(judges).for_each(|(row, by)| row.cells.push(by));
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
