//! Steps of snapshot matching, from and to host memory.

use super::{DmResult, Row};
use crate::{
    Gpu, Net, Result,
    condense::{ClassPlan, Iteration, Plan, RealBatch, RealFormat, Staged, Step, StepProgress},
    gpu::blocking,
    kernels::{Packed, PixelRange, Rates},
};

/// Settings of a [`SnapshotSession`].
#[derive(Debug, Clone)]
pub struct SnapshotCase {
    /// The network.
    pub net: Net,
    /// Number of classes.
    pub classes: usize,
    /// Stored pictures per class.
    pub ipc: usize,
    /// Tiles of a side.
    pub factor: usize,
    /// Real images per class.
    pub batch_real: usize,
    /// Passes of augmentation that each image goes through.
    pub passes: usize,
    /// How much the cross-entropy counts.
    pub alpha: f32,
    /// Learning rate of the pixels, which are in 0…1.
    pub lr: f32,
    /// How they are normalised.
    pub mean: Vec<f32>,
    /// The same.
    pub std: Vec<f32>,
}

/// Steps of snapshot matching with everything random given by the caller.
pub struct SnapshotSession {
    gpu: Gpu,
    real_counts: Vec<usize>,
    matching: Iteration,
}

impl SnapshotSession {
    /// Starts from the given pictures, normalised and class-major.
    pub fn new(gpu: &Gpu, case: &SnapshotCase, syn: &[f32]) -> Result<Self> {
        let real_counts = vec![case.batch_real; case.classes];
        let mut padding = [0.0; 4];
        for (at, (mean, std)) in case.mean.iter().zip(&case.std).enumerate() {
            padding[at] = (0.5 - mean) / std;
        }
        let (channels, size) = (case.net.channels(), case.net.size());
        let plan = Plan {
            net: case.net.program().embedding(),
            real_counts: real_counts.clone(),
            norm_images: 0,
            counts: vec![case.ipc; real_counts.len()],
            packed: Some(Packed { images: (channels, size), factor: case.factor, padding }),
            rates: Rates::new(case.lr, 0.5, 0.0),
            real: RealFormat::Values,
            most_shown: usize::MAX,
            part: usize::MAX,
            passes: case.passes,
            class: Some(ClassPlan { net: case.net.program().clone(), alpha: case.alpha }),
            range: Some(PixelRange {
                mean: case.mean.clone(),
                std: case.std.clone(),
                plane: size * size,
            }),
        };
        let matching = blocking("prepare the step", Iteration::new(gpu, &plan, syn))?;
        Ok(Self { gpu: gpu.clone(), real_counts, matching })
    }

    /// One step: the parameters of the network whose embeddings are matched and of the one that recognises, blocks before
    /// all others; rows of each class, pass after pass; real images, normalised and class-major. The velocity
    /// is of pixels in 0…1, all else normalised; the loss is each class's.
    pub fn step(
        &mut self,
        parameters: [&[Vec<f32>]; 2],
        rows: &[Row],
        real: &[f32],
    ) -> Result<(Vec<f32>, DmResult)> {
        let matching = &mut self.matching;
        let mut losses = matching.loss_readback();
        let step = Step {
            network: None,
            given: Some(parameters),
            shown: &[],
            rows,
            real_counts: &self.real_counts,
            batch: RealBatch::Values { batch: real, norm: &[] },
        };
        let mut progress = StepProgress::default();
        let submission = loop {
            let (ticket, ended) = matching.submit_some(&step, &mut progress, &mut losses)?;
            if ended {
                break ticket.submission();
            }
        };
        let losses = losses.take_blocking(&self.gpu, submission)?;
        let left = DmResult {
            loss: losses.iter().sum(),
            grad: matching.gradient.read_blocking(&self.gpu)?,
            syn: matching.images.read_blocking(&self.gpu)?,
            velocity: matching.velocity.read_blocking(&self.gpu)?,
        };
        Ok((losses, left))
    }
}
