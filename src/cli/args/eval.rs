//! Flags of the networks that judge a set.

use clap::Args;

use dm_wgpu::{EvaluationSettings, augment::Strategy};

use crate::cli::values::{self, Architectures, count};

/// How networks are trained to judge a set.
#[derive(Debug, Args)]
pub struct EvalArgs {
    /// Networks to train on the set; the accuracy is their mean ± standard deviation [default: 3].
    #[arg(
        long, value_name = "N", help_heading = "Evaluation",
        allow_negative_numbers = true, value_parser = count::<usize>(1000)
    )]
    pub eval_nets: Option<usize>,
    /// Kind of network to train: convnet, mlp, lenet, alexnet, vgg11, resnet18, with batch norm alexnet-bn, vgg11-bn,
    /// resnet18-bn, resnet18-bn-ap, or another ConvNet such as convnet:norm=batch:act=swish:pool=max [default: as --net].
    #[arg(
        long, value_name = "NAME", help_heading = "Evaluation", value_parser = values::architectures
    )]
    pub eval_net: Option<Architectures>,
    /// Passes over the set for each of them [default: 300; 20 over a whole training set].
    #[arg(
        long, value_name = "N", help_heading = "Evaluation",
        allow_negative_numbers = true, value_parser = count::<u32>(100_000)
    )]
    pub eval_epochs: Option<u32>,
    /// Channels of each of their convolutions [default: as --width].
    #[arg(
        long, value_name = "N", help_heading = "Evaluation",
        allow_negative_numbers = true, value_parser = count::<usize>(4096)
    )]
    pub eval_width: Option<usize>,
    /// Their blocks, 1 to 5 [default: as --depth].
    #[arg(
        long, value_name = "N", help_heading = "Evaluation",
        allow_negative_numbers = true, value_parser = count::<usize>(5)
    )]
    pub eval_depth: Option<usize>,
    /// Images a step of theirs [default: 256].
    #[arg(
        long, value_name = "N", help_heading = "Evaluation",
        allow_negative_numbers = true, value_parser = count::<usize>(1_000_000)
    )]
    pub eval_batch: Option<usize>,
    /// Their learning rate; from half-way on it is a tenth [default: 0.01].
    #[arg(
        long, value_name = "RATE", help_heading = "Evaluation",
        allow_negative_numbers = true, value_parser = values::positive
    )]
    pub eval_lr: Option<f32>,
    /// Augmentations of which one is drawn for each of their steps [default: all that suit the data
    /// set, whatever --augment says].
    #[arg(
        long, value_name = "NAMES", help_heading = "Evaluation", value_parser = values::strategy
    )]
    pub eval_augment: Option<Strategy>,
}

impl EvalArgs {
    /// Clap can't, as `evaluate` takes several.
    pub(super) fn check_one_net(&self) -> Result<(), String> {
        match &self.eval_net {
            Some(kinds) if kinds.0.len() > 1 => Err(
                "--eval-net takes one kind of network here; `dm-wgpu evaluate RUN --eval-net …` takes several"
                    .to_owned(),
            ),
            _ => Ok(()),
        }
    }

    /// What was asked for, and where nothing was, what suits.
    pub fn over(&self, suited: EvaluationSettings) -> EvaluationSettings {
        suited
            .clone()
            .net(self.eval_net.as_ref().map_or(suited.net, |kinds| kinds.0[0]))
            .nets(self.eval_nets.unwrap_or(suited.nets))
            .epochs(self.eval_epochs.unwrap_or(suited.epochs))
            .width(self.eval_width.unwrap_or(suited.width))
            .depth(self.eval_depth.unwrap_or(suited.depth))
            .batch(self.eval_batch.unwrap_or(suited.batch))
            .lr(self.eval_lr.unwrap_or(suited.lr))
            .augment(self.eval_augment.clone().unwrap_or(suited.augment))
    }
}
