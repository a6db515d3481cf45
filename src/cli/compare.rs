//! `dm-wgpu compare`: several methods with one seed, one table.

use std::path::Path;

use dm_wgpu::{
    Matching, Subject,
    project::{self, Comparison, Method, OutputFolder, Row, files},
};

use super::{
    args::{CompareArgs, Given},
    asked,
    commands::{again, repeating, resuming},
    console::Console,
    failure::{Failure, INTERRUPTED},
    run::open,
    screen::Screen,
};

pub fn run(args: &CompareArgs, console: Console) -> Result<u8, Failure> {
    let (given, out): (&Given, _) = (&args.given, args.run.out.as_deref());
    let mut methods: Vec<Method> = Vec::new();
    for &method in &args.methods {
        if !methods.contains(&method) {
            methods.push(method);
        }
    }
    OutputFolder::check_for(out, &given.dataset())?;
    let screen = &mut Screen::new(console);
    let setup = open(given, screen)?;
    let records: Vec<_> =
        methods.iter().map(|&method| asked::record(given, method, &*setup.dataset)).collect();
    let ipc = given.settings(Subject::named(&given.dataset()), Matching::Dm).ipc;
    let compared = project::compare(&setup, &records, ipc, out, screen)?;
    let Some(compared) = compared else {
        console.interrupted(&format!("interrupted before there were results\n{}", again()));
        return Ok(INTERRUPTED);
    };
    let (table, folder) = (&compared.table, &compared.folder);
    if !args.json {
        console.say("");
    }
    // In quiet mode too: it is what was asked for.
    let note = table.note().map(|note| format!("\n\n{note}")).unwrap_or_default();
    console.result(&format!("{}{note}", plain(table)), table)?;
    if !args.json {
        console.say(&format!("table     {}", folder.join(files::COMPARISON_TABLE).display()));
        console.say(&format!("page      {}", compared.page.display()));
        if table.interrupted {
            console.say(&go_on(table, folder));
        }
    }
    let failures = compared.failures.len();
    match (table.interrupted, compared.failures.into_iter().next()) {
        (true, _) => Ok(INTERRUPTED),
        (false, Some(failure)) => Err(Failure::Failed(format!(
            "{failures} of {} methods failed, the first with: {}",
            methods.len(),
            Failure::from(failure)
        ))),
        (false, None) => Ok(0),
    }
}

/// How what is missing is made: a run that began by resuming it, the others by a comparison of their own.
fn go_on(table: &Comparison, folder: &Path) -> String {
    let missing = table.methods.iter().filter(|row| row.accuracy.is_none());
    let (begun, others): (Vec<_>, Vec<_>) = missing.partition(|row| row.folder.is_some());
    let mut commands: Vec<_> = begun.iter().map(|row| resuming(&folder.join(row.method))).collect();
    if !others.is_empty() {
        let names: Vec<_> = others.iter().map(|row| row.method).collect();
        let words = std::env::args().skip(1);
        let command = repeating(words, &["--methods", "--out"]);
        commands.push(format!("{command} --methods {}", names.join(",")));
    }
    format!("go on     {}", commands.join("\n          "))
}

/// For the terminal: columns under each other.
fn plain(table: &Comparison) -> String {
    let mut rows = vec![Comparison::HEADER.map(str::to_owned)];
    rows.extend(table.methods.iter().map(Row::cells));
    let mut widths = [0; 5];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let line = |row: &[String; 5]| {
        let [first, ..] = widths;
        let rest = row.iter().zip(widths).skip(1);
        let rest: String = rest.map(|(cell, width)| format!("  {cell:>width$}")).collect();
        format!("{:<first$}{rest}", row[0]).trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}
