//! Snapshot matching by the GPU and by the twins.

use dm_wgpu::{
    Gpu,
    testing::{Row, SnapshotCase, SnapshotSession},
};

use super::{
    network::from_names,
    vectors::{Result, SnapshotsCase, SnapshotsStep},
};
use crate::{
    common::{Tolerance, relative_error},
    reference::{
        self, Batch,
        layers::{Training, embed},
        narrow, widen,
    },
};

/// What a step left, at pixels in 0…1.
pub struct Snapped {
    pub losses: Vec<f32>,
    pub grad: Vec<f32>,
    pub syn: Vec<f32>,
    pub velocity: Vec<f32>,
}

impl SnapshotsCase {
    /// The steps that can be compared.
    pub fn compared(&self) -> &[SnapshotsStep] {
        if self.joint { &self.steps } else { &self.steps[..1] }
    }

    /// Each value with the mean and deviation of its channel.
    fn by_channel(&self, values: &[f64], change: impl Fn(f64, f64, f64) -> f64) -> Vec<f64> {
        let (plane, channels) = (self.syn0.size * self.syn0.size, self.mean.len());
        let changed = values.iter().enumerate().map(|(at, &value)| {
            let channel = at / plane % channels;
            change(value, self.mean[channel].into(), self.std[channel].into())
        });
        changed.collect()
    }

    fn normalised(&self, values: &[f64]) -> Vec<f64> {
        self.by_channel(values, |value, mean, std| (value - mean) / std)
    }
}

/// The steps, whole and in the smallest pieces, which must not change a bit.
pub fn match_snapshots(gpu: &Gpu, case: &SnapshotsCase) -> Result<Vec<Snapped>> {
    const AMPLE: u64 = 1 << 30;
    let whole = run(gpu, case, AMPLE, false).map_err(|e| e.to_string())?;
    let together = run(gpu, case, AMPLE, true).map_err(|e| e.to_string())?;
    for (whole, together) in whole.iter().zip(&together) {
        let error = relative_error(&together.grad, &widen(&whole.grad));
        if error.is_nan() || error > Tolerance::KERNEL.values {
            return Err(format!("operations in one pass give another gradient: {error:.1e}"));
        }
    }
    let mut budget = 1024;
    let pieces = loop {
        match run(gpu, case, budget, false) {
            Err(error) if error.is_usage() && budget < AMPLE => budget *= 2,
            result => break result.map_err(|e| e.to_string())?,
        }
    };
    for (whole, pieces) in whole.iter().zip(&pieces) {
        if (&whole.losses, &whole.grad, &whole.syn) != (&pieces.losses, &pieces.grad, &pieces.syn) {
            return Err("it depends on the memory budget".into());
        }
    }
    Ok(whole)
}

/// With operations in passes of their own, or all in one, as they can be if none of them samples between pixels.
fn run(
    gpu: &Gpu,
    case: &SnapshotsCase,
    budget: u64,
    in_one: bool,
) -> dm_wgpu::Result<Vec<Snapped>> {
    let settings = SnapshotCase {
        net: case.net.clone(),
        classes: case.classes,
        ipc: case.ipc,
        factor: case.factor,
        batch_real: case.steps[0].real.n / case.classes,
        passes: if in_one { 1 } else { case.steps[0].ops.len() },
        alpha: case.alpha,
        lr: case.lr,
        mean: case.mean.clone(),
        std: case.std.clone(),
    };
    let gpu = gpu.clone().with_memory_budget(budget);
    let normalised = |values: &[f32]| narrow(&case.normalised(&widen(values)));
    let mut session = SnapshotSession::new(&gpu, &settings, &normalised(&case.syn0.values))?;
    let step = |step: &SnapshotsStep| {
        let of = |tensors| from_names(&case.net, tensors).unwrap_or_default();
        let (matching, class) = (of(&step.matching), of(&step.class));
        let mut rows: Vec<Row> = step.ops.iter().flatten().map(|op| Row::from(*op)).collect();
        if in_one {
            let of_class = |class: usize| rows[class..].iter().step_by(case.classes).copied();
            let all = (0..case.classes).filter_map(|class| of_class(class).reduce(Row::then));
            rows = all.collect();
        }
        let real = normalised(&step.real.values);
        let (losses, left) = session.step([&matching, &class], &rows, &real)?;
        let raw = |x: f64, mean: f64, std: f64| x * std + mean;
        Ok(Snapped {
            losses,
            grad: narrow(&case.by_channel(&widen(&left.grad), |g, _, std| g / std)),
            syn: narrow(&case.by_channel(&widen(&left.syn), raw)),
            velocity: left.velocity,
        })
    };
    case.compared().iter().map(step).collect()
}

pub fn match_snapshots_twin(case: &SnapshotsCase) -> Vec<Snapped> {
    let layers = case.net.layers();
    let (tiles, mut pixels) = (case.factor * case.factor, widen(&case.syn0.values));
    let mut velocity = vec![0.0; pixels.len()];
    let shown = case.ipc * tiles;
    let like = Batch::from(&case.syn0);
    let step = |step: &SnapshotsStep| {
        let each = step.real.n / case.classes;
        let augmented = |x: Batch, k: usize| {
            step.ops.iter().fold(x, |x, ops| reference::augment_forward(&x, &vec![ops[k]; x.n]))
        };
        let back = |dy: Batch, k: usize| {
            let ops = step.ops.iter().rev();
            ops.fold(dy, |dy, ops| reference::augment_backward(&dy, &vec![ops[k]; dy.n]))
        };
        let real = Batch::from(&step.real);
        let real = real.with(case.normalised(&real.values));
        let pictures = like.with(pixels.clone());
        let (mut losses, mut grad) = (vec![], vec![]);
        for k in 0..case.classes {
            let own = pictures.slice(k * case.ipc, (k + 1) * case.ipc);
            let decoded = reference::unpack(&own, case.factor, case.ipc, 0.5);
            let y = augmented(decoded.with(case.normalised(&decoded.values)), k);
            let real = augmented(real.slice(k * each, (k + 1) * each), k);
            let zeros = vec![0.0; case.net.features()];
            let of = |x: &Batch, d: &[f64]| embed(layers, &step.matching, x, &d.repeat(x.n));
            let mean = |x: &Batch| -> Vec<f64> {
                let (embedding, _) = of(x, &zeros);
                let rows = embedding.chunks(zeros.len());
                rows.fold(zeros.clone(), |sum, row| {
                    sum.iter().zip(row).map(|(s, v)| s + v).collect()
                })
                .iter()
                .map(|sum| sum / x.n as f64)
                .collect()
            };
            let difference: Vec<_> =
                mean(&real).iter().zip(mean(&y)).map(|(real, syn)| real - syn).collect();
            let d: Vec<_> = difference.iter().map(|d| -2.0 * d / shown as f64).collect();
            let (_, dy) = of(&y, &d);
            let labels = vec![k as u32; y.n];
            let recognised = Training::new(step.class.clone()).step(layers, &y, &labels, 0.0);
            let alpha = f64::from(case.alpha);
            losses.push(difference.iter().map(|d| d * d).sum::<f64>() + alpha * recognised.loss);
            let both = dy.iter().zip(&recognised.dx).map(|(a, b)| a + alpha * b).collect();
            let at_decoded = back(y.with(both), k);
            let at_pixels = case.by_channel(&at_decoded.values, |g, _, std| g / std);
            let at_pixels = at_decoded.with(at_pixels);
            grad.extend(reference::unpack_backward(&at_pixels, case.factor, case.ipc).values);
        }
        for ((x, v), g) in pixels.iter_mut().zip(&mut velocity).zip(&grad) {
            *v = 0.5 * *v + g;
            *x = (*x - f64::from(case.lr) * *v).clamp(0.0, 1.0);
        }
        Snapped {
            losses: narrow(&losses),
            grad: narrow(&grad),
            syn: narrow(&pixels),
            velocity: narrow(&velocity),
        }
    };
    case.compared().iter().map(step).collect()
}
