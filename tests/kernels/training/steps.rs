//! Whole steps of training: several networks, batches in parts, weight decay.

use dm_wgpu::{
    ConvNet, Gpu,
    testing::{self, ClassifierParams, Images, Trained},
};
use proptest::prelude::*;

use super::setup::{labels, params};
use crate::{
    cases,
    common::{Rng, Tolerance, assert_close, gpus, norm},
    images,
    reference::{Batch, Params, Training},
};

/// Values pass through every block, gradients twice.
const LIMITS: Tolerance = Tolerance::GOLDEN;

/// A ReLU nearer than this to its kink might be switched by rounding: three blocks of f32 are off by
/// some 1e-6. Data with such a ReLU are not compared; others are drawn.
const KINK: f64 = 1e-5;

/// No step overshoots by much.
const LR: f32 = 0.01;
const STEPS: usize = 2;

/// A batch that is learnt already has a loss and gradients that are the rest of a cancellation. Such
/// data are not compared either.
const LEARNT: f64 = 0.01;

/// Networks, each with its own parameters, and the batch that all see.
struct Case {
    net: ConvNet,
    classes: usize,
    init: Vec<ClassifierParams>,
    x: Images,
    labels: Vec<u32>,
}

/// What the twins make of one network.
struct Expected {
    logits: Vec<Vec<f64>>,
    losses: Vec<f64>,
    gradients: Params,
    update: Params,
    kink_distance: f64,
}

impl Case {
    fn new(seed: u64, net: &ConvNet, classes: usize, n: usize, nets: usize) -> Self {
        let rng = &mut Rng(seed);
        Self {
            net: net.clone(),
            classes,
            init: (0..nets).map(|_| params(rng, net, classes)).collect(),
            x: images(rng, n, net.channels(), net.size()),
            labels: labels(rng, n, classes),
        }
    }

    fn expected(&self, init: &ClassifierParams) -> Expected {
        let init = Params::from(init);
        let x = Batch::from(&self.x);
        let mut training = Training::new(init.clone());
        let steps: Vec<_> =
            (0..STEPS).map(|_| training.step(&self.net, &x, &self.labels, LR.into())).collect();
        Expected {
            logits: steps.iter().map(|s| s.logits.clone()).collect(),
            losses: steps.iter().map(|s| s.loss).collect(),
            gradients: steps[0].gradients.clone(),
            update: training.params.minus(&init),
            kink_distance: steps.iter().map(|s| s.kink_distance).fold(f64::INFINITY, f64::min),
        }
    }

    fn train(&self, gpu: &Gpu, init: &[ClassifierParams], part: usize) -> Vec<Trained> {
        let Self { net, classes, x, labels, .. } = self;
        testing::train_classifiers(gpu, net, *classes, init, x, labels, part, STEPS, LR).unwrap()
    }
}

/// Logits, losses, gradients and what the steps changed, tensor by tensor.
fn compare(what: &str, out: &Trained, init: &ClassifierParams, expected: &Expected) {
    assert_eq!((out.logits.len(), out.losses.len()), (STEPS, STEPS));
    for s in 0..STEPS {
        let (logits, losses) = (&out.logits[s], &out.losses[s..=s]);
        assert_close(&format!("{what}: logits {s}"), logits, &expected.logits[s], LIMITS.values);
        assert_close(&format!("{what}: loss {s}"), losses, &expected.losses[s..=s], LIMITS.values);
    }
    let gradients = Params::from(&out.gradients);
    // The parameters themselves would hide a missing weight decay, or momentum, behind their size.
    let before = Params::from(init);
    let update = Params::from(&out.params).minus(&before);
    for name in &gradients.names {
        let (out, reference) = (gradients.get(name), expected.gradients.get(name));
        assert_close(&format!("{what}: gradient of {name}"), out, reference, LIMITS.gradients);
        let (out, reference) = (update.get(name), expected.update.get(name));
        let error: Vec<_> = out.iter().zip(reference).map(|(a, b)| a - b).collect();
        // Each step rounds the parameters, which some updates hardly outweigh.
        let rounding = STEPS as f64 * 6e-8 * norm(before.get(name));
        let limit = LIMITS.gradients * norm(reference) + rounding;
        assert!(norm(&error) <= limit, "{what}: update of {name} by {}", norm(&error));
    }
}

fn check(seed: u64, net: &ConvNet, classes: usize, n: usize, nets: usize, part: usize) {
    for attempt in 0..50 {
        let case = Case::new(seed.wrapping_add(attempt), net, classes, n, nets);
        let expected: Vec<_> = case.init.iter().map(|init| case.expected(init)).collect();
        let learnt = |e: &Expected| e.losses.iter().any(|loss| *loss < LEARNT);
        if expected.iter().any(|e| e.kink_distance < KINK || learnt(e)) {
            continue;
        }
        for gpu in gpus() {
            let trained = case.train(gpu, &case.init, part);
            assert_eq!(trained.len(), nets);
            for (i, (out, expected)) in trained.iter().zip(&expected).enumerate() {
                let name = gpu.kernels().name();
                let what = format!("{name}, net {i} of {nets}, {n} in parts of {part}, {net:?}");
                compare(&what, out, &case.init[i], expected);
            }
        }
        return;
    }
    panic!("every attempt had a ReLU at its kink, or had learnt all");
}

proptest! {
    #![proptest_config(cases(8))]

    #[test]
    fn steps_match_the_twin(
        (channels, size) in prop::sample::select(
            vec![(1usize, 12usize), (1, 7), (1, 16), (3, 16), (3, 14), (3, 9), (3, 8)]
        ),
        // Of one channel the next norm would take the scale out again, and with it the gradient.
        width in prop::sample::select(vec![2usize, 3, 5, 9]),
        depth in 1usize..=3,
        classes in 2usize..8,
        n in 1usize..8,
        nets in 1usize..4,
        part in 1usize..8,
        seed: u64,
    ) {
        let net = ConvNet::new(channels, size, width, depth).unwrap();
        check(seed, &net, classes, n, nets, part.min(n));
    }
}

#[test]
fn images_of_32_pixels() {
    // Also with their border, and in batches of which no part is whole.
    check(2, &ConvNet::new(3, 32, 5, 2).unwrap(), 3, 3, 2, 2);
    check(3, &ConvNet::new(1, 28, 3, 3).unwrap(), 2, 4, 3, 3);
}

#[test]
fn more_classes_than_a_workgroup() {
    check(1, &ConvNet::new(3, 8, 3, 2).unwrap(), 130, 5, 2, 2);
}

/// Everything, bit by bit.
fn bits(trained: &Trained) -> Vec<u32> {
    let params = [Params::from(&trained.gradients), Params::from(&trained.params)];
    let params: Vec<f32> =
        params.iter().flat_map(|p| p.values.iter().flatten()).map(|v| *v as f32).collect();
    let all = trained.logits.iter().flatten().chain(&trained.losses).chain(&params);
    all.map(|v| v.to_bits()).collect()
}

#[test]
fn a_network_does_not_depend_on_those_trained_beside_it() {
    let case = Case::new(3, &ConvNet::new(1, 14, 5, 3).unwrap(), 4, 7, 3);
    for gpu in gpus() {
        for part in [1, 3, 7] {
            let together = case.train(gpu, &case.init, part);
            assert_ne!(bits(&together[0]), bits(&together[1]));
            for (init, together) in case.init.iter().zip(&together) {
                let alone = case.train(gpu, std::slice::from_ref(init), part);
                assert!(bits(&alone[0]) == bits(together), "{} {part}", gpu.kernels().name());
            }
        }
    }
}

#[test]
fn testing_computes_the_logits_that_training_computes() {
    // Blocks that are one kernel, each network with norms of its own; planes of 16 and of 14.
    for (size, width) in [(16, 9), (14, 32)] {
        let case = Case::new(5, &ConvNet::new(3, size, width, 2).unwrap(), 4, 5, 3);
        for gpu in gpus() {
            let logits =
                testing::classify(gpu, &case.net, case.classes, &case.init, &case.x).unwrap();
            for (i, (logits, trained)) in
                logits.iter().zip(case.train(gpu, &case.init, 5)).enumerate()
            {
                let what = format!("{}, net {i}", gpu.kernels().name());
                assert_close(&what, logits, &trained.logits[0], 1e-5);
            }
        }
    }
}

#[test]
fn weight_decay_reaches_every_parameter() {
    // With a last layer of zeros nothing else has a gradient in the first step. A rate of 100 makes
    // the decay a twentieth, and f32 leaves 1e-7 of a parameter.
    let mut case = Case::new(4, &ConvNet::new(3, 8, 3, 2).unwrap(), 3, 4, 1);
    case.init[0].fc_weight.fill(0.0);
    let Case { net, classes, init, x, labels, .. } = &case;
    for gpu in gpus() {
        let trained =
            testing::train_classifiers(gpu, net, *classes, init, x, labels, 4, 1, 100.0).unwrap();
        let (before, after) = (Params::from(&init[0]), Params::from(&trained[0].params));
        for name in before.names.iter().filter(|name| !name.starts_with("fc")) {
            let decayed: Vec<_> = before.get(name).iter().map(|p| p * 0.95).collect();
            assert_close(name, after.get(name), &decayed, 1e-6);
        }
        let fc = |of: &Params, g: &Params| -> Vec<f64> {
            let both = of.get("fc.bias").iter().zip(g.get("fc.bias"));
            both.map(|(p, g)| p - 100.0 * (g + 5e-4 * p)).collect()
        };
        let expected = fc(&before, &Params::from(&trained[0].gradients));
        assert_close("fc.bias", after.get("fc.bias"), &expected, 1e-6);
    }
}
