//! All settings of a run. Each is declared once: its place in `run.toml`, its flag, its help, its bounds and the
//! methods that use it. Flags, `--config`, records, commands and messages are all made from this table.
//!
//! The values are fields of [`Settings`](crate::Settings), [`EvaluationSettings`](crate::EvaluationSettings),
//! [`SelectionSettings`](crate::SelectionSettings) and [`Record`](super::Record); their defaults are in `recipes.toml`.

use serde::Serialize;
use serde_json::Value;

use Kind::*;

use super::{
    Method,
    words::{BOTH, memory_exactly, say_numbers},
};
use crate::{
    DdInit, Distance, Init, Kernels, Matching, Precision, Preset, Recipe, Subject,
    data::{self, NAMES},
};

/// One setting.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// The table of `run.toml` that it is in, empty for the top.
    pub table: &'static str,
    /// Its name in errors, and with hyphens as its flag.
    pub name: &'static str,
    /// What its values are.
    pub kind: Kind,
    /// Its heading in the help.
    pub heading: &'static str,
    /// The name of its value in the help.
    pub value_name: &'static str,
    /// The methods that use it.
    pub methods: Methods,
    /// Whether an evaluation has it as well, and takes the run's value unless another one is asked for.
    pub shared: bool,
    /// Other tables in which it is read: short forms, and the places where earlier versions wrote it.
    pub read_in: &'static [&'static str],
    help: &'static str,
}

/// The kinds of values that settings have.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// Whole numbers from the first to the second.
    Whole(u64, u64),
    /// The same, or such a number for each class, joined by comma.
    Counts(u64, u64),
    /// A rate: a number above 0.
    Rate,
    /// A weight: a number from 0 on.
    Weight,
    /// A part of a whole: from 0 to below 1.
    Part,
    /// A number of bytes, typed as `1GiB`.
    Size,
    /// Yes or no; its flag has no value.
    Switch,
    /// One of these names.
    OneOf(fn() -> Vec<&'static str>),
    /// A data set: one of the names, or `folder:` and a path.
    Dataset,
    /// A kind of network.
    Network,
    /// One or several kinds of network, joined by comma. A run takes one.
    Networks,
    /// Names of augmentations.
    Augmentations,
    /// Numbers of classes.
    Classes,
    /// A path.
    Path,
    /// Any text.
    Text,
}

/// Which methods use a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Methods {
    /// All of them.
    All,
    /// Those that make a set: all but training on the whole data set.
    WithSet,
    /// Those of these that do better than to draw real images at random, or should.
    BetterThanRandom,
    /// Those that condense.
    Condensing,
    /// Those of these that augment images.
    Augmenting,
    /// Those that match gradients.
    Gradients,
    /// Those that train networks on the images while they make them.
    Training,
    /// Dataset distillation.
    Distilling,
    /// The one that matches along trajectories.
    Trajectory,
}

/// All settings, in the order of the help.
pub static SETTINGS: &[Setting] = &[
    setting("data", "dataset", Dataset, "Task")
        .read_in(&[""])
        .help("The data set to condense: a name, or folder:PATH of pictures in one sub-folder per class"),
    setting("", "method", OneOf(|| Method::ALL.map(Method::name).to_vec()), "Task")
        .read_in(&["settings"])
        .help(
            "How the set is made. To condense, dm matches distributions, trajectory matches them in networks \
             during training, dc matches gradients, dsa gradients of augmented images, dd optimises a short \
             training; random, herding and k-center choose real images; whole makes no set and trains on all \
             real images, as an upper bound [default: dm; with --preset best: trajectory]",
        ),
    setting("", "preset", OneOf(|| Preset::ALL.map(Preset::name).to_vec()), "Task").help(
        "How much work to do. quick: for a GPU; paper: as published, for dm 5 runs of 20 000 iterations, each \
         tested by 20 networks of 1000 epochs; small: minutes on a CPU; smoke: seconds on a CPU; best: the method \
         that gives the most accurate sets, meant for an hour on a laptop [default: quick]",
    ),
    setting("settings", "ipc", Counts(1, 1_000_000), "Task").of(Methods::WithSet).help(
        "Images per class; or a number for each class, joined by comma [default: {}]",
    ),
    setting("settings", "factor", Whole(1, 4), "Method").of(Methods::Condensing).help(
        "Pack N×N smaller images into each synthetic image; networks see each one enlarged [default: 1; \
         trajectory: 2, but 1 for grey images from --ipc 50 on]",
    ),
    setting("settings", "iterations", Whole(1, u32::MAX as u64), "Task")
        .of(Methods::Condensing)
        .help("Iterations of condensing; dm draws a fresh random network in each [default: {}]"),
    setting("data", "resize", Whole(1, 4096), "Task")
        .help("Cut pictures to squares and resample them to N×N [default: all must be square and of one size]"),
    setting("data", "test_fraction", Part, "Task").help(
        "Part of each class to test on, if a folder of pictures has no test pictures [default: 0.2]",
    ),
    setting("data", "classes", Classes, "Task").help(
        "Make the images of these classes only, such as 0-99,200; `dm-wgpu join` joins such parts of a run",
    ),
    setting(
        "settings",
        "init",
        OneOf(|| [Init::Real, Init::Noise].map(Init::name).to_vec()),
        "Method",
    )
    .value("START")
    .of(Methods::Condensing)
    .help("What the synthetic images start as: real images drawn at random, or noise [default: {}; dc, dd: noise]"),
    setting("settings", "net", Network, "Method").shared().help(
        "Kind of network that sees the images: convnet, mlp, lenet, alexnet, vgg11, resnet18; with batch norm: alexnet-bn, \
         vgg11-bn, resnet18-bn, resnet18-bn-ap; another ConvNet, e.g. convnet:norm=group:act=swish:pool=max; or file:PATH \
         with a list of layers [default: convnet]",
    ),
    setting("settings", "width", Whole(1, 4096), "Method")
        .shared()
        .help("Channels of each convolution of a ConvNet [default: {}]"),
    setting("settings", "depth", Whole(1, 5), "Method")
        .shared()
        .help("Blocks of a ConvNet, 1 to 5 [default: {}; 4 for images of 64×64 and larger]"),
    setting("settings", "batch_real", Whole(1, 1_000_000), "Method")
        .of(Methods::Condensing)
        .help(
            "Real images per class for each update of the pixels; a smaller class gives all of its images \
             [default: {}; dd: 100; trajectory: 128]",
        ),
    setting("settings", "lr_img", Rate, "Method")
        .of(Methods::Condensing)
        .help(
            "Learning rate of the pixels [default: {}; cifar10 from --ipc 100 on: 10; dc, dsa: 0.1; dd: 0.01, \
             halved ten times in a run; trajectory, for pixels in 0...1: 0.01, 0.1, 0.5 from --ipc 1, 10, 50 on]",
        ),
    setting(
        "settings",
        "distance",
        OneOf(|| Distance::ALL.map(Distance::name).to_vec()),
        "Method",
    )
    .of(Methods::Gradients)
    .help(
        "Distance between two gradients: ours, the sum of 1 - cosine over each output's weights; mse or cos, \
         over all weights as one vector [default: ours]",
    ),
    setting("settings", "outer", Whole(1, 10_000), "Method").of(Methods::Gradients).help(
        "Updates of the pixels per network [default: 1; from --ipc 10, 20, 30, 40, 50 on as many]",
    ),
    setting("settings", "inner", Whole(0, 10_000), "Method").of(Methods::Gradients).help(
        "Epochs that the network is trained on the synthetic images between two updates of the pixels [default: 1; \
         50, 25, 20, 15, 10 from --ipc 10, 20, 30, 40, 50 on]",
    ),
    setting("settings", "lr_net", Rate, "Method").of(Methods::Training).help(
        "Learning rate of the networks that are trained on the synthetic images; dd learns a rate per step, \
         starting from this one [default: 0.01; dd: 0.02]",
    ),
    setting("settings", "dd_init", OneOf(|| DdInit::ALL.map(DdInit::name).to_vec()), "Method")
        .value("WEIGHTS")
        .of(Methods::Distilling)
        .help(
            "Initial weights of the networks of dd: random, new ones each time; fixed, always the same, and the images \
             then work for these weights only [default: random]",
        ),
    setting("settings", "dd_steps", Whole(1, 10_000), "Method").of(Methods::Distilling).help(
        "Training steps of dd per pass over the images: a divisor of --ipc × --factor² [default: as --ipc]",
    ),
    setting("settings", "dd_epochs", Whole(1, 10_000), "Method")
        .of(Methods::Distilling)
        .help("Passes of dd over the images; each step of each pass has its own learning rate [default: 3]"),
    setting("settings", "alpha", Weight, "Method").of(Methods::Trajectory).help(
        "Weight of recognition by later snapshots in the loss; 0 leaves it out [default: 2.5; 0.5 from --ipc 50 on]",
    ),
    setting("settings", "trajectories", Whole(1, 100), "Method")
        .of(Methods::Trajectory)
        .help("Networks to train on the real images, for snapshots to match in [default: 1]"),
    setting("settings", "expert_epochs", Whole(1, 1000), "Method").of(Methods::Trajectory).help(
        "Epochs that each of these networks is trained for [default: 60; best: 20; small: 5; smoke: 1]",
    ),
    setting("settings", "shown", Whole(1, 1_000_000), "Method").of(Methods::Trajectory).help(
        "Synthetic images per class in an iteration at most; of more, they are drawn at random [default: 200]",
    ),
    setting("settings", "augment", Augmentations, "Method").of(Methods::Augmenting).help(
        "Augmentations, one of which is drawn for each update and class: any of color, crop, cutout, \
         flip, scale, rotate, joined by comma or underscore, or none [default: all; without flip for \
         one-channel images, digits and letters; dc, dd: none; trajectory: color, crop and cutout, all of them on each image]",
    ),
    // TOML has no larger integers.
    setting("settings", "seed", Whole(0, i64::MAX as u64), "Task")
        .shared()
        .read_in(&["evaluation"])
        .help(
            "Seed of everything random: the same seed on the same adapter gives the same images \
             [default: {}]",
        ),
    setting("evaluation", "protocol", OneOf(|| vec!["dm", "idc", BOTH]), "Evaluation").help(
        "How networks are trained on the set: dm, with one augmentation per batch; idc, with all of them on each image \
         and with CutMix, in batches of 64; both, first dm and then idc [default: dm]",
    ),
    setting("evaluation", "eval_nets", Whole(1, 1000), "Evaluation").help(
        "Networks to train on the set; the accuracy is their mean ± standard deviation [default: {}]",
    ),
    setting("evaluation", "eval_epochs", Whole(1, 100_000), "Evaluation")
        .help("Epochs that each network is trained for [default: {}; --method whole: 20]"),
    setting("evaluation", "eval_net", Networks, "Evaluation").help(
        "Kind of network to train: convnet, mlp, lenet, alexnet, vgg11, resnet18; with batch norm: alexnet-bn, vgg11-bn, \
         resnet18-bn, resnet18-bn-ap; another ConvNet, e.g. convnet:norm=batch:act=swish:pool=max; or file:PATH with a list \
         of layers [default: as --net]",
    ),
    setting("evaluation", "eval_width", Whole(1, 4096), "Evaluation")
        .help("Channels of each convolution of a ConvNet [default: as --width]"),
    setting("evaluation", "eval_depth", Whole(1, 5), "Evaluation")
        .help("Blocks of a ConvNet, 1 to 5 [default: as --depth]"),
    setting("evaluation", "eval_batch", Whole(1, 1_000_000), "Evaluation")
        .help("Images per training step [default: {}; idc: 64]"),
    setting("evaluation", "eval_lr", Rate, "Evaluation")
        .help("Learning rate of these networks; a tenth of it from half-way on [default: {}]"),
    setting("evaluation", "eval_augment", Augmentations, "Evaluation").help(
        "Augmentations, one of which is drawn for each training step; idc uses all [default: all that suit the data \
         set, whatever --augment says; idc: without cutout]",
    ),
    setting("", "eval_every", Whole(1, u32::MAX as u64), "Evaluation")
        .of(Methods::Condensing)
        .help("Also measure the accuracy before the first iteration and after every N iterations"),
    setting("", "no_eval", Switch, "Evaluation").help("Do not measure the accuracy"),
    setting("", "no_baseline", Switch, "Evaluation").of(Methods::BetterThanRandom).help(
        "Do not compare the accuracy with that of random real images of equal storage, which saves an evaluation",
    ),
    setting("", "snapshots", Whole(0, 1000), "Task").of(Methods::Condensing).help(
        "Snapshots of the images during the run, besides the one at the start, more of them early than late; \
         for report.html and progress.png [default: 10]",
    ),
    setting("machine", "adapter", Text, "Machine").value("NAME-OR-INDEX").help(
        "The adapter: part of its name, or its index in `dm-wgpu adapters`. Several, joined by comma, divide classes \
         and evaluations among them; all: every GPU, or every CPU if there is no GPU [default: the best]",
    ),
    setting("machine", "backend", OneOf(|| BACKENDS.to_vec()), "Machine")
        .value("API")
        .help("The graphics API [default: any]"),
    setting("machine", "kernels", OneOf(|| Kernels::ALL.map(Kernels::name).to_vec()), "Machine")
        .help("The family of kernels [default: the one that suits the adapter]"),
    setting(
        "machine",
        "precision",
        OneOf(|| Precision::ALL.map(Precision::name).to_vec()),
        "Machine",
    )
    .value("TYPE")
    .help(
        "Type to which convolutions round their factors: f32, or f16 for cooperative matrices (tensor cores) \
         [default: f32]",
    ),
    setting("machine", "memory_budget", Size, "Machine")
        .read_in(&["settings", "evaluation"])
        .help("GPU memory to stay within, e.g. 256MiB or 1GiB; batches are cut to fit [default: 512MiB]"),
    setting("machine", "submit_target", Whole(1, 60_000), "Machine").value("MS").help(
        "Milliseconds that a submission to the GPU should take at most; longer work is cut [default: 100]",
    ),
    setting("data", "data_dir", Path, "Machine")
        .help("Folder of data sets; nothing is downloaded to it [default: DM_WGPU_DATA, else the user's cache, with downloads]"),
    setting("", "runs", Whole(1, 10_000), "Long runs")
        .help("Repeat the run with N seeds, from --seed on, each in its own folder"),
];

/// The graphics APIs by name.
pub const BACKENDS: [&str; 4] = ["vulkan", "metal", "dx12", "gl"];

type Name = &'static str;

const fn setting(table: Name, name: Name, kind: Kind, heading: Name) -> Setting {
    let value_name = match kind {
        Whole(..) | Counts(..) => "N",
        Rate => "RATE",
        Weight => "NUMBER",
        Part => "PART",
        Size => "SIZE",
        Augmentations => "NAMES",
        Classes => "LIST",
        Path => "DIR",
        Text => "TEXT",
        OneOf(_) | Dataset | Network | Networks | Switch => "NAME",
    };
    let (methods, shared, read_in, help) = (Methods::All, false, &[], "");
    Setting { table, name, kind, heading, value_name, methods, shared, read_in, help }
}

impl Setting {
    const fn value(self, value_name: Name) -> Self {
        Self { value_name, ..self }
    }

    const fn of(self, methods: Methods) -> Self {
        Self { methods, ..self }
    }

    const fn shared(self) -> Self {
        Self { shared: true, ..self }
    }

    const fn read_in(self, read_in: &'static [Name]) -> Self {
        Self { read_in, ..self }
    }

    /// `{}` stands for the recipes' value for small images.
    const fn help(self, help: Name) -> Self {
        Self { help, ..self }
    }

    /// Its key in its table.
    pub fn key(&self) -> &'static str {
        match (self.table, self.name) {
            ("data", "dataset") => "name",
            ("evaluation", name) => name.strip_prefix("eval_").unwrap_or(name),
            (_, name) => name,
        }
    }

    /// The setting that a key of `run.toml` sets.
    pub fn find(table: &str, key: &str) -> Option<&'static Self> {
        SETTINGS.iter().find(|setting| setting.places().any(|place| place == (table, key)))
    }

    /// The tables and keys of `run.toml` that set it, its own first.
    pub fn places(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let others = self.read_in.iter().map(|table| (*table, self.name));
        std::iter::once((self.table, self.key())).chain(others)
    }

    /// `--batch-real`.
    pub fn flag(&self) -> String {
        format!("--{}", self.name.replace('_', "-"))
    }

    /// Its line in the help, with its default.
    pub fn help_text(&self) -> String {
        if !self.help.contains("{}") {
            return self.help.to_owned();
        }
        let usual = Recipe::new(Subject::named(NAMES[0]));
        self.help.replace("{}", &usual.text(self.table, self.key()).unwrap_or_default())
    }

    /// Whether this method uses it.
    pub fn used_by(&self, method: Method) -> bool {
        let by = match method {
            Method::Condensing(matching) => Some(matching),
            Method::Selection(_) | Method::Whole => None,
        };
        match self.methods {
            Methods::All => true,
            Methods::WithSet => method != Method::Whole,
            Methods::BetterThanRandom => method.beats_random(),
            Methods::Condensing => method.condenses(),
            Methods::Augmenting => by.is_some_and(Matching::augments),
            Methods::Gradients => by.is_some_and(Matching::of_gradients),
            Methods::Trajectory => by == Some(Matching::Trajectory),
            Methods::Training => by.is_some_and(|by| by.of_gradients() || by == Matching::Dd),
            Methods::Distilling => by == Some(Matching::Dd),
        }
    }

    /// Its value in a record, as JSON.
    pub(super) fn value_in<'a>(&self, record: &'a Value) -> Option<&'a Value> {
        self.places().find_map(|(table, key)| match table {
            "" => record.get(key),
            _ => record.get(table)?.get(key),
        })
    }

    /// What is possible instead of a number that is out of bounds.
    pub(super) fn possible(&self, value: &Value) -> Option<String> {
        let (within, possible) = match self.kind {
            Whole(least, most) | Counts(least, most) => (
                value.as_u64().is_some_and(|number| (least..=most).contains(&number)),
                format!("{least} to {most} is possible"),
            ),
            Size => (
                value.as_u64().is_some_and(|bytes| (1..=i64::MAX as u64).contains(&bytes)),
                format!("1 to {} is possible", i64::MAX),
            ),
            Part => (
                value.as_f64().is_some_and(|part| (0.0..1.0).contains(&part)),
                "0 to below 1 is possible".to_owned(),
            ),
            Classes => (
                value.as_str().is_some_and(|text| text.parse::<data::Classes>().is_ok()),
                "numbers of classes are possible, each once, such as 0-99,200".to_owned(),
            ),
            _ => return None,
        };
        (!within).then_some(possible)
    }

    /// A value as one would type it.
    pub(super) fn typed(&self, value: &Value) -> String {
        match (self.kind, value.as_f64(), value) {
            // As short as an f32 can be.
            (Rate | Weight, Some(rate), _) => (rate as f32).to_string(),
            (Size, ..) => memory_exactly(value.as_u64().unwrap_or_default()),
            (_, _, Value::String(text)) => text.clone(),
            _ => value.to_string(),
        }
    }
}

/// The values of a table of `run.toml`, in the order of [`SETTINGS`], each as one would type it.
pub fn typed(table: &str, values: &impl Serialize) -> Vec<(&'static Setting, String)> {
    // A value that cannot be serialised, such as a path that is not valid text, cannot be typed.
    let mut values = serde_json::to_value(values).unwrap_or_default();
    say_numbers(&mut values);
    let known = SETTINGS.iter().filter(|setting| setting.table == table);
    let said = known.filter_map(|setting| Some((setting, values.get(setting.key())?)));
    said.map(|(setting, value)| (setting, setting.typed(value))).collect()
}

#[cfg(test)]
mod tests;
