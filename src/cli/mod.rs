//! The command line: from arguments to an exit code (0 done, 1 failed, 2 wrong request, 130 interrupted).

mod adapters;
mod args;
mod asked;
mod bench;
mod columns;
mod commands;
mod compare;
mod config;
mod console;
mod dataset;
mod datasets;
mod doctor;
mod downloads;
mod environment;
mod evaluate;
mod events;
mod export;
mod failure;
mod interrupt;
mod ipc_file;
mod join;
#[cfg(any(test, fuzzing))]
pub mod loaders;
mod logs;
mod manual;
mod pace;
mod progress;
mod report;
mod resume;
mod run;
mod say;
mod screen;
mod show_config;
mod side_by_side;
mod trajectories;
mod values;
mod view;

use std::process::ExitCode;

use args::Command;
use console::Console;
use events::Event;

/// What `dm-wgpu` without arguments prints: enough to begin with, not the whole help.
const SHORT_HELP: &str = "\
dm-wgpu condenses a labelled image set into a few synthetic images per class, on any GPU.

  dm-wgpu --dataset mnist           10 images per class, into runs/mnist-ipc10-seed0
  dm-wgpu --resume DIR              resumes a run that was stopped
  dm-wgpu evaluate PATH             the accuracy of a set
  dm-wgpu compare --dataset mnist   condensed images beside chosen ones
  dm-wgpu export RUN --format pt    a set for PyTorch, for NumPy, as pictures
  dm-wgpu view PATH                 the images of a set, in the terminal
  dm-wgpu datasets                  the data sets, and which are on this machine
  dm-wgpu adapters                  the GPUs that dm-wgpu can run on
  dm-wgpu --help                    everything else";

pub fn run() -> ExitCode {
    if std::env::args_os().len() <= 1 {
        say::err(SHORT_HELP);
        return ExitCode::from(2);
    }
    let cli = match args::parse() {
        Ok(cli) => cli,
        // `--help` and `--version` arrive here too. A reader that closed the pipe has read enough.
        Err(stop) => {
            let _ = stop.print();
            return ExitCode::from(u8::try_from(stop.exit_code()).unwrap_or(2));
        }
    };
    logs::listen(cli.quiet(), cli.verbose, cli.json());
    if cli.can_be_read_again() {
        environment::prepare();
    }
    interrupt::survive_file_limits();
    let console = Console::new(cli.quiet()).with_json(cli.json());
    let outcome = match &cli.command {
        Some(Command::Adapters { backend }) => adapters::list(backend.as_deref()),
        Some(Command::Doctor(args)) => doctor::run(args, console),
        Some(Command::Datasets(args)) => datasets::list(args),
        Some(Command::Trajectories(args)) => trajectories::run(args),
        Some(Command::Evaluate(args)) => evaluate::run(args, console),
        Some(Command::Compare(args)) if !args.runs.is_empty() => side_by_side::run(args, console),
        Some(Command::Compare(args)) => compare::run(args, console),
        Some(Command::ShowConfig(args)) => show_config::run(args),
        Some(Command::Bench(args)) => bench::run(args, console),
        Some(Command::Join(args)) => join::run(args, console),
        Some(Command::Export(args)) => export::run(args, console),
        Some(Command::Completions { shell }) => manual::completions(*shell),
        Some(Command::Man { folder }) => manual::pages(folder.as_deref(), console),
        Some(Command::View(args)) => view::run(args, console),
        Some(Command::Report(args)) => report::run(args, cli.quiet()),
        None => match &cli.lasting.resume {
            Some(dir) => resume::run(dir, &cli, console),
            None => run::run(&cli, console),
        },
    };
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            say::err(&format!("error: {failure}"));
            if cli.json() {
                Event::Error { message: &failure.to_string(), exit_code: failure.code() }.tell();
            }
            ExitCode::from(failure.code())
        }
    }
}
