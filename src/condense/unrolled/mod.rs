//! One iteration of dataset distillation as recorded GPU work (Wang et al., "Dataset Distillation", 2018): a network is
//! trained on the synthetic images, in their order and with their rates; real images judge it; and the gradient of that goes
//! back through all steps of the training, down to the images and the rates.
//!
//! All steps go through the same recordings: what differs is copied before each. A step's way back is the derivative along a
//! direction of the weights, the gradient of the loss at those after the step. The weights before it are either kept, or
//! computed again from those of an earlier step. What others see is moved at the end of an iteration, all before works on a
//! copy.

mod buffers;
mod encode;

use std::ops::Range;

use wgpu::util::StagingBelt;

use super::{Drawn, RealFormat, cut};
use crate::{
    Error, Result,
    gpu::{Buffer, Gpu, Readback, Recording, blocking, staging_belt},
    kernels::{
        Batch, Moves, Nets, NetworkKey, Packed, Rows, adam, learned_rates, rate_gradient, sgd,
        softmax_cross_entropy,
    },
    nn::{Along, Mode, Network, Program, Target, Weights},
};

pub(in crate::condense) use buffers::State;
use buffers::{Buffers, Cut};
pub(crate) use encode::UnrolledProgress;

/// Buffers of a [`State`].
const STATE: usize = 6;

/// What an [`UnrolledIteration`] is built for.
pub(crate) struct UnrolledPlan<'a> {
    /// From images to logits, with every layer an operation of its own, and with fast blocks.
    pub nets: [Program; 2],
    /// The label of each synthetic image, as networks see them.
    pub labels: Vec<u32>,
    /// How these are packed into those that move, class after class; `None` if they are the same.
    pub packed: Option<Packed>,
    /// Of each step of a pass, the runs of images that it is on: of all steps equally many.
    pub order: Vec<Vec<Range<usize>>>,
    pub passes: usize,
    /// What the rate of every step begins as.
    pub rate: f32,
    /// Real images of each class in a batch.
    pub real_counts: Vec<usize>,
    pub real: RealFormat<'a>,
    /// Images at a time. It decides how sums over images are rounded, so it follows from the network alone.
    pub part: usize,
}

impl UnrolledPlan<'_> {
    /// Whether this adapter and its memory budget have room for it, before anything is made.
    pub fn check(&self, gpu: &Gpu) -> Result<()> {
        self.cut(gpu).map(drop)
    }

    /// Values of an image.
    pub fn image_len(&self) -> usize {
        self.nets[0].image_len()
    }

    /// Images that move.
    fn stored(&self) -> usize {
        self.labels.len() / self.tiles()
    }

    /// Images that are packed into one that moves.
    fn tiles(&self) -> usize {
        self.packed.as_ref().map_or(1, Packed::tiles)
    }

    /// Steps of all passes.
    pub fn total(&self) -> usize {
        self.order.len() * self.passes
    }

    /// Real images in a batch.
    fn reals(&self) -> usize {
        self.real_counts.iter().sum()
    }

    /// Images of a step.
    fn step_images(&self) -> usize {
        self.order.first().into_iter().flatten().map(Range::len).sum()
    }

    fn step_parts(&self) -> usize {
        self.step_images().div_ceil(self.part)
    }

    /// Bytes of the training set, if it can stay on the device.
    fn training_bytes(&self) -> Option<u64> {
        match self.real {
            RealFormat::Pixels { all, .. } => Some(all.len() as u64),
            RealFormat::Values => None,
        }
    }
}

/// What changes from iteration to iteration, asked for when its turn comes.
pub(crate) trait Lessons {
    /// The network to draw, or else the one that the weights hold by then.
    fn network(&self) -> Option<NetworkKey>;
    /// The real images, and their labels.
    fn real(&self) -> (Drawn<'_>, Vec<u32>);
    /// How the images and what the rates are of move at the end.
    fn moves(&self) -> Moves;
}

/// The buffers and recorded kernels of one iteration.
#[derive(Debug)]
pub(crate) struct UnrolledIteration {
    gpu: Gpu,
    cut: Cut,
    belt: StagingBelt,
    buffers: Buffers,
    labels: Vec<u32>,
    order: Vec<Vec<Range<usize>>>,
    passes: usize,
    recorded: Recorded,
    image_len: usize,
    /// Whether a submission ends with the training, so that the trained weights can be read.
    pub pauses: bool,
    /// What others see.
    pub state: State,
}

/// What an iteration submits. Each rearranges the weights that it needs first.
#[derive(Debug)]
struct Recorded {
    /// The rates of all steps, and the images that networks see.
    begin: Recording,
    /// A step of the training.
    train: Recording,
    /// Parts of the real images.
    real: Vec<Part>,
    /// A step's way back.
    back: Recording,
    /// What moves the images and the rates.
    update: Recording,
    nothing: Recording,
}

#[derive(Debug)]
struct Part {
    images: Range<usize>,
    recording: Recording,
}

const PREPARE: &str = "prepare the iteration";

impl UnrolledIteration {
    /// Makes all buffers and compiles all pipelines. `images` are the synthetic ones; rates are as the plan has them.
    pub async fn new(gpu: &Gpu, plan: &UnrolledPlan<'_>, images: &[f32]) -> Result<Self> {
        let cut = plan.cut(gpu)?;
        let start = || {
            let state = State::new(gpu, plan, "");
            state.images.write(gpu, images);
            state.raw.write(gpu, &vec![raw(plan.rate); plan.total()]);
            state
        };
        match gpu.checked(PREPARE, || Self::build(gpu, plan, cut, start())).await {
            Err(Error::OutOfMemory { reason, .. }) if cut.resident => {
                log::warn!(
                    "the GPU has no memory left for the training set: {reason}; now it is sent piece by piece"
                );
                let cut = Cut { resident: false, ..cut };
                gpu.checked(PREPARE, || Self::build(gpu, plan, cut, start())).await
            }
            built => built,
        }
    }

    /// Goes on without the training set on the device after `error`, which said that it has no memory left; an iteration
    /// that was begun begins again. If the set is not there, no iteration can follow, but the pixels are still there.
    pub fn shrink(&mut self, plan: &UnrolledPlan<'_>, error: Error) -> Result<()> {
        if !self.cut.resident {
            return Err(error);
        }
        log::warn!("{error}; now the training set is sent piece by piece");
        let (gpu, cut) = (self.gpu.clone(), Cut { resident: false, ..self.cut });
        let built = gpu.checked(PREPARE, || Self::build(&gpu, plan, cut, self.state.clone()));
        *self = blocking(PREPARE, built)?;
        Ok(())
    }

    /// What its buffers take.
    #[cfg(feature = "testing")]
    pub fn table(&self, plan: &UnrolledPlan<'_>) -> crate::gpu::Table {
        plan.table(self.gpu.caps(), self.cut)
    }

    fn build(gpu: &Gpu, plan: &UnrolledPlan<'_>, cut: Cut, state: State) -> Result<Self> {
        let (total, kept) = (plan.total(), plan.slots(cut.stride));
        log::info!("{total} steps of training are unrolled, weights of {kept} are kept at a time");
        let mut buffers = Buffers::new(gpu, plan, cut);
        buffers.write(gpu, plan, cut);
        let recorded = record(gpu, plan, &buffers)?;
        let send = buffers.feed.largest_send(1, plan.reals()) + 256;
        Ok(Self {
            gpu: gpu.clone(),
            cut,
            belt: staging_belt(gpu, send.max(4 * plan.step_images())),
            buffers,
            labels: plan.labels.clone(),
            order: plan.order.clone(),
            passes: plan.passes,
            recorded,
            image_len: plan.image_len(),
            pauses: false,
            state,
        })
    }

    /// The network's parameters.
    pub fn weights(&self) -> &Weights {
        &self.buffers.weights
    }

    /// Weights that are kept at a time.
    pub fn kept(&self) -> usize {
        self.buffers.kept.len()
    }

    /// The gradients at the images that networks see, and at what the rates are of.
    pub fn gradients(&self) -> (&Buffer<f32>, &Buffer<f32>) {
        (&self.buffers.gradient, &self.buffers.raw_gradient)
    }

    /// Room for the losses of one iteration on their way to the host: one for each real image.
    pub fn loss_readback(&self) -> Readback<f32> {
        Readback::new(&self.gpu, "losses on their way", self.buffers.real.losses.len())
    }

    /// Everything that is ever submitted, each recording once.
    pub fn recordings(&self) -> impl Iterator<Item = &Recording> {
        let Recorded { begin, train, real, back, update, .. } = &self.recorded;
        let own = [self.buffers.weights.drawing(), begin, train, back, update];
        own.into_iter().chain(real.iter().map(|part| &part.recording))
    }
}

/// The inverse of softplus.
fn raw(rate: f32) -> f32 {
    let rate = f64::from(rate);
    (rate + (-(-rate).exp_m1()).ln()) as f32
}

/// Records what an iteration is made of.
fn record(gpu: &Gpu, plan: &UnrolledPlan<'_>, buffers: &Buffers) -> Result<Recorded> {
    let Buffers { weights, direction, network, tangent, fast, feed, work, step, .. } = buffers;
    let (classes, images) = (plan.nets[0].features(), plan.step_images());
    let of = |images: &Range<usize>| Batch { images: images.len(), nets: 1 };
    // Cross-entropies, and the gradient at the logits of the mean over so many images.
    let loss = |recording: &mut Recording,
                network: &Network,
                (labels, losses): (&Buffer<u32>, &Buffer<f32>),
                images: &Range<usize>,
                count: usize| {
        // The last layer is linear, so there is such a gradient.
        let Some(d_logits) = network.d_output() else { return };
        let (logits, first, len) = ((network.output(), classes), images.start, images.len());
        recording
            .push(softmax_cross_entropy(gpu, logits, labels, losses, d_logits, len, count, first));
    };
    let parts: Vec<_> = cut(images, plan.part).collect();
    let of_step = (&step.labels, &step.losses);
    let show = |recording: &mut Recording, network: &Network, images: &Range<usize>| {
        feed.synthetic(gpu, recording, &step.images, network.input(), images);
    };

    let mut begin = Recording::default();
    begin.push(learned_rates(gpu, &work.raw, &buffers.rates));
    if let Some(packed) = &buffers.packed {
        packed.decode(gpu, &mut begin, &work.images);
    }

    let mode = Mode::Frozen;
    let mut train = fast.weights.packing().clone();
    for part in &parts {
        show(&mut train, &fast.network, part);
        fast.network.forward(gpu, &mut train, &fast.weights, of(part), mode)?;
        loss(&mut train, &fast.network, of_step, part, images);
        let own = (&buffers.gradients[..], true);
        let gradients = buffers.target(gpu, own, part.len(), part.start > 0);
        let (batch, target) = (of(part), Target::weights(&gradients));
        fast.network.backward(gpu, &mut train, &fast.weights, None, batch, mode, target)?;
    }
    let moved = |recording: &mut Recording, weights: &Weights| {
        let gradients = buffers.gradients.iter().zip(&buffers.spare);
        for (values, (gradient, spare)) in weights.all().zip(gradients) {
            recording.push(sgd(gpu, &step.rate, values, spare, gradient));
        }
    };
    moved(&mut train, weights);

    let to: Vec<_> = direction.all().cloned().collect();
    let real = cut(plan.reals(), plan.part).map(|part| {
        let mut recording = match part.start {
            0 => fast.weights.packing().clone(),
            _ => Recording::default(),
        };
        feed.real(gpu, &mut recording, fast.network.input(), &part);
        fast.network.forward(gpu, &mut recording, &fast.weights, of(&part), mode)?;
        let own = (&buffers.real.labels, &buffers.real.losses);
        loss(&mut recording, &fast.network, own, &part, plan.reals());
        let gradients = buffers.target(gpu, (&to, true), part.len(), part.start > 0);
        let (batch, target) = (of(&part), Target::weights(&gradients));
        fast.network.backward(gpu, &mut recording, &fast.weights, None, batch, mode, target)?;
        Ok(Part { images: part, recording })
    });
    let real = real.collect::<Result<_>>()?;

    let mut back = weights.packing().clone();
    back.extend(direction.packing());
    let along = Along { network, weights, direction };
    for (number, part) in parts.iter().enumerate() {
        show(&mut back, network, part);
        network.forward(gpu, &mut back, weights, of(part), mode)?;
        loss(&mut back, network, of_step, part, images);
        tangent.forward(gpu, &mut back, along, of(part), mode)?;
        if let Some(d_logits) = network.d_output() {
            // The slope of this step's loss along the direction: the product of its gradient and that.
            let len = part.len() * classes;
            let rows = Rows { len, row_len: len, stride: 1, first: number };
            let both = (d_logits, tangent.output(network));
            let alone = Nets { count: 1, rows: 0 };
            back.push(rows.products(gpu, alone, both, &step.products));
        }
        tangent.loss(gpu, &mut back, network, part.len(), images);
        let own = (&buffers.gradients[..], false);
        let gradients = buffers.target(gpu, own, part.len(), part.start > 0);
        let target = Target { input: true, weights: Some(&gradients) };
        tangent.backward(gpu, &mut back, along, of(part), mode, target)?;
        feed.back(gpu, &mut back, tangent.d_input(network), &step.change, part);
    }
    // Both lose what the step's rate takes of their change.
    moved(&mut back, direction);
    back.push(sgd(gpu, &step.rate, &step.gradient, &step.spare, &step.change));

    let mut update = Recording::default();
    let Buffers { moves, products, gradient, raw_gradient, .. } = buffers;
    let products = (products, plan.step_parts());
    update.push(rate_gradient(gpu, &work.raw, products, raw_gradient));
    let at_pixels = match &buffers.packed {
        Some(packed) => {
            packed.back(gpu, &mut update, gradient);
            &packed.gradient
        }
        None => gradient,
    };
    update.push(adam(gpu, moves, &work.images, (&work.mean, &work.square), at_pixels));
    let moments = (&work.raw_mean, &work.raw_square);
    update.push(adam(gpu, moves, &work.raw, moments, raw_gradient));
    let nothing = Recording::default();
    Ok(Recorded { begin, train, real, back, update, nothing })
}

#[cfg(test)]
mod tests {
    #[test]
    fn rates_begin_as_asked() {
        for rate in [1e-6, 0.02, 1.0, 5000.0] {
            let again = f64::from(super::raw(rate)).exp().ln_1p();
            let again = if rate > 100.0 { f64::from(super::raw(rate)) } else { again };
            assert!((again / f64::from(rate) - 1.0).abs() < 1e-5, "{rate}: {again}");
        }
    }
}
