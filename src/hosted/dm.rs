//! Whole steps of distribution matching, from and to host memory.

use crate::{
    Gpu, Net, Result,
    augment::row::Row,
    condense::{Iteration, Plan, RealBatch, RealFormat, Staged, Step, StepProgress},
    gpu::blocking,
    kernels::{Packed, Rates},
};

/// Settings of a [`DmSession`].
#[derive(Debug, Clone)]
pub struct DmCase {
    /// The network, whose last layer is left out.
    pub net: Net,
    /// Number of classes.
    pub classes: usize,
    /// Synthetic images per class.
    pub ipc: usize,
    /// Real images per class.
    pub batch_real: usize,
    /// Real images for batch norms' statistics; 0 without batch norm.
    pub norm_images: usize,
    /// Learning rate of the pixels.
    pub lr: f32,
    /// Each of the synthetic images is so many squared for the networks.
    pub factor: usize,
    /// Where the images reach beyond a stored one, what is there.
    pub padding: f32,
}

/// The results of one step of [`DmSession`].
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
            net: case.net.program().embedding(),
            real_counts: real_counts.clone(),
            norm_images: case.norm_images,
            counts: vec![case.ipc; case.classes],
            packed: (case.factor > 1).then(|| Packed {
                images: (case.net.channels(), case.net.size()),
                factor: case.factor,
                padding: [case.padding; 4],
            }),
            rates: Rates::new(case.lr, 0.5, 0.0),
            real: RealFormat::Values,
            most_shown: usize::MAX,
            part: usize::MAX,
            passes: 1,
            class: None,
            range: None,
        };
        let matching = blocking("prepare the step", Iteration::new(gpu, &plan, syn))?;
        Ok(Self { gpu: gpu.clone(), real_counts, matching })
    }

    /// One step: the network's first parameters, those of blocks (width, inputs, 3, 3) before all others; one row a class;
    /// real images class-major, and the images for batch norms' statistics.
    pub fn step(
        &mut self,
        parameters: &[Vec<f32>],
        rows: &[Row],
        real: &[f32],
        norm: &[f32],
    ) -> Result<DmResult> {
        let matching = &mut self.matching;
        for (buffer, values) in matching.weights.all().zip(parameters) {
            buffer.write(&self.gpu, values);
        }
        let mut losses = matching.loss_readback();
        let step = Step {
            network: None,
            given: None,
            shown: &[],
            rows,
            real_counts: &self.real_counts,
            batch: RealBatch::Values { batch: real, norm },
        };
        let mut progress = StepProgress::default();
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
