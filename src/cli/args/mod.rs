//! Flags, their defaults, and a help text from which the program can be learnt.

mod applies;
mod bench;
mod datasets;
mod doctor;
mod evaluate;
mod export;
mod given;
mod help;
mod hints;
mod lasting;
mod layers;
mod look;
mod run;
mod shard;
mod trajectories;

use std::{ffi::OsString, path::PathBuf};

use clap::{
    ArgAction, ArgMatches, ColorChoice, CommandFactory, Error, FromArgMatches, Parser, Subcommand,
    builder::{PossibleValuesParser, TypedValueParser},
    error::ErrorKind,
};
use clap_complete::Shell;
use dm_wgpu::project::{Method, Sweep, settings::BACKENDS};

use super::{dataset, say};

pub use bench::BenchArgs;
pub use datasets::DatasetsArgs;
pub use doctor::DoctorArgs;
pub use evaluate::{CompareArgs, EvaluateArgs, ShowConfigArgs};
pub use export::{ExportArgs, Format};
pub use given::{Flags, Given, Origin};
pub use lasting::LastingArgs;
pub use look::{ReportArgs, ViewArgs, Way};
pub use run::{CommonArgs, RunArgs};
pub use shard::{JoinArgs, ShardArgs};
pub use trajectories::TrajectoriesArgs;

/// Gives clap all names.
fn methods() -> impl TypedValueParser<Value = Method> {
    PossibleValuesParser::new(Method::ALL.map(Method::name))
        .map(|name| Method::named(&name).unwrap_or(Method::DM))
}

fn sweeps() -> impl TypedValueParser<Value = Sweep> {
    PossibleValuesParser::new(Sweep::ALL.map(Sweep::name)).map(|name| {
        let named = |sweep: &Sweep| sweep.name() == name;
        Sweep::ALL.into_iter().find(named).unwrap_or(Sweep::Widths)
    })
}

/// Dataset condensation by distribution matching, on any GPU: turns a labelled image set into a few
/// synthetic images per class, so that random networks embed them, on average, as they embed the real
/// images (Zhao & Bilen, WACV 2023).
// One paragraph: with a second one clap would give every flag of the help three lines.
#[derive(Debug, Parser)]
#[command(
    name = "dm-wgpu",
    // Whatever the program's file is called.
    bin_name = "dm-wgpu",
    version,
    after_help = help::RUN,
    disable_help_subcommand = true,
    subcommand_negates_reqs = true,
    override_usage = "dm-wgpu --dataset <NAME> [OPTIONS]\n       dm-wgpu --resume <DIR>\n       dm-wgpu evaluate <PATH> [OPTIONS]\n       dm-wgpu join <OUT> <SHARD>... [OPTIONS]\n       dm-wgpu compare --dataset <NAME> [OPTIONS]\n       dm-wgpu compare <RUN> <RUN>... [OPTIONS]\n       dm-wgpu view <PATH> [OPTIONS]\n       dm-wgpu report <FOLDER>\n       dm-wgpu show-config --dataset <NAME> [OPTIONS]\n       dm-wgpu bench [OPTIONS]\n       dm-wgpu export <PATH> --format <FORMAT> [OPTIONS]\n       dm-wgpu datasets [--data-dir <DIR>] [--json]\n       dm-wgpu trajectories [--remove <NAME>] [--json]\n       dm-wgpu adapters [--backend <API>]\n       dm-wgpu doctor [OPTIONS]\n       dm-wgpu completions <SHELL>\n       dm-wgpu man [DIR]",
    max_term_width = 100
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub given: Flags<{ given::RUN }>,
    #[command(flatten)]
    pub run: RunArgs,
    #[command(flatten)]
    pub shard: ShardArgs,
    /// Print JSON, one object per line: events as they happen, then the result; with --quiet only the result.
    #[arg(long, help_heading = "Machine")]
    pub json: bool,
    /// Log on stderr what the program chooses and finds, besides what RUST_LOG asks for; -vv logs more.
    #[arg(
        long, short, global = true, action = ArgAction::Count, help_heading = "Machine",
        display_order = 1000
    )]
    pub verbose: u8,
    #[command(flatten)]
    pub lasting: LastingArgs,
    /// What `--config` names, here or behind a subcommand.
    #[arg(skip)]
    pub file: Option<PathBuf>,
}

/// The program's arguments. The error also carries `--help` and `--version`, as clap has it.
pub fn parse() -> Result<Cli, Error> {
    let arguments: Vec<_> = std::env::args_os().collect();
    Cli::from_arguments(arguments.clone())
        .map_err(|error| hints::with(error, &command(), &arguments))
}

impl Cli {
    /// Whether the same arguments can be read a second time: a pipe as `--config`, as shells make of `<(…)`, is empty
    /// by then.
    pub fn can_be_read_again(&self) -> bool {
        self.file.as_ref().is_none_or(|file| file.is_file())
    }

    pub fn from_arguments<T: Into<OsString> + Clone>(
        arguments: impl IntoIterator<Item = T>,
    ) -> Result<Self, Error> {
        let arguments = arguments.into_iter().map(Into::into).collect();
        let (matches, file) = layers::parse(command, arguments)?;
        let cli = Self { file, ..Self::from_arg_matches(&matches)? };
        // One line, as clap's own refusals begin with.
        let refused = |why| Error::raw(ErrorKind::ArgumentConflict, format!("{why}\n"));
        cli.check(&matches).map_err(refused)?;
        Ok(cli)
    }

    /// A check that clap cannot do: which options go with which method.
    fn check(&self, matches: &ArgMatches) -> Result<(), String> {
        if self.quiet() && self.verbose > 0 {
            return Err("--quiet and --verbose contradict each other; leave one out".into());
        }
        if let Some(subcommand) = matches.subcommand_name() {
            applies::before_subcommand(matches, subcommand)?;
        }
        match (&self.command, matches.subcommand()) {
            (Some(Command::Compare(args)), Some((_, given))) if !args.runs.is_empty() => {
                applies::with_runs(given)
            }
            (Some(Command::Compare(args)), Some((_, given))) => {
                Self::check_dataset(&args.given)?;
                let names: Vec<_> = args.methods.iter().map(|method| method.name()).collect();
                let said = format!("--methods {}", names.join(","));
                if let Some(at) = (1..names.len()).find(|&at| names[..at].contains(&names[at])) {
                    return Err(format!("{said}: {} is there twice", names[at]));
                }
                applies::check(given, &args.methods, &said)
            }
            (Some(Command::ShowConfig(args)), _) if args.lasting.resume.is_some() => {
                Err("show-config does not resume runs: leave --resume out, and give the run's run.toml \
                     to --config"
                    .into())
            }
            (Some(Command::ShowConfig(args)), _) if args.run.ipc_file.is_some() => Err(
                "--ipc-file names classes, which show-config does not load; give a number for each \
                     class instead: --ipc 10,5,…"
                    .into(),
            ),
            (Some(Command::ShowConfig(args)), _) if args.json => {
                Err("--json does nothing with show-config, which prints TOML; leave it out".into())
            }
            (Some(Command::ShowConfig(args)), Some((_, given))) => {
                Self::check_run(&args.given, given)
            }
            (Some(_), _) => Ok(()),
            // A run that is resumed needs nothing else.
            (None, _) if self.lasting.resume.is_some() => {
                lasting::check(matches, &self.given.dataset())
            }
            (None, _) => {
                if self.shard.shard.is_some() && self.given.origin("classes") == Some(Origin::Flag)
                {
                    return Err(
                        "--shard chooses the classes, and so does --classes; leave one out".into(),
                    );
                }
                Self::check_run(&self.given, matches)
            }
        }
    }

    /// Whether a program reads the output.
    pub fn json(&self) -> bool {
        match &self.command {
            Some(Command::Evaluate(args)) => args.json,
            Some(Command::Compare(args)) => args.json,
            Some(Command::Join(args)) => args.json,
            Some(Command::Bench(args)) => args.json,
            Some(Command::Doctor(args)) => args.json,
            Some(_) => false,
            None => self.json,
        }
    }

    fn check_run(given: &Given, matches: &ArgMatches) -> Result<(), String> {
        Self::check_task(given)?;
        let method = given.method();
        if method == Method::Whole && given.no_eval() {
            return Err("--no-eval leaves nothing to do for --method whole".into());
        }
        applies::check(matches, &[method], &format!("--method {method}"))
    }

    /// Clap can't, as the data set may be in a file, and as `evaluate` and `compare` take several kinds of network.
    fn check_task(given: &Given) -> Result<(), String> {
        if given.networks().is_some_and(|kinds| kinds.len() > 1) {
            return Err("--eval-net takes one kind of network here; `dm-wgpu evaluate RUN --eval-net …` takes several".into());
        }
        Self::check_dataset(given)
    }

    fn check_dataset(given: &Given) -> Result<(), String> {
        if given.origin("dataset").is_none() {
            let names = dataset::NAMES.join(", ");
            return Err(format!("--dataset <NAME> is needed: {names}; or --config <FILE> with it"));
        }
        Ok(())
    }

    /// Whether only errors are to be printed: `--quiet` may also stand before a subcommand that has it.
    pub fn quiet(&self) -> bool {
        let own = match &self.command {
            Some(Command::Evaluate(args)) => args.common.quiet,
            Some(Command::Compare(args)) => args.run.common.quiet,
            Some(Command::Bench(args)) => args.quiet,
            Some(Command::Doctor(args)) => args.quiet,
            Some(Command::Join(args)) => args.quiet,
            Some(Command::Export(args)) => args.quiet,
            Some(Command::View(args)) => args.quiet,
            Some(Command::Report(args)) => args.quiet,
            // These commands print only what was asked for.
            Some(_) => return false,
            None => false,
        };
        own || self.run.common.quiet
    }
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the data sets that have names, and which of them are on this machine.
    Datasets(DatasetsArgs),
    /// List the trained networks that --method trajectory keeps in the cache, or remove them.
    Trajectories(TrajectoriesArgs),
    /// List the adapters (GPUs, and CPUs that act as one), best first, with what they can do.
    Adapters {
        /// List only the adapters of this graphics API.
        #[arg(long, value_name = "API", value_parser = PossibleValuesParser::new(BACKENDS))]
        backend: Option<String>,
    },
    /// Check that adapters and their drivers compute correctly; the output can go into a bug report.
    Doctor(DoctorArgs),
    /// Measure the accuracy of a set: train networks on it, test them on real images.
    Evaluate(Box<EvaluateArgs>),
    /// Join the shards of a run, or those of an evaluation.
    Join(JoinArgs),
    /// Run several methods with one seed and compare their accuracies; or compare finished runs.
    Compare(Box<CompareArgs>),
    /// Print every setting of a run with these options, and where each comes from, as a file for
    /// --config.
    ShowConfig(Box<ShowConfigArgs>),
    /// Measure how long the work takes on this machine, kernel by kernel, on made-up images.
    Bench(Box<BenchArgs>),
    /// Write a set for other programs: NumPy, PyTorch, safetensors, a folder of pictures.
    Export(Box<ExportArgs>),
    /// Print a script that completes this program's arguments in a shell.
    #[command(after_help = help::COMPLETIONS)]
    Completions { shell: Shell },
    /// Print this program's manual page, or write the pages of all subcommands.
    Man {
        /// Folder for dm-wgpu.1, dm-wgpu-evaluate.1 and the others.
        #[arg(value_name = "DIR")]
        folder: Option<PathBuf>,
    },
    /// Show a set in the terminal.
    View(ViewArgs),
    /// Write report.html, the page of a run or a comparison, again.
    Report(ReportArgs),
}

const ONE_ADAPTER: &str =
    "The adapter: part of its name, or its index in `dm-wgpu adapters` [default: the best]";

/// Help for flags that a subcommand shares with runs but that mean something else there.
const OTHERWISE: [(&str, &str, &str); 13] = [
    ("bench", "adapter", ONE_ADAPTER),
    ("compare", "adapter", ONE_ADAPTER),
    (
        "evaluate",
        "dataset",
        "The data set whose test images are used; needed if the set does not say what it was made from",
    ),
    ("evaluate", "seed", "Seed of everything random [default: 0]"),
    ("evaluate", "quiet", "Print only errors and the result"),
    (
        "evaluate",
        "eval_net",
        "Kinds of network to train, joined by comma, with the names that --net of a run has; bn: all with batch \
         norm; all: the published ones without it [default: as in the run, else as the set was made with, else convnet]",
    ),
    ("evaluate", "eval_epochs", "Epochs that each network is trained for [default: 300]"),
    (
        "evaluate",
        "eval_width",
        "Channels of each convolution of a ConvNet [default: as in the run, else as the set was made \
         with, else 128]",
    ),
    (
        "evaluate",
        "eval_depth",
        "Blocks of a ConvNet, 1 to 5 [default: as in the run, else as the set was made with, else 3; 4 for \
         images of 64×64 and larger]",
    ),
    (
        "evaluate",
        "eval_augment",
        "Augmentations, one of which is drawn for each training step; idc uses all [default: all that suit the \
         data set; idc: without cutout]",
    ),
    (
        "export",
        "dataset",
        "The data set whose classes and normalisation the set has, if the set does not say",
    ),
    ("compare", "quiet", "Print only errors and the result"),
    (
        "compare",
        "out",
        "Folder for the results, new or empty [default: a new one, e.g. \
         runs/compare-mnist-ipc10-seed0]",
    ),
];

/// All that clap knows of the program.
pub fn command() -> clap::Command {
    let colours = if say::dumb() { ColorChoice::Never } else { ColorChoice::Auto };
    let command = Cli::command().color(colours);
    let command = OTHERWISE.into_iter().fold(command, |command, (subcommand, id, help)| {
        command.mut_subcommand(subcommand, |command| command.mut_arg(id, |arg| arg.help(help)))
    });
    // Defined there only so that its refusal can say what to do.
    command.mut_subcommand("show-config", |command| command.mut_arg("resume", |arg| arg.hide(true)))
}

#[cfg(test)]
mod tests;
