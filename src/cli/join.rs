//! `dm-wgpu join`: puts the shards of a run, or of an evaluation, together.

use std::path::Path;

use serde::Serialize;

use dm_wgpu::project::{
    self, Accuracies, Figures,
    words::{counted, how},
};

use super::{
    args::JoinArgs,
    commands::again,
    console::Console,
    failure::{Failure, INTERRUPTED},
    run::summary,
    screen::Screen,
};

/// What `--json` prints.
#[derive(Serialize)]
struct Answer<'a> {
    folder: &'a Path,
    #[serde(flatten)]
    figures: &'a Figures,
}

pub fn run(args: &JoinArgs, console: Console) -> Result<u8, Failure> {
    let JoinArgs { out, shards, evaluate, .. } = args;
    if shards.iter().all(|shard| shard.is_file()) {
        return accuracies(args, console);
    }
    let mut joined = project::join(out, shards).map_err(|error| match error {
        // Here the folder is no --out.
        project::Error::Place { path, fault, .. } => {
            Failure::Usage(format!("{}: {fault}", path.display()))
        }
        other => other.into(),
    })?;
    if joined.is_mixed() {
        console.warn(
            "the shards ran on different devices or drivers: bits may differ from those of a run on one device",
        );
    }
    let of = counted(joined.shards().len(), "shard");
    let there = if joined.again { ", which were joined before" } else { "" };
    console.say(&format!("joined    {of}{there}"));
    if *evaluate && joined.evaluate(&mut Screen::new(console))?.is_none() {
        let by = if joined.figures.accuracy.is_some() { " by the other protocol" } else { "" };
        let told = format!("interrupted: the accuracy{by} was not measured\n{}", again());
        console.interrupted(&told);
        return Ok(INTERRUPTED);
    }
    let answer = Answer { folder: &joined.folder, figures: &joined.figures };
    console.summary(&summary(&joined.figures, &joined.folder), &answer)?;
    Ok(0)
}

/// Of the networks of an evaluation.
fn accuracies(args: &JoinArgs, console: Console) -> Result<u8, Failure> {
    let JoinArgs { out, shards, evaluate, .. } = args;
    if *evaluate {
        return Err(Failure::Usage(
            "--evaluate: the files hold accuracies already; leave it out".into(),
        ));
    }
    let joined = Accuracies::join(shards)?;
    // The same again is no harm; anything else is not overwritten.
    if out.exists() && Accuracies::read(out).ok().as_ref() != Some(&joined) {
        let why = "the file exists already; name a new one, nothing is overwritten";
        return Err(Failure::Usage(format!("{}: {why}", out.display())));
    }
    joined.write(out)?;
    let text = format!(
        "accuracy  {} ({}, {}, {:.1} seconds)\nfigures   {}",
        joined.accuracy,
        counted(joined.images, "image"),
        how(&joined.settings),
        joined.seconds,
        out.display()
    );
    console.summary(&text, &joined)?;
    Ok(0)
}
