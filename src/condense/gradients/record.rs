//! Recording what an iteration submits.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    ops::Range,
};

use super::{
    GradientPlan, Part, Recorded,
    buffers::{Buffers, Cut, Fast},
};
use crate::{
    Result,
    condense::cut,
    gpu::{Buffer, Gpu, Recording},
    kernels::{Augment, Batch, Planes, Source, sgd, softmax_cross_entropy},
    nn::{Along, Mode, Network, Target},
    objective::Side,
};

/// Records what an iteration is made of, from the weights that are copied and packed by then.
pub(super) fn record(
    gpu: &Gpu,
    plan: &GradientPlan<'_>,
    Cut { classes: most, .. }: Cut,
    turns: &[Range<usize>],
    buffers: &Buffers,
) -> Result<Recorded> {
    let Buffers { copies, fast, work, .. } = buffers;
    let mut real = BTreeMap::new();
    let mut synthetic = BTreeMap::new();
    for turn in turns {
        let (nets, reals) = (turn.len(), plan.real_counts[turn.start]);
        let count = plan.counts[turn.start];
        let recorder = Recorder { gpu, plan, most, nets, buffers };
        if let Entry::Vacant(vacant) = real.entry((nets, reals)) {
            vacant.insert(recorder.real(reals)?);
        }
        if let Entry::Vacant(vacant) = synthetic.entry((nets, count)) {
            vacant.insert(recorder.synthetic(count)?);
        }
    }

    let mut statistics = Recording::default();
    if plan.norm_images > 0 {
        statistics = measuring(gpu, plan, buffers)?;
    }

    let mut decode = Recording::default();
    let mut update = Recording::default();
    let mut gradient = &buffers.gradient;
    if let Some(packed) = &buffers.packed {
        packed.decode(gpu, &mut decode, &work.images);
        packed.back(gpu, &mut update, gradient);
        gradient = &packed.gradient;
    }
    update.push(sgd(gpu, &buffers.rates, &work.images, &work.velocity, gradient));
    update.extend(&decode);

    // Before the first turn the images have not moved yet.
    let mut pack = decode;
    pack.extend(copies.packing());
    pack.extend(fast.weights.packing());
    let mut train = BTreeMap::new();
    for count in plan.batches().iter().map(Range::len) {
        if let Entry::Vacant(vacant) = train.entry(count) {
            vacant.insert(training(gpu, plan, buffers, count)?);
        }
    }
    Ok(Recorded { statistics, real, synthetic, update, train, pack })
}

/// Records the turn of so many classes, `nets`, where buffers have room for `most`.
struct Recorder<'a> {
    gpu: &'a Gpu,
    plan: &'a GradientPlan<'a>,
    most: usize,
    nets: usize,
    buffers: &'a Buffers,
}

impl Recorder<'_> {
    /// The parts of the real images, of which each class has so many.
    fn real(&self, count: usize) -> Result<Vec<Part>> {
        let Buffers { feed, fast, turn, .. } = self.buffers;
        let parts = cut(count, self.plan.part).map(|images| {
            let mut recording = Recording::default();
            let of_turn = self.nets * images.start..self.nets * images.end;
            feed.real(self.gpu, &mut recording, fast.network.input(), &of_turn);
            let labels = (&turn.real_labels, of_turn.start);
            self.gradient(&mut recording, Side::Real, labels, &images, count)?;
            Ok(Part { images, recording })
        });
        parts.collect()
    }

    /// The synthetic images, of which each class has so many.
    fn synthetic(&self, count: usize) -> Result<Recording> {
        let Self { gpu, plan, nets, buffers, .. } = *self;
        let Buffers { copies, direction, network, tangent, fast, matched, feed, turn, .. } =
            buffers;
        let mut recording = Recording::default();
        let r = &mut recording;
        // Between parts there is room for all classes, even if this turn has fewer.
        let of_turn = |images: &Range<usize>| {
            let first = self.most * images.start;
            first..first + nets * images.len()
        };
        let show = |r: &mut Recording, network: &Network, images: &Range<usize>| {
            feed.synthetic(gpu, r, &turn.images, network.input(), &of_turn(images));
        };
        let labels = |images: &Range<usize>| (&turn.synthetic_labels, of_turn(images).start);
        let parts: Vec<_> = cut(count, plan.part).collect();
        for images in &parts {
            show(r, &fast.network, images);
            self.gradient(r, Side::Synthetic, labels(images), images, count)?;
        }
        let share = 1.0 / plan.outer as f32;
        matched.compare(gpu, r, nets, &turn.labels, share, direction);
        r.extend(direction.packing());
        let along = Along { network, weights: copies, direction };
        for images in &parts {
            let (batch, mode) = (self.batch(images), Mode::Frozen);
            // Again, with all that changes along the direction there to be read.
            show(r, network, images);
            network.forward(gpu, r, copies, batch, mode)?;
            self.loss(r, network, labels(images), images, count);
            tangent.forward(gpu, r, along, batch, mode)?;
            tangent.loss(gpu, r, network, batch.images, count);
            tangent.backward(gpu, r, along, batch, mode, Target::INPUT)?;
            let d_input = tangent.d_input(network);
            feed.back(gpu, r, d_input, &turn.gradient, &of_turn(images));
        }
        Ok(recording)
    }

    /// These images of each class.
    fn batch(&self, images: &Range<usize>) -> Batch {
        Batch { images: self.nets * images.len(), nets: self.nets }
    }

    /// The gradient at the logits, of each class's mean over so many images.
    fn loss(
        &self,
        recording: &mut Recording,
        network: &Network,
        (labels, first): (&Buffer<u32>, usize),
        images: &Range<usize>,
        count: usize,
    ) {
        // The last layer is linear, so there is such a gradient.
        let Some(d_logits) = network.d_output() else { return };
        let logits = (network.output(), self.plan.nets[0].features());
        let (losses, images) = (&self.buffers.turn.losses, self.batch(images).images);
        recording.push(softmax_cross_entropy(
            self.gpu, logits, labels, losses, d_logits, images, count, first,
        ));
    }

    /// The gradients at the weights, of what is in the network's input.
    fn gradient(
        &self,
        recording: &mut Recording,
        side: Side,
        labels: (&Buffer<u32>, usize),
        images: &Range<usize>,
        count: usize,
    ) -> Result<()> {
        let (gpu, Buffers { fast, matched, .. }) = (self.gpu, self.buffers);
        let (batch, mode) = (self.batch(images), Mode::Frozen);
        fast.network.forward(gpu, recording, &fast.weights, batch, mode)?;
        self.loss(recording, &fast.network, labels, images, count);
        let gradients = matched.side(gpu, side, batch, images.start > 0);
        let target = Target::weights(&gradients);
        fast.network.backward(gpu, recording, &fast.weights, None, batch, mode, target)
    }
}

/// Freezes the batch norms of the network, in one piece, because each needs all images before the next layer can begin.
fn measuring(gpu: &Gpu, plan: &GradientPlan<'_>, buffers: &Buffers) -> Result<Recording> {
    let Buffers { trained: weights, fast: Fast { network, .. }, feed, .. } = buffers;
    let images = 0..plan.norm_images;
    let mut recording = weights.packing().clone();
    feed.norm(gpu, &mut recording, network.input(), &images);
    let batch = Batch { images: images.len(), nets: 1 };
    network.forward(gpu, &mut recording, weights, batch, Mode::Measure)?;
    Ok(recording)
}

/// A step of the network's training on so many synthetic images.
fn training(
    gpu: &Gpu,
    plan: &GradientPlan<'_>,
    buffers: &Buffers,
    count: usize,
) -> Result<Recording> {
    let Buffers { trained: weights, fast: Fast { network, .. }, matched, inner, .. } = buffers;
    let (channels, size) = plan.nets[0].images;
    let dense = Planes::dense(channels, size);
    let augment = Augment { items: &inner.items, rows: &inner.rows, room: &inner.room };
    // After every change of the weights, and only where a network is trained at all.
    let mut recording = weights.packing().clone();
    for images in cut(count, plan.trained_at_once()) {
        let batch = Batch { images: images.len(), nets: 1 };
        let (input, layout) = network.input();
        let source = Source::Values(buffers.shown().into());
        let (first, len) = (images.start, images.len());
        augment.forward(gpu, &mut recording, source, dense, input, layout, first, len);
        network.forward(gpu, &mut recording, weights, batch, Mode::Train)?;
        if let Some(d_logits) = network.d_output() {
            let logits = (network.output(), plan.nets[0].features());
            let losses = &inner.losses;
            recording.push(softmax_cross_entropy(
                gpu,
                logits,
                &inner.labels,
                losses,
                d_logits,
                len,
                count,
                first,
            ));
        }
        let gradients = matched.side(gpu, Side::Synthetic, batch, first > 0);
        let target = Target::weights(&gradients);
        network.backward(gpu, &mut recording, weights, None, batch, Mode::Train, target)?;
    }
    let gradients = matched.values(Side::Synthetic);
    // Without momentum a velocity is the gradient: that of real images has been used by now.
    let velocities = matched.values(Side::Real);
    let all = buffers.weights.all();
    for (values, (velocity, gradient)) in all.zip(velocities.iter().zip(gradients)) {
        if gradient.len() > 0 {
            recording.push(sgd(gpu, &inner.rates, values, velocity, gradient));
        }
    }
    Ok(recording)
}
