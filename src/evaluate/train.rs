//! What networks are trained on: as asked for, and on the host.

use super::{EvaluationSettings, sizes::Load};
use crate::{
    Dataset, Error, Net, Protocol, Result, SyntheticSet,
    augment::Strategy,
    condense::{Course, made_by},
    kernels::NetworkKey,
    rng::Purpose,
};

/// What networks are trained on.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum TrainingSet {
    /// A synthetic set, or a selection in its form. If it is packed, it is [decoded](SyntheticSet::decoded).
    Synthetic(SyntheticSet),
    /// A set with a [`Course`](crate::Course), by that: in its order and at its rates, without augmentation, by networks of
    /// the kind for which it was made, from Xavier's normal weights. If it was made for one network alone, that is trained.
    InOrder(SyntheticSet),
    /// All training images of the data set: the upper bound.
    Whole,
}

impl TrainingSet {
    /// A set by its own course of training, if it has one, or else by the ordinary protocol.
    pub fn as_made(set: SyntheticSet) -> Self {
        match set.course {
            Some(_) => Self::InOrder(set),
            None => Self::Synthetic(set),
        }
    }
}

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
    /// What was asked for, and the settings of networks that are trained on it: a set's course decides some of them.
    pub fn of(
        train: TrainingSet,
        dataset: &Dataset,
        settings: EvaluationSettings,
    ) -> Result<(Self, EvaluationSettings)> {
        Ok(match train {
            TrainingSet::Whole => (Self::Whole, settings),
            TrainingSet::Synthetic(set) => {
                let set = set.decoded()?;
                let labels = check_set(&set, dataset)?;
                set.check_loosely()?;
                (Self::Values { images: set.images, labels, lessons: None }, settings)
            }
            TrainingSet::InOrder(set) => {
                set.check_loosely()?;
                let mut set = set.decoded()?;
                let labels = check_set(&set, dataset)?;
                let Some(course) = set.course.take() else {
                    return Err(Error::shape("synthetic set", "it has no course of training"));
                };
                let (lessons, own) = Lessons::of(&set, course, settings)?;
                (Self::Values { images: set.images, labels, lessons: Some(lessons) }, own)
            }
        })
    }

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

/// The set's labels, if it fits the data set.
fn check_set(set: &SyntheticSet, dataset: &Dataset) -> Result<Vec<u32>> {
    let what = || format!("set made from {}", set.dataset);
    if (set.channels, set.size) != (dataset.channels(), dataset.size()) {
        return Err(Error::shape(
            what(),
            format!(
                "its images are {c}×{s}×{s}, those of {name} {dc}×{ds}×{ds}",
                c = set.channels,
                s = set.size,
                name = dataset.name(),
                dc = dataset.channels(),
                ds = dataset.size(),
            ),
        ));
    }
    if set.labels.is_empty() || set.images.len() != set.labels.len() * dataset.image_len() {
        return Err(Error::shape(what(), "it has no images, or not one label for each"));
    }
    let classes = dataset.classes();
    let fits = |&label: &i64| u32::try_from(label).ok().filter(|&l| (l as usize) < classes);
    set.labels.iter().map(fits).collect::<Option<_>>().ok_or_else(|| {
        Error::shape(
            what(),
            format!("a label is not one of the {classes} classes of {}", dataset.name()),
        )
    })
}
