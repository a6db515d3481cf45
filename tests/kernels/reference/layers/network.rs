//! The twins composed: a network of any layers, its gradients, and its training. A parameter's name is its path of
//! positions, as golden vectors have it.

use std::collections::BTreeMap;

use dm_wgpu::{Layer, NormKind};

use super::{
    Conv, Norm, Pool, act_backward, act_forward, conv_backward, conv_forward, norm_backward,
    norm_forward, pool_backward, pool_forward, running,
};
use crate::reference::{
    Batch, class_sum, linear_backward_data, linear_backward_weight, linear_forward, sgd_with_decay,
    softmax_cross_entropy,
};

/// Parameters or their gradients by name.
pub type Tensors = BTreeMap<String, Vec<f64>>;

/// What a layer was given.
enum Trace {
    Of(Batch),
    Residual(Vec<Trace>, Vec<Trace>),
}

struct Pass<'a> {
    params: &'a Tensors,
    /// Whether batch norms go by the running statistics.
    evaluating: bool,
    /// The running statistics after this batch.
    running: Tensors,
    gradients: Tensors,
}

impl<'a> Pass<'a> {
    fn new(params: &'a Tensors, evaluating: bool) -> Self {
        Self { params, evaluating, running: Tensors::new(), gradients: Tensors::new() }
    }

    fn get(&self, path: &str, name: &str) -> &'a [f64] {
        let name = format!("{path}.{name}");
        self.params.get(&name).unwrap_or_else(|| panic!("no {name}"))
    }

    fn norm(&self, path: &str, kind: NormKind) -> Norm<'a> {
        let frozen = self.evaluating && kind == NormKind::Batch;
        Norm {
            kind,
            weight: self.get(path, "weight"),
            bias: self.get(path, "bias"),
            frozen: frozen.then(|| (self.get(path, "running_mean"), self.get(path, "running_var"))),
        }
    }

    fn list(&mut self, prefix: &str, layers: &[Layer], mut x: Batch) -> (Batch, Vec<Trace>) {
        let mut traces = Vec::new();
        for (i, layer) in layers.iter().enumerate() {
            let path = format!("{prefix}{i}");
            let (y, trace) = self.layer(&path, layer, x);
            traces.push(trace);
            x = y;
        }
        (x, traces)
    }

    fn layer(&mut self, path: &str, layer: &Layer, x: Batch) -> (Batch, Trace) {
        let y = match layer {
            &Layer::Conv { out, kernel, stride, pad, bias } => {
                let bias = bias.then(|| self.get(path, "bias"));
                let conv = Conv { out, kernel, stride, pad };
                conv_forward(conv, &x, self.get(path, "weight"), bias)
            }
            Layer::Norm(NormKind::None) => x.clone(),
            &Layer::Norm(kind) => {
                if kind == NormKind::Batch {
                    let before = (self.get(path, "running_mean"), self.get(path, "running_var"));
                    let (mean, variance) = running(&x, before);
                    self.running.insert(format!("{path}.running_mean"), mean);
                    self.running.insert(format!("{path}.running_var"), variance);
                }
                norm_forward(self.norm(path, kind), &x)
            }
            &Layer::Act { kind } => x.with(act_forward(kind, &x.values)),
            &Layer::Pool { kind, kernel, stride, pad } => {
                pool_forward(Pool { kind, kernel, stride, pad }, &x)
            }
            Layer::Flatten => Batch::new(x.values.clone(), x.n, x.channels * x.size * x.size, 1),
            &Layer::Linear { out } => {
                let (weight, bias) = (self.get(path, "weight"), self.get(path, "bias"));
                Batch::new(linear_forward(&x.values, weight, bias), x.n, out, 1)
            }
            Layer::Residual { body, shortcut } => {
                let (one, body) = self.list(&format!("{path}.body."), body, x.clone());
                let (other, shortcut) = self.list(&format!("{path}.shortcut."), shortcut, x);
                let sum = one.values.iter().zip(&other.values).map(|(a, b)| a + b).collect();
                return (one.with(sum), Trace::Residual(body, shortcut));
            }
            other => panic!("{other:?} has no twin"),
        };
        (y, Trace::Of(x))
    }

    fn back_through(
        &mut self,
        prefix: &str,
        layers: &[Layer],
        traces: &[Trace],
        mut d: Batch,
    ) -> Batch {
        for (i, (layer, trace)) in layers.iter().zip(traces).enumerate().rev() {
            d = self.back(&format!("{prefix}{i}"), layer, trace, d);
        }
        d
    }

    fn back(&mut self, path: &str, layer: &Layer, trace: &Trace, d: Batch) -> Batch {
        let x = match (layer, trace) {
            (Layer::Residual { body, shortcut }, Trace::Residual(of_body, of_shortcut)) => {
                let one = self.back_through(&format!("{path}.body."), body, of_body, d.clone());
                let other =
                    self.back_through(&format!("{path}.shortcut."), shortcut, of_shortcut, d);
                let sum = one.values.iter().zip(&other.values).map(|(a, b)| a + b).collect();
                return one.with(sum);
            }
            (_, Trace::Of(x)) => x,
            (_, Trace::Residual(..)) => panic!("a residual's trace"),
        };
        let (dx, weight, bias) = match layer {
            &Layer::Conv { out, kernel, stride, pad, .. } => {
                let conv = Conv { out, kernel, stride, pad };
                conv_backward(conv, x, self.get(path, "weight"), &d)
            }
            Layer::Norm(NormKind::None) => return d,
            &Layer::Norm(kind) => norm_backward(self.norm(path, kind), x, &d),
            &Layer::Act { kind } => return x.with(act_backward(kind, &x.values, &d.values)),
            &Layer::Pool { kind, kernel, stride, pad } => {
                return pool_backward(Pool { kind, kernel, stride, pad }, x, &d);
            }
            Layer::Flatten => return x.with(d.values),
            &Layer::Linear { out } => (
                x.with(linear_backward_data(&d.values, self.get(path, "weight"), out)),
                linear_backward_weight(&d.values, &x.values, out),
                class_sum(&d.values, out, &[x.n]),
            ),
            other => panic!("{other:?} has no twin"),
        };
        self.gradients.insert(format!("{path}.weight"), weight);
        self.gradients.insert(format!("{path}.bias"), bias);
        dx
    }
}

/// Logits in evaluation mode, (N, classes).
pub fn evaluate(layers: &[Layer], params: &Tensors, x: &Batch) -> Vec<f64> {
    Pass::new(params, true).list("", layers, x.clone()).0.values
}

/// The embeddings in evaluation mode, and the gradient at the images from the one at the embeddings.
pub fn embed(layers: &[Layer], params: &Tensors, x: &Batch, d: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let before = &layers[..layers.len() - 1];
    let mut pass = Pass::new(params, true);
    let (embedding, traces) = pass.list("", before, x.clone());
    let dx = pass.back_through("", before, &traces, embedding.with(d.to_vec()));
    (embedding.values, dx.values)
}

/// A network in training.
pub struct Training {
    pub params: Tensors,
    velocity: Tensors,
}

/// What a step leaves.
pub struct Step {
    pub logits: Vec<f64>,
    pub loss: f64,
    pub gradients: Tensors,
    pub dx: Vec<f64>,
    /// The running statistics after this batch.
    pub running: Tensors,
}

/// What a batch gives, with batch norms by the batch's statistics or, if `frozen`, by the running ones.
pub fn step_of(
    layers: &[Layer],
    params: &Tensors,
    x: &Batch,
    labels: &[u32],
    frozen: bool,
) -> Step {
    let mut pass = Pass::new(params, frozen);
    let (logits, traces) = pass.list("", layers, x.clone());
    let (losses, d_logits) = softmax_cross_entropy(&logits.values, labels);
    let dx = pass.back_through("", layers, &traces, logits.with(d_logits)).values;
    let Pass { running, mut gradients, .. } = pass;
    // A convolution without a bias has no gradient at one.
    gradients.retain(|name, _| params.contains_key(name));
    let loss = losses.iter().sum::<f64>() / x.n as f64;
    Step { logits: logits.values, loss, gradients, dx, running }
}

/// The parameters with one batch's mean and unbiased variance in place of the running statistics.
pub fn measured(layers: &[Layer], params: &Tensors, x: &Batch) -> Tensors {
    let mut pass = Pass::new(params, false);
    pass.list("", layers, x.clone());
    // The pass has made them 0.9 of what they were plus 0.1 of the batch's.
    let batch = pass.running.into_iter().map(|(name, mut values)| {
        for (value, before) in values.iter_mut().zip(&params[&name]) {
            *value = (*value - 0.9 * before) / 0.1;
        }
        (name, values)
    });
    let batch: Vec<_> = batch.collect();
    let mut own = params.clone();
    own.extend(batch);
    own
}

impl Training {
    pub fn new(params: Tensors) -> Self {
        let zeros = |(name, values): (&String, &Vec<f64>)| (name.clone(), vec![0.0; values.len()]);
        Self { velocity: params.iter().map(zeros).collect(), params }
    }

    /// What the batch gave before the step, and then the step: SGD with momentum 0.9 and weight decay 5e-4.
    pub fn step(&mut self, layers: &[Layer], x: &Batch, labels: &[u32], lr: f64) -> Step {
        let step = step_of(layers, &self.params, x, labels, false);
        self.params.extend(step.running.clone());
        for (name, gradient) in &step.gradients {
            let velocity = self.velocity.get_mut(name).unwrap();
            let values = &self.params[name];
            let (moved, faster) = sgd_with_decay(values, velocity, gradient, lr, 0.9, 5e-4);
            self.params.insert(name.clone(), moved);
            *velocity = faster;
        }
        step
    }
}
