//! Who computes a golden case: the GPU, or the f64 twins.

use dm_wgpu::{
    ConvNet, Gpu, Net, SyntheticSet,
    testing::{self, ClassifierParams, DmResult, DmSession, Embedded, Images, Trained},
};

use super::{
    gradients::{Matched, match_gradients, match_gradients_twin},
    network::{Network, train_network, train_network_twin},
    snapshots::{Snapped, match_snapshots, match_snapshots_twin},
    unrolled::{Distilled, distil, distil_twin},
    vectors::{
        ClassifierCase, CutmixCase, DmCase, GradientsCase, NetworkCase, Result, SnapshotsCase,
        UnrollCase,
    },
};
use crate::reference::{self, Batch, Op, Params, Training, narrow, op::rows, widen, widen_all};

/// What CutMix makes of a [`CutmixCase`].
pub struct Mixed {
    pub cut: [i32; 4],
    pub share: f32,
    pub mixed: Vec<f32>,
    pub loss: f32,
    pub d_logits: Vec<f32>,
}

/// The cases' computations. The harness neither knows nor cares who does them.
pub trait Engine {
    fn augment_forward(&self, x: &Images, ops: &[Op]) -> Result<Images>;
    fn augment_backward(&self, dy: &Images, ops: &[Op]) -> Result<Images>;
    /// With a gradient at the embedding, also the one at the images.
    fn embed(
        &self,
        net: &ConvNet,
        weights: &[Vec<f32>],
        x: &Images,
        d_embedding: Option<&[f32]>,
    ) -> Result<Embedded>;
    /// What each step left.
    fn dm(&self, case: &DmCase) -> Result<Vec<DmResult>>;
    /// What training left, in each way that the engine has of doing it.
    fn classifier(&self, case: &ClassifierCase) -> Result<Vec<(String, Trained)>>;
    /// The same of a network of any layers.
    fn network(&self, case: &NetworkCase) -> Result<Vec<(String, Network)>>;
    /// What packed pictures decode to, in each way that the engine has of doing it. Beyond a picture is 0.5.
    fn unpack(&self, x: &Images, factor: usize) -> Result<Vec<(String, Images)>>;
    /// What each step of snapshot matching left.
    fn snapshots(&self, case: &SnapshotsCase) -> Result<Vec<Snapped>>;
    /// What CutMix makes of a case.
    fn cutmix(&self, case: &CutmixCase) -> Result<Mixed>;
    /// From the gradient there to the one at the pictures.
    fn unpack_backward(&self, dy: &Images, factor: usize) -> Result<Images>;
    /// What each step of gradient matching left, in each way that the engine has of doing it.
    fn gradients(&self, case: &GradientsCase) -> Result<Vec<(String, Vec<Matched>)>>;
    /// What an iteration of distillation left, in each way that the engine has of doing it.
    fn unroll(&self, case: &UnrollCase) -> Result<Vec<(String, Distilled)>>;
}

/// The f64 twins; results are rounded to f32 at the very end only.
pub struct Twins;

impl Engine for Twins {
    fn augment_forward(&self, x: &Images, ops: &[Op]) -> Result<Images> {
        Ok((&reference::augment_forward(&x.into(), ops)).into())
    }
    fn augment_backward(&self, dy: &Images, ops: &[Op]) -> Result<Images> {
        Ok((&reference::augment_backward(&dy.into(), ops)).into())
    }
    fn embed(
        &self,
        net: &ConvNet,
        weights: &[Vec<f32>],
        x: &Images,
        d_embedding: Option<&[f32]>,
    ) -> Result<Embedded> {
        let weights = widen_all(weights);
        let trace = reference::embed_forward(net, &weights, &x.into());
        let dx = d_embedding
            .map(|d| narrow(&reference::embed_backward(net, &weights, &trace, &widen(d)).values));
        Ok(Embedded { blocks: trace.blocks.iter().map(|b| narrow(&b.values)).collect(), dx })
    }
    fn dm(&self, case: &DmCase) -> Result<Vec<DmResult>> {
        let mut syn = Batch::from(&case.syn0);
        let mut velocity = vec![0.0; syn.values.len()];
        let steps = case.steps.iter().map(|step| {
            let result = reference::DmStep {
                net: &case.net,
                weights: &widen_all(&step.weights),
                ops: &step.ops,
                real: &(&step.real).into(),
                real_counts: &vec![case.batch_real; case.classes],
                ipc: case.ipc,
            }
            .take(&mut syn, &mut velocity, case.lr.into());
            Ok(DmResult {
                loss: result.loss as f32,
                grad: narrow(&result.grad.values),
                syn: narrow(&syn.values),
                velocity: narrow(&velocity),
            })
        });
        steps.collect()
    }
    fn classifier(&self, case: &ClassifierCase) -> Result<Vec<(String, Trained)>> {
        Ok(vec![("twin".into(), train_twin(case, case.losses.len()))])
    }
    fn network(&self, case: &NetworkCase) -> Result<Vec<(String, Network)>> {
        Ok(vec![("twin".into(), train_network_twin(case))])
    }
    fn unpack(&self, x: &Images, factor: usize) -> Result<Vec<(String, Images)>> {
        let y = reference::unpack(&x.into(), factor, x.n, 0.5);
        Ok(vec![("twin".into(), (&y).into())])
    }
    fn snapshots(&self, case: &SnapshotsCase) -> Result<Vec<Snapped>> {
        Ok(match_snapshots_twin(case))
    }
    fn cutmix(&self, case: &CutmixCase) -> Result<Mixed> {
        let (cut, share) = reference::cutmix::cut_box(case.x.size, case.beta.into(), case.center);
        let x = Batch::from(&case.x);
        let others = Batch::from(&case.others());
        let mixed = reference::cutmix::cutmix(&x, &others, &vec![cut; case.x.n]);
        let labels: Vec<_> = case.both_labels().map(|(a, b)| (a, b, share)).collect();
        let logits = widen(&case.logits);
        let weight = 1.0 / case.x.n as f64;
        let (losses, d) = reference::cutmix::mixed_cross_entropy(&logits, &labels, weight);
        Ok(Mixed {
            cut: cut.map(|end| end as i32),
            share: share as f32,
            mixed: narrow(&mixed.values),
            loss: losses.iter().sum::<f64>() as f32,
            d_logits: narrow(&d),
        })
    }
    fn unpack_backward(&self, dy: &Images, factor: usize) -> Result<Images> {
        let group = dy.n / (factor * factor);
        Ok((&reference::unpack_backward(&dy.into(), factor, group)).into())
    }
    fn gradients(&self, case: &GradientsCase) -> Result<Vec<(String, Vec<Matched>)>> {
        Ok(vec![("twin".into(), match_gradients_twin(case))])
    }
    fn unroll(&self, case: &UnrollCase) -> Result<Vec<(String, Distilled)>> {
        Ok(vec![("twin".into(), distil_twin(case))])
    }
}

/// So many steps of training by the twins.
pub fn train_twin(case: &ClassifierCase, steps: usize) -> Trained {
    let x = Batch::from(&case.x);
    let mut training = Training::new(Params::from(&case.init));
    let mut step = || training.step(&case.net, &x, &case.labels, case.lr.into());
    let results: Vec<_> = (0..steps).map(|_| step()).collect();
    Trained {
        logits: results.iter().map(|r| narrow(&r.logits)).collect(),
        losses: results.iter().map(|r| r.loss as f32).collect(),
        gradients: results[0].gradients.narrow(),
        params: training.params.narrow(),
    }
}

/// The shaders, through the crate's testing door.
pub struct Shaders<'a>(pub &'a Gpu);

/// Room for every golden case in one piece.
pub const AMPLE: u64 = 1 << 30;

impl Engine for Shaders<'_> {
    fn augment_forward(&self, x: &Images, ops: &[Op]) -> Result<Images> {
        testing::augment_forward(self.0, x, &rows(ops)).map_err(|e| e.to_string())
    }
    fn augment_backward(&self, dy: &Images, ops: &[Op]) -> Result<Images> {
        testing::augment_backward(self.0, dy, &rows(ops)).map_err(|e| e.to_string())
    }
    fn embed(
        &self,
        net: &ConvNet,
        weights: &[Vec<f32>],
        x: &Images,
        d_embedding: Option<&[f32]>,
    ) -> Result<Embedded> {
        testing::embed(self.0, net, weights, x, d_embedding).map_err(|e| e.to_string())
    }
    /// In one piece and again in the smallest pieces: both must give the same bits.
    fn dm(&self, case: &DmCase) -> Result<Vec<DmResult>> {
        let whole = run_dm(self.0, case, AMPLE).map_err(|e| e.to_string())?;
        let (budget, pieces) = run_dm_in_least_memory(self.0, case)?;
        if budget >= AMPLE {
            return Err(format!("no memory budget under {AMPLE} bytes was accepted"));
        }
        for (step, (whole, pieces)) in whole.iter().zip(&pieces).enumerate() {
            if let Some(what) = first_difference(whole, pieces) {
                return Err(format!(
                    "step {step}: {what} depends on the memory budget ({AMPLE} or {budget} bytes)"
                ));
            }
        }
        Ok(whole)
    }
    /// The batch in one piece and in parts of which the last is smaller; each time alone, and beside
    /// another network, which must not change a bit.
    fn classifier(&self, case: &ClassifierCase) -> Result<Vec<(String, Trained)>> {
        let images = case.x.n;
        let uneven = (2..images).find(|part| !images.is_multiple_of(*part)).unwrap_or(1);
        let mut other = case.init.clone();
        other.fc_weight.iter_mut().chain(other.convs.iter_mut().flatten()).for_each(|w| *w = -*w);
        let mut ways = Vec::new();
        for part in [images, uneven] {
            let alone = train(self.0, case, std::slice::from_ref(&case.init), part)?.swap_remove(0);
            let mut both = train(self.0, case, &[other.clone(), case.init.clone()], part)?;
            if let Some(what) = training_difference(&alone, &both.swap_remove(1)) {
                return Err(format!("in parts of {part}, another network changes the {what}"));
            }
            ways.push((format!("in parts of {part}"), alone));
        }
        Ok(ways)
    }
    fn network(&self, case: &NetworkCase) -> Result<Vec<(String, Network)>> {
        train_network(self.0, case)
    }
    /// By the kernel, and as sets are decoded.
    fn unpack(&self, x: &Images, factor: usize) -> Result<Vec<(String, Images)>> {
        let packs = testing::Packs { factor, pictures: x.n, padding: 0.5 };
        let shown: Vec<_> = (0..(x.n * factor * factor) as u32).collect();
        let kernel = testing::unpacked(self.0, x, packs, &shown).map_err(|e| e.to_string())?;
        let set = SyntheticSet {
            images: x.values.clone(),
            labels: vec![0; x.n],
            channels: x.channels,
            size: x.size,
            dataset: "golden".into(),
            class_names: vec!["one".into()],
            mean: vec![0.0; x.channels],
            std: vec![1.0; x.channels],
            ipc: x.n,
            factor,
            settings: "{}".into(),
            course: None,
        };
        let values = set.decoded().map_err(|e| e.to_string())?.images;
        let host = Images { values, n: kernel.n, ..*x };
        Ok(vec![("kernel".into(), kernel), ("set".into(), host)])
    }
    fn snapshots(&self, case: &SnapshotsCase) -> Result<Vec<Snapped>> {
        match_snapshots(self.0, case)
    }
    fn cutmix(&self, case: &CutmixCase) -> Result<Mixed> {
        let (x, wrong) = (&case.x, |e: dm_wgpu::Error| e.to_string());
        let (cut, share) = testing::cut_box(x.size, case.beta, case.center);
        let boxes = vec![cut; x.n];
        let mixed = testing::cutmixed(self.0, x, &case.others(), &boxes, (0, 0)).map_err(wrong)?;
        let labels: Vec<_> = case.both_labels().map(|(a, b)| (a, b, share)).collect();
        let weight = 1.0 / x.n as f32;
        let (losses, d_logits) =
            testing::mixed_losses(self.0, &case.logits, &labels, weight).map_err(wrong)?;
        let loss = losses.iter().sum::<f32>();
        Ok(Mixed { cut: cut.map(|end| end as i32), share, mixed: mixed.values, loss, d_logits })
    }
    fn unpack_backward(&self, dy: &Images, factor: usize) -> Result<Images> {
        let n = dy.n / (factor * factor);
        let zero = vec![0.0; dy.values.len() / (factor * factor)];
        let zero = Images { values: zero, n, ..*dy };
        let packs = testing::Packs { factor, pictures: n, padding: 0.5 };
        let shown: Vec<_> = (0..dy.n as u32).collect();
        testing::unpacked_backward(self.0, dy, packs, &shown, &zero).map_err(|e| e.to_string())
    }
    fn gradients(&self, case: &GradientsCase) -> Result<Vec<(String, Vec<Matched>)>> {
        match_gradients(self.0, case)
    }
    fn unroll(&self, case: &UnrollCase) -> Result<Vec<(String, Distilled)>> {
        distil(self.0, case)
    }
}

/// All steps of a case by the shaders, from each of these parameters.
pub fn train(
    gpu: &Gpu,
    case: &ClassifierCase,
    init: &[ClassifierParams],
    part: usize,
) -> Result<Vec<Trained>> {
    let ClassifierCase { net, classes, x, labels, losses, lr, .. } = case;
    testing::train_classifiers(gpu, net, *classes, init, x, labels, part, losses.len(), *lr)
        .map_err(|e| e.to_string())
}

/// What differs by a bit, if anything does.
pub fn training_difference(a: &Trained, b: &Trained) -> Option<String> {
    if a.logits != b.logits {
        return Some("logits".into());
    }
    if a.losses != b.losses {
        return Some("losses".into());
    }
    for (what, a, b) in
        [("gradients", &a.gradients, &b.gradients), ("parameters", &a.params, &b.params)]
    {
        let (a, b) = (Params::from(a), Params::from(b));
        let differs = |i: &usize| a.values[*i] != b.values[*i];
        if let Some(i) = (0..a.names.len()).find(differs) {
            return Some(format!("{what} of {}", a.names[i]));
        }
    }
    None
}

/// All steps of a case within so many bytes of device memory.
pub fn run_dm(gpu: &Gpu, case: &DmCase, memory_budget: u64) -> dm_wgpu::Result<Vec<DmResult>> {
    let settings = testing::DmCase {
        net: Net::of_convnet(&case.net, case.classes)?,
        classes: case.classes,
        ipc: case.ipc,
        batch_real: case.batch_real,
        norm_images: 0,
        lr: case.lr,
        factor: 1,
        padding: 0.0,
    };
    let gpu = gpu.clone().with_memory_budget(memory_budget);
    let mut session = DmSession::new(&gpu, &settings, &case.syn0.values)?;
    let step =
        |s: &super::vectors::DmStep| session.step(&s.weights, &rows(&s.ops), &s.real.values, &[]);
    case.steps.iter().map(step).collect()
}

/// A step of (classes, ipc, factor) on packed images, beyond which is 0.25, at a rate of 0.7: whole, then in the smallest
/// pieces.
pub fn run_dm_packed(
    gpu: &Gpu,
    net: &ConvNet,
    (classes, ipc, factor): (usize, usize, usize),
    syn0: &Images,
    step: &super::vectors::DmStep,
) -> Result<[DmResult; 2]> {
    let settings = testing::DmCase {
        net: Net::of_convnet(net, classes).map_err(|e| e.to_string())?,
        classes,
        ipc,
        batch_real: step.real.n / classes,
        norm_images: 0,
        lr: 0.7,
        factor,
        padding: 0.25,
    };
    let run = |budget: u64| {
        let gpu = gpu.clone().with_memory_budget(budget);
        let mut session = DmSession::new(&gpu, &settings, &syn0.values)?;
        session.step(&step.weights, &rows(&step.ops), &step.real.values, &[])
    };
    let whole = run(AMPLE).map_err(|e| e.to_string())?;
    let mut budget = 1024;
    let pieces = loop {
        match run(budget) {
            Err(error) if error.is_usage() && budget < AMPLE => budget *= 2,
            result => break result.map_err(|e| e.to_string())?,
        }
    };
    match first_difference(&whole, &pieces) {
        Some(what) => Err(format!("{what} depends on the memory budget")),
        None => Ok([whole, pieces]),
    }
}

/// [`run_dm`] with the first power of two of bytes that is not refused as too little: whatever
/// can be cut into chunks is then cut into the smallest.
pub fn run_dm_in_least_memory(gpu: &Gpu, case: &DmCase) -> Result<(u64, Vec<DmResult>)> {
    let mut budget = 1024;
    loop {
        match run_dm(gpu, case, budget) {
            Err(error) if error.is_usage() && budget < AMPLE => budget *= 2,
            result => return result.map(|r| (budget, r)).map_err(|e| e.to_string()),
        }
    }
}

/// What differs by a bit, if anything does.
pub fn first_difference(a: &DmResult, b: &DmResult) -> Option<&'static str> {
    let same = |a: &[f32], b: &[f32]| {
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits())
    };
    match () {
        () if a.loss.to_bits() != b.loss.to_bits() => Some("loss"),
        () if !same(&a.grad, &b.grad) => Some("grad"),
        () if !same(&a.velocity, &b.velocity) => Some("velocity"),
        () if !same(&a.syn, &b.syn) => Some("syn"),
        () => None,
    }
}
