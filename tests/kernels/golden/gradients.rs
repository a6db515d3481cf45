//! Gradient matching by the GPU and by the twins.

use dm_wgpu::{
    Distance, Gpu, Kernels, Net,
    testing::{self, GradientCase, GradientInput, GradientSession},
};

use super::{
    network::{by_names_of, from_names_of},
    vectors::{GradientsCase, Result},
};
use crate::reference::{
    self, Batch, Op,
    layers::{Step, Tensors, measured, step_of},
    narrow,
    op::rows,
};

/// What a step leaves.
pub struct Matched {
    /// Of each class; of the GPU, the mean over this step and those before it.
    pub distances: Vec<f32>,
    pub grad: Vec<f32>,
    pub syn: Vec<f32>,
    pub velocity: Vec<f32>,
    /// The network that it found, and its mean loss before the last step of its training.
    pub net: Tensors,
    pub inner_loss: Option<f32>,
}

/// The steps in each way that the GPU has of taking them: images at a time, and of the families with tiles also few.
pub fn match_gradients(gpu: &Gpu, case: &GradientsCase) -> Result<Vec<(String, Vec<Matched>)>> {
    let most = case.syn0.n.max(case.steps[0].real.n / case.labels.len());
    let parts = if gpu.kernels() == Kernels::Tiles { vec![most, 2] } else { vec![most] };
    let ways = parts.into_iter().map(|part| {
        let steps = (1..=case.steps.len()).map(|outer| run(gpu, case, part, outer));
        Ok((format!("in parts of {part}"), steps.collect::<Result<_>>()?))
    });
    ways.collect()
}

/// An iteration of the first steps of a case.
pub fn run(gpu: &Gpu, case: &GradientsCase, part: usize, outer: usize) -> Result<Matched> {
    let text = |e: dm_wgpu::Error| e.to_string();
    let names = testing::net_parameters_apart(&case.net).map_err(text)?;
    let settings = GradientCase {
        net: case.net.clone(),
        labels: case.labels.clone(),
        counts: vec![case.ipc; case.labels.len()],
        factor: 1,
        padding: 0.0,
        batch_real: case.steps[0].real.n / case.labels.len(),
        norm_images: case.steps[0].norm.as_ref().map_or(0, |norm| norm.n),
        distance: case.distance,
        rates: case.rates,
        lr_net: case.lr_net,
        inner: case.inner as u32,
        outer: outer as u32,
        part,
    };
    let steps = &case.steps[..outer];
    let input = GradientInput {
        steps: steps.iter().map(|step| (rows(&step.ops), step.real.values.clone())).collect(),
        norm: steps
            .iter()
            .map(|step| step.norm.as_ref().map_or(vec![], |norm| norm.values.clone()))
            .collect(),
        inner: steps.iter().flat_map(|s| s.inner.iter().map(|(ops, _)| rows(ops))).collect(),
    };
    let params = from_names_of(&names, &case.init)?;
    let mut session = GradientSession::new(gpu, &settings, &case.syn0).map_err(text)?;
    let result = session.run(&params, &input).map_err(text)?;
    Ok(Matched {
        distances: result.distances,
        grad: result.grad,
        syn: result.syn,
        velocity: result.velocity,
        net: by_names_of(&names, &result.net),
        inner_loss: (outer > 1).then_some(result.inner_loss),
    })
}

pub fn match_gradients_twin(case: &GradientsCase) -> Vec<Matched> {
    let (classes, ipc, net) = (case.labels.len(), case.ipc, &case.net);
    let mut params = case.init.clone();
    let mut syn = Batch::from(&case.syn0);
    let mut velocity = vec![0.0; syn.values.len()];
    let (mut distances, mut inner_loss) = (vec![0.0; classes], None);
    let mut steps = Vec::new();
    for (s, step) in case.steps.iter().enumerate() {
        let real = Batch::from(&step.real);
        let each = real.n / classes;
        if let Some(norm) = &step.norm {
            params = measured(net.layers(), &params, &norm.into());
        }
        let mut grad = Vec::new();
        for (k, (&label, &op)) in case.labels.iter().zip(&step.ops).enumerate() {
            let real = real.slice(k * each, (k + 1) * each);
            let own = syn.slice(k * ipc, (k + 1) * ipc);
            let (d, gradient) = distance_twin(net, &params, case.distance, label, op, &real, &own);
            distances[k] += d;
            grad.extend(gradient);
        }
        for ((x, v), g) in syn.values.iter_mut().zip(&mut velocity).zip(&grad) {
            *v = f64::from(case.rates.1) * *v + g;
            *x -= f64::from(case.rates.0) * *v;
        }
        let mean: Vec<_> = distances.iter().map(|d| d / (s + 1) as f64).collect();
        steps.push(Matched {
            distances: narrow(&mean),
            grad: narrow(&grad),
            syn: narrow(&syn.values),
            velocity: narrow(&velocity),
            net: params.clone(),
            inner_loss,
        });
        let labels: Vec<_> = case.labels.iter().flat_map(|&l| vec![l; ipc]).collect();
        for (ops, _) in &step.inner {
            let x = reference::augment_forward(&syn, ops);
            let before = step_of(net.layers(), &params, &x, &labels, false);
            params.extend(before.running);
            inner_loss = Some(before.loss as f32);
            for (name, gradient) in &before.gradients {
                let values = params.get_mut(name).unwrap();
                let lr = f64::from(case.lr_net);
                values.iter_mut().zip(gradient).for_each(|(p, g)| *p -= lr * g);
            }
        }
    }
    steps
}

/// With batch norms by the running statistics.
fn gradients(net: &Net, params: &Tensors, x: &Batch, labels: &[u32]) -> Step {
    step_of(net.layers(), params, x, labels, true)
}

/// A class's distance, and its gradient at the synthetic pixels: the derivative along ∂D/∂g of the gradient at the pixels
/// (g the gradient at the weights), by differences so small that no ReLU of a golden case switches.
fn distance_twin(
    net: &Net,
    params: &Tensors,
    distance: Distance,
    label: u32,
    op: Op,
    real: &Batch,
    syn: &Batch,
) -> (f64, Vec<f64>) {
    let [real, augmented] = [real, syn].map(|x| reference::augment_forward(x, &vec![op; x.n]));
    let [a, b] =
        [&real, &augmented].map(|x| gradients(net, params, x, &vec![label; x.n]).gradients);
    let shapes = reference::gradient_match::shapes(net.layers(), (real.channels, real.size));
    let (d, v) = reference::gradient_match::distance(distance, &shapes, &a, &b);
    let length = |of: &Tensors| of.values().flatten().map(|v| v * v).sum::<f64>().sqrt();
    let h = 1e-7 * length(params) / length(&v).max(1e-300);
    let at = |h: f64| {
        let mut moved = params.clone();
        for (name, v) in &v {
            let values = moved.get_mut(name).unwrap();
            values.iter_mut().zip(v).for_each(|(p, v)| *p += h * v);
        }
        gradients(net, &moved, &augmented, &vec![label; augmented.n]).dx
    };
    let (ahead, behind) = (at(h), at(-h));
    let slope = ahead.iter().zip(&behind).map(|(a, b)| (a - b) / (2.0 * h)).collect();
    let ops = vec![op; syn.n];
    (d, reference::augment_backward(&augmented.with(slope), &ops).values)
}
