//! ConvNet classifiers, several at once: the embedding with a linear layer on top, trained by SGD.

use super::{BlockGradients, ConvNet, Embedder, Target, Weights};
use crate::{
    gpu::{Buffer, Gpu, Recording, Submissions},
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
pub(crate) struct Classifiers {
    nets: usize,
    linear: Linear,
    weights: Weights,
    embedder: Embedder,
    fc: Buffer<f32>,
    bias: Buffer<f32>,
    gradients: Vec<Buffer<f32>>,
    velocities: Vec<Buffer<f32>>,
    parts: Buffer<f32>,
    rates: Buffer<Rates>,
    logits: Buffer<f32>,
    d_logits: Buffer<f32>,
    d_embedding: Buffer<f32>,
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

impl Classifiers {
    /// Room for `train_images` of each network to train on at a time, and `test_images` to test on.
    pub fn new(
        gpu: &Gpu,
        net: &ConvNet,
        classes: usize,
        nets: usize,
        (train_images, test_images): (usize, usize),
    ) -> Self {
        let zeros = |label: &str, len: usize| Buffer::zeros(gpu, label, len);
        let features = net.features();
        let most = nets * train_images.max(test_images);
        let fc = zeros("fc weight", nets * classes * features);
        let bias = zeros("fc bias", nets * classes);
        let mut weights = Weights::new(gpu, net, nets);
        weights.draw_uniform(gpu, net.depth(), features, &fc);
        weights.draw_uniform(gpu, net.depth() + 1, features, &bias);
        let mut made = Self {
            nets,
            linear: Linear { features, classes },
            embedder: Embedder::new(gpu, net, most, nets * train_images),
            weights,
            fc,
            bias,
            gradients: Vec::new(),
            velocities: Vec::new(),
            parts: zeros("gradient parts", nets * parts_len(gpu, net)),
            rates: Buffer::params(gpu, "rates", &Rates::new(0.0, 0.0, 0.0)),
            logits: zeros("logits", most * classes),
            d_logits: zeros("d logits", nets * train_images * classes),
            d_embedding: zeros("d embedding", nets * train_images * features),
        };
        let lens: Vec<_> = made.parameters(net.depth()).iter().map(|p| p.len()).collect();
        made.gradients = lens.iter().map(|&len| zeros("gradient", len)).collect();
        made.velocities = lens.iter().map(|&len| zeros("velocity", len)).collect();
        made
    }

    /// Bytes of device memory: of one network, and of each image in training and in testing.
    pub fn bytes(gpu: &Gpu, net: &ConvNet, classes: usize) -> ClassifierBytes {
        let per_image = Embedder::bytes_per_image(gpu, net);
        let features = net.features();
        let logits = classes * 4;
        // Value, gradient and momentum; `Weights` counts the plain ones once, and packed ones.
        let fc = classes as u64 * (features as u64 + 1) * 4;
        let parts = parts_len(gpu, net) as u64 * 4;
        ClassifierBytes {
            net: 3 * (Weights::bytes(gpu, net) + fc) + parts,
            parts,
            test_image: per_image.forward + logits,
            train_image: per_image.forward + per_image.backward + 2 * logits + features * 4,
            largest: per_image.largest,
        }
    }

    /// All parameters: convolutions, norms, weight and bias of the last layer.
    pub fn parameters(&self, depth: usize) -> Vec<&Buffer<f32>> {
        let convs = (0..depth).map(|b| self.weights.conv(b));
        let affines = (0..depth).map(|b| self.weights.affine(b));
        convs.chain(affines).chain([&self.fc, &self.bias]).collect()
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
        let depth = (self.gradients.len() - 2) / 2;
        let parameters = self.parameters(depth).into_iter();
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

/// Values that the parts of one network's largest gradient take.
fn parts_len(gpu: &Gpu, net: &ConvNet) -> usize {
    net.plan(gpu.caps()).iter().map(|plan| plan.parts).max().unwrap_or(0)
}

/// Device memory of [`Classifiers`], in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClassifierBytes {
    /// One network's parameters, with gradients and momenta.
    pub net: u64,
    /// Of those, one buffer: the parts of a convolution's gradient.
    pub parts: u64,
    pub train_image: usize,
    pub test_image: usize,
    /// Of an image's buffers the largest.
    pub largest: usize,
}
