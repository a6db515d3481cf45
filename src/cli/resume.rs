//! `--resume`: resumes a run, or a series of runs, from its folder.

use std::path::Path;

use dm_wgpu::project::{self, Changes, Resumed, report_of};

use super::{
    args::Cli,
    console::Console,
    failure::Failure,
    run::{told, told_together},
    screen::{Screen, done},
};

/// Resumes and returns the exit code.
pub fn run(dir: &Path, cli: &Cli, console: Console) -> Result<u8, Failure> {
    let given = &cli.given;
    let changes = Changes {
        iterations: given.get("iterations"),
        data_dir: given.data_dir.clone(),
        submit_target: given.get("submit_target"),
        memory_budget: given.get("memory_budget"),
        dataset: given.get("dataset"),
        adapter: given.get("adapter"),
    };
    let screen = &mut Screen::new(console);
    match project::resume(dir, &changes, cli.lasting.checkpoint_every, screen)? {
        Resumed::One(ran) => told(*ran, &console),
        Resumed::Several(repeated) => told_together(&repeated, &console),
        Resumed::Finished(record) => {
            let said = format!("{} is finished: {}", dir.display(), done(&record));
            match console.json() {
                true => console.result(&said, &report_of(dir))?,
                false => console.say(&said),
            }
            Ok(0)
        }
    }
}
