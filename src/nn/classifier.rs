//! Classifiers, several at once: networks of one kind, trained by SGD.

use super::{ConvNet, Gradients, Mode, Net, Network, Target, Ways, Weights};
use crate::{
    Result,
    gpu::{Buffer, Caps, Gpu, Memory, Recording, Submissions, Table, Values},
    kernels::{
        Batch, NetworkKey, Planes, Rates, Shares, count_correct, mixed_cross_entropy, sgd,
        softmax_cross_entropy,
    },
};

/// `nets` networks of the same shape with their gradients and momenta, and room for a part of a
/// batch of each.
///
/// Images of one network follow each other in every buffer.
#[derive(Debug)]
pub(crate) struct Classifiers<M: Memory = Gpu> {
    nets: usize,
    classes: usize,
    depth: usize,
    ways: Ways,
    weights: Weights<M>,
    network: Network<M>,
    /// As [`Weights::all`]; empty for parameters without a gradient.
    gradients: Vec<M::Buffer<f32>>,
    velocities: Vec<M::Buffer<f32>>,
    parts: M::Buffer<f32>,
    rates: M::Buffer<Rates>,
}

/// What the images of a batch show.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Answers<'a> {
    /// One class each.
    Labels(&'a Buffer<u32>),
    /// Two classes each, in shares.
    Mixed(&'a Buffer<Shares>),
}

/// One part of a batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part {
    /// Images of each network in this part.
    pub images: usize,
    /// Images of each network in the whole batch, over which the loss is the mean.
    pub of: usize,
    /// Images of each network in the parts before.
    pub before: usize,
}

impl<M: Memory> Classifiers<M> {
    /// Room for `train_images` of each network to train on at a time, and `test_images` to test on. Nothing is
    /// recorded.
    pub fn room(
        memory: &M,
        net: &Net,
        nets: usize,
        (train_images, test_images): (usize, usize),
        ways: Ways,
    ) -> Self {
        let program = net.program();
        let (most, train) = (nets * train_images.max(test_images), nets * train_images);
        let parts = Gradients::parts_len(memory.caps(), program);
        let each = |label: &str| Gradients::room(memory, program, nets, label);
        Self {
            nets,
            classes: net.classes(),
            depth: program.blocks.as_ref().map_or(0, ConvNet::depth),
            ways,
            weights: Weights::room(memory, program, nets, ways),
            network: Network::new(memory, program, most, train),
            gradients: each("gradient"),
            velocities: each("velocity"),
            parts: memory.buffer("gradient parts", nets * parts),
            rates: memory.buffer("rates", 1),
        }
    }
}

impl Classifiers {
    /// As [`room`](Self::room) has it, ready to be recorded.
    pub fn new(gpu: &Gpu, net: &Net, nets: usize, images: (usize, usize), ways: Ways) -> Self {
        let mut made = Self::room(gpu, net, nets, images, ways);
        made.record(gpu);
        made
    }

    /// Records how their weights are drawn.
    pub fn record(&mut self, gpu: &Gpu) {
        self.weights.record(gpu);
        self.rates.write(gpu, &[Rates::new(0.0, 0.0, 0.0)]);
    }

    /// The same with Xavier's normal weights, as networks have them whose training is distilled.
    pub fn record_xavier(&mut self, gpu: &Gpu, net: &Net) {
        self.weights.record_xavier(gpu, net.program());
        self.rates.write(gpu, &[Rates::new(0.0, 0.0, 0.0)]);
    }

    /// Bytes that each additional image takes in training.
    pub fn train_image(caps: &Caps, net: &Net) -> u64 {
        let content = |images: usize| {
            let table = Table::new(caps);
            Classifiers::room(&table, net, 1, (images, images), Ways::ToWeights);
            table.content()
        };
        content(2) - content(1)
    }

    /// All parameters: of blocks the convolutions, then the norms, then those of the other layers in order.
    pub fn parameters(&self) -> Vec<&Buffer<f32>> {
        self.weights.all().collect()
    }

    /// Gradients in the order of [`parameters`](Self::parameters); empty for parameters without a gradient.
    pub fn gradients(&self) -> &[Buffer<f32>] {
        &self.gradients
    }

    /// The logits of the images last recorded, (images, classes).
    pub fn logits(&self) -> &Buffer<f32> {
        self.network.output()
    }

    /// The gradient at the images last recorded, if it was asked for.
    pub fn d_input(&self) -> (&Buffer<f32>, Planes) {
        self.network.d_input()
    }

    /// Where images are to be written, and in which layout.
    pub fn input(&self) -> (Values<'_>, Planes) {
        self.network.input()
    }

    /// Records one part of a batch: forward, loss, and gradients of all parameters, added up over
    /// the parts, and of the images if these networks were made for that. `answers` and `losses` hold those of the whole
    /// batch, part after part.
    pub fn record_part(
        &self,
        gpu: &Gpu,
        recording: &mut Recording,
        answers: Answers<'_>,
        losses: &Buffer<f32>,
        part: Part,
    ) -> Result<()> {
        let Self { nets, depth, classes, .. } = *self;
        let batch = Batch { images: nets * part.images, nets };
        let Self { network, weights, gradients, .. } = self;
        network.forward(gpu, recording, weights, batch, Mode::Train)?;
        let Some(d_logits) = network.d_output() else { return Ok(()) };
        let (logits, first) = ((network.output(), classes), nets * part.before);
        recording.push(match answers {
            Answers::Labels(labels) => {
                let (images, of) = (batch.images, part.of);
                softmax_cross_entropy(gpu, logits, labels, losses, d_logits, images, of, first)
            }
            Answers::Mixed(targets) => {
                let (images, weight) = ((first, batch.images), 1.0 / part.of as f32);
                mixed_cross_entropy(gpu, logits, targets, losses, d_logits, images, weight)
            }
        });
        let starts: Vec<_> = (0..=nets).map(|n| (n * part.images) as u32).collect();
        let gradients = Gradients {
            convs: gradients[..depth].to_vec(),
            affines: gradients[depth..2 * depth].to_vec(),
            others: gradients[2 * depth..].to_vec(),
            starts: Buffer::from_slice(gpu, "network starts", &starts),
            parts: self.parts.clone(),
            accumulate: part.before > 0,
        };
        let target = Target { input: self.ways == Ways::ToImages, ..Target::weights(&gradients) };
        network.backward(gpu, recording, weights, None, batch, Mode::Train, target)
    }

    /// Records the step that follows a batch's last part.
    pub fn record_update(&self, gpu: &Gpu, recording: &mut Recording) {
        let moved = self.weights.all().zip(self.velocities.iter().zip(&self.gradients));
        for (values, (velocity, gradient)) in moved.filter(|(_, (_, gradient))| gradient.len() > 0)
        {
            recording.push(sgd(gpu, &self.rates, values, velocity, gradient));
        }
    }

    /// Records the forward pass alone and adds to `counts` (nets) how many were right. All
    /// networks see the same images.
    pub fn record_test(
        &self,
        gpu: &Gpu,
        recording: &mut Recording,
        labels: &Buffer<u32>,
        counts: &Buffer<u32>,
        images: usize,
    ) -> Result<()> {
        let batch = Batch { images: self.nets * images, nets: self.nets };
        self.network.forward(gpu, recording, &self.weights, batch, Mode::Test)?;
        let logits = (self.network.output(), self.classes);
        recording.push(count_correct(gpu, logits, labels, counts, batch));
        Ok(())
    }

    /// Begins anew: draws and packs all weights, and sets the norms to 1 and 0. Earlier submissions are not affected.
    pub fn draw(&self, gpu: &Gpu, submissions: &mut Submissions<'_>, key: NetworkKey) {
        submissions.submit();
        self.weights.reset_affines(gpu);
        self.weights.draw(gpu, submissions, key);
    }

    /// How fast the parameters move, in the order of [`parameters`](Self::parameters); empty where they do not.
    pub fn velocities(&self) -> &[Buffer<f32>] {
        &self.velocities
    }

    /// The packing that must follow every change of the weights.
    pub fn packing(&self) -> &Recording {
        self.weights.packing()
    }

    /// Sets the rates of the steps submitted from now on.
    pub fn set_rates(&self, gpu: &Gpu, rates: Rates) {
        self.rates.write(gpu, &[rates]);
    }

    /// Sets the rates of the steps submitted from now on, and forgets the momenta.
    pub fn restart(&self, gpu: &Gpu, encoder: &mut wgpu::CommandEncoder, rates: Rates) {
        self.rates.write(gpu, &[rates]);
        self.velocities.iter().for_each(|velocity| velocity.clear(encoder));
    }
}
