//! `dm-wgpu compare RUN RUN ...`: runs that have ended, in one table and on one page.

use std::{collections::BTreeMap, path::PathBuf};

use serde::Serialize;

use dm_wgpu::{
    Accuracy,
    project::{
        Baseline, Differences, OutputFolder, Past,
        files::{COMPARISON, write_json},
        page,
        words::counted,
    },
    report::printable,
};

use super::{args::CompareArgs, columns::columns, console::Console, failure::Failure};

/// `compare.json`, and what `--json` prints.
#[derive(Serialize)]
struct Answer<'a> {
    version: &'static str,
    runs: Vec<Run<'a>>,
    /// Settings that are not the same in all runs, a value for each of them; null if it has none.
    different: BTreeMap<&'a str, &'a [Option<String>]>,
    /// Settings that all runs share.
    common: BTreeMap<&'a str, &'a str>,
    /// Settings that all runs of some methods share and no other run has, by those methods.
    of_methods: BTreeMap<&'a str, BTreeMap<&'a str, &'a str>>,
}

#[derive(Serialize)]
struct Run<'a> {
    name: &'a str,
    folder: PathBuf,
    dataset: &'a str,
    method: &'a str,
    images: Option<u64>,
    /// In per cent; null if it was not measured.
    accuracy: Option<Accuracy>,
    /// What random images of equal storage reach, if it was measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    baseline: Option<Baseline>,
    seconds: &'a serde_json::Value,
}

pub fn run(args: &CompareArgs, console: Console) -> Result<u8, Failure> {
    let out = args.run.out.as_deref();
    OutputFolder::check(out)?;
    let runs = named(&args.runs)?;
    let settings = Differences::of(&runs);
    let answer = Answer {
        version: env!("CARGO_PKG_VERSION"),
        runs: runs.iter().map(|(name, past)| Run::of(name, past)).collect(),
        different: settings.different.iter().map(|(name, v)| (name.as_str(), &v[..])).collect(),
        common: by_name(&settings.common),
        of_methods: settings.of_methods.iter().map(|(m, own)| (m.as_str(), by_name(own))).collect(),
    };
    let mut folder = OutputFolder::reserve(out, "compare", &mut ())?;
    let page = page::write_comparison(
        &format!("{} compared", counted(runs.len(), "run")),
        &runs,
        folder.path(),
    )?;
    folder.keep();
    write_json(&answer, &folder.path().join(COMPARISON))?;
    // In quiet mode too: it is what was asked for.
    console.result(&tables(&runs, &settings), &answer)?;
    if !args.json {
        console.say(&format!("page      {}", page.display()));
    }
    Ok(0)
}

fn by_name(settings: &[(String, String)]) -> BTreeMap<&str, &str> {
    settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

/// The runs in these folders, each with a name of its own. All must have ended.
fn named(folders: &[PathBuf]) -> Result<Vec<(String, Past)>, Failure> {
    if folders.len() < 2 {
        return Err(Failure::Usage(
            "compare needs two runs or more, or --dataset NAME to run several methods".into(),
        ));
    }
    let pasts = folders.iter().map(|folder| Past::read(folder)).collect::<Result<Vec<_>, _>>()?;
    if let Some(past) = pasts.iter().find(|past| past.interrupted()) {
        return Err(Failure::Failed(format!(
            "{}: this run was interrupted, so its figures are not those of its settings; compare \
             finished runs",
            past.folder.display()
        )));
    }
    let short: Vec<_> = pasts.iter().map(Past::name).collect();
    let name = |past: &Past| {
        let name = past.name();
        match short.iter().filter(|other| **other == name).count() {
            1 => name,
            _ => past.folder.display().to_string(),
        }
    };
    Ok(pasts.into_iter().map(|past| (name(&past), past)).collect())
}

impl<'a> Run<'a> {
    fn of(name: &'a str, past: &'a Past) -> Self {
        Self {
            name,
            // Absolute, so that the folders can be found from anywhere.
            folder: std::fs::canonicalize(&past.folder).unwrap_or_else(|_| past.folder.clone()),
            dataset: past.text("dataset"),
            method: past.text("method"),
            images: past.figures["images"].as_u64(),
            accuracy: past.accuracy(),
            baseline: past.baseline(),
            seconds: &past.figures["seconds"],
        }
    }
}

/// For the terminal: accuracies, and below them what differs.
fn tables(runs: &[(String, Past)], settings: &Differences) -> String {
    let seconds = |time: Option<f64>| match time {
        Some(seconds) if seconds > 0.0 => format!("{seconds:.1}"),
        _ => String::new(),
    };
    let header = ["run", "accuracy", "over random", "images", "to make (s)", "to evaluate (s)"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    rows.extend(runs.iter().map(|(name, past)| {
        vec![
            printable(name).into_owned(),
            past.accuracy().map_or_else(|| "not measured".into(), |accuracy| accuracy.to_string()),
            past.over_random().unwrap_or_default(),
            past.figures["images"].to_string(),
            seconds(past.seconds("condensing")),
            seconds(past.seconds("evaluating")),
        ]
    }));
    if runs.iter().all(|(_, past)| past.over_random().is_none()) {
        rows.iter_mut().for_each(|row| drop(row.remove(2)));
    }
    if let Some(judges) = Past::judges(runs) {
        let column = ["judged by".to_owned()].into_iter().chain(judges);
        rows.iter_mut().zip(column).for_each(|(row, by)| row.push(by));
    }
    let mut text = columns(&rows);
    if !settings.different.is_empty() {
        let names = runs.iter().map(|(name, _)| printable(name).into_owned());
        let mut rows = vec![["differs".to_owned()].into_iter().chain(names).collect::<Vec<_>>()];
        rows.extend(settings.different.iter().map(|(name, values)| {
            let values = values.iter().map(|value| value.clone().unwrap_or_else(|| "-".into()));
            [name.clone()].into_iter().chain(values).collect()
        }));
        text += "\n\n";
        text += &columns(&rows);
    }
    text
}
