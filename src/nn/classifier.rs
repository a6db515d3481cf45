//! ConvNet classifiers, several at once: the embedding with a linear layer on top, trained by SGD.

use super::{BlockGradients, ConvNet, Embedder, Target, Ways, Weights};
use crate::{
    gpu::{Buffer, Caps, Gpu, Memory, Recording, Submissions, Table},
    kernels::{
        Batch, Linear, NetworkKey, Planes, Rates, class_sum, count_correct, sgd,
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
    linear: Linear,
    weights: Weights<M>,
    embedder: Embedder<M>,
    fc: M::Buffer<f32>,
    bias: M::Buffer<f32>,
    gradients: Vec<M::Buffer<f32>>,
    velocities: Vec<M::Buffer<f32>>,
    parts: M::Buffer<f32>,
    rates: M::Buffer<Rates>,
    logits: M::Buffer<f32>,
    d_logits: M::Buffer<f32>,
    d_embedding: M::Buffer<f32>,
}

/// What one part of a batch is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part {
    /// Images of each network in this part.
    pub images: usize,
    /// Images of each network in the whole batch: what the loss is the mean over.
    pub of: usize,
    /// Images of each network in the parts before.
    pub before: usize,
}

impl<M: Memory> Classifiers<M> {
    /// Room for `train_images` of each network to train on at a time, and `test_images` to test on. Nothing is
    /// recorded.
    pub fn room(
        memory: &M,
        net: &ConvNet,
        classes: usize,
        nets: usize,
        (train_images, test_images): (usize, usize),
    ) -> Self {
        let zeros = |label: &str, len: usize| memory.buffer(label, len);
        let (features, depth) = (net.features(), net.depth());
        let (most, train) = (nets * train_images.max(test_images), nets * train_images);
        let parts = net.plan(memory.caps()).iter().map(|plan| plan.parts).max().unwrap_or(0);
        // As `parameters` has them.
        let convs = (0..depth).map(|block| net.width() * net.inputs(block) * 9);
        let lens = convs.chain(vec![2 * net.width(); depth]).chain([classes * features, classes]);
        let lens: Vec<_> = lens.map(|len| nets * len).collect();
        let each = |label: &str| {
            lens.iter().enumerate().map(|(i, &len)| zeros(&format!("{label} {i}"), len)).collect()
        };
        Self {
            nets,
            linear: Linear { features, classes },
            weights: Weights::room(memory, net, nets, Ways::ToWeights),
            embedder: Embedder::new(memory, net, most, train),
            fc: zeros("fc weight", nets * classes * features),
            bias: zeros("fc bias", nets * classes),
            gradients: each("gradient"),
            velocities: each("velocity"),
            parts: zeros("gradient parts", nets * parts),
            rates: memory.buffer("rates", 1),
            logits: zeros("logits", most * classes),
            d_logits: zeros("d logits", train * classes),
            d_embedding: zeros("d embedding", train * features),
        }
    }
}

impl Classifiers {
    /// As [`room`](Self::room) has it, ready to be recorded.
    pub fn new(
        gpu: &Gpu,
        net: &ConvNet,
        classes: usize,
        nets: usize,
        images: (usize, usize),
    ) -> Self {
        let mut made = Self::room(gpu, net, classes, nets, images);
        made.record(gpu);
        made
    }

    /// Records how their weights are drawn.
    pub fn record(&mut self, gpu: &Gpu) {
        let Self { weights, fc, bias, rates, gradients, linear, .. } = self;
        let depth = (gradients.len() - 2) / 2;
        weights.record(gpu);
        weights.draw_uniform(gpu, depth, linear.features, fc);
        weights.draw_uniform(gpu, depth + 1, linear.features, bias);
        rates.write(gpu, &[Rates::new(0.0, 0.0, 0.0)]);
    }

    /// Bytes that each further image takes in training.
    pub fn train_image(caps: &Caps, net: &ConvNet, classes: usize) -> u64 {
        let content = |images: usize| {
            let table = Table::new(caps);
            Classifiers::room(&table, net, classes, 1, (images, images));
            table.content()
        };
        content(2) - content(1)
    }

    /// All parameters: convolutions, norms, weight and bias of the last layer.
    pub fn parameters(&self, depth: usize) -> Vec<&Buffer<f32>> {
        let convs = (0..depth).map(|b| self.weights.conv(b));
        let affines = (0..depth).map(|b| self.weights.affine(b));
        convs.chain(affines).chain([&self.fc, &self.bias]).collect()
    }

    /// As [`parameters`](Self::parameters), of all blocks.
    pub fn all_parameters(&self) -> Vec<&Buffer<f32>> {
        self.parameters((self.gradients.len() - 2) / 2)
    }

    /// Gradients in the order of [`parameters`](Self::parameters).
    pub fn gradients(&self) -> &[Buffer<f32>] {
        &self.gradients
    }

    /// The logits of the images last recorded, (images, classes).
    pub fn logits(&self) -> &Buffer<f32> {
        &self.logits
    }

    /// Where images are to be written, and in which layout.
    pub fn input(&self) -> (&Buffer<f32>, Planes) {
        self.embedder.input()
    }

    /// Records one part of a batch: forward, loss, and gradients of all parameters, added up over
    /// the parts. `labels` and `losses` hold those of the whole batch, part after part.
    pub fn record_part(
        &mut self,
        gpu: &Gpu,
        recording: &mut Recording,
        labels: &Buffer<u32>,
        losses: &Buffer<f32>,
        part: Part,
    ) {
        let Self { nets, linear, .. } = *self;
        let batch = Batch { images: nets * part.images, nets };
        self.record_logits(gpu, recording, batch, true);
        let first = nets * part.before;
        let logits = (&self.logits, linear.classes);
        recording.push(softmax_cross_entropy(
            gpu,
            logits,
            labels,
            losses,
            &self.d_logits,
            batch.images,
            part.of,
            first,
        ));
        let starts: Vec<_> = (0..=nets).map(|n| (n * part.images) as u32).collect();
        let starts = Buffer::from_slice(gpu, "network starts", &starts);
        let accumulate = part.before > 0;
        let depth = (self.gradients.len() - 2) / 2;
        let (d_fc, d_bias) = (&self.gradients[2 * depth], &self.gradients[2 * depth + 1]);
        let embedding = self.embedder.embedding();
        let (d_logits, d_embedding) = (&self.d_logits, &self.d_embedding);
        recording.push(linear.backward_weight(gpu, d_logits, embedding, d_fc, batch, accumulate));
        let (images, all) = (0..batch.images, 0..nets);
        let classes = linear.classes;
        recording.push(class_sum(gpu, &starts, d_logits, d_bias, classes, images, all, accumulate));
        recording.push(linear.backward_data(gpu, d_logits, &self.fc, d_embedding, batch));
        let gradients = BlockGradients {
            convs: self.gradients[..depth].to_vec(),
            affines: self.gradients[depth..2 * depth].to_vec(),
            starts,
            parts: self.parts.clone(),
            accumulate,
        };
        self.embedder.backward(
            gpu,
            recording,
            &mut self.weights,
            d_embedding,
            (0, 1),
            batch,
            Target::Weights(&gradients),
        );
    }

    /// Records the step that follows a batch's last part.
    pub fn record_update(&self, gpu: &Gpu, recording: &mut Recording) {
        let parameters = self.all_parameters().into_iter();
        for ((values, velocity), gradient) in parameters.zip(&self.velocities).zip(&self.gradients)
        {
            recording.push(sgd(gpu, &self.rates, values, velocity, gradient));
        }
    }

    /// Records the forward pass alone and adds to `counts` (nets) how many were right. All
    /// networks see the same images.
    pub fn record_test(
        &mut self,
        gpu: &Gpu,
        recording: &mut Recording,
        labels: &Buffer<u32>,
        counts: &Buffer<u32>,
        images: usize,
    ) {
        let batch = Batch { images: self.nets * images, nets: self.nets };
        self.record_logits(gpu, recording, batch, false);
        let logits = (&self.logits, self.linear.classes);
        recording.push(count_correct(gpu, logits, labels, counts, batch));
    }

    fn record_logits(&mut self, gpu: &Gpu, recording: &mut Recording, batch: Batch, keep: bool) {
        self.embedder.forward(gpu, recording, &mut self.weights, batch, keep);
        let embedding = self.embedder.embedding();
        let weights = (&self.fc, &self.bias);
        recording.push(self.linear.forward(gpu, embedding, weights, &self.logits, batch));
    }

    /// Begins anew: all weights drawn and packed, the norms' 1 and 0. What is submitted before does not
    /// see it.
    pub fn draw(&self, gpu: &Gpu, submissions: &mut Submissions<'_>, key: NetworkKey) {
        submissions.submit();
        self.weights.reset_affines(gpu);
        self.weights.draw(gpu, submissions, key);
    }

    /// What must follow every change of the weights.
    pub fn packing(&self) -> &Recording {
        self.weights.packing()
    }

    /// Sets the rates of the steps submitted from now on, and forgets the momenta.
    pub fn restart(&self, gpu: &Gpu, encoder: &mut wgpu::CommandEncoder, rates: Rates) {
        self.rates.write(gpu, &[rates]);
        self.velocities.iter().for_each(|velocity| velocity.clear(encoder));
    }
}
