//! A network over a chunk of images: its tensors, its forward and its backward pass.

use super::{
    Embedder, Gradients, Target, Weights,
    fast::Fast,
    fast_passes::{Ends, Room},
    places::places,
    program::{Op, OpKind, Program, Slot, Slots},
    tensors::Tensors,
};
use crate::{
    Result,
    gpu::{Buffer, Gpu, Memory, Recording, Values},
    kernels::{
        Batch, Planes, class_sum,
        layers::{Norm, Statistics, act_backward, act_forward, spread, sum},
    },
};

/// Room for a chunk of images on their way through a network, and its kernels in order.
#[derive(Debug)]
pub(crate) struct Network<M: Memory = Gpu> {
    pub(super) program: Program,
    /// The blocks at the beginning.
    blocks: Option<Embedder<M>>,
    /// The input of the first operation, if no block comes before it.
    first: M::Buffer<f32>,
    tensors: Tensors<M>,
    gradients: Tensors<M>,
    /// For each operation that is a norm, mean and variance of each segment.
    statistics: Vec<Option<M::Buffer<f32>>>,
    /// For each operation, its fast kernels, if it has any.
    fast: Vec<Option<Fast>>,
    room: Room<M>,
    /// Per plane and per segment, what the backward pass of a norm needs.
    sums: M::Buffer<f32>,
    means: M::Buffer<f32>,
}

/// Which statistics batch norms use, and whether a backward pass follows. Condensing uses `Measure` on real images once
/// per iteration, and the frozen result for the rest of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Those of this batch, which also move the running statistics; backward can follow.
    Train,
    /// Those of this batch, which become the running statistics; backward cannot follow.
    Measure,
    /// The running statistics; backward can follow.
    Frozen,
    /// The running statistics; backward cannot follow.
    Test,
}

impl Mode {
    /// Whether batch norms use the running statistics.
    fn is_frozen(self) -> bool {
        matches!(self, Self::Frozen | Self::Test)
    }

    /// Whether backward can follow.
    fn keeps(self) -> bool {
        matches!(self, Self::Train | Self::Frozen)
    }
}

impl<M: Memory> Network<M> {
    /// Room for at most `images` forward and `backward_images` backward at a time.
    pub fn new(memory: &M, program: &Program, images: usize, backward_images: usize) -> Self {
        Self::with(memory, program, images, backward_images, None)
    }

    /// The same for a network that reads the images which are in the input of another. Both begin alike.
    pub fn beside(
        memory: &M,
        program: &Program,
        images: usize,
        backward_images: usize,
        other: &Self,
    ) -> Self {
        Self::with(memory, program, images, backward_images, Some(other))
    }

    fn with(
        memory: &M,
        program: &Program,
        images: usize,
        backward_images: usize,
        beside: Option<&Self>,
    ) -> Self {
        let zeros = |label: String, len: usize| memory.buffer(&label, len);
        let embedder = |net| {
            let beside = beside.and_then(|other| other.blocks.as_ref());
            Embedder::new(memory, net, images, backward_images, beside)
        };
        let blocks = program.blocks.as_ref().map(embedder);
        let program = program.placed(&places(memory.caps(), program));
        let segments = |op: &Op| match op.kind {
            OpKind::Norm(norm) => 2 * norm.segments_per_image(),
            _ => 0,
        };
        let of_norm = |(i, op): (usize, &Op)| {
            let len = images * segments(op);
            (len > 0).then(|| zeros(format!("statistics {i}"), len))
        };
        let planes = |op: &Op| match op.kind {
            OpKind::Norm(norm) => 2 * norm.channels,
            _ => 0,
        };
        let most = |of: &dyn Fn(&Op) -> usize| program.ops.iter().map(of).max().unwrap_or(0);
        let (sums, means) = (most(&planes), most(&segments));
        let fast: Vec<_> = program.ops.iter().map(|op| Fast::of(memory.caps(), op.kind)).collect();
        let in_texture = |value: usize| matches!(program.slot(value), Some(Slot::Texture(_)));
        let placed = fast
            .iter()
            .zip(&program.ops)
            .filter_map(|(fast, op)| Some((fast.as_ref()?, [op.input, op.output].map(in_texture))));
        let of_room = Room::<M>::texels(placed.clone(), images, backward_images);
        let of_slots = |slots: &Slots, images: usize| images * slots.largest_texture() / 4;
        let (ahead, back) = (&program.room.tensors, &program.room.gradients);
        let written =
            of_room.into_iter().chain([of_slots(ahead, images), of_slots(back, backward_images)]);
        let written = written.max().filter(|&most| most > 0);
        // Kernels write one tensor each.
        let staging = written.map(|most| memory.staging("texels, written", most));
        let staging = staging.as_ref();
        let first = if blocks.is_some() { 0 } else { images * program.values[0].len };
        let own_first = || zeros("first tensor".into(), first);
        Self {
            first: beside.map_or_else(own_first, |other| other.first.clone()),
            blocks,
            tensors: Tensors::new(memory, "tensors", ahead, images, staging),
            gradients: Tensors::new(memory, "gradients", back, backward_images, staging),
            statistics: program.ops.iter().enumerate().map(of_norm).collect(),
            room: Room::new(memory, placed, (images, backward_images), staging),
            fast,
            sums: zeros("sums of gradients".into(), backward_images * sums),
            means: zeros("means of gradients".into(), backward_images * means),
            program,
        }
    }
}

impl Network {
    /// Where images are to be written, and in which layout.
    pub fn input(&self) -> (Values<'_>, Planes) {
        match &self.blocks {
            Some(blocks) => blocks.input(),
            None => ((&self.first).into(), self.images()),
        }
    }

    /// The network's output, (images, features).
    pub fn output(&self) -> &Buffer<f32> {
        self.buffer(self.program.output)
    }

    /// Where the gradient at the output is to be written, unless [`backward`](Self::backward) is given it. `None` if
    /// the output is that of a block.
    pub fn d_output(&self) -> Option<&Buffer<f32>> {
        let slot = self.program.gradient_slot(self.program.output)?;
        self.gradients.get(slot).buffer()
    }

    /// The gradient at the images, after [`backward`](Self::backward) with such a target.
    pub fn d_input(&self) -> (&Buffer<f32>, Planes) {
        match &self.blocks {
            Some(blocks) => blocks.d_input(),
            None => (self.gradient_buffer(0), self.images()),
        }
    }

    fn images(&self) -> Planes {
        let (channels, size) = self.program.images;
        Planes::dense(channels, size)
    }

    pub(super) fn value(&self, value: usize) -> Values<'_> {
        match (self.program.slot(value), &self.blocks) {
            (Some(slot), _) => self.tensors.get(slot),
            (None, Some(blocks)) => blocks.embedding().into(),
            (None, None) => (&self.first).into(),
        }
    }

    pub(super) fn gradient(&self, value: usize) -> Values<'_> {
        // A value that an operation reads or makes has one.
        let slot = self.program.gradient_slot(value);
        slot.map_or((&self.means).into(), |slot| self.gradients.get(slot))
    }

    /// A value that lies in a buffer.
    pub(super) fn buffer(&self, value: usize) -> &Buffer<f32> {
        self.value(value).buffer().unwrap_or(&self.means)
    }

    /// The gradient at one, which does too.
    pub(super) fn gradient_buffer(&self, value: usize) -> &Buffer<f32> {
        self.gradient(value).buffer().unwrap_or(&self.means)
    }

    /// Statistics of an operation that is a norm.
    pub(super) fn statistics<'a>(
        &'a self,
        at: usize,
        norm: Norm,
        running: Option<&'a Buffer<f32>>,
        mode: Mode,
    ) -> (&'a Buffer<f32>, bool) {
        match (norm.statistics, running) {
            (Statistics::Batch, Some(running)) if mode.is_frozen() => (running, true),
            _ => (self.statistics[at].as_ref().unwrap_or(&self.means), false),
        }
    }

    /// Takes the first images of the input through the network.
    pub fn forward(
        &self,
        gpu: &Gpu,
        recording: &mut Recording,
        weights: &Weights,
        batch: Batch,
        mode: Mode,
    ) -> Result<()> {
        if let Some(blocks) = &self.blocks {
            blocks.forward(gpu, recording, weights, batch, mode.keeps())?;
        }
        let images = batch.images;
        for (at, op) in self.program.ops.iter().enumerate() {
            let (x, y) = (self.value(op.input), self.value(op.output));
            let param = |more: usize| weights.other(op.first_param + more);
            match op.kind {
                OpKind::Conv { .. } | OpKind::Linear(_) => {
                    let bias = op.kind.has_bias().then(|| param(1));
                    self.product(gpu, recording, (weights, at), bias, (x, y), batch)?;
                }
                OpKind::Norm(norm) => {
                    let batch_norm = norm.statistics == Statistics::Batch;
                    let running = batch_norm.then(|| param(1));
                    let (statistics, frozen) = self.statistics(at, norm, running, mode);
                    if !frozen {
                        recording.push(norm.statistics(gpu, x, statistics, batch));
                    }
                    if let Some(running) = running.filter(|_| !frozen) {
                        let anew = mode == Mode::Measure;
                        recording.push(norm.track(gpu, statistics, running, batch, anew));
                    }
                    recording.push(norm.forward(gpu, x, (statistics, param(0)), y, batch));
                }
                OpKind::Act(kind) => {
                    recording.push(act_forward(gpu, kind, x, y, images * self.len(op.input)));
                }
                OpKind::Pool(pool) => recording.push(pool.forward(gpu, x, y, images)),
                // Both ways read the same tensor.
                OpKind::Part { .. } => {}
                OpKind::Meet { other } => {
                    let count = images * self.len(op.input);
                    recording.push(sum(gpu, (x, self.value(other)), y, count));
                }
            }
        }
        Ok(())
    }

    pub(super) fn len(&self, value: usize) -> usize {
        self.program.values[value].len
    }

    /// Forward through a convolution or a linear layer, which has a bias in any case: y from x, by the weights of
    /// operation `at` and this bias.
    pub(super) fn product(
        &self,
        gpu: &Gpu,
        recording: &mut Recording,
        (weights, at): (&Weights, usize),
        bias: Option<&Buffer<f32>>,
        (x, y): (Values<'_>, Values<'_>),
        batch: Batch,
    ) -> Result<()> {
        let op = &self.program.ops[at];
        if let Some(fast) = &self.fast[at] {
            return fast.forward(gpu, recording, &self.room, (weights, op), bias, (x, y), batch);
        }
        // All other kernels read buffers; `places` knows that.
        let (x, y) = (x.in_buffer()?, y.in_buffer()?);
        let own = weights.other(op.first_param);
        match (op.kind, bias) {
            (OpKind::Conv { conv, .. }, bias) => {
                recording.push(conv.forward(gpu, x, (own, bias), y, batch));
            }
            (OpKind::Linear(linear), Some(bias)) => {
                recording.push(linear.forward(gpu, x, (own, bias), y, batch));
            }
            _ => {}
        }
        Ok(())
    }

    /// Its way back: the gradients at the weights, if these are wanted, and at x, if that is.
    pub(super) fn product_back(
        &self,
        gpu: &Gpu,
        recording: &mut Recording,
        (weights, at): (&Weights, usize),
        gradients: Option<&Gradients>,
        ends: Ends<'_>,
        batch: Batch,
    ) -> Result<()> {
        let op = &self.program.ops[at];
        if let Some(fast) = &self.fast[at] {
            let (room, own) = (&self.room, (weights, op));
            return fast.backward(gpu, recording, room, own, gradients, ends, batch);
        }
        let Ends { x, dy, dx } = ends;
        let (x, dy, dx) = (x.in_buffer()?, dy.in_buffer()?, dx.map(Values::in_buffer).transpose()?);
        let own = weights.other(op.first_param);
        let to = gradients.map(|all| (&all.others[op.first_param], all.accumulate));
        match op.kind {
            OpKind::Conv { conv, .. } => {
                if let Some((to, more)) = to {
                    recording.push(conv.backward_weight(gpu, x, dy, to, batch, more));
                }
                if let Some(dx) = dx {
                    recording.push(conv.backward_data(gpu, dy, own, dx, batch));
                }
            }
            OpKind::Linear(linear) => {
                if let Some((to, more)) = to {
                    recording.push(linear.backward_weight(gpu, dy, x, to, batch, more));
                }
                if let Some(dx) = dx {
                    recording.push(linear.backward_data(gpu, dy, own, dx, batch));
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The gradient at the bias of operation `at`, if it has one.
    pub(super) fn bias_back(
        &self,
        gpu: &Gpu,
        recording: &mut Recording,
        at: usize,
        gradients: &Gradients,
        dy: Values<'_>,
        batch: Batch,
    ) -> Result<()> {
        let op = &self.program.ops[at];
        if !op.kind.has_bias() {
            return Ok(());
        }
        let (own, more) = (&gradients.others[op.first_param + 1], gradients.accumulate);
        match op.kind {
            OpKind::Conv { conv, .. } => {
                recording.push(conv.backward_bias(gpu, dy, own, batch, more));
            }
            OpKind::Linear(linear) => {
                let dy = dy.in_buffer()?;
                let (images, nets) = (0..batch.images, 0..batch.nets);
                let (starts, classes) = (&gradients.starts, linear.classes);
                recording.push(class_sum(gpu, starts, dy, own, classes, images, nets, more));
            }
            _ => {}
        }
        Ok(())
    }

    /// From the gradient at the output down to the `target`, after [`forward`](Self::forward) in this mode.
    ///
    /// Image i takes row (`first` + i) / `sharing` of `d_output`; without that, what is in
    /// [`d_output`](Self::d_output).
    #[allow(clippy::too_many_arguments)]
    pub fn backward(
        &self,
        gpu: &Gpu,
        recording: &mut Recording,
        weights: &Weights,
        d_output: Option<(&Buffer<f32>, (usize, usize))>,
        batch: Batch,
        mode: Mode,
        target: Target<'_>,
    ) -> Result<()> {
        let mut from = d_output;
        if let (Some((rows, sharing)), Some(own)) = (d_output, self.d_output()) {
            let shape = (batch.images, self.program.features());
            recording.push(spread(gpu, rows, sharing, own, shape));
            from = None;
        }
        for (at, op) in self.program.ops.iter().enumerate().rev() {
            self.back(gpu, recording, weights, (at, op), batch, mode, target)?;
        }
        if let Some(blocks) = &self.blocks {
            let (d_embedding, sharing) = from.unwrap_or_else(|| (self.gradient_buffer(0), (0, 1)));
            blocks.backward(gpu, recording, weights, d_embedding, sharing, batch, target)?;
        }
        Ok(())
    }

    /// One operation's backward pass.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn back(
        &self,
        gpu: &Gpu,
        recording: &mut Recording,
        weights: &Weights,
        (at, op): (usize, &Op),
        batch: Batch,
        mode: Mode,
        target: Target<'_>,
    ) -> Result<()> {
        let (x, y) = (self.value(op.input), self.value(op.output));
        let (dx, dy) = (self.gradient(op.input), self.gradient(op.output));
        let count = batch.images * self.len(op.input);
        // The gradient at the images is computed only where the target asks for it.
        let goes_on = self.blocks.is_some() || target.input || !self.program.is_first(op.input);
        let param = |more: usize| weights.other(op.first_param + more);
        let gradients = target.weights;
        match op.kind {
            OpKind::Conv { .. } | OpKind::Linear(_) => {
                if let Some(gradients) = gradients {
                    self.bias_back(gpu, recording, at, gradients, dy, batch)?;
                }
                let ends = Ends { x, dy, dx: goes_on.then_some(dx) };
                self.product_back(gpu, recording, (weights, at), gradients, ends, batch)?;
            }
            OpKind::Norm(norm) => {
                let running = (norm.statistics == Statistics::Batch).then(|| param(1));
                let (statistics, frozen) = self.statistics(at, norm, running, mode);
                let own = (statistics, param(0));
                let sums = &self.sums;
                if gradients.is_some() || (goes_on && !frozen) {
                    recording.push(norm.backward_sums(gpu, x, own, dy, sums, batch));
                }
                if let Some(Gradients { others, accumulate, .. }) = gradients {
                    let (to, more) = (&others[op.first_param], *accumulate);
                    recording.push(norm.backward_affine(gpu, x, own, dy, sums, to, batch, more));
                }
                if goes_on {
                    let means = (!frozen).then(|| {
                        let apart = norm.backward_means(gpu, sums, own.1, &self.means, batch);
                        let means = if apart.is_some() { &self.means } else { sums };
                        apart.into_iter().for_each(|apart| recording.push(apart));
                        means
                    });
                    recording.push(norm.backward_data(gpu, x, own, dy, means, dx, batch));
                }
            }
            OpKind::Act(kind) if goes_on => {
                let kept = if kind.reads_input() { x } else { y };
                recording.push(act_backward(gpu, kind, kept, dy, dx, count));
            }
            OpKind::Pool(pool) if goes_on => {
                recording.push(pool.backward(gpu, x, dy, dx, batch.images));
            }
            OpKind::Part { other } if goes_on => {
                recording.push(sum(gpu, (dy, self.gradient(other)), dx, count));
            }
            // Both branches have the gradient of their sum.
            OpKind::Meet { .. } => {}
            OpKind::Act(_) | OpKind::Pool(_) | OpKind::Part { .. } => {}
        }
        Ok(())
    }
}
