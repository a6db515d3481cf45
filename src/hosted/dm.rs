//! The door to whole steps of distribution matching.

use crate::{
    ConvNet, Gpu, Result,
    augment::row::Row,
    condense::{Iteration, Plan, Progress, RealBatch, RealFormat, Step},
    gpu::blocking,
    kernels::Rates,
    nn::Program,
};

/// Settings of a [`DmSession`].
#[derive(Debug, Clone)]
pub struct DmCase {
    /// The network.
    pub net: ConvNet,
    /// Number of classes.
    pub classes: usize,
    /// Synthetic images a class.
    pub ipc: usize,
    /// Real images a class.
    pub batch_real: usize,
    /// Learning rate of the pixels.
    pub lr: f32,
}

/// What one step of [`DmSession`] left.
#[derive(Debug, Clone)]
// Tests read all of it.
#[cfg_attr(not(feature = "testing"), allow(dead_code))]
pub struct DmResult {
    /// Sum over classes.
    pub loss: f32,
    /// Gradient at the synthetic pixels.
    pub grad: Vec<f32>,
    /// Synthetic pixels after the step.
    pub syn: Vec<f32>,
    /// Velocity after the step.
    pub velocity: Vec<f32>,
}

/// Distribution-matching steps with everything random given by the caller.
pub struct DmSession {
    gpu: Gpu,
    real_counts: Vec<usize>,
    matching: Iteration,
}

impl DmSession {
    /// Starts from the given synthetic images, class-major.
    pub fn new(gpu: &Gpu, case: &DmCase, syn: &[f32]) -> Result<Self> {
        let real_counts = vec![case.batch_real; case.classes];
        let plan = Plan {
            net: Program::of_blocks(&case.net),
            real_counts: real_counts.clone(),
            ipc: case.ipc,
            rates: Rates::new(case.lr, 0.5, 0.0),
            real: RealFormat::Values,
        };
        let matching = blocking("prepare the step", Iteration::new(gpu, &plan, syn))?;
        Ok(Self { gpu: gpu.clone(), real_counts, matching })
    }

    /// One step: weights (width, inputs, 3, 3) of each block, one row a class, real images
    /// class-major.
    pub fn step(&mut self, weights: &[Vec<f32>], rows: &[Row], real: &[f32]) -> Result<DmResult> {
        let matching = &mut self.matching;
        for (block, values) in weights.iter().enumerate() {
            matching.weights.conv(block).write(&self.gpu, values);
        }
        let mut losses = matching.loss_readback();
        let step = Step {
            network: None,
            rows,
            real_counts: &self.real_counts,
            batch: RealBatch::Values(real),
        };
        let mut progress = Progress::default();
        let submission = loop {
            let (ticket, ended) = matching.submit_some(&step, &mut progress, &mut losses)?;
            if ended {
                break ticket.submission();
            }
        };
        Ok(DmResult {
            loss: losses.take_blocking(&self.gpu, submission)?.iter().sum(),
            grad: matching.gradient.read_blocking(&self.gpu)?,
            syn: matching.images.read_blocking(&self.gpu)?,
            velocity: matching.velocity.read_blocking(&self.gpu)?,
        })
    }
}
