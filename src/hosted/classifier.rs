//! Training classifiers; their logits, embeddings and gradients.

use super::{Images, feed, gather};
use crate::{
    ConvNet, Gpu, Net, Result,
    augment::Row,
    gpu::{Buffer, Recording},
    kernels::{Augment, AugmentRoom, Batch, Item, Planes, Rates, Source},
    nn::{Answers, Classifiers, Mode, Network, Part, Program, Role, Target, Ways, Weights},
};

/// The parameters of one classifier, or their gradients.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassifierParams {
    /// Each block's convolution, (width, inputs, 3, 3).
    pub convs: Vec<Vec<f32>>,
    /// Each block's norm: weight and bias, (width) each.
    pub norms: Vec<(Vec<f32>, Vec<f32>)>,
    /// (classes, features).
    pub fc_weight: Vec<f32>,
    /// (classes).
    pub fc_bias: Vec<f32>,
}

/// The results of [`train_classifiers`] for one network.
#[derive(Debug, Clone)]
// Tests read all of it.
#[cfg_attr(not(feature = "testing"), allow(dead_code))]
pub struct Trained {
    /// Before each step, (N, classes).
    pub logits: Vec<Vec<f32>>,
    /// Mean cross-entropy before each step.
    pub losses: Vec<f32>,
    /// Gradients of the first step, without weight decay.
    pub gradients: ClassifierParams,
    /// After the last step.
    pub params: ClassifierParams,
}

/// Trains ConvNets beside each other, each from its own parameters, as [`train_nets`] does.
#[allow(clippy::too_many_arguments)]
pub fn train_classifiers(
    gpu: &Gpu,
    net: &ConvNet,
    classes: usize,
    init: &[ClassifierParams],
    x: &Images,
    labels: &[u32],
    part: usize,
    steps: usize,
    lr: f32,
) -> Result<Vec<Trained>> {
    let depth = net.depth();
    let net = Net::of_convnet(net, classes)?;
    let init: Vec<_> = init.iter().map(ClassifierParams::tensors).collect();
    let trained = train_nets(gpu, &net, &init, x, labels, part, steps, lr)?;
    let of = |trained: NetTrained| Trained {
        logits: trained.logits,
        losses: trained.losses,
        gradients: ClassifierParams::from_tensors(trained.gradients, depth),
        params: ClassifierParams::from_tensors(trained.params, depth),
    };
    Ok(trained.into_iter().map(of).collect())
}

/// What [`train_nets`] leaves of one network. Parameters are in the order of [`net_parameters`].
#[derive(Debug, Clone)]
pub struct NetTrained {
    /// Before each step, (N, classes).
    pub logits: Vec<Vec<f32>>,
    /// Mean cross-entropy before each step.
    pub losses: Vec<f32>,
    /// Gradients of the first step, without weight decay; empty for parameters without a gradient.
    pub gradients: Vec<Vec<f32>>,
    /// The first step's gradient at the images, (N, C, S, S).
    pub d_images: Vec<f32>,
    /// After the last step.
    pub params: Vec<Vec<f32>>,
}

/// The path of each parameter's layer, and what it is: `weight`, `bias`, `affine` (pairs of weight and bias), `running`
/// (pairs of mean and variance).
pub fn net_parameters(net: &Net) -> Vec<(String, &'static str)> {
    parameters_of(net.program())
}

pub(super) fn parameters_of(program: &Program) -> Vec<(String, &'static str)> {
    let what = |role| match role {
        Role::Weight { .. } => "weight",
        Role::Bias { .. } => "bias",
        Role::Affine => "affine",
        Role::Running => "running",
    };
    program.paths().into_iter().map(|(path, role)| (path, what(role))).collect()
}

/// The length of each parameter.
pub fn net_lengths(net: &Net) -> Vec<usize> {
    net.program().lens()
}

/// Trains networks beside each other, each from its own parameters and all on the whole batch `x`
/// in every step, processed in parts of `part` images: SGD with momentum 0.9, weight decay 5e-4.
#[allow(clippy::too_many_arguments)]
pub fn train_nets(
    gpu: &Gpu,
    net: &Net,
    init: &[Vec<Vec<f32>>],
    x: &Images,
    labels: &[u32],
    part: usize,
    steps: usize,
    lr: f32,
) -> Result<Vec<NetTrained>> {
    let (nets, classes) = (init.len(), net.classes());
    let held = Classifiers::new(gpu, net, nets, (part, part), Ways::ToImages);
    write(gpu, &held, init);
    // In the order that a batch is laid out in: part after part, network after network.
    let parts: Vec<_> = (0..x.n)
        .step_by(part)
        .map(|before| Part { images: part.min(x.n - before), of: x.n, before })
        .collect();
    let images: Vec<u32> = parts
        .iter()
        .flat_map(|p| (0..nets).flat_map(|_| p.before as u32..(p.before + p.images) as u32))
        .collect();
    let items: Vec<_> = images.iter().map(|&image| Item { image, row: 0 }).collect();
    let batch_labels: Vec<_> = images.iter().map(|&i| labels[i as usize]).collect();
    let items = Buffer::from_slice(gpu, "items", &items);
    let rows = Buffer::from_slice(gpu, "rows", &[Row::NONE]);
    let room = AugmentRoom::new(gpu, "images", nets * part, (x.channels, x.size));
    let labels = Buffer::from_slice(gpu, "labels", &batch_labels);
    let losses = Buffer::zeros(gpu, "losses", nets * x.n);
    let values = Buffer::from_slice(gpu, "x", &x.values);
    let augment = Augment { items: &items, rows: &rows, room: &room };
    let dense = Planes::dense(x.channels, x.size);

    let mut recordings = Vec::new();
    for &p in &parts {
        let mut recording = Recording::default();
        let (input, layout) = held.input();
        let source = Source::Values((&values).into());
        let (first, count) = (nets * p.before, nets * p.images);
        augment.forward(gpu, &mut recording, source, dense, input, layout, first, count);
        held.record_part(gpu, &mut recording, Answers::Labels(&labels), &losses, p)?;
        recordings.push(recording);
    }
    let mut update = Recording::default();
    held.record_update(gpu, &mut update);
    let mut encoder = gpu.device().create_command_encoder(&Default::default());
    held.restart(gpu, &mut encoder, Rates::new(lr, 0.9, 5e-4));
    gpu.queue().submit([encoder.finish()]);

    let none = NetTrained {
        logits: vec![vec![]; steps],
        losses: vec![0.0; steps],
        gradients: vec![],
        d_images: vec![],
        params: vec![],
    };
    let mut trained = vec![none; nets];
    for step in 0..steps {
        held.packing().submit(gpu, "pack weights");
        for (p, recording) in parts.iter().zip(&recordings) {
            super::run(gpu, |r| *r = recording.clone())?;
            let all = held.logits().read_blocking(gpu)?;
            for (own, logits) in trained.iter_mut().zip(all.chunks(p.images * classes)) {
                own.logits[step].extend_from_slice(logits);
            }
            if step == 0 {
                let (d_input, layout) = held.d_input();
                let all = gather(gpu, d_input, layout, nets * p.images)?;
                let each = all.chunks(p.images * dense.image_len());
                trained.iter_mut().zip(each).for_each(|(own, d)| own.d_images.extend_from_slice(d));
            }
        }
        let all = losses.read_blocking(gpu)?;
        for p in &parts {
            let each = all[nets * p.before..].chunks(p.images);
            for (own, losses) in trained.iter_mut().zip(each) {
                own.losses[step] += losses.iter().sum::<f32>() / x.n as f32;
            }
        }
        if step == 0 {
            for (own, gradients) in trained.iter_mut().zip(split(gpu, held.gradients(), nets)?) {
                own.gradients = gradients;
            }
        }
        update.submit(gpu, "update");
    }
    let params: Vec<_> = held.parameters().into_iter().cloned().collect();
    for (own, params) in trained.iter_mut().zip(split(gpu, &params, nets)?) {
        own.params = params;
    }
    Ok(trained)
}

/// The logits (N, classes) of each ConvNet, as [`classify_nets`] has them.
pub fn classify(
    gpu: &Gpu,
    net: &ConvNet,
    classes: usize,
    params: &[ClassifierParams],
    x: &Images,
) -> Result<Vec<Vec<f32>>> {
    let params: Vec<_> = params.iter().map(ClassifierParams::tensors).collect();
    classify_nets(gpu, &Net::of_convnet(net, classes)?, &params, x)
}

/// The logits (N, classes) of each network, by the forward pass that tests take: no gradients follow, so
/// whole blocks may run as one kernel.
pub fn classify_nets(
    gpu: &Gpu,
    net: &Net,
    params: &[Vec<Vec<f32>>],
    x: &Images,
) -> Result<Vec<Vec<f32>>> {
    let nets = params.len();
    let held = Classifiers::new(gpu, net, nets, (1, x.n), Ways::ToWeights);
    write(gpu, &held, params);
    let all = Images { n: nets * x.n, values: x.values.repeat(nets), ..*x };
    feed(gpu, &all, held.input())?;
    let labels = Buffer::zeros(gpu, "labels", x.n);
    let counts = Buffer::zeros(gpu, "counts", nets);
    let mut recording = Recording::default();
    held.record_test(gpu, &mut recording, &labels, &counts, x.n)?;
    held.packing().submit(gpu, "pack weights");
    super::run(gpu, |r| *r = recording)?;
    let logits = held.logits().read_blocking(gpu)?;
    Ok(logits.chunks(x.n * net.classes()).take(nets).map(<[f32]>::to_vec).collect())
}

/// The embeddings (N, features) of `images` by a network whose norms over a batch go by running statistics, and the
/// gradient at the images, where image i takes row i / `sharing` of `d_embedding`.
pub fn embed_net(
    gpu: &Gpu,
    net: &Net,
    params: &[Vec<f32>],
    x: &Images,
    (d_embedding, sharing): (&[f32], usize),
) -> Result<(Vec<f32>, Vec<f32>)> {
    let program = net.program().embedding();
    let weights = Weights::new(gpu, &program, 1, Ways::ToImages);
    weights.all().zip(params).for_each(|(slot, values)| slot.write(gpu, values));
    let network = Network::new(gpu, &program, x.n, x.n);
    feed(gpu, x, network.input())?;
    let d_embedding = Buffer::from_slice(gpu, "d embedding", d_embedding);
    let batch = Batch { images: x.n, nets: 1 };
    let mut recording = Recording::default();
    network.forward(gpu, &mut recording, &weights, batch, Mode::Frozen)?;
    network.backward(
        gpu,
        &mut recording,
        &weights,
        Some((&d_embedding, (0, sharing))),
        batch,
        Mode::Frozen,
        Target::INPUT,
    )?;
    weights.packing().submit(gpu, "pack weights");
    super::run(gpu, |r| *r = recording)?;
    let mut embedding = network.output().read_blocking(gpu)?;
    embedding.truncate(x.n * program.features());
    let (d_input, layout) = network.d_input();
    Ok((embedding, gather(gpu, d_input, layout, x.n)?))
}

/// Sets the parameters of each network.
fn write(gpu: &Gpu, held: &Classifiers, nets: &[Vec<Vec<f32>>]) {
    for (i, slot) in held.parameters().into_iter().enumerate() {
        let all: Vec<_> = nets.iter().flat_map(|net| net[i].iter().copied()).collect();
        slot.write(gpu, &all);
    }
}

/// The values of each network, buffer by buffer.
fn split(gpu: &Gpu, buffers: &[Buffer<f32>], nets: usize) -> Result<Vec<Vec<Vec<f32>>>> {
    let all: Vec<_> =
        buffers.iter().map(|buffer| buffer.read_blocking(gpu)).collect::<Result<_>>()?;
    let own = |net: usize, values: &Vec<f32>| {
        let len = values.len() / nets;
        values[net * len..][..len].to_vec()
    };
    Ok((0..nets).map(|net| all.iter().map(|values| own(net, values)).collect()).collect())
}

impl ClassifierParams {
    /// In the order of [`net_parameters`].
    fn tensors(&self) -> Vec<Vec<f32>> {
        let pairs = |(weight, bias): &(Vec<f32>, Vec<f32>)| {
            weight.iter().zip(bias).flat_map(|(&w, &b)| [w, b]).collect()
        };
        let norms = self.norms.iter().map(pairs);
        let last = [self.fc_weight.clone(), self.fc_bias.clone()];
        self.convs.iter().cloned().chain(norms).chain(last).collect()
    }

    fn from_tensors(mut tensors: Vec<Vec<f32>>, depth: usize) -> Self {
        let last = tensors.split_off(2 * depth);
        let pairs = |values: &Vec<f32>| values.chunks(2).map(|pair| (pair[0], pair[1])).unzip();
        let norms = tensors.split_off(depth).iter().map(pairs).collect();
        let mut last = last.into_iter();
        let [fc_weight, fc_bias] = [(); 2].map(|()| last.next().unwrap_or_default());
        Self { convs: tensors, norms, fc_weight, fc_bias }
    }
}
