//! Classifiers to train and what to train them on, the same for the twins' tests and the GPU's.

use dm_wgpu::{ConvNet, testing::ClassifierParams};

use crate::common::Rng;

/// As random networks have them, but with norms that are not the identity, so that their gradients
/// mean something: a negative weight turns a ReLU round.
pub fn params(rng: &mut Rng, net: &ConvNet, classes: usize) -> ClassifierParams {
    let width = net.width();
    let fc_scale = (net.features() as f32).sqrt().recip();
    let mut scaled = |count: usize, scale: f32, shift: f32| {
        rng.normals(count).iter().map(|v| v * scale + shift).collect::<Vec<_>>()
    };
    let convs = (0..net.depth()).map(|d| {
        let fan_in = 9 * net.inputs(d);
        scaled(width * fan_in, 0.6 / (fan_in as f32).sqrt(), 0.0)
    });
    let convs = convs.collect();
    let norms = (0..net.depth()).map(|_| (scaled(width, 0.5, 1.0), scaled(width, 0.3, 0.0)));
    let norms = norms.collect();
    ClassifierParams {
        convs,
        norms,
        fc_weight: scaled(classes * net.features(), fc_scale, 0.0),
        fc_bias: scaled(classes, 0.3, 0.0),
    }
}

pub fn labels(rng: &mut Rng, n: usize, classes: usize) -> Vec<u32> {
    (0..n).map(|_| rng.below(classes) as u32).collect()
}
