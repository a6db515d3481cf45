//! The course of a training that belongs to a set: dataset distillation makes images for it.

use safetensors::{Dtype, SafeTensors};

use super::{
    DdInit, Settings,
    tensor_file::{Part, tensor, values},
};
use crate::{Error, Result, objective::Matching};

/// In which order a network is to be trained on the images of a set, and at which rates. Dataset distillation makes images
/// for one course of training: in another order or at other rates they teach much less.
#[derive(Debug, Clone, PartialEq)]
pub struct Course {
    /// The images of each step of a pass, equally many of each step. Every image is in one of them. If images are packed,
    /// these are the [decoded](super::SyntheticSet::decoded) ones.
    pub order: Vec<Vec<u32>>,
    /// The learning rate of each step (SGD without momentum and decay), pass after pass.
    pub rates: Vec<f32>,
}

impl Course {
    /// Passes over all images.
    pub fn passes(&self) -> usize {
        self.rates.len() / self.order.len().max(1)
    }

    /// Images of a step.
    pub fn batch(&self) -> usize {
        self.order.first().map_or(0, Vec::len)
    }

    /// Of a run with these settings, whose rates are the softplus of `raw`.
    pub(super) fn of(classes: usize, settings: &Settings, raw: &[f32]) -> Self {
        let softplus = |raw: &f32| raw.max(0.0) + (-raw.abs()).exp().ln_1p();
        let images = |runs: Vec<std::ops::Range<usize>>| {
            runs.into_iter().flatten().map(|image| image as u32).collect()
        };
        Self {
            order: settings.runs_of_steps(classes).into_iter().map(images).collect(),
            rates: raw.iter().map(softplus).collect(),
        }
    }

    /// What does not fit in it to a set of so many images.
    pub(super) fn check(&self, images: usize) -> Result<(), String> {
        let (steps, batch) = (self.order.len(), self.batch());
        if steps == 0 || batch == 0 || self.order.iter().any(|step| step.len() != batch) {
            return Err("the steps of its course have not all the same number of images".into());
        }
        let mut seen = vec![0; images];
        for &image in self.order.iter().flatten() {
            match seen.get_mut(image as usize) {
                Some(times) => *times += 1,
                None => return Err(format!("its course names image {image} of {images}")),
            }
        }
        if let Some(image) = seen.iter().position(|times| *times != 1) {
            let times = seen[image];
            return Err(format!("image {image} is in {times} steps of its course, not in one"));
        }
        if self.rates.is_empty() || !self.rates.len().is_multiple_of(steps) {
            let rates = self.rates.len();
            return Err(format!("its course has {rates} rates for passes of {steps} steps"));
        }
        match self.rates.iter().position(|rate| !(rate.is_finite() && *rate >= 0.0)) {
            Some(at) => Err(format!("rate {at} of its course is {}", self.rates[at])),
            None => Ok(()),
        }
    }

    /// Its arrays in the file of a set.
    pub(super) fn parts(&self) -> [Part<'static>; 2] {
        let (steps, batch) = (self.order.len(), self.batch());
        let order: Vec<_> = self.order.iter().flatten().map(|image| i64::from(*image)).collect();
        [
            Part::i64("order", vec![steps, batch], &order),
            Part::f32("rates", vec![self.passes(), steps], &self.rates),
        ]
    }

    /// From such a file, if it has them.
    pub(super) fn read(tensors: &SafeTensors<'_>) -> Result<Option<Self>, String> {
        let names = tensors.names();
        if !names.iter().any(|name| ["order", "rates"].contains(&&**name)) {
            return Ok(None);
        }
        let order = tensor(tensors, "order", Dtype::I64, 2)?;
        let rates = tensor(tensors, "rates", Dtype::F32, 2)?;
        let [steps, batch] = *order.shape() else { return Err("order: two dimensions".into()) };
        if rates.shape().get(1) != Some(&steps) || batch == 0 {
            let (order, rates) = (order.shape(), rates.shape());
            return Err(format!("order of shape {order:?} and rates of shape {rates:?}"));
        }
        let images = values(order.data(), i64::from_le_bytes).into_iter().map(u32::try_from);
        let images: Vec<_> = images.collect::<Result<_, _>>().map_err(|e| format!("order: {e}"))?;
        Ok(Some(Self {
            order: images.chunks(batch).map(<[u32]>::to_vec).collect(),
            rates: values(rates.data(), f32::from_le_bytes),
        }))
    }
}

/// The settings of the run that made a set with a course, from the set's own: they say which networks it is for.
pub(crate) fn made_by(settings: &str) -> Result<Settings> {
    let wrong = |why: String| Error::shape("synthetic set", why);
    let settings: Settings = serde_json::from_str(settings).map_err(|error| {
        wrong(format!("it has a course, but not the settings of its run: {error}"))
    })?;
    match settings.method {
        Matching::Dd => Ok(settings),
        other => Err(wrong(format!("it has a course, but {other} made it, and not dd"))),
    }
}

impl Settings {
    /// The runs of images that each step of a pass is on: every step has as many of a class as the others.
    pub(super) fn runs_of_steps(&self, classes: usize) -> Vec<Vec<std::ops::Range<usize>>> {
        let steps = self.dd_steps.unwrap_or(1).max(1) as usize;
        let counts = self.shown_of_classes(classes);
        let of_step = |step: usize| {
            let mut class = 0;
            let of_class = |count: &usize| {
                let (first, each) = (class + step * (count / steps), count / steps);
                class += count;
                first..first + each
            };
            counts.iter().map(of_class).collect()
        };
        (0..steps).map(of_step).collect()
    }

    /// Whether networks are trained from the same weights always.
    pub(crate) fn is_fixed(&self) -> bool {
        self.dd_init == Some(DdInit::Fixed)
    }
}
