//! Dataset distillation by the GPU and by the twins.

use dm_wgpu::{
    Gpu, Kernels, Net,
    testing::{self, Unrolled},
};

use super::{
    network::{by_names_of, from_names_of},
    vectors::{Result, UnrollCase},
};
use crate::reference::{
    self, Batch,
    layers::{Step, Tensors, Training},
    softplus, softplus_slope, widen,
};

/// What an iteration leaves.
pub struct Distilled {
    /// Of each real image.
    pub losses: Vec<f64>,
    /// Of the training, before each step; none from the GPU, which keeps them to itself.
    pub inner_losses: Option<Vec<f32>>,
    pub trained: Tensors,
    pub d_data: Vec<f64>,
    pub d_raw: Vec<f64>,
}

/// In each way that the GPU has of doing it: images at a time, and in the least memory, where weights are computed again.
/// The latter must change no bit.
pub fn distil(gpu: &Gpu, case: &UnrollCase) -> Result<Vec<(String, Distilled)>> {
    let most = case.real.0.n.max(case.data.n / case.steps);
    let parts = if gpu.kernels() == Kernels::Tiles { vec![most, 3] } else { vec![most] };
    let names = testing::net_parameters_apart(&case.net).map_err(|e| e.to_string())?;
    let ways = parts.into_iter().map(|part| {
        let given = given(case, part)?;
        let whole = testing::unroll(gpu, &given).map_err(|e| e.to_string())?;
        let least = run_in_least_memory(gpu, &given)?;
        let (all, few) = (case.raw.len(), least.kept);
        if whole.kept != all || (all > 4 && few >= all) {
            return Err(format!("weights of {} and {few} of {all} steps were kept", whole.kept));
        }
        if (Unrolled { kept: all, ..least }) != whole {
            return Err("less memory changes bits".into());
        }
        let distilled = Distilled {
            losses: widen(&whole.losses),
            inner_losses: None,
            trained: by_names_of(&names, &whole.trained),
            d_data: widen(&whole.gradients.0),
            d_raw: widen(&whole.gradients.1),
        };
        Ok((format!("in parts of {part}"), distilled))
    });
    ways.collect()
}

fn given(case: &UnrollCase, part: usize) -> Result<testing::UnrollCase> {
    let names = testing::net_parameters_apart(&case.net).map_err(|e| e.to_string())?;
    Ok(testing::UnrollCase {
        net: case.net.clone(),
        init: from_names_of(&names, &case.init)?,
        data: case.data.clone(),
        factor: 1,
        padding: 0.0,
        labels: case.labels.clone(),
        steps: case.steps,
        raw: case.raw.clone(),
        real: case.real.clone(),
        adam: (0.01, 0.5, 0.999),
        part,
    })
}

/// With the least memory that is not refused as too little, to the byte.
fn run_in_least_memory(gpu: &Gpu, case: &testing::UnrollCase) -> Result<Unrolled> {
    let (mut refused, mut enough) = (0, 1u64 << 30);
    while enough - refused > 1 {
        let budget = refused.midpoint(enough);
        match testing::unroll_fits(&gpu.clone().with_memory_budget(budget), case) {
            Ok(()) => enough = budget,
            Err(error) if error.is_usage() => refused = budget,
            Err(error) => return Err(error.to_string()),
        }
    }
    let least = gpu.clone().with_memory_budget(enough);
    testing::unroll(&least, case).map_err(|e| e.to_string())
}

fn gradients(net: &Net, params: &Tensors, x: &Batch, labels: &[u32]) -> Step {
    Training::new(params.clone()).step(net.layers(), x, labels, 0.0)
}

pub fn distil_twin(case: &UnrollCase) -> Distilled {
    let (data, each) = (Batch::from(&case.data), case.data.n / case.steps);
    let of_step = |t: usize| {
        let first = t % case.steps * each;
        (data.slice(first, first + each), &case.labels[first..first + each])
    };
    let rate = |t: usize| softplus(case.raw[t].into());
    let moved = |params: &Tensors, by: f64, along: &Tensors| {
        let mut moved = params.clone();
        for (name, along) in along {
            let values = moved.get_mut(name).unwrap();
            values.iter_mut().zip(along).for_each(|(p, v)| *p += by * v);
        }
        moved
    };
    let mut params = vec![case.init.clone()];
    let mut inner_losses = Vec::new();
    for t in 0..case.raw.len() {
        let (x, labels) = of_step(t);
        let step = gradients(&case.net, &params[t], &x, labels);
        inner_losses.push(step.loss as f32);
        params.push(moved(&params[t], -rate(t), &step.gradients));
    }
    let trained = params.pop().unwrap();
    let judged = gradients(&case.net, &trained, &Batch::from(&case.real.0), &case.real.1);
    let mut lambda = judged.gradients.clone();
    let mut d_data = vec![0.0; data.values.len()];
    let mut d_raw = vec![0.0; case.raw.len()];
    for (t, params) in params.iter().enumerate().rev() {
        let (x, labels) = of_step(t);
        // So near that no ReLU of a golden case switches.
        let length = |of: &Tensors| of.values().flatten().map(|v| v * v).sum::<f64>().sqrt();
        let h = 1e-7 * length(params) / length(&lambda);
        let at = |h: f64| gradients(&case.net, &moved(params, h, &lambda), &x, labels);
        let (here, ahead, behind) = (at(0.0), at(h), at(-h));
        let slope = |a: &[f64], b: &[f64]| -> Vec<f64> {
            a.iter().zip(b).map(|(a, b)| (a - b) / (2.0 * h)).collect()
        };
        let both = here.gradients.iter().map(|(name, g)| (g, &lambda[name]));
        let product: f64 = both.flat_map(|(g, l)| g.iter().zip(l)).map(|(g, l)| g * l).sum();
        d_raw[t] = -product * softplus_slope(case.raw[t].into());
        let own = &mut d_data[t % case.steps * each * (data.values.len() / data.n)..];
        let change = slope(&ahead.dx, &behind.dx);
        own.iter_mut().zip(change).for_each(|(d, change)| *d -= rate(t) * change);
        let change = ahead
            .gradients
            .iter()
            .map(|(name, ahead)| (name.clone(), slope(ahead, &behind.gradients[name])));
        lambda = moved(&lambda, -rate(t), &change.collect());
    }
    Distilled {
        losses: reference::softmax_cross_entropy(&judged.logits, &case.real.1).0,
        inner_losses: Some(inner_losses),
        trained,
        d_data,
        d_raw,
    }
}
