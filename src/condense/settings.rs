//! The settings of a condensation: every field, and what is possible. The defaults are in `recipes.toml`.

use serde::{Deserialize, Serialize};

use super::{PerClass, check_real, packing};
use crate::{
    Architecture, Dataset, Distance, Error, Net, Recipe, Result, Text, augment::Strategy,
    nn::is_usual, objective::Matching, setters::with_setters,
};

/// How the synthetic images begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Init {
    /// Real training images drawn at random, different ones within a class.
    #[default]
    Real,
    /// Standard normal noise (in the normalised space).
    Noise,
}

impl Init {
    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Real => "real",
            Self::Noise => "noise",
        }
    }
}

/// From which weights networks are trained in dataset distillation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DdInit {
    /// From fresh ones in each iteration: the set works for any network of this kind.
    #[default]
    Random,
    /// From the same ones always, which follow from the seed: it works for this network alone.
    Fixed,
}

impl DdInit {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Random, Self::Fixed];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::Fixed => "fixed",
        }
    }
}

with_setters! {
    /// The settings of one condensation. [`Settings::for_dataset`] fills in what suits a data set.
    ///
    /// Every field can be read, and set by the method of its name:
    ///
    /// ```
    /// use dm_wgpu::{Settings, data};
    ///
    /// let dataset = data::glyphs(0)?;
    /// let settings = Settings::for_dataset(&dataset).ipc(1).seed(7);
    /// settings.check(&dataset)?; // `Condensation::new` does so too
    /// # Ok::<(), dm_wgpu::Error>(())
    /// ```
    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub struct Settings {
        /// What is made alike in real and synthetic images.
        #[serde(default, skip_serializing_if = "Matching::is_usual")]
        pub method: Matching,
        /// Synthetic images per class, from 1; with [`Init::Real`] up to the size of the smallest class.
        pub ipc: usize,
        /// Images of each class where they are not as many; `ipc` is the largest of these numbers then.
        #[serde(default, skip_serializing_if = "PerClass::is_even")]
        pub per_class: PerClass,
        /// Tiles of a side that each of these is packed with, 1 to 4: networks see factor² images in each.
        #[serde(default = "one", skip_serializing_if = "is_one")]
        pub factor: usize,
        /// Steps, from 1. Each draws a fresh random network, on which gradient matching moves the pixels `outer` times. Of
        /// distillation, the learning rate is halved ten times over all of them.
        pub iterations: u32,
        /// How the synthetic images begin.
        pub init: Init,
        /// The kind of network that embeds images. In each iteration, and in gradient matching before each move of the
        /// pixels, batch norms take their statistics from 16 real images per class, which are drawn anew, and are frozen
        /// until the next.
        #[serde(default, skip_serializing_if = "is_usual")]
        pub net: Architecture,
        /// Channels of every convolution of a ConvNet, from 1 (128 as published).
        pub width: usize,
        /// Blocks of a ConvNet, 1 to 5.
        pub depth: usize,
        /// Real images per class and move of the pixels, from 1. A smaller class gives all it has.
        pub batch_real: usize,
        /// Learning rate of the pixels (SGD with momentum 0.5; in distillation Adam, also of the learned rates).
        pub lr_img: f32,
        /// What is called the distance of two gradients. This and the two that follow are of gradient matching, and none
        /// else.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub distance: Option<Distance>,
        /// Moves of the pixels in an iteration, from 1 to 10 000.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub outer: Option<u32>,
        /// Passes over the synthetic images that the network is trained for between two of these, up to 10 000.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub inner: Option<u32>,
        /// Learning rate of the networks there (SGD without momentum); in distillation, what the rate of each step begins as.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub lr_net: Option<f32>,
        /// From which weights networks are trained. This and the two that follow are of distillation, and none else.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub dd_init: Option<DdInit>,
        /// Steps of training in which a network sees all synthetic images once: a divisor of each class's, packed ones
        /// counted singly.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub dd_steps: Option<u32>,
        /// How often it sees them. Each step of each time has a learning rate of its own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub dd_epochs: Option<u32>,
        /// How much the cross-entropy of later snapshots counts, from 0. This and the three that follow are of matching along
        /// trajectories, and none else.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub alpha: Option<f32>,
        /// Networks whose snapshots are matched along, from 1 to 100.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub trajectories: Option<u32>,
        /// Passes over the real images that each of them is trained for, from 1 to 1000, with a snapshot after each.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub expert_epochs: Option<u32>,
        /// Synthetic images per class that an iteration shows at most, drawn at random; from 1.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub shown: Option<usize>,
        /// The augmentations of which one is drawn for each move of the pixels and class, and by gradient matching for each
        /// batch that a network is trained on; matching along trajectories applies all, one after the other.
        #[serde(with = "as_text")]
        pub augment: Strategy,
        /// Everything random follows from it.
        pub seed: u64,
    }
}

/// Far more images than any adapter has room for, and far fewer than would overflow a count of bytes.
const MOST_IPC: usize = 1_000_000;
/// Moves of the pixels in an iteration, and passes of training between them: two hundred times what was published.
const MOST_STEPS: u32 = 10_000;

impl Settings {
    /// What suits a data set: the published settings, for ten images per class and fewer iterations.
    ///
    /// For other numbers of images, and for other presets, use a [`Recipe`] and [`Settings::of`]:
    /// suitable settings may depend on them.
    pub fn for_dataset(dataset: &Dataset) -> Self {
        Self::of(&Recipe::new(dataset))
    }

    /// The settings of a recipe.
    ///
    /// ```
    /// use dm_wgpu::{Preset, Recipe, Settings, Subject};
    ///
    /// let subject = Subject::named("mnist").preset(Preset::Paper).ipc(Some(50));
    /// let settings = Settings::of(&Recipe::new(subject));
    /// assert_eq!((settings.ipc, settings.iterations), (50, 20_000));
    /// ```
    pub fn of(recipe: &Recipe) -> Self {
        recipe.settings()
    }

    /// Checks every value alone and against the data set. [`Condensation::check`] also asks the
    /// device.
    ///
    /// [`Condensation::check`]: crate::Condensation::check
    ///
    /// # Errors
    /// [`Error::Setting`] or [`Error::Shape`], naming the setting and what is possible.
    pub fn check(&self, dataset: &Dataset) -> Result<()> {
        let at_least_one = |name, value: usize| match value {
            0 => Err(Error::setting(name, value, "at least 1 is needed")),
            _ => Ok(()),
        };
        at_least_one("ipc", self.ipc)?;
        if self.ipc > MOST_IPC {
            return Err(Error::setting("ipc", self.ipc, format!("1 to {MOST_IPC} is possible")));
        }
        self.check_per_class(dataset)?;
        at_least_one("iterations", self.iterations as usize)?;
        at_least_one("batch_real", self.batch_real)?;
        if !(self.lr_img.is_finite() && self.lr_img > 0.0) {
            return Err(Error::setting("lr_img", self.lr_img, "a positive number is needed"));
        }
        self.check_factor(dataset)?;
        self.check_own()?;
        self.check_trajectories()?;
        self.check_part(dataset)?;
        if self.init == Init::Real && !self.per_class.is_even() {
            self.per_class.check_real(dataset, self.factor * self.factor)?;
        } else if self.init == Init::Real {
            let advice = Text::from(", or start from ").value("init", Init::Noise.name());
            check_real(dataset, self.ipc, self.factor * self.factor, advice)?;
        }
        self.network(dataset).map(drop)
    }

    /// Images of all classes, as they are stored.
    pub fn stored(&self, classes: usize) -> usize {
        self.per_class.total(classes, self.ipc)
    }

    /// Images of each class, as networks see them.
    pub(super) fn shown_of_classes(&self, classes: usize) -> Vec<usize> {
        let mut counts = self.per_class.counts(classes, self.ipc);
        counts.iter_mut().for_each(|count| *count *= self.factor * self.factor);
        counts
    }

    fn check_per_class(&self, dataset: &Dataset) -> Result<()> {
        if dataset.part().is_some() && !self.per_class.is_even() {
            let why = "a part of the classes takes as many of each; take one number";
            return Err(Error::setting("ipc", &self.per_class, why));
        }
        self.per_class.check(dataset, self.ipc)
    }

    /// Refuses a part of the classes where what is made of a class depends on the others.
    fn check_part(&self, dataset: &Dataset) -> Result<()> {
        let Some(part) = dataset.part() else { return Ok(()) };
        let why = match self.method {
            Matching::Dm if !self.network(dataset)?.has_batch_norm() => return Ok(()),
            Matching::Dm => "batch norm goes by images of all classes; take a network without it",
            Matching::Dc | Matching::Dsa => {
                "its networks are trained on the synthetic images of all classes; condense them in one run"
            }
            Matching::Dd => {
                "it trains each network on the images of all classes; condense them in one run"
            }
            Matching::Trajectory => {
                "its networks are trained to tell all classes apart; condense them in one run"
            }
        };
        let why = format!("{} does not work class by class: {why}", self.method);
        Err(Error::setting("classes", &part.classes, why))
    }

    fn check_factor(&self, dataset: &Dataset) -> Result<()> {
        let wrong = |why: Text| Err(Error::setting("factor", self.factor, why));
        let (size, most) = (dataset.size(), packing::MOST);
        if !(1..=most).contains(&self.factor) {
            return wrong(format!("1 to {most} is possible").into());
        }
        if !packing::is_possible(size, self.factor) {
            return wrong(format!("images of {size}×{size} have no room for so many tiles").into());
        }
        Ok(())
    }

    /// What some methods have, and others not.
    fn check_own(&self) -> Result<()> {
        let Self { method, distance, outer, inner, lr_net, dd_init, dd_steps, dd_epochs, .. } =
            self;
        let (gradients, unrolled) = (method.of_gradients(), *method == Matching::Dd);
        let along = *method == Matching::Trajectory;
        let number = |value: &Option<u32>| value.map(|value| value.to_string());
        let (matching, all) = ("only dc and dsa have it", "only dc, dsa and dd have it");
        let own = [
            ("distance", distance.map(|value| value.name().to_owned()), gradients, matching),
            ("outer", number(outer), gradients, matching),
            ("inner", number(inner), gradients, matching),
            ("lr_net", lr_net.map(|value| value.to_string()), gradients || unrolled, all),
            ("dd_init", dd_init.map(|value| value.name().to_owned()), unrolled, "only dd has it"),
            ("dd_steps", number(dd_steps), unrolled, "only dd has it"),
            ("dd_epochs", number(dd_epochs), unrolled, "only dd has it"),
            ("alpha", self.alpha.map(|alpha| alpha.to_string()), along, "only trajectory has it"),
            ("trajectories", number(&self.trajectories), along, "only trajectory has it"),
            ("expert_epochs", number(&self.expert_epochs), along, "only trajectory has it"),
            ("shown", self.shown.map(|shown| shown.to_string()), along, "only trajectory has it"),
        ];
        for (name, value, has, others) in own {
            match (value, has) {
                (Some(value), false) => return Err(Error::setting(name, value, others)),
                (None, true) => {
                    let needed = format!(
                        "{method} needs it; settings of a recipe whose subject has that method have it"
                    );
                    return Err(Error::setting(name, "none", needed));
                }
                _ => {}
            }
        }
        let steps = [
            ("outer", outer, 1),
            ("inner", inner, 0),
            ("dd_steps", dd_steps, 1),
            ("dd_epochs", dd_epochs, 1),
        ];
        for (name, value, least) in steps {
            if let Some(value) = value.filter(|value| !(least..=MOST_STEPS).contains(value)) {
                return Err(Error::setting(
                    name,
                    value,
                    format!("{least} to {MOST_STEPS} is possible"),
                ));
            }
        }
        let most = self.per_class.divisor(self.ipc) * self.factor * self.factor;
        if let Some(steps) = dd_steps.filter(|steps| !most.is_multiple_of(*steps as usize)) {
            let possible = (1..=most).filter(|steps| most.is_multiple_of(*steps));
            let possible: Vec<_> = possible.map(|steps| steps.to_string()).collect();
            let images = match (self.per_class.is_even(), most) {
                (true, 1) => "the 1 image per class".to_owned(),
                (true, _) => format!("the {most} images per class"),
                (false, _) => "each class's images".to_owned(),
            };
            let possible = possible.join(", ");
            let reason =
                format!("each step takes equally many of {images}: {possible} is possible");
            return Err(Error::setting("dd_steps", steps, reason));
        }
        if let Some(lr_net) = lr_net.filter(|lr| !(lr.is_finite() && *lr > 0.0)) {
            return Err(Error::setting("lr_net", lr_net, "a positive number is needed"));
        }
        if !method.augments() && !self.augment.members().is_empty() {
            let other = Text::from(format!("{method} has none; take "));
            let other = other.value("method", Matching::Dsa.name());
            return Err(Error::setting("augment", &self.augment, other.then(", which has them")));
        }
        Ok(())
    }

    /// The bounds of what matching along trajectories has.
    fn check_trajectories(&self) -> Result<()> {
        if let Some(alpha) = self.alpha.filter(|alpha| !(alpha.is_finite() && *alpha >= 0.0)) {
            return Err(Error::setting("alpha", alpha, "a number from 0 on is needed"));
        }
        let counts = [
            ("trajectories", self.trajectories.map(|count| count as usize), 100),
            ("expert_epochs", self.expert_epochs.map(|epochs| epochs as usize), 1000),
            ("shown", self.shown, 1_000_000),
        ];
        for (name, value, most) in counts {
            if let Some(value) = value.filter(|value| !(1..=most).contains(value)) {
                return Err(Error::setting(name, value, format!("1 to {most} is possible")));
            }
        }
        Ok(())
    }

    /// The network whose embeddings of this data set's images are compared.
    pub(crate) fn network(&self, dataset: &Dataset) -> Result<Net> {
        let images = (dataset.channels(), dataset.size());
        let net = self.net.net(images, dataset.classes(), (self.width, self.depth))?;
        let why = match self.method {
            Matching::Dm | Matching::Dc | Matching::Dsa => return Ok(net),
            Matching::Dd => "dd needs a network without batch norm",
            Matching::Trajectory => "snapshots need a network without batch norm",
        };
        match net.has_batch_norm() {
            true => Err(Error::setting("net", self.net.label(), why)),
            false => Ok(net),
        }
    }
}

/// The factor of sets that are not packed.
fn one() -> usize {
    1
}

fn is_one(factor: &usize) -> bool {
    *factor == 1
}

/// A strategy is stored as people write it.
pub(crate) mod as_text {
    use super::Strategy;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(value: &Strategy, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&value.to_string())
    }
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Strategy, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DatasetInfo;

    #[test]
    fn only_sets_that_may_be_mirrored_are_flipped() {
        let augment = |name: &str, channels: usize| {
            let info = DatasetInfo {
                name: name.into(),
                class_names: vec!["a".into()],
                channels,
                size: 4,
                mean: vec![0.5; channels],
                std: vec![0.5; channels],
            };
            let one = (vec![0; channels * 16], vec![0]);
            let dataset = Dataset::new(info, one, (vec![], vec![])).unwrap();
            Settings::for_dataset(&dataset).augment
        };
        for (name, channels, flip) in [
            ("mnist", 1, false),
            ("kmnist", 1, false),
            ("fashion-mnist", 1, true),
            ("svhn", 3, false),
            ("cifar10", 3, true),
            ("cifar100", 3, true),
            ("of mine", 1, false),
            ("of mine", 3, true),
        ] {
            let expected = if flip { Strategy::all() } else { Strategy::digits() };
            assert_eq!(augment(name, channels), expected, "{name}");
        }
    }
}
