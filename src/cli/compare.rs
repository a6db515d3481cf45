//! `dm-wgpu compare`: several methods with one seed, one table.

use std::path::Path;

use dm_wgpu::{
    Architecture, Matching, Subject,
    project::{self, Comparison, Method, OutputFolder, files, words::quoted},
};

use super::{
    args::{CompareArgs, Given},
    asked,
    columns::columns,
    commands::{again, repeating, resuming},
    console::Console,
    failure::{Failure, INTERRUPTED},
    ipc_file,
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
    let given = &ipc_file::over(given, args.run.ipc_file.as_deref(), &setup.dataset)?;
    let records: Vec<_> =
        methods.iter().map(|&method| asked::record(given, method, &*setup.dataset)).collect();
    let ipc = given.settings(Subject::named(&given.dataset()), Matching::Dm).ipc;
    let others = given.networks().unwrap_or_default();
    let others = others.get(1..).unwrap_or_default();
    let compared = project::compare(&setup, &records, ipc, others, out, screen)?;
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
            console.say(&go_on(table, folder, given));
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

/// The commands that complete the comparison: a run that has begun is resumed, a set that lacks kinds of network is
/// evaluated by them, the other methods are compared anew.
fn go_on(table: &Comparison, folder: &Path, given: &Given) -> String {
    let all = given.networks().unwrap_or_default();
    let nets = all.get(1..).unwrap_or_default();
    let both = given.protocols().len() > 1;
    let missing = table.methods.iter().filter(|row| row.accuracy.is_none());
    let (begun, others): (Vec<_>, Vec<_>) = missing.partition(|row| row.folder.is_some());
    let mut commands: Vec<_> = begun.iter().map(|row| resuming(&folder.join(row.method))).collect();
    let partly = table.methods.iter().filter(|row| row.accuracy.is_some() && row.images.is_some());
    commands.extend(partly.filter_map(|row| {
        let lacks = |kind: &str| !row.architectures.contains_key(kind);
        let of = quoted(&folder.join(row.method).to_string_lossy());
        if both {
            // The first was measured, but evaluates once more.
            let nets: Vec<_> = all.iter().map(Architecture::to_string).collect();
            let nets = match &nets[..] {
                [] => String::new(),
                nets => format!(" --eval-net {}", quoted(&nets.join(","))),
            };
            let command = format!("dm-wgpu evaluate {of}{nets} --protocol both");
            return table.networks.iter().any(|kind| lacks(kind)).then_some(command);
        }
        let left = nets.iter().filter(|net| lacks(&net.label()));
        let left: Vec<_> = left.map(Architecture::to_string).collect();
        let nets = quoted(&left.join(","));
        (!left.is_empty()).then(|| format!("dm-wgpu evaluate {of} --eval-net {nets}"))
    }));
    if commands.is_empty() && others.is_empty() {
        // Only random images were not measured, which one of the sets tells of all.
        let set = table.methods.iter().find(|row| row.folder.is_some());
        commands.extend(set.map(|row| {
            format!("dm-wgpu evaluate {}", quoted(&folder.join(row.method).to_string_lossy()))
        }));
    }
    if !others.is_empty() {
        let names: Vec<_> = others.iter().map(|row| row.method).collect();
        let words = std::env::args().skip(1);
        let command = repeating(words, &["--methods", "--out"]);
        commands.push(format!("{command} --methods {}", names.join(",")));
    }
    format!("go on     {}", commands.join("\n          "))
}

/// For the terminal.
fn plain(table: &Comparison) -> String {
    let rows = table.methods.iter().map(|row| row.cells(&table.networks));
    columns(&[table.header()].into_iter().chain(rows).collect::<Vec<_>>())
}
