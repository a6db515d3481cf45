//! Flags of a run: what is condensed, how, and on which machine.

use std::path::PathBuf;

use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser},
};

use dm_wgpu::{
    Architecture, EvaluationSettings, Init, Kernels, Precision, Recipe, SelectionSettings,
    Selector, Settings, Subject, augment::Strategy, project::Method,
};

use super::{
    BACKENDS, EvalArgs, LastingArgs, LayerArgs, Origin, Origins, kernels, methods, precision,
};
use crate::cli::{
    dataset,
    values::{self, count},
};

/// The flags of a run.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The data set to condense, or folder: and the path of one of pictures, a sub-folder a class.
    #[arg(
        long, value_name = "NAME", help_heading = "Task",
        value_parser = dataset::parser()
    )]
    pub dataset: Option<String>,
    /// Synthetic images per class, or chosen ones [default: 10].
    #[arg(
        long, value_name = "N", help_heading = "Task",
        allow_negative_numbers = true, value_parser = count::<usize>(1_000_000)
    )]
    pub ipc: Option<usize>,
    /// Steps of condensing; each draws a fresh random network [default: 1000].
    #[arg(
        long, value_name = "N", help_heading = "Task",
        allow_negative_numbers = true, value_parser = count::<u32>(u32::MAX.into())
    )]
    pub iterations: Option<u32>,
    /// Everything random follows from it: the same seed on the same adapter, the same images.
    #[arg(
        long, value_name = "N", default_value_t = 0, help_heading = "Task",
        allow_negative_numbers = true,
        value_parser = values::seed
    )]
    pub seed: u64,
    /// Folder for the results, new or empty [default: a new one, e.g. runs/mnist-ipc10-seed0].
    #[arg(long, short, value_name = "DIR", help_heading = "Task")]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub layers: LayerArgs,

    /// How the synthetic images begin: as real ones drawn at random, or as noise
    /// [default: real].
    #[arg(
        long, value_name = "START", help_heading = "Method",
        value_parser = PossibleValuesParser::new(["real", "noise"])
            .map(|name| if name == "noise" { Init::Noise } else { Init::Real })
    )]
    pub init: Option<Init>,
    /// Augmentations of which one is drawn for each iteration and class: any of color, crop, cutout,
    /// flip, scale, rotate, joined by comma or underscore, or none [default: all; without flip for
    /// one-channel images, digits and letters].
    #[arg(long, value_name = "NAMES", help_heading = "Method", value_parser = values::strategy)]
    pub augment: Option<Strategy>,
    /// Real images per class and iteration; a smaller class gives all it has [default: 256].
    #[arg(
        long, value_name = "N", help_heading = "Method",
        allow_negative_numbers = true, value_parser = count::<usize>(1_000_000)
    )]
    pub batch_real: Option<usize>,
    /// Learning rate of the pixels [default: 1.0; 10 for cifar10 from --ipc 100 on].
    #[arg(
        long, value_name = "RATE", help_heading = "Method",
        allow_negative_numbers = true, value_parser = values::positive
    )]
    pub lr_img: Option<f32>,
    /// Kind of network that embeds the images: convnet, mlp, lenet, alexnet, vgg11, resnet18, or another ConvNet such as
    /// convnet:norm=group:act=swish:pool=max [default: convnet].
    #[arg(long, value_name = "NAME", help_heading = "Method", value_parser = values::architecture)]
    pub net: Option<Architecture>,
    /// Channels of each convolution of a ConvNet [default: 128].
    #[arg(
        long, value_name = "N", help_heading = "Method",
        allow_negative_numbers = true, value_parser = count::<usize>(4096)
    )]
    pub width: Option<usize>,
    /// Blocks of a ConvNet, 1 to 5 [default: 3; 4 for images of 64×64 and larger].
    #[arg(
        long, value_name = "N", help_heading = "Method",
        allow_negative_numbers = true, value_parser = count::<usize>(5)
    )]
    pub depth: Option<usize>,

    #[command(flatten)]
    pub eval: EvalArgs,
    /// Also evaluate before the first iteration and after every N, to follow the accuracy.
    #[arg(
        long, value_name = "N", help_heading = "Evaluation",
        allow_negative_numbers = true, value_parser = count::<u32>(u32::MAX.into())
    )]
    pub eval_every: Option<u32>,
    /// Pictures of the images on the way, besides those at the start, more of them early than late:
    /// for report.html and progress.png.
    #[arg(
        long, value_name = "N", default_value_t = 10, help_heading = "Task",
        allow_negative_numbers = true, value_parser = values::whole::<u32>(0..=1000)
    )]
    pub snapshots: u32,

    #[command(flatten)]
    pub machine: MachineArgs,
}

/// Flags that say how to evaluate.
pub(super) const EVALUATION: [&str; 9] = [
    "eval_nets",
    "eval_net",
    "eval_epochs",
    "eval_width",
    "eval_depth",
    "eval_batch",
    "eval_lr",
    "eval_augment",
    "eval_every",
];

/// The flags of a run that `compare` has no use for.
#[derive(Debug, Clone, Copy, PartialEq, Args)]
pub struct MethodArgs {
    /// What makes the set: dm condenses; random, herding and k-center choose real images; whole
    /// trains on all of them, as an upper bound.
    #[arg(
        long, value_name = "NAME", default_value = "dm", help_heading = "Task",
        value_parser = methods()
    )]
    pub method: Method,
    /// Leave the accuracy out.
    #[arg(
        long, help_heading = "Evaluation",
        conflicts_with_all = EVALUATION
    )]
    pub no_eval: bool,
    /// Print JSON, one object per line: events as they come, then the result; with --quiet it alone.
    #[arg(long, help_heading = "Machine")]
    pub json: bool,
}

/// What becomes of pictures.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct PictureArgs {
    /// Cut pictures to squares and resample them to N×N [default: all must be square and alike].
    #[arg(
        long, value_name = "N", help_heading = "Task",
        allow_negative_numbers = true, value_parser = count::<usize>(4096)
    )]
    pub resize: Option<usize>,
    /// Part of each class to test on, where a folder of pictures has no test pictures [default: 0.2].
    #[arg(
        long, value_name = "PART", help_heading = "Task",
        allow_negative_numbers = true, value_parser = values::part
    )]
    pub test_fraction: Option<f64>,
}

/// The flags that are about this machine.
#[derive(Debug, Clone, Args)]
pub struct MachineArgs {
    /// The adapter: part of its name, or its index in `dm-wgpu adapters` [default: the best].
    #[arg(long, value_name = "NAME-OR-INDEX", help_heading = "Machine")]
    pub adapter: Option<String>,
    /// The graphics API [default: any].
    #[arg(
        long, value_name = "API", help_heading = "Machine",
        value_parser = PossibleValuesParser::new(BACKENDS)
    )]
    pub backend: Option<String>,
    /// The family of kernels: plain, lanes or tiles [default: the one that suits the adapter].
    #[arg(long, value_name = "NAME", help_heading = "Machine", value_parser = kernels())]
    pub kernels: Option<Kernels>,
    /// What convolutions round their factors to: f32, or f16 for cooperative matrices (tensor cores).
    #[arg(
        long, value_name = "TYPE", default_value = "f32", help_heading = "Machine",
        value_parser = precision()
    )]
    pub precision: Precision,
    /// GPU memory to stay within, e.g. 256MiB or 1GiB; batches are cut to fit [default: 512MiB].
    #[arg(
        long, value_name = "SIZE", help_heading = "Machine",
        allow_negative_numbers = true, value_parser = values::memory
    )]
    pub memory_budget: Option<u64>,
    /// Milliseconds that a submission should take at most, before work is cut smaller [default: 100].
    #[arg(
        long, value_name = "MS", help_heading = "Machine",
        allow_negative_numbers = true, value_parser = count::<u32>(60_000)
    )]
    pub submit_target: Option<u32>,
    /// Where data sets are [default: DM_WGPU_DATA, else the user's cache, with downloads].
    #[arg(long, value_name = "DIR", help_heading = "Machine")]
    pub data_dir: Option<PathBuf>,
    #[command(flatten)]
    pub pictures: PictureArgs,
    /// Say nothing but errors; evaluate, compare and bench still print their results.
    #[arg(long, short, help_heading = "Machine")]
    pub quiet: bool,
}

impl MethodArgs {
    /// Whether to evaluate, where a file says otherwise than flags: the flags are right.
    pub(super) fn reconcile(&mut self, run: &mut RunArgs, origins: &Origins) {
        let flag = |id: &&str| origins.of(id) == Some(Origin::Flag);
        if origins.of("no_eval") == Some(Origin::File) && EVALUATION.iter().any(flag) {
            self.no_eval = false;
        }
        if self.no_eval {
            run.eval_every = None;
        }
    }
}

impl RunArgs {
    /// Clap can't, as it may be in a file.
    pub(super) fn check_dataset(&self) -> Result<(), String> {
        self.eval.check_one_net()?;
        match self.dataset {
            Some(_) => Ok(()),
            None => Err(format!(
                "--dataset <NAME> is needed: {}; or --config <FILE> with it",
                dataset::NAMES.join(", ")
            )),
        }
    }

    /// The data set's name; [`Cli::from_arguments`](super::Cli::from_arguments) sees to it that there
    /// is one.
    pub fn dataset(&self) -> &str {
        self.dataset.as_deref().unwrap_or_default()
    }

    /// What suits a data set, or what is known of it, at this preset and number of images.
    pub fn recipe<'a>(&self, subject: impl Into<Subject<'a>>, method: Method) -> Recipe {
        Recipe::new(
            subject.into().preset(self.layers.preset).ipc(self.ipc).whole(method == Method::Whole),
        )
    }

    /// How often to repeat the run; none for once.
    pub fn runs(&self, lasting: &LastingArgs, method: Method) -> Option<u32> {
        let recipe = self.recipe(Subject::named(self.dataset()), method);
        lasting.runs.or(recipe.runs())
    }

    /// Synthetic images per class.
    pub fn ipc(&self) -> usize {
        self.settings(Subject::named(self.dataset())).ipc
    }

    /// Everything resolved for a data set.
    pub fn settings<'a>(&self, subject: impl Into<Subject<'a>>) -> Settings {
        let suited = Settings::of(&self.recipe(subject, Method::Dm));
        suited
            .clone()
            .ipc(self.ipc.unwrap_or(suited.ipc))
            .iterations(self.iterations.unwrap_or(suited.iterations))
            .init(self.init.unwrap_or(suited.init))
            .net(self.net.unwrap_or(suited.net))
            .width(self.width.unwrap_or(suited.width))
            .depth(self.depth.unwrap_or(suited.depth))
            .batch_real(self.batch_real.unwrap_or(suited.batch_real))
            .lr_img(self.lr_img.unwrap_or(suited.lr_img))
            .augment(self.augment.clone().unwrap_or(suited.augment))
            .seed(self.seed)
    }

    /// The same for a selection.
    pub fn selection<'a>(
        &self,
        subject: impl Into<Subject<'a>>,
        selection: Selector,
    ) -> SelectionSettings {
        let subject = subject.into();
        let suited = SelectionSettings::of(&self.recipe(subject.clone(), Method::Dm), selection);
        let Settings { ipc, width, depth, seed, .. } = self.settings(subject);
        suited.ipc(ipc).width(width).depth(depth).seed(seed)
    }

    /// The same for the evaluation of what a method made.
    pub fn evaluation<'a>(
        &self,
        subject: impl Into<Subject<'a>>,
        method: Method,
    ) -> EvaluationSettings {
        let subject = subject.into();
        let suited = EvaluationSettings::of(&self.recipe(subject.clone(), method));
        let Settings { net, width, depth, seed, .. } = self.settings(subject);
        self.eval.over(suited.net(net).width(width).depth(depth).seed(seed))
    }
}
