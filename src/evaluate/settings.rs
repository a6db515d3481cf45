//! The settings by which networks are trained and tested.

use serde::{Deserialize, Serialize};

use crate::{
    Architecture, Dataset, Error, Net, Protocol, Recipe, Result, augment::Strategy,
    condense::as_text, nn::is_usual, setters::with_setters,
};

with_setters! {
    /// The settings of an evaluation. The defaults are those of the published protocol (Zhao & Bilen,
    /// WACV 2023) but for fewer networks and epochs. Every field can be read, and set by the method of its name.
    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub struct EvaluationSettings {
        /// How networks are trained.
        #[serde(default, skip_serializing_if = "Protocol::is_usual")]
        pub protocol: Protocol,
        /// Networks, each trained from its own random weights; from 1.
        pub nets: usize,
        /// Passes over the training images, from 1. By DM's protocol, from epoch ⌊epochs / 2⌋ + 1 on, counted from 0,
        /// the learning rate is a tenth, and the momenta begin anew; by IDC's it is a fifth from ⌊2 · epochs / 3⌋ on,
        /// and a fifth of that from ⌊5 · epochs / 6⌋ on.
        pub epochs: u32,
        /// The kind of network.
        #[serde(default, skip_serializing_if = "is_usual")]
        pub net: Architecture,
        /// Channels of every convolution of a ConvNet.
        pub width: usize,
        /// Blocks of a ConvNet.
        pub depth: usize,
        /// Images per batch; the last batch of an epoch takes what is left.
        pub batch: usize,
        /// Learning rate of SGD with momentum 0.9 and weight decay 5e-4.
        pub lr: f32,
        /// By DM's protocol, the augmentations of which one is drawn for each batch, with its own parameters for each image;
        /// by IDC's, those that each image gets, one after the other.
        #[serde(with = "as_text")]
        pub augment: Strategy,
        /// Everything random follows from it: network n of a seed is always the same.
        pub seed: u64,
    }
}

impl EvaluationSettings {
    /// Three networks of width 128 for 300 epochs, and values that suit the data set.
    pub fn for_dataset(dataset: &Dataset) -> Self {
        Self::of(&Recipe::new(dataset))
    }

    /// The settings of a recipe, for instance of one with another preset.
    pub fn of(recipe: &Recipe) -> Self {
        recipe.evaluation()
    }

    /// Checks every value alone and against the data set.
    ///
    /// # Errors
    /// [`Error::Setting`] or [`Error::Shape`], naming the setting and what is possible.
    pub fn check(&self, dataset: &Dataset) -> Result<()> {
        for (name, value, most) in [
            ("eval_nets", self.nets, 1000),
            ("eval_epochs", self.epochs as usize, 100_000),
            ("eval_batch", self.batch, 1_000_000),
        ] {
            if value == 0 {
                return Err(Error::setting(name, value, "at least 1 is needed"));
            }
            if value > most {
                return Err(Error::setting(name, value, format!("1 to {most} is possible")));
            }
        }
        if !(self.lr.is_finite() && self.lr > 0.0) {
            return Err(Error::setting("eval_lr", self.lr, "a positive number is needed"));
        }
        self.network(dataset).map(drop)
    }

    pub(crate) fn network(&self, dataset: &Dataset) -> Result<Net> {
        let Self { net, width, depth, .. } = self;
        let images = (dataset.channels(), dataset.size());
        net.net(images, dataset.classes(), (*width, *depth)).map_err(|error| match error {
            // The error names the field that was set.
            Error::Setting { name: "width", given, expected } => {
                Error::Setting { name: "eval_width", given, expected }
            }
            Error::Setting { name: "depth", given, expected } => {
                Error::Setting { name: "eval_depth", given, expected }
            }
            other => other,
        })
    }
}
