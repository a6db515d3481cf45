//! The twins composed: a ConvNet classifier, its gradients, and its training.

use dm_wgpu::{ConvNet, testing::ClassifierParams};

use super::{
    Batch, class_sum, conv_backward_data, conv_backward_weight, conv_forward, linear_backward_data,
    linear_backward_weight, linear_forward, network::surround, norm_affine_relu_pool_backward,
    norm_affine_relu_pool_forward, sgd_with_decay, softmax_cross_entropy, widen,
};

/// Momentum of the parameters' SGD.
pub const MOMENTUM: f64 = 0.9;
/// Its weight decay.
pub const WEIGHT_DECAY: f64 = 5e-4;

/// The parameters of a classifier, or their gradients, named as golden vectors name them:
/// conv{d}.weight, norm{d}.weight, norm{d}.bias, fc.weight, fc.bias. Convolutions have no bias: the
/// norm would cancel it.
#[derive(Debug, Clone, PartialEq)]
pub struct Params {
    pub names: Vec<String>,
    pub values: Vec<Vec<f64>>,
}

impl Params {
    pub fn get(&self, name: &str) -> &[f64] {
        &self.values[self.position(name)]
    }
    pub fn position(&self, name: &str) -> usize {
        self.names.iter().position(|n| n == name).unwrap_or_else(|| panic!("no {name}"))
    }
    /// Number of blocks.
    fn depth(&self) -> usize {
        (self.names.len() - 2) / 3
    }
    /// In each tensor, `self − other`.
    pub fn minus(&self, other: &Self) -> Self {
        let pairs = self.values.iter().zip(&other.values);
        let minus = |(a, b): (&Vec<f64>, &Vec<f64>)| a.iter().zip(b).map(|(a, b)| a - b).collect();
        Self { names: self.names.clone(), values: pairs.map(minus).collect() }
    }
    pub fn narrow(&self) -> ClassifierParams {
        let get = |name: &str| super::narrow(self.get(name));
        let blocks = 0..self.depth();
        ClassifierParams {
            convs: blocks.clone().map(|d| get(&format!("conv{d}.weight"))).collect(),
            norms: blocks
                .map(|d| (get(&format!("norm{d}.weight")), get(&format!("norm{d}.bias"))))
                .collect(),
            fc_weight: get("fc.weight"),
            fc_bias: get("fc.bias"),
        }
    }
}

impl From<&ClassifierParams> for Params {
    fn from(from: &ClassifierParams) -> Self {
        let (mut names, mut values) = (vec![], vec![]);
        let mut push = |name: String, tensor: &[f32]| {
            names.push(name);
            values.push(widen(tensor));
        };
        for (d, (conv, (weight, bias))) in from.convs.iter().zip(&from.norms).enumerate() {
            push(format!("conv{d}.weight"), conv);
            push(format!("norm{d}.weight"), weight);
            push(format!("norm{d}.bias"), bias);
        }
        push("fc.weight".into(), &from.fc_weight);
        push("fc.bias".into(), &from.fc_bias);
        Self { names, values }
    }
}

/// What a batch leaves.
pub struct Step {
    /// (N, classes).
    pub logits: Vec<f64>,
    /// Mean cross-entropy.
    pub loss: f64,
    /// Of the loss, without weight decay.
    pub gradients: Params,
    /// The distance of the nearest ReLU to its kink: see `network::Trace::kink_distance`.
    pub kink_distance: f64,
}

/// Forward, loss, and the gradients of all parameters.
pub fn classify(net: &ConvNet, params: &Params, x: &Batch, labels: &[u32]) -> Step {
    let block = |what: &str, d: usize| params.get(&format!("{what}{d}.weight"));
    let bias = |d: usize| params.get(&format!("norm{d}.bias"));
    let (mut inputs, mut normalised, mut inv_std) =
        (vec![surround(x, net.border())], vec![], vec![]);
    let mut kink_distance = f64::INFINITY;
    for d in 0..net.depth() {
        let convolved = conv_forward(&inputs[d], block("conv", d), net.width());
        let (pooled, hat, inverse) =
            norm_affine_relu_pool_forward(&convolved, block("norm", d), bias(d));
        for (p, plane) in hat.values.chunks(hat.size * hat.size).enumerate() {
            let (weight, bias) = (block("norm", d)[p % hat.channels], bias(d)[p % hat.channels]);
            let distances = plane.iter().map(|v| (weight * v + bias).abs());
            kink_distance = distances.fold(kink_distance, f64::min);
        }
        inputs.push(pooled);
        normalised.push(hat);
        inv_std.push(inverse);
    }
    let embedding = &inputs[net.depth()];
    let (fc, fc_bias) = (params.get("fc.weight"), params.get("fc.bias"));
    let classes = fc_bias.len();
    let logits = linear_forward(&embedding.values, fc, fc_bias);
    let (losses, d_logits) = softmax_cross_entropy(&logits, labels);

    let mut gradients = params.clone();
    let mut set = |name: String, values: Vec<f64>| {
        let at = params.position(&name);
        assert_eq!(gradients.values[at].len(), values.len(), "{name}");
        gradients.values[at] = values;
    };
    set("fc.weight".into(), linear_backward_weight(&d_logits, &embedding.values, classes));
    set("fc.bias".into(), class_sum(&d_logits, classes, &[x.n]));
    let mut gradient = embedding.with(linear_backward_data(&d_logits, fc, classes));
    for d in (0..net.depth()).rev() {
        let norm = (block("norm", d), bias(d));
        let (at_convolved, d_weight, d_bias) =
            norm_affine_relu_pool_backward(&normalised[d], &inv_std[d], norm, &gradient);
        set(format!("norm{d}.weight"), d_weight);
        set(format!("norm{d}.bias"), d_bias);
        set(format!("conv{d}.weight"), conv_backward_weight(&inputs[d], &at_convolved));
        gradient = conv_backward_data(&at_convolved, block("conv", d), net.inputs(d));
    }
    let loss = losses.iter().sum::<f64>() / x.n as f64;
    Step { logits, loss, gradients, kink_distance }
}

/// A classifier in training.
pub struct Training {
    pub params: Params,
    velocity: Vec<Vec<f64>>,
}

impl Training {
    pub fn new(params: Params) -> Self {
        let velocity = params.values.iter().map(|tensor| vec![0.0; tensor.len()]).collect();
        Self { params, velocity }
    }

    /// What the batch gave before the step, and then the step.
    pub fn step(&mut self, net: &ConvNet, x: &Batch, labels: &[u32], lr: f64) -> Step {
        let step = classify(net, &self.params, x, labels);
        let parameters = self.params.values.iter_mut().zip(&mut self.velocity);
        for ((values, velocity), gradient) in parameters.zip(&step.gradients.values) {
            (*values, *velocity) =
                sgd_with_decay(values, velocity, gradient, lr, MOMENTUM, WEIGHT_DECAY);
        }
        step
    }
}
