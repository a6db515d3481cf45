//! The door to gradient matching with everything random given by the caller.

use std::ops::Range;

use super::{Images, feed, gather};
use crate::{
    Gpu, Net, Result,
    augment::row::Row,
    condense::{
        Drawn, Draws, GradientIteration, GradientPlan, GradientProgress, RealFormat, Staged,
    },
    gpu::{Buffer, Recording, blocking},
    kernels::{self, Batch, Distance, NetworkKey, Packed, Rates},
    nn::{Along, Gradients, Mode, Network, Program, Tangent, Target, Ways, Weights},
};

/// Settings of a [`GradientSession`].
#[derive(Debug, Clone)]
pub struct GradientCase {
    /// The network.
    pub net: Net,
    /// The label of each class that is matched.
    pub labels: Vec<u32>,
    /// Synthetic images of each class, as they are stored.
    pub counts: Vec<usize>,
    /// Tiles of a side that each is packed with.
    pub factor: usize,
    /// What stands where these reach beyond it.
    pub padding: f32,
    /// Real images per class.
    pub batch_real: usize,
    /// Real images for batch norms' statistics; 0 without batch norm.
    pub norm_images: usize,
    /// Which distance.
    pub distance: Distance,
    /// Learning rate and momentum of the pixels.
    pub rates: (f32, f32),
    /// Learning rate of the network.
    pub lr_net: f32,
    /// Steps of the network's training after each move of the pixels but the last.
    pub inner: u32,
    /// Moves of the pixels.
    pub outer: u32,
    /// Images at a time.
    pub part: usize,
}

/// What one iteration of gradient matching is given.
#[derive(Debug, Clone)]
pub struct GradientInput {
    /// Of each move, one row per class, and the real images, class-major.
    pub steps: Vec<(Vec<Row>, Vec<f32>)>,
    /// Of each move, the real images for batch norms' statistics; nothing without batch norm.
    pub norm: Vec<Vec<f32>>,
    /// Of each step of training, one row per synthetic image: those of a move follow those of the one before.
    pub inner: Vec<Vec<Row>>,
}

/// What an iteration of gradient matching leaves.
// The doctor looks at some of it, tests at all.
#[cfg_attr(not(feature = "testing"), allow(dead_code))]
#[derive(Debug, Clone)]
pub struct GradientResult {
    /// Distance of each class, the mean over all moves.
    pub distances: Vec<f32>,
    /// Gradient at the synthetic pixels, as networks see them, in the last move.
    pub grad: Vec<f32>,
    /// Synthetic pixels.
    pub syn: Vec<f32>,
    /// Velocity.
    pub velocity: Vec<f32>,
    /// The network's parameters.
    pub net: Vec<Vec<f32>>,
    /// Mean cross-entropy before the last step of training.
    pub inner_loss: f32,
}

/// Path and kind of each parameter, as [`net_parameters`](super::net_parameters) has them, where every layer is an operation
/// of its own.
pub fn net_parameters_apart(net: &Net) -> Result<Vec<(String, &'static str)>> {
    Ok(super::parameters_of(&net.program_apart()?))
}

/// The length of each of these.
pub fn net_lengths_apart(net: &Net) -> Result<Vec<usize>> {
    Ok(net.program_apart()?.lens())
}

/// Iterations of gradient matching.
pub struct GradientSession {
    gpu: Gpu,
    case: GradientCase,
    program: Program,
    matching: GradientIteration,
}

struct Given<'a>(&'a GradientCase, &'a GradientInput);

impl Draws for Given<'_> {
    fn network(&self) -> Option<NetworkKey> {
        None
    }
    fn row(&self, outer: u32, class: usize) -> Row {
        self.1.steps[outer as usize].0[class]
    }
    fn real(&self, outer: u32, class: usize) -> Drawn<'_> {
        let real = &self.1.steps[outer as usize].1;
        let len = real.len() / self.0.labels.len();
        Drawn::Values(real[class * len..][..len].into())
    }
    fn norm(&self, outer: u32) -> Drawn<'_> {
        Drawn::Values((&self.1.norm[outer as usize][..]).into())
    }
    fn inner(&self, outer: u32, pass: u32, images: Range<usize>) -> (Vec<u32>, Vec<Row>) {
        let rows = &self.1.inner[(outer * self.0.inner + pass) as usize];
        let all: Vec<_> = images.clone().map(|image| image as u32).collect();
        (all, rows[images].to_vec())
    }
}

/// How images are packed that a network sees, if a side has more tiles than one.
pub(super) fn packed(net: &Net, factor: usize, padding: f32) -> Option<Packed> {
    let images = (net.channels(), net.size());
    (factor > 1).then_some(Packed { images, factor, padding: [padding; 4] })
}

impl GradientSession {
    /// Starts from the given synthetic images, class-major.
    pub fn new(gpu: &Gpu, case: &GradientCase, syn: &Images) -> Result<Self> {
        let nets = case.net.programs_apart()?;
        let program = nets[0].clone();
        let plan = GradientPlan {
            nets,
            labels: case.labels.clone(),
            real_counts: vec![case.batch_real; case.labels.len()],
            norm_images: case.norm_images,
            counts: case.counts.iter().map(|count| count * case.factor.pow(2)).collect(),
            packed: packed(&case.net, case.factor, case.padding),
            distance: case.distance,
            rates: Rates::new(case.rates.0, case.rates.1, 0.0),
            lr_net: case.lr_net,
            outer: case.outer,
            inner: case.inner,
            real: RealFormat::Values,
            part: case.part,
        };
        plan.check(gpu)?;
        let making = GradientIteration::new(gpu, &plan, &syn.values);
        let matching = blocking("prepare the iteration", making)?;
        Ok(Self { gpu: gpu.clone(), case: case.clone(), program, matching })
    }

    /// One iteration from these parameters, in the order of [`net_parameters_apart`].
    pub fn run(&mut self, params: &[Vec<f32>], input: &GradientInput) -> Result<GradientResult> {
        let (gpu, matching) = (&self.gpu, &mut self.matching);
        for (slot, values) in matching.weights().all().zip(params) {
            slot.write(gpu, values);
        }
        let mut losses = matching.loss_readback();
        let mut progress = GradientProgress::default();
        let draws = Given(&self.case, input);
        let submission = loop {
            let (ticket, ended) = matching.submit_some(&draws, &mut progress, &mut losses)?;
            if ended {
                break ticket.submission();
            }
        };
        let all = losses.take_blocking(gpu, submission)?;
        let image_losses = matching.training_losses().read_blocking(gpu)?;
        let sum: f32 = image_losses.iter().sum();
        let net = matching.weights().all().zip(self.program.lens()).map(|(slot, len)| {
            let mut values = slot.read_blocking(gpu)?;
            values.truncate(len);
            Ok(values)
        });
        Ok(GradientResult {
            distances: self.case.labels.iter().map(|&label| all[label as usize]).collect(),
            grad: matching.gradient().read_blocking(gpu)?,
            syn: matching.images.read_blocking(gpu)?,
            velocity: matching.velocity.read_blocking(gpu)?,
            net: net.collect::<Result<_>>()?,
            inner_loss: sum / image_losses.len() as f32,
        })
    }
}

/// Values of each parameter.
pub type Values = Vec<Vec<f32>>;

/// How the gradients of the mean cross-entropy at the images and at the parameters change along a direction of the
/// parameters, in the order of [`net_parameters_apart`], in parts of so many images. Several
/// networks beside each other see the same images.
pub fn along(
    gpu: &Gpu,
    net: &Net,
    nets: &[(Values, Values)],
    x: &Images,
    labels: &[u32],
    part: usize,
) -> Result<Vec<(Vec<f32>, Values)>> {
    let (program, count) = (net.program_apart()?, nets.len());
    let weights = Weights::new(gpu, &program, count, Ways::ToImages);
    let mut direction = Weights::room(gpu, &program, count, Ways::ToImages);
    direction.record_packing(gpu);
    for (i, (slot, way)) in weights.all().zip(direction.all()).enumerate() {
        let all = |of: fn(&(Values, Values)) -> &Values| {
            nets.iter().flat_map(|net| of(net)[i].clone()).collect::<Vec<_>>()
        };
        slot.write(gpu, &all(|net| &net.0));
        way.write(gpu, &all(|net| &net.1));
    }
    weights.packing().submit(gpu, "pack weights");
    direction.packing().submit(gpu, "pack the direction");
    let (most, classes) = (count * part, net.classes());
    let network = Network::new(gpu, &program, most, most);
    let tangent = Tangent::new(gpu, &program, most, count);
    let changes = Gradients::room(gpu, &program, count, "change of gradient");
    let parts = count * Gradients::parts_len(gpu.caps(), &program);
    let parts = Buffer::zeros(gpu, "parts", parts);
    let losses = Buffer::zeros(gpu, "losses", most);
    let along = Along { network: &network, weights: &weights, direction: &direction };
    let image_len = program.image_len();
    let mut d_images = vec![vec![]; count];
    for first in (0..x.n).step_by(part) {
        let own = first..x.n.min(first + part);
        let values = x.values[own.start * image_len..own.end * image_len].repeat(count);
        feed(gpu, &Images { n: count * own.len(), values, ..*x }, network.input())?;
        let batch = Batch { images: count * own.len(), nets: count };
        let labels = Buffer::from_slice(gpu, "labels", &labels[own.clone()].repeat(count));
        let starts: Vec<_> = (0..=count).map(|net| (net * own.len()) as u32).collect();
        let gradients = Gradients {
            convs: vec![],
            affines: vec![],
            others: changes.clone(),
            starts: Buffer::from_slice(gpu, "starts", &starts),
            parts: parts.clone(),
            accumulate: first > 0,
        };
        let mut recording = Recording::default();
        let (r, mode) = (&mut recording, Mode::Train);
        network.forward(gpu, r, &weights, batch, mode)?;
        let Some(d_logits) = network.d_output() else { continue };
        let logits = (network.output(), classes);
        let of = (batch.images, x.n, 0);
        r.push(kernels::softmax_cross_entropy(
            gpu, logits, &labels, &losses, d_logits, of.0, of.1, of.2,
        ));
        tangent.forward(gpu, r, along, batch, mode)?;
        tangent.loss(gpu, r, &network, batch.images, x.n);
        let target = Target { input: true, weights: Some(&gradients) };
        tangent.backward(gpu, r, along, batch, mode, target)?;
        super::run(gpu, |r| *r = recording)?;
        let (d_input, layout) = tangent.d_input(&network);
        let all = gather(gpu, d_input, layout, batch.images)?;
        let each = all.chunks(own.len() * image_len);
        d_images.iter_mut().zip(each).for_each(|(own, d)| own.extend_from_slice(d));
    }
    let changes: Result<Vec<_>> = changes.iter().map(|buffer| buffer.read_blocking(gpu)).collect();
    let changes = changes?;
    let of = |net: usize, values: &Vec<f32>| {
        let len = values.len() / count;
        values[net * len..][..len].to_vec()
    };
    let each = d_images.into_iter().enumerate();
    Ok(each.map(|(net, d)| (d, changes.iter().map(|values| of(net, values)).collect())).collect())
}
