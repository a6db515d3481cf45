//! The door to dataset distillation with everything random given by the caller.

use super::{Images, gradients::packed};
use crate::{
    Gpu, Net, Result,
    condense::{
        Drawn, Lessons, RealFormat, Staged, UnrolledIteration, UnrolledPlan, UnrolledProgress,
    },
    gpu::{Submissions, blocking},
    kernels::{Moves, NetworkKey},
    nn::{Ways, Weights},
    rng::Purpose,
};

/// What [`unroll`] is given.
#[derive(Debug, Clone)]
pub struct UnrollCase {
    /// The network.
    pub net: Net,
    /// Its parameters, in the order of [`net_parameters_apart`](super::net_parameters_apart).
    pub init: Vec<Vec<f32>>,
    /// The synthetic images of all steps, one step after the other, as they are stored.
    pub data: Images,
    /// Tiles of a side that each is packed with, class after class.
    pub factor: usize,
    /// What stands where these reach beyond it.
    pub padding: f32,
    /// The label of each image, as networks see them.
    pub labels: Vec<u32>,
    /// Steps of a pass.
    pub steps: usize,
    /// Of each step of all passes, what its rate is the softplus of.
    pub raw: Vec<f32>,
    /// Real images, and their labels.
    pub real: (Images, Vec<u32>),
    /// Learning rate and moments of Adam.
    pub adam: (f32, f32, f32),
    /// Images at a time.
    pub part: usize,
}

/// What it leaves.
#[derive(Debug, Clone, PartialEq)]
pub struct Unrolled {
    /// Cross-entropy of each real image.
    pub losses: Vec<f32>,
    /// The trained network's parameters.
    pub trained: Vec<Vec<f32>>,
    /// The gradients at the images that networks see, and at what the rates are of.
    pub gradients: (Vec<f32>, Vec<f32>),
    /// Images and what the rates are of after a move.
    pub moved: (Vec<f32>, Vec<f32>),
    /// Weights that were kept at a time.
    pub kept: usize,
}

struct Given<'a>(&'a UnrollCase);

impl Lessons for Given<'_> {
    fn network(&self) -> Option<NetworkKey> {
        None
    }
    fn real(&self) -> (Drawn<'_>, Vec<u32>) {
        (Drawn::Values((&self.0.real.0.values).into()), self.0.real.1.clone())
    }
    fn moves(&self) -> Moves {
        let (lr, first, second) = self.0.adam;
        Moves::new(lr, (first, second), 1)
    }
}

pub(crate) fn unroll_plan(case: &UnrollCase) -> Result<UnrolledPlan<'_>> {
    let each = case.labels.len() / case.steps;
    let run = |step: usize| std::iter::once(step * each..(step + 1) * each).collect();
    Ok(UnrolledPlan {
        nets: case.net.programs_apart()?,
        labels: case.labels.clone(),
        packed: packed(&case.net, case.factor, case.padding),
        order: (0..case.steps).map(run).collect(),
        passes: case.raw.len() / case.steps,
        rate: 1.0,
        real_counts: vec![case.real.1.len()],
        real: RealFormat::Values,
        part: case.part,
    })
}

/// One iteration of dataset distillation.
pub fn unroll(gpu: &Gpu, case: &UnrollCase) -> Result<Unrolled> {
    let plan = unroll_plan(case)?;
    plan.check(gpu)?;
    let making = UnrolledIteration::new(gpu, &plan, &case.data.values);
    let mut iteration = blocking("prepare the iteration", making)?;
    iteration.pauses = true;
    iteration.state.raw.write(gpu, &case.raw);
    for (slot, values) in iteration.weights().all().zip(&case.init) {
        slot.write(gpu, values);
    }
    let mut losses = iteration.loss_readback();
    let (mut progress, lessons) = (UnrolledProgress::default(), Given(case));
    let mut trained = Vec::new();
    let submission = loop {
        let (ticket, ended) = iteration.submit_some(&lessons, &mut progress, &mut losses)?;
        if ended {
            break ticket.submission();
        }
        if iteration.is_trained(&progress) {
            for (slot, len) in iteration.weights().all().zip(plan.nets[0].lens()) {
                let mut values = slot.read_blocking(gpu)?;
                values.truncate(len);
                trained.push(values);
            }
        }
    };
    let (images, raw) = iteration.gradients();
    Ok(Unrolled {
        losses: losses.take_blocking(gpu, submission)?,
        trained,
        gradients: (images.read_blocking(gpu)?, raw.read_blocking(gpu)?),
        moved: (
            iteration.state.images.read_blocking(gpu)?,
            iteration.state.raw.read_blocking(gpu)?,
        ),
        kept: iteration.kept(),
    })
}

/// Networks of a seed from so many on, drawn by Xavier's distribution: of each parameter the values of all, where every layer
/// is an operation of its own or, `fast`, some are blocks.
pub fn xavier(
    gpu: &Gpu,
    net: &Net,
    (seed, first): (u64, u32),
    nets: usize,
    fast: bool,
) -> Result<Vec<Vec<f32>>> {
    let [apart, blocks] = net.programs_apart()?;
    let program = if fast { blocks } else { apart };
    let mut weights = Weights::room(gpu, &program, nets, Ways::ToImages);
    weights.record_xavier(gpu, &program);
    let mut submissions = Submissions::new(gpu);
    weights.draw(gpu, &mut submissions, NetworkKey::new(seed, Purpose::TrainedWeights, first));
    submissions.finish();
    weights.all().map(|values| values.read_blocking(gpu)).collect()
}
