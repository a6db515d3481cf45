//! `dm-wgpu trajectories`: lists the trajectories of networks that runs have left in the cache, and removes them.

use dm_wgpu::project::{
    KeptTrajectory, kept_trajectories, trajectory_folder,
    words::{counted, memory_text, network},
};

use super::{args::TrajectoriesArgs, columns::columns, failure::Failure, say};

pub fn run(args: &TrajectoriesArgs) -> Result<u8, Failure> {
    let all = kept_trajectories()?;
    let (shown, removes) = match &args.remove {
        None => (all, false),
        Some(name) => (named(name, all)?, true),
    };
    if removes {
        shown.iter().try_for_each(KeptTrajectory::remove)?;
    }
    let said = match (args.json, removes) {
        (true, _) => {
            let text = serde_json::to_string(&shown);
            say::json(&text.map_err(|error| Failure::Failed(format!("JSON: {error}")))?)
        }
        (false, true) => {
            let bytes = memory_text(shown.iter().map(|kept| kept.bytes).sum());
            let many = counted(shown.len(), "network");
            say::out(&format!("removed   the trajectories of {many}, {bytes}"))
        }
        (false, false) => say::out(&for_people(&shown)),
    };
    said.map(|()| 0).map_err(|error| Failure::Failed(format!("stdout: {error}")))
}

/// Those that a name means.
fn named(name: &str, all: Vec<KeptTrajectory>) -> Result<Vec<KeptTrajectory>, Failure> {
    if name == "all" {
        return Ok(all);
    }
    let known: Vec<_> = all.iter().map(|kept| kept.name.clone()).collect();
    match all.into_iter().find(|kept| kept.name == name) {
        Some(kept) => Ok(vec![kept]),
        None if known.is_empty() => {
            Err(Failure::Usage(format!("--remove {name}: there are no trajectories; leave it out")))
        }
        None => Err(Failure::Usage(format!(
            "--remove {name}: there is no such trajectory; possible are all, {}",
            known.join(", ")
        ))),
    }
}

/// The table, and where they are.
fn for_people(all: &[KeptTrajectory]) -> String {
    let place = match trajectory_folder() {
        Some(folder) => format!("Kept in {}.", folder.display()),
        None => {
            "Kept nowhere: there is no home folder. Set XDG_CACHE_HOME to a folder for the cache."
                .to_owned()
        }
    };
    if all.is_empty() {
        return format!("No trajectories: --method trajectory makes them.\n\n{place}");
    }
    let head = ["NAME", "DATA SET", "NETWORK", "SEED", "EPOCHS", "SECONDS", "SIZE"];
    let rows = [head.map(str::to_owned).to_vec()].into_iter().chain(all.iter().map(row));
    let total = memory_text(all.iter().map(|kept| kept.bytes).sum());
    let table = columns(&rows.collect::<Vec<_>>());
    format!("{table}\n\nIn all {total}. Remove them with --remove NAME, or --remove all.\n{place}")
}

fn row(kept: &KeptTrajectory) -> Vec<String> {
    let KeptTrajectory { name, about, snapshots, bytes, .. } = kept;
    // The first is of the network before its training.
    let done = snapshots.saturating_sub(1);
    let mut cells = vec![name.clone()];
    match about {
        Some(about) => {
            let settings = &about.settings;
            let epochs = match settings.epochs {
                all if all == done => done.to_string(),
                all => format!("{done} of {all}"),
            };
            cells.extend([
                about.dataset.clone(),
                network(&settings.net, settings.width, settings.depth),
                settings.seed.to_string(),
                epochs,
                format!("{:.1}", about.seconds),
            ]);
        }
        None => cells.extend(["?", "?", "?", &done.to_string(), "?"].map(str::to_owned)),
    }
    cells.push(memory_text(*bytes));
    cells
}
