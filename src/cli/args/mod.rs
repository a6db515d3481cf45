//! Flags, their defaults and the help that a person can learn the program from.

mod bench;
mod evaluate;
mod run;

use clap::{
    Parser, Subcommand,
    builder::{PossibleValuesParser, RangedU64ValueParser},
};

pub use bench::BenchArgs;
pub use evaluate::{CompareArgs, EvalArgs, EvaluateArgs};
pub use run::{MachineArgs, MethodArgs, RunArgs};

const BACKENDS: [&str; 4] = ["vulkan", "metal", "dx12", "gl"];

const EXAMPLES: &str = "\
Examples:
  dm-wgpu --dataset mnist
      10 images a class with the published settings, into runs/mnist-ipc10-seed0
  dm-wgpu --dataset glyphs --ipc 1 --iterations 200 --out /tmp/glyphs
      a quick look that needs no download
  dm-wgpu --dataset mnist --ipc 50 --augment color,crop --init noise --seed 3
      other images a class, other augmentations, another start
  dm-wgpu --dataset mnist --adapter nvidia --memory-budget 2GiB
      on the first adapter whose name has \"nvidia\" in it
  dm-wgpu --dataset mnist --method herding
      chosen real images instead of synthetic ones
  dm-wgpu evaluate runs/mnist-ipc10-seed0
      what a set is worth, of a run or from elsewhere
  dm-wgpu compare --dataset mnist --ipc 1
      condensed and chosen images side by side
  dm-wgpu bench --shape cifar10
      how long an iteration takes here, and which kernels take it

A run leaves in its folder:
  grid.png                all images, a row a class
  images/CLASS/000.png    each one by itself
  synthetic.safetensors   pixels, labels, class names, normalisation, settings
  metrics.csv             the loss of every iteration, and the accuracy where measured
  report.json             all figures: accuracy, losses, seconds, settings
  run.toml                the settings, and the command that repeats the run

Environment:
  DM_WGPU_DATA     where data sets are kept, if --data-dir doesn't say
  DM_WGPU_MIRROR   where they are downloaded from first
  RUST_LOG         what to log on stderr, e.g. dm_wgpu=debug
  NO_COLOR         set to anything, no colours
  LP_NATIVE_VECTOR_WIDTH
                   bits of a vector on Mesa's software device; set to 512 where the CPU has
                   AVX-512, unless you say otherwise

Exit codes: 0 done, 1 failed, 2 asked for wrongly, 130 interrupted.";

/// Dataset condensation by distribution matching, on any GPU: turns a labelled image set into a few
/// synthetic images a class, made so that random networks see in them, on average, what they see in
/// the real ones (Zhao & Bilen, WACV 2023).
// One paragraph: with a second one clap would give every flag of the help three lines.
#[derive(Debug, Parser)]
#[command(
    name = "dm-wgpu",
    version,
    after_help = EXAMPLES,
    disable_help_subcommand = true,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    override_usage = "dm-wgpu --dataset <NAME> [OPTIONS]\n       dm-wgpu evaluate <PATH> [OPTIONS]\n       dm-wgpu compare --dataset <NAME> [OPTIONS]\n       dm-wgpu bench [OPTIONS]\n       dm-wgpu adapters [--backend <API>]",
    max_term_width = 100
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub run: RunArgs,
    #[command(flatten)]
    pub method: MethodArgs,
}

impl Cli {
    /// Whether only errors are to be told.
    pub fn quiet(&self) -> bool {
        match &self.command {
            Some(Command::Adapters { .. }) => false,
            Some(Command::Evaluate(args)) => args.machine.quiet,
            Some(Command::Compare(args)) => args.run.machine.quiet,
            Some(Command::Bench(args)) => args.quiet,
            None => self.run.machine.quiet,
        }
    }
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the adapters (GPUs, and CPUs that act as one), best first, with what they can do.
    Adapters {
        /// Only those of this graphics API.
        #[arg(long, value_name = "API", value_parser = PossibleValuesParser::new(BACKENDS))]
        backend: Option<String>,
    },
    /// Measure what a set is worth: train networks on it, test them on real images.
    Evaluate(Box<EvaluateArgs>),
    /// Run several methods with one seed and put their accuracies side by side.
    Compare(Box<CompareArgs>),
    /// Measure how long the work takes on this machine, kernel by kernel, on made-up images.
    Bench(Box<BenchArgs>),
}

/// 1 to `most`, so that nonsense is found before any work begins.
fn count<T: TryFrom<u64> + Clone + Send + Sync + 'static>(most: u64) -> RangedU64ValueParser<T>
where
    <T as TryFrom<u64>>::Error: Send + Sync + 'static + std::error::Error,
{
    RangedU64ValueParser::<T>::new().range(1..=most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{dataset, method::Method};
    use clap::CommandFactory;
    use dm_wgpu::{
        EvaluationSettings, Init, Settings,
        augment::Strategy,
        bench::{Bench, Shape},
    };

    #[test]
    fn clap_finds_no_fault() {
        Cli::command().debug_assert();
    }

    #[test]
    fn defaults_are_the_librarys() {
        let dataset = dataset::tests::tiny();
        let cli = Cli::try_parse_from(["dm-wgpu", "--dataset", "mnist"]).unwrap();
        assert_eq!(cli.run.settings(&dataset), Settings::for_dataset(&dataset));
        let evaluation = cli.run.evaluation(&dataset, Method::Dm);
        assert_eq!(evaluation, EvaluationSettings::for_dataset(&dataset));
        assert_eq!(cli.run.evaluation(&dataset, Method::Whole).epochs, 20);
        assert_eq!(cli.method, MethodArgs { method: Method::Dm, no_eval: false });
    }

    #[test]
    fn every_flag_arrives() {
        let cli = Cli::try_parse_from(
            "dm-wgpu --dataset glyphs --ipc 2 --iterations 3 --seed 4 --init noise --augment none \
             --batch-real 5 --lr-img 0.5 --width 6 --depth 1 --memory-budget 1GiB --adapter 7 \
             --backend gl --quiet"
                .split_whitespace(),
        )
        .unwrap();
        let expected = Settings {
            ipc: 2,
            iterations: 3,
            init: Init::Noise,
            width: 6,
            depth: 1,
            batch_real: 5,
            lr_img: 0.5,
            augment: Strategy::none(),
            seed: 4,
            memory_budget: 1 << 30,
        };
        assert_eq!(cli.run.settings(&dataset::tests::tiny()), expected);
        let choice = cli.run.machine.adapter_choice();
        assert_eq!((choice.adapter.as_deref(), choice.backend.as_deref()), (Some("7"), Some("gl")));
        assert!(cli.quiet());
    }

    #[test]
    fn adapters_needs_no_data_set() {
        let cli = Cli::try_parse_from(["dm-wgpu", "adapters", "--backend", "vulkan"]).unwrap();
        assert!(matches!(cli.command, Some(Command::Adapters { backend: Some(_) })));
        assert!(Cli::try_parse_from(["dm-wgpu", "--ipc", "1"]).is_err());
    }

    #[test]
    fn an_evaluation_takes_after_the_run() {
        let line = "dm-wgpu --dataset glyphs --width 6 --depth 1 --seed 4 --memory-budget 1GiB \
                    --augment none --eval-nets 7 --eval-epochs 8 --eval-every 9 --method k-center";
        let cli = Cli::try_parse_from(line.split_whitespace()).unwrap();
        let evaluation = cli.run.evaluation(&dataset::tests::tiny(), cli.method.method);
        let expected = EvaluationSettings {
            nets: 7,
            epochs: 8,
            width: 6,
            depth: 1,
            seed: 4,
            memory_budget: 1 << 30,
            ..EvaluationSettings::for_dataset(&dataset::tests::tiny())
        };
        assert_eq!(evaluation, expected);
        assert_eq!(cli.run.eval_every, Some(9));
    }

    #[test]
    fn a_benchmark_is_the_librarys() {
        let bench = |line: &str| match Cli::try_parse_from(line.split_whitespace()).unwrap().command
        {
            Some(Command::Bench(args)) => args.bench(),
            other => panic!("{other:?}"),
        };
        for shape in Shape::ALL {
            assert_eq!(bench(&format!("dm-wgpu bench --shape {shape}")), Bench::of(shape));
        }
        let expected = Bench {
            shape: Shape::Mnist,
            ipc: 1,
            width: 2,
            batch_real: 3,
            iterations: 4,
            memory_budget: 5 << 20,
        };
        let line =
            "dm-wgpu bench --ipc 1 --width 2 --batch-real 3 --iterations 4 --memory-budget 5MiB";
        assert_eq!(bench(line), expected);
    }

    #[test]
    fn subcommands_have_flags_of_their_own() {
        let line = "dm-wgpu compare --dataset glyphs --methods whole,dm --ipc 2 --quiet";
        let cli = Cli::try_parse_from(line.split_whitespace()).unwrap();
        assert!(cli.quiet());
        let Some(Command::Compare(args)) = cli.command else { panic!("another command") };
        assert_eq!((args.methods, args.run.ipc), (vec![Method::Whole, Method::Dm], 2));
        for wrong in [
            "dm-wgpu compare",
            "dm-wgpu compare --dataset glyphs --method dm",
            "dm-wgpu compare --dataset glyphs --no-eval",
            "dm-wgpu evaluate",
            "dm-wgpu evaluate x --ipc 3",
            "dm-wgpu --dataset glyphs --no-eval --eval-nets 2",
        ] {
            assert!(Cli::try_parse_from(wrong.split_whitespace()).is_err(), "{wrong}");
        }
    }
}
