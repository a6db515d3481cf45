//! The door to training.

use super::{Images, scatter};
use crate::{
    ConvNet, Gpu, Result,
    augment::Row,
    gpu::{Buffer, Recording},
    kernels::{self, Augment, Batch, Item, Linear, Planes, Rates, Source},
    nn::{Classifiers, Part},
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

/// What [`train_classifiers`] leaves of one network.
#[derive(Debug, Clone)]
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

/// Trains networks beside each other, each from its own parameters and all on the whole batch `x`
/// in every step, processed in parts of `part` images: SGD with momentum 0.9, weight decay 5e-4.
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
    let nets = init.len();
    let depth = net.depth();
    let mut held = Classifiers::new(gpu, net, classes, nets, (part, part));
    for (slot, values) in held.parameters(depth).into_iter().zip(join(init)) {
        slot.write(gpu, &values);
    }
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
    let means = Buffer::zeros(gpu, "means", nets * part);
    let labels = Buffer::from_slice(gpu, "labels", &batch_labels);
    let losses = Buffer::zeros(gpu, "losses", nets * x.n);
    let values = Buffer::from_slice(gpu, "x", &x.values);
    let augment = Augment { items: &items, rows: &rows, means: &means };
    let dense = Planes::dense(x.channels, x.size);

    let mut recordings = Vec::new();
    for &p in &parts {
        let mut recording = Recording::default();
        let (input, layout) = held.input();
        let source = Source::Values(&values);
        let (first, count) = (nets * p.before, nets * p.images);
        augment.forward(gpu, &mut recording, source, dense, input, layout, first, count);
        held.record_part(gpu, &mut recording, &labels, &losses, p);
        recordings.push(recording);
    }
    let mut update = Recording::default();
    held.record_update(gpu, &mut update);
    let mut encoder = gpu.device().create_command_encoder(&Default::default());
    held.restart(gpu, &mut encoder, Rates::new(lr, 0.9, 5e-4));
    gpu.queue().submit([encoder.finish()]);

    let mut logits = vec![vec![vec![]; steps]; nets];
    let mut mean_losses = vec![vec![0.0; steps]; nets];
    let mut first_gradients = Vec::new();
    for step in 0..steps {
        held.packing().submit(gpu, "pack weights");
        for (p, recording) in parts.iter().zip(&recordings) {
            recording.submit(gpu, "part");
            let all = held.logits().read_blocking(gpu)?;
            for (n, own) in all.chunks(p.images * classes).take(nets).enumerate() {
                logits[n][step].extend_from_slice(own);
            }
        }
        let all = losses.read_blocking(gpu)?;
        for p in &parts {
            let own = &all[nets * p.before..][..nets * p.images];
            for (n, own) in own.chunks(p.images).enumerate() {
                mean_losses[n][step] += own.iter().sum::<f32>() / x.n as f32;
            }
        }
        if step == 0 {
            first_gradients = split(gpu, held.gradients(), net, nets)?;
        }
        update.submit(gpu, "update");
    }
    let params: Vec<_> = held.parameters(depth).into_iter().cloned().collect();
    let params = split(gpu, &params, net, nets)?;
    let both = first_gradients.into_iter().zip(params);
    Ok(both
        .zip(logits.into_iter().zip(mean_losses))
        .map(|((gradients, params), (logits, losses))| Trained {
            logits,
            losses,
            gradients,
            params,
        })
        .collect())
}

/// The logits (N, classes) of each network, by the forward pass that tests take: no gradients follow, so
/// whole blocks may run as one kernel.
pub fn classify(
    gpu: &Gpu,
    net: &ConvNet,
    classes: usize,
    params: &[ClassifierParams],
    x: &Images,
) -> Result<Vec<Vec<f32>>> {
    let nets = params.len();
    let mut held = Classifiers::new(gpu, net, classes, nets, (1, x.n));
    for (slot, values) in held.parameters(net.depth()).into_iter().zip(join(params)) {
        slot.write(gpu, &values);
    }
    let (input, layout) = held.input();
    let all = x.values.repeat(nets);
    scatter(gpu, &all, input, layout);
    let labels = Buffer::zeros(gpu, "labels", x.n);
    let counts = Buffer::zeros(gpu, "counts", nets);
    let mut recording = Recording::default();
    held.record_test(gpu, &mut recording, &labels, &counts, x.n);
    held.packing().submit(gpu, "pack weights");
    super::run(gpu, |r| *r = recording)?;
    let logits = held.logits().read_blocking(gpu)?;
    Ok(logits.chunks(x.n * classes).take(nets).map(<[f32]>::to_vec).collect())
}

/// Buffer by buffer, the values of all networks.
fn join(nets: &[ClassifierParams]) -> Vec<Vec<f32>> {
    let depth = nets[0].convs.len();
    let all = |values: &dyn Fn(&ClassifierParams) -> Vec<f32>| {
        nets.iter().flat_map(values).collect::<Vec<_>>()
    };
    let mut joined: Vec<_> = (0..depth).map(|b| all(&|net| net.convs[b].clone())).collect();
    joined.extend((0..depth).map(|b| {
        all(&|net| {
            let (weight, bias) = &net.norms[b];
            weight.iter().zip(bias).flat_map(|(&w, &b)| [w, b]).collect()
        })
    }));
    joined.push(all(&|net| net.fc_weight.clone()));
    joined.push(all(&|net| net.fc_bias.clone()));
    joined
}

fn split(
    gpu: &Gpu,
    buffers: &[Buffer<f32>],
    net: &ConvNet,
    nets: usize,
) -> Result<Vec<ClassifierParams>> {
    let depth = net.depth();
    let read: Vec<_> =
        buffers.iter().map(|buffer| buffer.read_blocking(gpu)).collect::<Result<_>>()?;
    Ok((0..nets)
        .map(|n| {
            let own = |i: usize| {
                let len = read[i].len() / nets;
                read[i][n * len..(n + 1) * len].to_vec()
            };
            ClassifierParams {
                convs: (0..depth).map(own).collect(),
                norms: (depth..2 * depth)
                    .map(|i| own(i).chunks(2).map(|pair| (pair[0], pair[1])).unzip())
                    .collect(),
                fc_weight: own(2 * depth),
                fc_bias: own(2 * depth + 1),
            }
        })
        .collect())
}

/// Gradient at the weights (nets, dy.channels, x.channels, 3, 3) of a convolution with input `x`,
/// from the one at its output. The images belong to `nets` networks in equal parts.
pub fn conv_backward_weight(gpu: &Gpu, x: &Images, dy: &Images, nets: usize) -> Result<Vec<f32>> {
    let layout = |channels| Planes::haloed(channels, x.size);
    let (from, to) = (layout(x.channels), layout(dy.channels));
    let input = Buffer::zeros(gpu, "x", x.n * from.image_len());
    let d_planes = Buffer::zeros(gpu, "dy", dy.n * to.image_len());
    scatter(gpu, &x.values, &input, from);
    scatter(gpu, &dy.values, &d_planes, to);
    let result = Buffer::zeros(gpu, "dw", nets * dy.channels * x.channels * 9);
    let kernel = kernels::weight_kernel(gpu.caps(), from, to);
    let parts = nets * kernel.parts_len(dy.channels, x.channels);
    let parts = Buffer::zeros(gpu, "dw parts", parts);
    let batch = Batch { images: x.n, nets };
    super::run(gpu, |r| {
        let (x, dy) = ((&input, from), (&d_planes, to));
        kernels::conv_backward_weight(gpu, r, kernel, x, dy, &result, &parts, batch, false);
    })?;
    result.read_blocking(gpu)
}

/// logits (N, classes) = embeddings (N, features) · weightᵀ + bias, and for `d_logits` the
/// gradients at embeddings and weight. One network.
pub fn linear(
    gpu: &Gpu,
    embeddings: &[f32],
    weight: &[f32],
    bias: &[f32],
    d_logits: &[f32],
) -> Result<(Vec<f32>, Vec<f32>, Vec<f32>)> {
    let classes = bias.len();
    let features = weight.len() / classes;
    let images = embeddings.len() / features;
    let linear = Linear { features, classes };
    let batch = Batch { images, nets: 1 };
    let [e, w, b, d] = [embeddings, weight, bias, d_logits]
        .map(|values| Buffer::from_slice(gpu, "linear", values));
    let logits = Buffer::zeros(gpu, "logits", images * classes);
    let d_embeddings = Buffer::zeros(gpu, "d embeddings", embeddings.len());
    let d_weight = Buffer::zeros(gpu, "d weight", weight.len());
    super::run(gpu, |r| {
        r.push(linear.forward(gpu, &e, (&w, &b), &logits, batch));
        r.push(linear.backward_data(gpu, &d, &w, &d_embeddings, batch));
        r.push(linear.backward_weight(gpu, &d, &e, &d_weight, batch, false));
    })?;
    Ok((logits.read_blocking(gpu)?, d_embeddings.read_blocking(gpu)?, d_weight.read_blocking(gpu)?))
}

/// Each image's cross-entropy, and the gradient of their mean at the logits (N, classes).
pub fn softmax_cross_entropy(
    gpu: &Gpu,
    logits: &[f32],
    labels: &[u32],
) -> Result<(Vec<f32>, Vec<f32>)> {
    let images = labels.len();
    let classes = logits.len() / images;
    let logits = Buffer::from_slice(gpu, "logits", logits);
    let labels = Buffer::from_slice(gpu, "labels", labels);
    let losses = Buffer::zeros(gpu, "losses", images);
    let d_logits = Buffer::zeros(gpu, "d logits", logits.len());
    super::run(gpu, |r| {
        r.push(kernels::softmax_cross_entropy(
            gpu,
            (&logits, classes),
            &labels,
            &losses,
            &d_logits,
            images,
            images,
            0,
        ));
    })?;
    Ok((losses.read_blocking(gpu)?, d_logits.read_blocking(gpu)?))
}

/// For each of `nets` networks, how many of its logits (nets, N, classes) are largest at the label.
pub fn count_correct(gpu: &Gpu, logits: &[f32], labels: &[u32], nets: usize) -> Result<Vec<u32>> {
    let classes = logits.len() / labels.len() / nets;
    let logits = Buffer::from_slice(gpu, "logits", logits);
    let counts = Buffer::zeros(gpu, "counts", nets);
    let batch = Batch { images: nets * labels.len(), nets };
    let labels = Buffer::from_slice(gpu, "labels", labels);
    super::run(gpu, |r| {
        r.push(kernels::count_correct(gpu, (&logits, classes), &labels, &counts, batch));
    })?;
    counts.read_blocking(gpu)
}
