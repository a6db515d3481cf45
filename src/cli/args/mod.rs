//! Flags, their defaults and the help that a person can learn the program from.

use std::path::PathBuf;

use clap::{
    Args, Parser, Subcommand,
    builder::{PossibleValuesParser, RangedU64ValueParser, TypedValueParser},
};

use dm_wgpu::{AdapterChoice, Dataset, Init, Settings, augment::Strategy};

use super::{dataset, values};

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

A run leaves in its folder:
  grid.png                all images, a row a class
  images/CLASS/000.png    each one by itself
  synthetic.safetensors   pixels, labels, class names, normalisation, settings
  metrics.csv             the loss of every iteration
  run.toml                the settings, and the command that repeats the run

Environment:
  DM_WGPU_DATA     where data sets are kept, if --data-dir doesn't say
  DM_WGPU_MIRROR   where they are downloaded from first
  RUST_LOG         what to log on stderr, e.g. dm_wgpu=debug
  NO_COLOR         set to anything, no colours

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
    override_usage = "dm-wgpu --dataset <NAME> [OPTIONS]\n       dm-wgpu adapters [--backend <API>]",
    max_term_width = 100
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub run: RunArgs,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the adapters (GPUs, and CPUs that act as one), best first, with what they can do.
    Adapters {
        /// Only those of this graphics API.
        #[arg(long, value_name = "API", value_parser = PossibleValuesParser::new(BACKENDS))]
        backend: Option<String>,
    },
}

/// The flags of a run.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The data set to condense.
    #[arg(
        long, value_name = "NAME", required = true, help_heading = "Task",
        value_parser = PossibleValuesParser::new(dataset::NAMES)
    )]
    pub dataset: Option<String>,
    /// Synthetic images per class.
    #[arg(
        long, value_name = "N", default_value_t = 10, help_heading = "Task",
        allow_negative_numbers = true, value_parser = count::<usize>(1_000_000)
    )]
    pub ipc: usize,
    /// Steps; each draws a fresh random network.
    #[arg(
        long, value_name = "N", default_value_t = 1000, help_heading = "Task",
        allow_negative_numbers = true, value_parser = count::<u32>(u32::MAX.into())
    )]
    pub iterations: u32,
    /// Everything random follows from it: the same seed on the same adapter, the same images.
    // TOML, which run.toml is in, has no larger integers.
    #[arg(
        long, value_name = "N", default_value_t = 0, help_heading = "Task",
        allow_negative_numbers = true,
        value_parser = RangedU64ValueParser::<u64>::new().range(0..=i64::MAX as u64)
    )]
    pub seed: u64,
    /// Folder for the results, new or empty [default: a new one, as runs/mnist-ipc10-seed0].
    #[arg(long, short, value_name = "DIR", help_heading = "Task")]
    pub out: Option<PathBuf>,

    /// How the synthetic images begin: as real ones drawn at random, or as noise.
    #[arg(
        long, value_name = "START", default_value = "real", help_heading = "Method",
        value_parser = PossibleValuesParser::new(["real", "noise"])
            .map(|name| if name == "noise" { Init::Noise } else { Init::Real })
    )]
    pub init: Init,
    /// Augmentations of which one is drawn for each iteration and class: any of color, crop, cutout,
    /// flip, scale, rotate, joined by comma or underscore, or none [default: all; without flip for
    /// one-channel images, digits and letters].
    #[arg(long, value_name = "NAMES", help_heading = "Method", value_parser = values::strategy)]
    pub augment: Option<Strategy>,
    /// Real images per class and iteration; a smaller class gives all it has.
    #[arg(
        long, value_name = "N", default_value_t = 256, help_heading = "Method",
        allow_negative_numbers = true, value_parser = count::<usize>(1_000_000)
    )]
    pub batch_real: usize,
    /// Learning rate of the pixels.
    #[arg(
        long, value_name = "RATE", default_value = "1.0", help_heading = "Method",
        allow_negative_numbers = true, value_parser = values::positive
    )]
    pub lr_img: f32,
    /// Channels of each of the network's convolutions.
    #[arg(
        long, value_name = "N", default_value_t = 128, help_heading = "Method",
        allow_negative_numbers = true, value_parser = count::<usize>(4096)
    )]
    pub width: usize,
    /// Blocks of the network, 1 to 5 [default: 3; 4 for images of 64×64 and larger].
    #[arg(
        long, value_name = "N", help_heading = "Method",
        allow_negative_numbers = true, value_parser = count::<usize>(5)
    )]
    pub depth: Option<usize>,

    /// The adapter: part of its name, or its index in `dm-wgpu adapters` [default: the best].
    #[arg(long, value_name = "NAME-OR-INDEX", help_heading = "Machine")]
    pub adapter: Option<String>,
    /// The graphics API [default: any].
    #[arg(
        long, value_name = "API", help_heading = "Machine",
        value_parser = PossibleValuesParser::new(BACKENDS)
    )]
    pub backend: Option<String>,
    /// GPU memory to stay within, e.g. 256MiB or 1GiB; batches are cut to fit.
    #[arg(
        long, value_name = "SIZE", default_value = "512MiB", help_heading = "Machine",
        allow_negative_numbers = true, value_parser = values::memory
    )]
    pub memory_budget: u64,
    /// Where data sets are, or are downloaded to [default: DM_WGPU_DATA, else the user's cache].
    #[arg(long, value_name = "DIR", help_heading = "Machine")]
    pub data_dir: Option<PathBuf>,
    /// Say nothing but errors.
    #[arg(long, short, help_heading = "Machine")]
    pub quiet: bool,
}

/// 1 to `most`, so that nonsense is found before any work begins.
fn count<T: TryFrom<u64> + Clone + Send + Sync + 'static>(most: u64) -> RangedU64ValueParser<T>
where
    <T as TryFrom<u64>>::Error: Send + Sync + 'static + std::error::Error,
{
    RangedU64ValueParser::<T>::new().range(1..=most)
}

impl RunArgs {
    /// The data set's name; clap sees to it that there is one.
    pub fn dataset(&self) -> &str {
        self.dataset.as_deref().unwrap_or_default()
    }

    /// Everything resolved for a data set.
    pub fn settings(&self, dataset: &Dataset) -> Settings {
        let suited = Settings::for_dataset(dataset);
        Settings {
            ipc: self.ipc,
            iterations: self.iterations,
            init: self.init,
            width: self.width,
            depth: self.depth.unwrap_or(suited.depth),
            batch_real: self.batch_real,
            lr_img: self.lr_img,
            augment: self.augment.clone().unwrap_or(suited.augment),
            seed: self.seed,
            memory_budget: self.memory_budget,
        }
    }

    pub fn adapter_choice(&self) -> AdapterChoice {
        AdapterChoice { adapter: self.adapter.clone(), backend: self.backend.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn clap_finds_no_fault() {
        Cli::command().debug_assert();
    }

    #[test]
    fn defaults_are_the_librarys() {
        let dataset = dataset::tests::tiny();
        let cli = Cli::try_parse_from(["dm-wgpu", "--dataset", "mnist"]).unwrap();
        assert_eq!(cli.run.settings(&dataset), Settings::for_dataset(&dataset));
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
        let choice = cli.run.adapter_choice();
        assert_eq!((choice.adapter.as_deref(), choice.backend.as_deref()), (Some("7"), Some("gl")));
        assert!(cli.run.quiet);
    }

    #[test]
    fn adapters_needs_no_data_set() {
        let cli = Cli::try_parse_from(["dm-wgpu", "adapters", "--backend", "vulkan"]).unwrap();
        assert!(matches!(cli.command, Some(Command::Adapters { backend: Some(_) })));
        assert!(Cli::try_parse_from(["dm-wgpu", "--ipc", "1"]).is_err());
    }
}
