//! Every parameter's gradient against finite differences of the GPU's own forward pass.

use dm_wgpu::{
    ConvNet,
    testing::{self, ClassifierParams},
};

use super::setup::{labels, params};
use crate::{
    common::{Rng, dot, gpus, norm},
    images,
    reference::{Params, softmax_cross_entropy, widen},
};

/// A step's size in each parameter. The loss is about 1 and f32 logits are off by some 1e-7, so over a
/// slope of 0.1 rounding makes some 1e-3 of it. A longer step would have less of that, but switch more
/// ReLUs.
const STEP: f64 = 1e-4;

/// Relative to the slope that the gradient's norm allows. ReLUs that switch within a step bend the
/// loss, which makes up to 0.03, and the same in every family of kernels; a gradient of the wrong sign
/// is off by 2, one that lacks a term by some tenths.
const LIMIT: f64 = 0.06;

#[test]
fn every_gradient_matches_finite_differences_of_the_loss() {
    for (channels, size, width, depth, seed) in [(3, 12, 5, 2, 1), (1, 12, 4, 3, 2)] {
        let net = ConvNet::new(channels, size, width, depth).unwrap();
        let (classes, n) = (4, 24);
        let rng = &mut Rng(seed);
        let init = params(rng, &net, classes);
        let (x, labels) = (images(rng, n, channels, size), labels(rng, n, classes));
        for gpu in gpus() {
            let train = |nets: &[ClassifierParams]| {
                testing::train_classifiers(gpu, &net, classes, nets, &x, &labels, n, 1, 0.0)
                    .unwrap()
            };
            let gradients = Params::from(&train(std::slice::from_ref(&init))[0].gradients);
            // Two directions a tensor: along the gradient, where the slope is its norm, and one that
            // weighs all elements alike. All stepped networks run beside each other.
            let (mut stepped, mut expected) = (vec![], vec![]);
            let base = Params::from(&init);
            for (i, name) in base.names.iter().enumerate() {
                let gradient = gradients.get(name);
                let unit = norm(gradient) / (gradient.len() as f64).sqrt();
                let along: Vec<f64> = gradient.iter().map(|g| g / unit * STEP).collect();
                let signs = rng.signs(gradient.len());
                let all: Vec<f64> = signs.iter().map(|s| f64::from(*s) * STEP).collect();
                // How large a slope along each is, if it is not by chance.
                let scales = [norm(gradient) * norm(&along), norm(gradient) * STEP];
                let directions = [("along", along), ("across", all)].into_iter().zip(scales);
                for ((kind, direction), scale) in directions {
                    let moved = |sign: f64| {
                        let mut params = base.clone();
                        let values = params.values[i].iter_mut().zip(&direction);
                        values.for_each(|(value, d)| *value += sign * d);
                        params.narrow()
                    };
                    let (ahead, behind) = (moved(1.0), moved(-1.0));
                    // What was really stepped, after rounding to f32.
                    let step = Params::from(&ahead).minus(&Params::from(&behind));
                    let slope = dot(gradient, &step.values[i]);
                    expected.push((format!("{kind} {name}"), slope, 2.0 * scale));
                    stepped.extend([ahead, behind]);
                }
            }
            let losses: Vec<f64> = train(&stepped)
                .iter()
                .map(|trained| {
                    let (losses, _) = softmax_cross_entropy(&widen(&trained.logits[0]), &labels);
                    losses.iter().sum::<f64>() / n as f64
                })
                .collect();
            for (pair, (what, slope, scale)) in losses.chunks(2).zip(&expected) {
                let error = (pair[0] - pair[1] - slope).abs() / scale;
                println!("{} {what}: {error:.1e}", gpu.kernels().name());
                assert!(error <= LIMIT, "{what}: {} by steps, {slope}", pair[0] - pair[1]);
            }
        }
    }
}
