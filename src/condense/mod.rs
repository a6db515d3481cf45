//! From (data set, settings, device) to a [`SyntheticSet`].
mod set;
mod settings;
use crate::{Dataset, Gpu, Result};
pub use set::SyntheticSet;
pub use settings::{Init, Settings};

/// One condensation.
pub struct Condensation {}

/// The loss of one iteration.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Loss {
    /// Zero-based iteration.
    pub iteration: u32,
    /// Sum over classes of the squared distance of mean embeddings, divided by the number of classes.
    pub loss: f32,
}

impl Condensation {
    /// stub: prepares everything (compiles pipelines, makes buffers, uploads the initial images). Nothing ran yet.
    pub fn new(_gpu: &Gpu, _dataset: std::sync::Arc<Dataset>, _settings: Settings) -> Result<Self> {
        unimplemented!()
    }
    /// stub: submits one iteration to the queue and returns without waiting
    pub fn step(&mut self) -> Result<()> {
        unimplemented!()
    }
    /// stub: iterations submitted so far
    pub fn iteration(&self) -> u32 {
        unimplemented!()
    }
    /// stub: submitted but not finished by the GPU
    pub fn in_flight(&self) -> u32 {
        unimplemented!()
    }
    /// stub: blocks until at most `at_most` iterations are in flight
    pub fn wait_blocking(&mut self, _at_most: u32) -> Result<()> {
        unimplemented!()
    }
    /// stub: losses that arrived since the last call, in order; never blocks. Err(Diverged) if one is not finite.
    pub fn take_losses(&mut self) -> Result<Vec<Loss>> {
        unimplemented!()
    }
    /// stub: waits for all submitted work and copies the images to the host
    pub fn images_blocking(&mut self) -> Result<SyntheticSet> {
        unimplemented!()
    }
}
