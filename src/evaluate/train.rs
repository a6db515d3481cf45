//! What networks are trained on, on the host.

use super::{EvaluationSettings, sizes::Load};
use crate::{
    Dataset, Net, Protocol, Result, SyntheticSet,
    augment::Strategy,
    condense::{Course, made_by},
    kernels::NetworkKey,
    rng::Purpose,
};

/// Training images and their labels.
#[derive(Debug)]
pub(super) enum Train {
    Values { images: Vec<f32>, labels: Vec<u32>, lessons: Option<Lessons> },
    Whole,
}

/// A set's own course of training.
#[derive(Debug)]
pub(super) struct Lessons {
    pub course: Course,
    /// All images, as they follow one another.
    pub order: Vec<u32>,
    /// The seed of the only network for which the images were made, if there is only one.
    known: Option<u64>,
}

impl Lessons {
    /// Of a set that has a course; and the settings of networks that follow it: of the kind that the images were made for, in
    /// batches and passes as the course has them.
    pub fn of(
        set: &SyntheticSet,
        course: Course,
        settings: EvaluationSettings,
    ) -> Result<(Self, EvaluationSettings)> {
        let made = made_by(&set.settings)?;
        let known = made.is_fixed().then_some(made.seed);
        let settings = EvaluationSettings {
            net: made.net,
            width: made.width,
            depth: made.depth,
            nets: if known.is_some() { 1 } else { settings.nets },
            epochs: course.passes() as u32,
            batch: course.batch(),
            protocol: Protocol::Dm,
            augment: Strategy::none(),
            seed: known.unwrap_or(settings.seed),
            ..settings
        };
        let order = course.order.concat();
        Ok((Self { course, order, known }, settings))
    }

    /// The networks from a number on: the known one, or fresh ones.
    pub fn key(&self, seed: u64, first_net: u32) -> NetworkKey {
        match self.known {
            Some(seed) => NetworkKey::new(seed, Purpose::TrainedWeights, 0),
            None => NetworkKey::new(seed, Purpose::EvaluationWeights, first_net),
        }
    }
}

impl Train {
    pub fn load<'a>(
        &self,
        dataset: &'a Dataset,
        net: &'a Net,
        settings: &'a EvaluationSettings,
    ) -> Load<'a> {
        let images = match self {
            Self::Values { labels, .. } => Some(labels.len()),
            Self::Whole => None,
        };
        Load { dataset, net, settings, images }
    }

    pub fn lessons(&self) -> Option<&Lessons> {
        match self {
            Self::Values { lessons, .. } => lessons.as_ref(),
            Self::Whole => None,
        }
    }

    pub fn len(&self, dataset: &Dataset) -> usize {
        match self {
            Self::Values { labels, .. } => labels.len(),
            Self::Whole => dataset.train().len(),
        }
    }

    pub fn labels<'a>(&'a self, dataset: &'a Dataset) -> &'a [u32] {
        match self {
            Self::Values { labels, .. } => labels,
            Self::Whole => dataset.train().labels(),
        }
    }
}
