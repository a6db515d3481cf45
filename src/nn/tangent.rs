//! A network along a direction of its weights: how what it makes, and the gradients at its images and weights, change when
//! the weights move that way (Pearlmutter, "Fast exact multiplication by the Hessian", 1994).
//!
//! Each operation's way forward and back, derived, beside the operation itself. What is bilinear, a convolution or a linear
//! layer, becomes the sum of two of its kind: by the weights of what changes, and by the direction of what is.

use super::{
    Gradients, Mode, Network, Target, Weights,
    fast_passes::Ends,
    program::{Op, OpKind, Program},
    tensors::Tensors,
};
use crate::{
    Result,
    gpu::{Buffer, Gpu, Memory, Recording, Values},
    kernels::{
        Batch, Planes,
        layers::{Dual, KEPT, Norm, Statistics, act_backward, act_tangent, add, sum},
        softmax_tangent,
    },
};

/// Room for how the tensors of a [`Network`] change. Its program must have no blocks.
#[derive(Debug)]
pub(crate) struct Tangent<M: Memory = Gpu> {
    /// How images change: not at all. Zeros that nothing writes to.
    first: M::Buffer<f32>,
    tensors: Tensors<M>,
    gradients: Tensors<M>,
    norms: Vec<Option<OfNorm<M>>>,
    /// One of two tensors that are to be added.
    part: M::Buffer<f32>,
    /// For linear layers where nothing is to be added.
    no_bias: M::Buffer<f32>,
}

/// What an operation that is a norm needs.
#[derive(Debug)]
struct OfNorm<M: Memory> {
    segments: M::Buffer<f32>,
    affines: M::Buffer<f32>,
}

impl<M: Memory> Tangent<M> {
    /// Room for at most `images` at a time, forward and back, by `nets` networks.
    pub fn new(memory: &M, program: &Program, images: usize, nets: usize) -> Self {
        let zeros = |label: String, len: usize| memory.buffer(&label, len);
        let of_norm = |(i, op): (usize, &Op)| match op.kind {
            OpKind::Norm(norm) => Some(OfNorm {
                segments: zeros(
                    format!("change of statistics {i}"),
                    KEPT * images * norm.segments_per_image(),
                ),
                affines: zeros(format!("affine and direction {i}"), 4 * nets * norm.affines()),
            }),
            _ => None,
        };
        let products = program.ops.iter().filter(|op| op.kind.shape().is_some());
        let ends = |op: &Op| [op.input, op.output].map(|value| program.values[value].len);
        let most = products.flat_map(ends).max().unwrap_or(0);
        let outputs = program.ops.iter().filter_map(|op| match op.kind {
            OpKind::Linear(linear) => Some(linear.classes),
            _ => None,
        });
        Self {
            first: zeros("change of the images".into(), images * program.values[0].len),
            tensors: Tensors::new(
                memory,
                "changes of tensors",
                &program.room.tensors,
                images,
                None,
            ),
            gradients: Tensors::new(
                memory,
                "changes of gradients",
                &program.room.gradients,
                images,
                None,
            ),
            norms: program.ops.iter().enumerate().map(of_norm).collect(),
            part: zeros("part of a change".into(), images * most),
            no_bias: zeros("no bias".into(), nets * outputs.max().unwrap_or(0)),
        }
    }
}

/// What a pass along a direction goes by: a network, its weights and the direction, both as [`Weights`] of its program.
#[derive(Clone, Copy)]
pub(crate) struct Along<'a> {
    pub network: &'a Network,
    pub weights: &'a Weights,
    pub direction: &'a Weights,
}

impl Tangent {
    /// How the gradient of the mean cross-entropy over `count` images at the output changes, after
    /// [`forward`](Self::forward).
    pub fn loss(
        &self,
        gpu: &Gpu,
        recording: &mut Recording,
        network: &Network,
        images: usize,
        count: usize,
    ) {
        let output = network.program.output;
        let logits = (network.output(), network.program.features());
        let (change, d_change) = (self.value(network, output), self.gradient(network, output));
        recording.push(softmax_tangent(gpu, logits, change, d_change, images, count));
    }

    /// How the output changes, after [`forward`](Self::forward).
    pub fn output<'a>(&'a self, network: &'a Network) -> &'a Buffer<f32> {
        self.value(network, network.program.output)
    }

    /// How the gradient at the images changes, after [`backward`](Self::backward) with such a target.
    pub fn d_input(&self, network: &Network) -> (&Buffer<f32>, Planes) {
        let (channels, size) = network.program.images;
        (self.gradient(network, 0), Planes::dense(channels, size))
    }

    fn value(&self, network: &Network, value: usize) -> &Buffer<f32> {
        let slot = network.program.slot(value);
        slot.and_then(|slot| self.tensors.get(slot).buffer()).unwrap_or(&self.first)
    }

    fn gradient(&self, network: &Network, value: usize) -> &Buffer<f32> {
        // A value that an operation reads or makes has one.
        let slot = network.program.gradient_slot(value);
        slot.and_then(|slot| self.gradients.get(slot).buffer()).unwrap_or(&self.part)
    }

    /// How each tensor changes, after the forward pass that keeps what backward needs.
    pub fn forward(
        &self,
        gpu: &Gpu,
        recording: &mut Recording,
        along: Along<'_>,
        batch: Batch,
        mode: Mode,
    ) -> Result<()> {
        let Along { network, weights, direction } = along;
        for (at, op) in network.program.ops.iter().enumerate() {
            let (x, y) = (self.dual(network, op.input), self.dual(network, op.output));
            let count = batch.images * network.len(op.input);
            match op.kind {
                OpKind::Conv { .. } | OpKind::Linear(_) => {
                    let bias = op.kind.has_bias().then(|| direction.other(op.first_param + 1));
                    let (own, ends) = ((direction, at), (x.value.into(), y.change.into()));
                    network.product(gpu, recording, own, bias, ends, batch)?;
                    if !self.is_fixed(network, op.input) {
                        let none = matches!(op.kind, OpKind::Linear(_)).then_some(&self.no_bias);
                        let (own, ends) = ((weights, at), (x.change.into(), (&self.part).into()));
                        network.product(gpu, recording, own, none, ends, batch)?;
                        let count = batch.images * network.len(op.output);
                        recording.push(add(gpu, &self.part, y.change, count));
                    }
                }
                OpKind::Norm(norm) => {
                    let Some(OfNorm { segments, affines }) = &self.norms[at] else { continue };
                    let own = [weights, direction].map(|of| of.other(op.first_param));
                    let statistics = statistics(network, weights, (at, op, norm), mode);
                    let both = (own[0], own[1]);
                    recording.push(norm.tangent_affine(gpu, both, affines, batch));
                    recording.push(norm.tangent_sums(gpu, x, statistics, segments, batch));
                    recording.push(norm.tangent(gpu, x, (segments, affines), y.change, batch));
                }
                OpKind::Act(kind) => {
                    // As the gradient goes back, a change goes forward: times the slope.
                    let kept = if kind.reads_input() { x.value } else { y.value };
                    let (change, to) = (x.change.into(), y.change.into());
                    recording.push(act_backward(gpu, kind, kept.into(), change, to, count));
                }
                OpKind::Pool(pool) => {
                    recording.push(pool.tangent(gpu, x, y.change, batch.images));
                }
                OpKind::Part { .. } => {}
                OpKind::Meet { other } => {
                    let other = self.value(network, other);
                    let (ways, to) = ((x.change.into(), other.into()), y.change.into());
                    recording.push(sum(gpu, ways, to, count));
                }
            }
        }
        Ok(())
    }

    /// From the gradient at the output and its change down to the `target`, which gets the change alone, after
    /// [`forward`](Self::forward) in this mode.
    pub fn backward(
        &self,
        gpu: &Gpu,
        recording: &mut Recording,
        along: Along<'_>,
        batch: Batch,
        mode: Mode,
        target: Target<'_>,
    ) -> Result<()> {
        // The gradient itself is needed at everything but the images and the weights.
        let itself = Target { input: false, weights: None };
        for own in along.network.program.ops.iter().enumerate().rev() {
            let Along { network, weights, .. } = along;
            network.back(gpu, recording, weights, own, batch, mode, itself)?;
            self.back(gpu, recording, along, own, batch, mode, target)?;
        }
        Ok(())
    }

    #[allow(clippy::too_many_arguments)]
    fn back(
        &self,
        gpu: &Gpu,
        recording: &mut Recording,
        Along { network, weights, direction }: Along<'_>,
        (at, op): (usize, &Op),
        batch: Batch,
        mode: Mode,
        target: Target<'_>,
    ) -> Result<()> {
        let (x, y) = (self.dual(network, op.input), self.dual(network, op.output));
        let dx = self.gradient(network, op.input);
        let gradient = |value| Dual {
            value: network.gradient_buffer(value),
            change: self.gradient(network, value),
        };
        let dy = gradient(op.output);
        let count = batch.images * network.len(op.input);
        let goes_on = target.input || !network.program.is_first(op.input);
        match op.kind {
            OpKind::Conv { .. } | OpKind::Linear(_) => {
                if let Some(gradients) = target.weights {
                    network.bias_back(gpu, recording, at, gradients, dy.change.into(), batch)?;
                }
                let to = goes_on.then_some(dx.into());
                let ends = Ends { x: x.value.into(), dy: dy.change.into(), dx: to };
                let own = (weights, at);
                network.product_back(gpu, recording, own, target.weights, ends, batch)?;
                // What of the weights' gradient comes from the change of x is added to that.
                let changing = target.weights.filter(|_| !self.is_fixed(network, op.input));
                let more = changing.map(Gradients::accumulating);
                let part = goes_on.then_some(&self.part);
                if more.is_some() || part.is_some() {
                    let dx = part.map(Values::from);
                    let ends = Ends { x: x.change.into(), dy: dy.value.into(), dx };
                    let own = (direction, at);
                    network.product_back(gpu, recording, own, more.as_ref(), ends, batch)?;
                }
                if goes_on {
                    recording.push(add(gpu, &self.part, dx, count));
                }
            }
            OpKind::Norm(norm) => {
                let Some(OfNorm { segments, affines }) = &self.norms[at] else { return Ok(()) };
                if let Some(gradients) = target.weights {
                    let (to, more) = (&gradients.others[op.first_param], gradients.accumulate);
                    let own = norm.tangent_backward_affine(gpu, x, segments, dy, to, batch, more);
                    recording.push(own);
                }
                if goes_on {
                    let own = (segments, affines);
                    let (_, frozen) = statistics(network, weights, (at, op, norm), mode);
                    if !frozen {
                        recording.push(norm.tangent_backward_sums(gpu, x, own, dy, batch));
                    }
                    recording.push(norm.tangent_backward_data(gpu, x, own, dy, dx, batch));
                }
            }
            OpKind::Act(kind) if goes_on => {
                let kept = if kind.reads_input() { x } else { y };
                recording.push(match kind.is_bent() {
                    true => act_tangent(gpu, kind, kept, dy, dx, count),
                    false => {
                        let (kept, change) = (kept.value.into(), dy.change.into());
                        act_backward(gpu, kind, kept, change, dx.into(), count)
                    }
                });
            }
            OpKind::Pool(pool) if goes_on => {
                let (x, change) = (x.value.into(), dy.change.into());
                recording.push(pool.backward(gpu, x, change, dx.into(), batch.images));
            }
            OpKind::Part { other } if goes_on => {
                let other = self.gradient(network, other);
                let ways = (dy.change.into(), other.into());
                recording.push(sum(gpu, ways, dx.into(), count));
            }
            // Both ways have the gradient of their sum.
            OpKind::Meet { .. } => {}
            OpKind::Act(_) | OpKind::Pool(_) | OpKind::Part { .. } => {}
        }
        Ok(())
    }

    /// A value and how it changes.
    fn dual<'a>(&'a self, network: &'a Network, value: usize) -> Dual<'a> {
        Dual { value: network.buffer(value), change: self.value(network, value) }
    }

    /// Whether a value is the images themselves.
    fn is_fixed(&self, network: &Network, value: usize) -> bool {
        network.program.slot(value).is_none()
    }
}

/// The statistics of a norm, and whether they are frozen.
fn statistics<'a>(
    network: &'a Network,
    weights: &'a Weights,
    (at, op, norm): (usize, &Op, Norm),
    mode: Mode,
) -> (&'a Buffer<f32>, bool) {
    let batch_norm = norm.statistics == Statistics::Batch;
    let running = batch_norm.then(|| weights.other(op.first_param + 1));
    network.statistics(at, norm, running, mode)
}
