//! Dataset condensation with distribution matching, on any GPU.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod augment;
mod condense;
pub mod data;
mod error;
mod evaluate;
mod files;
mod gpu;
pub mod import;
mod kernels;
mod nn;
pub mod report;
mod rng;

pub use condense::{
    Condensation, Init, Loss, Selection, SelectionSettings, Selector, Settings, SyntheticSet,
};
pub use data::{Dataset, DatasetInfo, Split};
pub use error::{Error, Result};
pub use evaluate::{Accuracy, Evaluation, EvaluationSettings, TrainingSet};
pub use gpu::{AdapterChoice, AdapterReport, Gpu, Kernels, adapters_blocking};
pub use nn::ConvNet;
#[doc(hidden)]
pub mod testing;
pub use wgpu;
