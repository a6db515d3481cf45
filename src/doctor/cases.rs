//! The cases: small tasks that together dispatch all kernels of a run and of an evaluation. Their numbers are drawn
//! without any operation that platforms compute differently.

mod along;
mod distil;

pub use along::Along;

use crate::{
    Activation, ConvNet, Distance, Gpu, Layer, Net, NormKind, PoolKind, Result,
    hosted::{
        self, ClassifierParams, DmCase, DmSession, GradientCase, GradientInput, GradientSession,
        Images, Row, UnrollCase,
    },
    rng::{Purpose, Stream},
};

/// A task with a name.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// As in the golden file.
    pub name: &'static str,
    make: fn() -> Result<Task>,
}

/// Every case.
pub const CASES: [Case; 12] = [
    Case { name: "drawn weights", make: weights },
    Case { name: "augmentation", make: augmentation },
    Case { name: "network 1×28×28", make: || network(1, 28, 16, 11) },
    Case { name: "network 3×32×32", make: || network(3, 32, 32, 92) },
    Case { name: "network 3×64×64", make: || network(3, 64, 16, 73) },
    Case { name: "step", make: step },
    Case { name: "training", make: || training(1, 28, 3, 95) },
    // Planes of 20 and 10, of which no family's tiles are multiples.
    Case { name: "training 3×20×20", make: || training(3, 20, 2, 7) },
    Case { name: "layers", make: layers },
    Case { name: "gradients", make: gradients },
    Case { name: "distillation", make: distil::distillation },
    Case { name: "trajectory", make: along::trajectory },
];

/// What is computed.
#[derive(Debug)]
pub enum Task {
    /// The random network of (seed, iteration).
    Weights(ConvNet, u64, u32),
    /// Augmented 8-bit pixels of this mean and standard deviation in each channel; then augmented images, and
    /// the gradient at them from the one at the result.
    Augment(Vec<u8>, f32, f32, Images, Images, Vec<Row>),
    /// Weights, images, and the gradient at the embedding.
    Embed(ConvNet, Vec<Vec<f32>>, Images, Vec<f32>),
    /// Synthetic images, weights, an augmentation per class, real images.
    Step(DmCase, Vec<f32>, Vec<Vec<f32>>, Vec<Row>, Images),
    /// A classifier.
    Train(Training),
    /// A network of every other layer, as trained and as it embeds.
    Layers(Layers),
    /// Gradient matching, and a direction to go along.
    Match(Match),
    /// A training whose steps are gone back through.
    Distil(UnrollCase),
    /// A step along a trajectory, of packed images; and images that are mixed.
    Along(Box<Along>),
}

/// A classifier, what it is trained on, for how many steps.
#[derive(Debug)]
pub struct Training {
    /// Its network.
    pub net: ConvNet,
    /// What it begins from.
    pub init: ClassifierParams,
    /// One batch, the same in every step.
    pub x: Images,
    /// One class per image.
    pub labels: Vec<u32>,
    /// Steps, each on the whole batch.
    pub steps: usize,
    /// Learning rate.
    pub lr: f32,
}

/// A network, its parameters, what it is trained on for two steps, and a gradient at all embeddings.
#[derive(Debug)]
pub struct Layers {
    /// Its layers.
    pub net: Net,
    /// Parameters in the order of `hosted::net_parameters`.
    pub init: Vec<Vec<f32>>,
    /// One batch.
    pub x: Images,
    /// A class per image.
    pub labels: Vec<u32>,
    /// One row for all images.
    pub d_embedding: Vec<f32>,
}

/// Two moves of gradient matching with a step of training between them.
#[derive(Debug)]
pub struct Match {
    /// What it goes by.
    pub case: GradientCase,
    /// Parameters and a direction, in the order of `hosted::net_parameters_apart`.
    pub init: Vec<Vec<f32>>,
    /// See there.
    pub direction: Vec<Vec<f32>>,
    /// Synthetic images.
    pub syn: Images,
    /// Augmentations and real images.
    pub input: GradientInput,
}

/// Which tolerance a result is held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Values that no gradient has changed.
    Value,
    /// Everything else.
    Gradient,
}

/// One result of a case.
#[derive(Debug)]
pub struct Computed {
    /// Its name within the case.
    pub what: &'static str,
    /// How near it must be.
    pub kind: Kind,
    /// Its values, in the order that its name suggests.
    pub values: Vec<f32>,
}

fn value(what: &'static str, values: Vec<f32>) -> Computed {
    Computed { what, kind: Kind::Value, values }
}

fn gradient(what: &'static str, values: Vec<f32>) -> Computed {
    Computed { what, kind: Kind::Gradient, values }
}

impl Case {
    /// Its numbers.
    pub fn task(&self) -> Result<Task> {
        (self.make)()
    }

    /// Its results on this device.
    pub fn compute(&self, gpu: &Gpu) -> Result<Vec<Computed>> {
        Ok(match self.task()? {
            Task::Weights(net, seed, iteration) => {
                let weights = hosted::random_weights(gpu, &net, seed, iteration)?;
                vec![value("weights", weights.concat())]
            }
            Task::Augment(pixels, mean, std, x, dy, rows) => {
                let (mean, std) = (vec![mean; x.channels], vec![std; x.channels]);
                let from_pixels =
                    hosted::augment_pixels(gpu, &pixels, x.channels, x.size, &mean, &std, &rows)?;
                vec![
                    value("pixels", from_pixels.values),
                    value("images", hosted::augment_forward(gpu, &x, &rows)?.values),
                    gradient("gradient", hosted::augment_backward(gpu, &dy, &rows)?.values),
                ]
            }
            Task::Embed(net, weights, x, d_embedding) => {
                // Forward alone, as real images are embedded, and forward keeping what backward needs.
                let alone = hosted::embed(gpu, &net, &weights, &x, None)?.blocks;
                let kept = hosted::embed(gpu, &net, &weights, &x, Some(&d_embedding))?;
                vec![
                    value("embedding", alone.last().cloned().unwrap_or_default()),
                    value("kept embedding", kept.blocks.last().cloned().unwrap_or_default()),
                    gradient("gradient", kept.dx.unwrap_or_default()),
                ]
            }
            Task::Step(case, syn, weights, rows, real) => {
                let mut session = DmSession::new(gpu, &case, &syn)?;
                let result = session.step(&weights, &rows, &real.values, &[])?;
                vec![
                    value("loss", vec![result.loss]),
                    gradient("gradient", result.grad),
                    gradient("images", result.syn),
                ]
            }
            Task::Train(Training { net, init, x, labels, steps, lr }) => {
                let classes = init.fc_bias.len();
                let init = std::slice::from_ref(&init);
                let tested = hosted::classify(gpu, &net, classes, init, &x)?;
                // In parts; the last one is smaller.
                let part = x.n - 1;
                let trained = hosted::train_classifiers(
                    gpu, &net, classes, init, &x, &labels, part, steps, lr,
                )?;
                let trained = trained.into_iter().next();
                let (logits, gradients) =
                    trained.map(|of| (of.logits, of.gradients.convs.concat())).unwrap_or_default();
                vec![
                    value("logits of a test", tested.concat()),
                    value("logits", logits.first().cloned().unwrap_or_default()),
                    gradient("gradients", gradients),
                    gradient("logits after a step", logits.last().cloned().unwrap_or_default()),
                ]
            }
            Task::Layers(Layers { net, init, x, labels, d_embedding }) => {
                let shared = (&d_embedding[..], x.n);
                let (embedding, d_images) = hosted::embed_net(gpu, &net, &init, &x, shared)?;
                let nets = std::slice::from_ref(&init);
                let tested = hosted::classify_nets(gpu, &net, nets, &x)?;
                let trained = hosted::train_nets(gpu, &net, nets, &x, &labels, x.n, 2, 0.05)?;
                let Some(trained) = trained.into_iter().next() else { return Ok(Vec::new()) };
                vec![
                    value("embedding", embedding),
                    gradient("gradient at the images", d_images),
                    value("logits of a test", tested.concat()),
                    value("logits", trained.logits.first().cloned().unwrap_or_default()),
                    gradient("gradients", trained.gradients.concat()),
                    gradient("gradient of the loss at the images", trained.d_images),
                    gradient("parameters after two steps", trained.params.concat()),
                ]
            }
            Task::Match(Match { case, init, direction, syn, input }) => {
                let result = GradientSession::new(gpu, &case, &syn)?.run(&init, &input)?;
                let labels = &case.labels;
                let nets = [(init, direction)];
                let along = hosted::along(gpu, &case.net, &nets, &syn, labels, syn.n)?;
                let (d_images, changes) = along.into_iter().next().unwrap_or_default();
                vec![
                    value("distances", result.distances),
                    gradient("gradient", result.grad),
                    gradient("images", result.syn),
                    gradient("parameters after a step", result.net.concat()),
                    gradient("change of the gradient at the images", d_images),
                    gradient("changes of the gradients", changes.concat()),
                ]
            }
            Task::Distil(case) => distil::compute(gpu, &case)?,
            Task::Along(case) => along::compute(gpu, &case)?,
        })
    }
}

/// The numbers of a case, drawn one after the other. Each case's number was chosen so that no ReLU's input is so near 0
/// that rounding could switch it.
struct Draw(Stream);

impl Draw {
    fn new(case: u32) -> Self {
        Self(Stream::new(1, Purpose::MadeUp, case, 0))
    }

    /// Uniform in ±bound.
    fn uniform(&mut self, count: usize, bound: f32) -> Vec<f32> {
        (0..count).map(|_| (2.0 * self.0.uniform() - 1.0) * bound).collect()
    }

    /// Of mean 0 and variance 1, about.
    fn images(&mut self, n: usize, channels: usize, size: usize) -> Images {
        let values = self.uniform(n * channels * size * size, 1.75);
        Images { values, n, channels, size }
    }

    /// Of each block, as random networks have them: uniform in ±1/√fan_in.
    fn weights(&mut self, net: &ConvNet) -> Vec<Vec<f32>> {
        let of = |block: usize| (net.width() * net.inputs(block) * 9, 9 * net.inputs(block));
        let shapes: Vec<_> = (0..net.depth()).map(of).collect();
        shapes
            .iter()
            .map(|&(count, fan_in)| self.uniform(count, 1.0 / (fan_in as f32).sqrt()))
            .collect()
    }
}

fn weights() -> Result<Task> {
    Ok(Task::Weights(ConvNet::new(3, 32, 32, 3)?, 5, 3))
}

/// One of each kind.
fn rows() -> Vec<Row> {
    vec![
        Row::NONE,
        Row::color(0.25, 1.5, 0.75),
        Row::crop(3, -2),
        Row::cutout(9, 20),
        Row::flip(true),
        Row::scale(1.125, 0.875),
        Row::rotate(0.125),
    ]
}

fn augmentation() -> Result<Task> {
    let mut draw = Draw::new(0);
    let rows = rows();
    let [x, dy] = [(); 2].map(|()| draw.images(rows.len(), 3, 32));
    let pixels = x.values.iter().map(|_| (draw.0.next_u32() >> 24) as u8).collect();
    Ok(Task::Augment(pixels, 0.5, 0.25, x, dy, rows))
}

fn network(channels: usize, size: usize, width: usize, draw: u32) -> Result<Task> {
    // The planes of the last block are 8×8 or 4×4.
    let net = ConvNet::new(channels, size, width, if size < 64 { 3 } else { 4 })?;
    let mut draw = Draw::new(draw);
    // Fewer values, so that none lies beside the kink of its ReLU.
    let images = if size < 64 { 2 } else { 1 };
    let (weights, x) = (draw.weights(&net), draw.images(images, channels, size));
    let d_embedding = draw.uniform(images * net.features(), 1.0);
    Ok(Task::Embed(net, weights, x, d_embedding))
}

fn step() -> Result<Task> {
    let (classes, ipc, batch_real) = (2, 1, 4);
    let net = ConvNet::new(3, 32, 16, 3)?;
    let mut draw = Draw::new(74);
    let weights = draw.weights(&net);
    let syn = draw.images(classes * ipc, 3, 32).values;
    let real = draw.images(classes * batch_real, 3, 32);
    let rows = vec![Row::rotate(0.125), Row::crop(3, -2)];
    let net = Net::of_convnet(&net, classes)?;
    let case =
        DmCase { net, classes, ipc, batch_real, norm_images: 0, lr: 1.0, factor: 1, padding: 0.0 };
    Ok(Task::Step(case, syn, weights, rows, real))
}

fn training(channels: usize, size: usize, depth: usize, draw: u32) -> Result<Task> {
    let (classes, images) = (3, 5);
    let net = ConvNet::new(channels, size, 16, depth)?;
    let mut draw = Draw::new(draw);
    let convs = draw.weights(&net);
    let norms = (0..net.depth())
        .map(|_| {
            let weight = draw.uniform(net.width(), 0.25).iter().map(|w| 1.0 + w).collect();
            (weight, draw.uniform(net.width(), 0.25))
        })
        .collect();
    let bound = 1.0 / (net.features() as f32).sqrt();
    let fc_weight = draw.uniform(classes * net.features(), bound);
    let init = ClassifierParams { convs, norms, fc_weight, fc_bias: draw.uniform(classes, bound) };
    let x = draw.images(images, channels, size);
    let labels = vec![0, 2, 1, 1, 0];
    Ok(Task::Train(Training { net, init, x, labels, steps: 2, lr: 0.05 }))
}

/// Every layer that is in no block, and a convolution 3×3 that has kernels of its own.
fn layers() -> Result<Task> {
    let conv = |out, kernel, stride, pad| Layer::Conv { out, kernel, stride, pad, bias: true };
    let act = |kind| Layer::Act { kind };
    // Windows that overlap; those that do not are in the case of gradients.
    let pool = |kind, stride| Layer::Pool { kind, kernel: 3, stride, pad: 1 };
    let body = vec![conv(6, 3, 1, 1), Layer::Norm(NormKind::Batch), act(Activation::Swish)];
    let shortcut = vec![conv(6, 1, 1, 0), Layer::Norm(NormKind::Instance)];
    let layers = vec![
        conv(4, 5, 2, 2),
        Layer::Norm(NormKind::Group { groups: 2 }),
        act(Activation::LeakyRelu),
        Layer::Residual { body, shortcut },
        act(Activation::Relu),
        pool(PoolKind::Max, 2),
        Layer::Norm(NormKind::Layer),
        pool(PoolKind::Avg, 1),
        act(Activation::Sigmoid),
        conv(8, 1, 1, 0),
        // Over whole planes.
        Layer::Pool { kind: PoolKind::Avg, kernel: 4, stride: 1, pad: 0 },
        Layer::Flatten,
        Layer::Linear { out: 3 },
    ];
    let net = Net::new(3, 16, layers)?;
    let mut draw = Draw::new(31);
    let init = hosted::net_parameters(&net).into_iter().zip(hosted::net_lengths(&net));
    let init = init
        .map(|((_, what), len)| {
            let mut values = draw.uniform(len, 0.25);
            // Weights of norms are about 1, and so are variances, the second of each pair.
            let first = match what {
                "affine" => Some(0),
                "running" => Some(1),
                _ => None,
            };
            if let Some(first) = first {
                values.iter_mut().skip(first).step_by(2).for_each(|value| *value += 1.0);
            }
            values
        })
        .collect();
    let x = draw.images(5, 3, 16);
    let d_embedding = draw.uniform(net.features(), 1.0);
    Ok(Task::Layers(Layers { net, init, x, labels: vec![0, 2, 1, 1, 0], d_embedding }))
}

/// Every layer with a kernel of its own along a direction, none with a kink.
fn gradients() -> Result<Task> {
    let conv = |out, kernel, stride, pad| Layer::Conv { out, kernel, stride, pad, bias: true };
    let act = |kind| Layer::Act { kind };
    let pool = |kind| Layer::Pool { kind, kernel: 2, stride: 2, pad: 0 };
    let body = vec![conv(4, 3, 1, 1), Layer::Norm(NormKind::Instance)];
    let layers = vec![
        conv(4, 5, 2, 2),
        Layer::Norm(NormKind::Group { groups: 2 }),
        act(Activation::Swish),
        Layer::Residual { body, shortcut: vec![] },
        pool(PoolKind::Max),
        Layer::Norm(NormKind::Layer),
        pool(PoolKind::Avg),
        act(Activation::Sigmoid),
        Layer::Flatten,
        Layer::Linear { out: 2 },
    ];
    let case = GradientCase {
        net: Net::new(3, 16, layers)?,
        labels: vec![0, 1],
        counts: vec![1; 2],
        factor: 1,
        padding: 0.0,
        batch_real: 3,
        norm_images: 0,
        distance: Distance::Ours,
        rates: (0.1, 0.5),
        lr_net: 0.05,
        inner: 1,
        outer: 2,
        part: 2,
    };
    let mut draw = Draw::new(41);
    let names = hosted::net_parameters_apart(&case.net)?;
    let params = |draw: &mut Draw| -> Result<Vec<Vec<f32>>> {
        let all = names.iter().zip(hosted::net_lengths_apart(&case.net)?);
        let values = all.map(|((_, what), len)| {
            let mut values = draw.uniform(len, 0.25);
            // Weights of norms are about 1, the first of each pair.
            if *what == "affine" {
                values.iter_mut().step_by(2).for_each(|value| *value += 1.0);
            }
            values
        });
        Ok(values.collect())
    };
    let (init, direction) = (params(&mut draw)?, params(&mut draw)?);
    let syn = draw.images(2, 3, 16);
    let rows = [[Row::scale(1.125, 0.875), Row::NONE], [Row::flip(true), Row::crop(1, -2)]];
    let steps = rows.map(|rows| (rows.to_vec(), draw.images(6, 3, 16).values));
    let inner = vec![vec![Row::rotate(0.125), Row::cutout(9, 4)]];
    let input = GradientInput { steps: steps.to_vec(), norm: vec![vec![]; 2], inner };
    Ok(Task::Match(Match { case, init, direction, syn, input }))
}
