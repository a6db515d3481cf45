//! What networks are trained on, on the host.

use super::{EvaluationSettings, sizes::Load};
use crate::{Dataset, Net};

/// Training images and their labels.
#[derive(Debug)]
pub(super) enum Train {
    Values { images: Vec<f32>, labels: Vec<u32> },
    Whole,
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
