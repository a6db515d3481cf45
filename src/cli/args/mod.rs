//! Flags, their defaults and the help that a person can learn the program from.

mod applies;
mod bench;
mod datasets;
mod doctor;
mod evaluate;
mod export;
mod help;
mod hints;
mod lasting;
mod layers;
mod look;
mod run;

use std::{ffi::OsString, path::PathBuf};

use clap::{
    ArgAction, ArgMatches, ColorChoice, CommandFactory, Error, FromArgMatches, Parser, Subcommand,
    builder::{PossibleValuesParser, TypedValueParser},
    error::ErrorKind,
};
use clap_complete::Shell;
use dm_wgpu::{Kernels, Precision, project::Method};

use super::say;

pub use bench::BenchArgs;
pub use datasets::DatasetsArgs;
pub use doctor::DoctorArgs;
pub use evaluate::{CompareArgs, EvalArgs, EvaluateArgs, ShowConfigArgs};
pub use export::{ExportArgs, Format};
pub use lasting::LastingArgs;
pub use layers::{LayerArgs, Origin, Origins};
pub use look::{ReportArgs, ViewArgs, Way};
pub use run::{MachineArgs, MethodArgs, PictureArgs, RunArgs};

const BACKENDS: [&str; 4] = ["vulkan", "metal", "dx12", "gl"];

/// For clap, which then knows all names.
fn kernels() -> impl TypedValueParser<Value = Kernels> {
    PossibleValuesParser::new(Kernels::ALL.map(Kernels::name)).map(|name| {
        // clap has let no other name through.
        Kernels::ALL.into_iter().find(|kernels| kernels.name() == name).unwrap_or(Kernels::Plain)
    })
}

fn precision() -> impl TypedValueParser<Value = Precision> {
    PossibleValuesParser::new(Precision::ALL.map(Precision::name))
        .map(|name| Precision::ALL.into_iter().find(|of| of.name() == name).unwrap_or_default())
}

fn methods() -> impl TypedValueParser<Value = Method> {
    PossibleValuesParser::new(Method::ALL.map(Method::name))
        .map(|name| Method::named(&name).unwrap_or(Method::Dm))
}

/// Dataset condensation by distribution matching, on any GPU: turns a labelled image set into a few
/// synthetic images per class, made so that random networks see in them, on average, what they see in
/// the real ones (Zhao & Bilen, WACV 2023).
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
    override_usage = "dm-wgpu --dataset <NAME> [OPTIONS]\n       dm-wgpu --resume <DIR>\n       dm-wgpu evaluate <PATH> [OPTIONS]\n       dm-wgpu compare --dataset <NAME> [OPTIONS]\n       dm-wgpu compare <RUN> <RUN>... [OPTIONS]\n       dm-wgpu view <PATH> [OPTIONS]\n       dm-wgpu report <FOLDER>\n       dm-wgpu show-config --dataset <NAME> [OPTIONS]\n       dm-wgpu bench [OPTIONS]\n       dm-wgpu export <PATH> --format <FORMAT> [OPTIONS]\n       dm-wgpu datasets [--data-dir <DIR>] [--json]\n       dm-wgpu adapters [--backend <API>]\n       dm-wgpu doctor [OPTIONS]\n       dm-wgpu completions <SHELL>\n       dm-wgpu man [DIR]",
    max_term_width = 100
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub run: RunArgs,
    #[command(flatten)]
    pub method: MethodArgs,
    /// Log on stderr what is chosen and found; -vv logs more. Beside what RUST_LOG asks for.
    #[arg(
        long, short, global = true, action = ArgAction::Count, help_heading = "Machine",
        display_order = 1000
    )]
    pub verbose: u8,
    #[command(flatten)]
    pub lasting: LastingArgs,
    /// What `--iterations` says, if it stands beside `--resume`.
    #[arg(skip)]
    pub other_iterations: Option<u32>,
    #[arg(skip)]
    pub origins: Origins,
}

/// The program's arguments. The error also carries `--help` and `--version`, as clap has it.
pub fn parse() -> Result<Cli, Error> {
    let arguments: Vec<_> = std::env::args_os().collect();
    Cli::from_arguments(arguments.clone())
        .map_err(|error| hints::with(error, &command(), &arguments))
}

impl Cli {
    /// Whether the same arguments say the same a second time: a pipe as `--config`, as shells make of `<(…)`, is
    /// empty by then.
    pub fn can_be_read_again(&self) -> bool {
        self.origins.file.as_ref().is_none_or(|file| file.is_file())
    }

    pub fn from_arguments<T: Into<OsString> + Clone>(
        arguments: impl IntoIterator<Item = T>,
    ) -> Result<Self, Error> {
        let arguments = arguments.into_iter().map(Into::into).collect();
        let (matches, origins) = layers::parse(command, arguments)?;
        let mut cli = Self { origins, ..Self::from_arg_matches(&matches)? };
        cli.method.reconcile(&mut cli.run, &cli.origins);
        if let Some(Command::ShowConfig(args)) = &mut cli.command {
            args.method.reconcile(&mut args.run, &cli.origins);
        }
        // One line, as clap's own refusals begin with.
        let refused = |why| Error::raw(ErrorKind::ArgumentConflict, format!("{why}\n"));
        cli.check(&matches).map_err(refused)?;
        cli.other_iterations = lasting::iterations(&matches);
        if cli.run.machine.quiet {
            match &mut cli.command {
                Some(Command::Evaluate(args)) => args.machine.quiet = true,
                Some(Command::Compare(args)) => args.run.machine.quiet = true,
                Some(Command::Bench(args)) => args.quiet = true,
                Some(Command::Doctor(args)) => args.quiet = true,
                Some(Command::Export(args)) => args.quiet = true,
                Some(Command::View(args)) => args.quiet = true,
                Some(Command::Report(args)) => args.quiet = true,
                // They say nothing but what was asked for.
                Some(
                    Command::Adapters { .. }
                    | Command::Datasets(_)
                    | Command::ShowConfig(_)
                    | Command::Completions { .. }
                    | Command::Man { .. },
                )
                | None => {}
            }
        }
        Ok(cli)
    }

    /// What clap does not know of: which options go with which method.
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
                args.run.check_dataset()?;
                let names: Vec<_> = args.methods.iter().map(|method| method.name()).collect();
                let said = format!("--methods {}", names.join(","));
                applies::check(given, &args.methods, &said)
            }
            (Some(Command::ShowConfig(args)), _) if args.lasting.resume.is_some() => {
                Err("show-config does not go on with runs: leave --resume out, and say --config \
                     with the run's run.toml"
                    .into())
            }
            (Some(Command::ShowConfig(args)), _) if args.method.json => {
                Err("--json does nothing with show-config, which prints TOML; leave it out".into())
            }
            (Some(Command::ShowConfig(args)), Some((_, given))) => {
                Self::check_run(&args.run, args.method, given)
            }
            (Some(_), _) => Ok(()),
            // A run that goes on knows all it needs.
            (None, _) if self.lasting.resume.is_some() => lasting::check(matches),
            (None, _) => Self::check_run(&self.run, self.method, matches),
        }
    }

    /// Whether f16 was asked for.
    pub fn f16(&self) -> bool {
        let precision = match &self.command {
            Some(Command::Evaluate(args)) => args.machine.precision,
            Some(Command::Compare(args)) => args.run.machine.precision,
            Some(Command::Bench(args)) => args.precision,
            None => self.run.machine.precision,
            Some(_) => Precision::F32,
        };
        precision == Precision::F16
    }

    /// Whether a program reads the output.
    pub fn json(&self) -> bool {
        match &self.command {
            Some(Command::Evaluate(args)) => args.json,
            Some(Command::Compare(args)) => args.json,
            Some(Command::Bench(args)) => args.json,
            Some(Command::Doctor(args)) => args.json,
            Some(_) => false,
            None => self.method.json,
        }
    }

    fn check_run(run: &RunArgs, method: MethodArgs, given: &ArgMatches) -> Result<(), String> {
        run.check_dataset()?;
        let MethodArgs { method, no_eval, .. } = method;
        if method == Method::Whole && no_eval {
            return Err("--no-eval leaves nothing to do for --method whole".into());
        }
        applies::check(given, &[method], &format!("--method {method}"))
    }

    /// Whether only errors are to be told.
    pub fn quiet(&self) -> bool {
        match &self.command {
            Some(
                Command::Adapters { .. }
                | Command::Datasets(_)
                | Command::ShowConfig(_)
                | Command::Completions { .. }
                | Command::Man { .. },
            ) => false,
            Some(Command::Evaluate(args)) => args.machine.quiet,
            Some(Command::Compare(args)) => args.run.machine.quiet,
            Some(Command::Bench(args)) => args.quiet,
            Some(Command::Doctor(args)) => args.quiet,
            Some(Command::Export(args)) => args.quiet,
            Some(Command::View(args)) => args.quiet,
            Some(Command::Report(args)) => args.quiet,
            None => self.run.machine.quiet,
        }
    }
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the data sets that have names: what they are, and which are on this machine.
    Datasets(DatasetsArgs),
    /// List the adapters (GPUs, and CPUs that act as one), best first, with what they can do.
    Adapters {
        /// Only those of this graphics API.
        #[arg(long, value_name = "API", value_parser = PossibleValuesParser::new(BACKENDS))]
        backend: Option<String>,
    },
    /// Check that adapters and their drivers compute what they should, for a bug report.
    Doctor(DoctorArgs),
    /// Measure what a set is worth: train networks on it, test them on real images.
    Evaluate(Box<EvaluateArgs>),
    /// Run several methods with one seed and put their accuracies side by side; or put finished runs
    /// side by side.
    Compare(Box<CompareArgs>),
    /// Print what a run with these options would do, and where each value is from, as a file for
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
    /// Write the page of a run or a comparison again, report.html.
    Report(ReportArgs),
}

/// What flags that a subcommand shares with runs mean there, where it is not the same.
const OTHERWISE: [(&str, &str, &str); 7] = [
    ("evaluate", "quiet", "Say nothing but errors and the result"),
    ("evaluate", "eval_epochs", "Passes over the set for each of them [default: 300]"),
    (
        "evaluate",
        "eval_width",
        "Channels of each of their convolutions [default: as the run's, else as the set was made \
         with, else 128]",
    ),
    (
        "evaluate",
        "eval_depth",
        "Their blocks, 1 to 5 [default: as the run's, else as the set was made with, else 3; 4 for \
         images of 64×64 and larger]",
    ),
    (
        "evaluate",
        "eval_augment",
        "Augmentations of which one is drawn for each of their steps [default: all that suit the \
         data set]",
    ),
    ("compare", "quiet", "Say nothing but errors and the result"),
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
    // Known there for what they are refused with alone.
    ["json", "resume"].into_iter().fold(command, |command, id| {
        command.mut_subcommand("show-config", |command| command.mut_arg(id, |arg| arg.hide(true)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::dataset;
    use dm_wgpu::{
        Architecture, EvaluationSettings, Init, Settings,
        augment::Strategy,
        bench::{Bench, Shape},
    };

    #[test]
    fn claps_own_checks_pass() {
        command().debug_assert();
    }

    #[test]
    fn defaults_are_the_librarys() {
        let dataset = dataset::tests::tiny();
        let cli = Cli::from_arguments(["dm-wgpu", "--dataset", "mnist"]).unwrap();
        assert_eq!(cli.run.settings(&dataset), Settings::for_dataset(&dataset));
        let evaluation = cli.run.evaluation(&dataset, Method::Dm);
        assert_eq!(evaluation, EvaluationSettings::for_dataset(&dataset));
        assert_eq!(cli.run.evaluation(&dataset, Method::Whole).epochs, 20);
        assert_eq!(cli.method, MethodArgs { method: Method::Dm, no_eval: false, json: false });
    }

    #[test]
    fn every_flag_arrives() {
        let cli = Cli::try_parse_from(
            "dm-wgpu --dataset glyphs --ipc 2 --iterations 3 --seed 4 --init noise --augment none \
             --batch-real 5 --lr-img 0.5 --net lenet --width 6 --depth 1 --memory-budget 1GiB --adapter 7 \
             --backend gl --kernels tiles --precision f16 --quiet"
                .split_whitespace(),
        )
        .unwrap();
        let expected = Settings {
            net: Architecture::LeNet,
            ipc: 2,
            iterations: 3,
            init: Init::Noise,
            width: 6,
            depth: 1,
            batch_real: 5,
            lr_img: 0.5,
            augment: Strategy::none(),
            seed: 4,
        };
        assert_eq!(cli.run.settings(&dataset::tests::tiny()), expected);
        let choice = crate::cli::asked::machine(&cli.run.machine).adapter_choice().unwrap();
        assert_eq!((choice.adapter.as_deref(), choice.backend.as_deref()), (Some("7"), Some("gl")));
        assert_eq!(choice.kernels, Some(Kernels::Tiles));
        assert_eq!(choice.precision, Precision::F16);
        assert_eq!(choice.memory_budget, Some(1 << 30));
        assert!(cli.quiet());
    }

    #[test]
    fn adapters_needs_no_data_set() {
        let cli = Cli::try_parse_from(["dm-wgpu", "adapters", "--backend", "vulkan"]).unwrap();
        assert!(matches!(cli.command, Some(Command::Adapters { backend: Some(_) })));
        assert!(Cli::from_arguments(["dm-wgpu", "--ipc", "1"]).is_err());
    }

    #[test]
    fn an_evaluation_inherits_settings_from_the_run() {
        let line = "dm-wgpu --dataset glyphs --width 6 --depth 1 --seed 4 \
                    --augment none --eval-nets 7 --eval-epochs 8 --eval-every 9 --method k-center";
        let cli = Cli::try_parse_from(line.split_whitespace()).unwrap();
        let evaluation = cli.run.evaluation(&dataset::tests::tiny(), cli.method.method);
        let expected = EvaluationSettings {
            nets: 7,
            epochs: 8,
            width: 6,
            depth: 1,
            seed: 4,
            ..EvaluationSettings::for_dataset(&dataset::tests::tiny())
        };
        assert_eq!(evaluation, expected);
        assert_eq!(cli.run.eval_every, Some(9));
    }

    #[test]
    fn options_that_do_nothing_are_refused() {
        let answer = |line: &str| Cli::from_arguments(line.split_whitespace());
        for (line, words) in [
            ("--method random --lr-img 1", "--lr-img does nothing with --method random; leave it"),
            // The default, but given.
            (
                "--method herding --iterations 1000 --init real --eval-every 5",
                "--iterations, --init and --eval-every do nothing with --method herding; leave them",
            ),
            ("--method whole --ipc 10", "--ipc does nothing with --method whole"),
            ("--method whole --no-eval", "--no-eval leaves nothing"),
        ] {
            let error = answer(&format!("dm-wgpu --dataset glyphs {line}")).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            assert!(error.to_string().starts_with(&format!("error: {words}")), "{error}");
        }
        let error = "dm-wgpu compare --dataset glyphs --methods random,whole --batch-real 8";
        let error = answer(error).unwrap_err().to_string();
        assert!(error.contains("--batch-real does nothing with --methods random,whole"), "{error}");
        for line in [
            "compare --dataset glyphs --methods whole,dm --batch-real 8 --ipc 1",
            "--dataset glyphs --method k-center --ipc 1 --width 8 --depth 2 --seed 1 --eval-nets 1",
            "--dataset glyphs --method whole --width 8 --eval-epochs 2 --memory-budget 1GiB",
            "--dataset glyphs --iterations 1 --init noise --eval-every 2",
        ] {
            answer(&format!("dm-wgpu {line}")).unwrap();
        }
    }

    #[test]
    fn only_quiet_may_stand_before_a_subcommand() {
        let answer = |line: &str| Cli::from_arguments(line.split_whitespace());
        for line in [
            "-q evaluate x",
            "-q bench",
            "-q export x -f pt",
            "--quiet compare --dataset glyphs",
            "evaluate x -q",
        ] {
            let cli = answer(&format!("dm-wgpu {line}")).unwrap();
            let quiet = match cli.command.as_ref().unwrap() {
                Command::Evaluate(args) => args.machine.quiet,
                Command::Compare(args) => args.run.machine.quiet,
                Command::Bench(args) => args.quiet,
                Command::Export(args) => args.quiet,
                Command::View(args) => args.quiet,
                Command::Report(args) => args.quiet,
                _ => false,
            };
            assert!(quiet && cli.quiet(), "{line}");
        }
        for line in ["--dataset glyphs compare --dataset glyphs", "--ipc 10 evaluate x"] {
            let error = answer(&format!("dm-wgpu {line}")).unwrap_err().to_string();
            assert!(error.contains(" stands before the subcommand "), "{error}");
        }
    }

    #[test]
    fn bench_flags_become_the_librarys_benchmark() {
        let bench = |line: &str| match Cli::try_parse_from(line.split_whitespace()).unwrap().command
        {
            Some(Command::Bench(args)) => args.bench(),
            other => panic!("{other:?}"),
        };
        for shape in Shape::ALL {
            assert_eq!(bench(&format!("dm-wgpu bench --shape {shape}")), Bench::of(shape));
        }
        let expected = Bench {
            net: Architecture::Mlp,
            classes: 6,
            ipc: 1,
            width: 2,
            batch_real: 3,
            iterations: 4,
            ..Bench::of(Shape::Mnist)
        };
        let line = "--net mlp --classes 6 --ipc 1 --width 2 --batch-real 3 --iterations 4";
        assert_eq!(bench(&format!("dm-wgpu bench {line}")), expected);
    }

    #[test]
    fn subcommands_have_flags_of_their_own() {
        let line = "dm-wgpu compare --dataset glyphs --methods whole,dm --ipc 2 --quiet";
        let cli = Cli::try_parse_from(line.split_whitespace()).unwrap();
        assert!(cli.quiet());
        let Some(Command::Compare(args)) = cli.command else { panic!("another command") };
        assert_eq!((args.methods, args.run.ipc), (vec![Method::Whole, Method::Dm], Some(2)));
        for wrong in [
            "dm-wgpu compare",
            "dm-wgpu compare --dataset glyphs --method dm",
            "dm-wgpu compare --dataset glyphs --no-eval",
            "dm-wgpu evaluate",
            "dm-wgpu evaluate x --ipc 3",
            "dm-wgpu --dataset glyphs --no-eval --eval-nets 2",
        ] {
            assert!(Cli::from_arguments(wrong.split_whitespace()).is_err(), "{wrong}");
        }
    }
}
