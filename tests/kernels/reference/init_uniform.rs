//! Twin of `init_weights`: the random weights of one iteration's network, to the bit.

use super::philox4x32;
use dm_wgpu::ConvNet;

/// The counter's last word for weights: other random things have other numbers there.
const PURPOSE_WEIGHTS: u32 = 1;

/// Weights of every block, (width, inputs, 3, 3), uniform in ±1/√fan_in.
///
/// The one twin in f32: each operation of the shader is exact or correctly rounded, so that it can
/// be demanded that both give the same bits.
pub fn random_weights(net: &ConvNet, seed: u64, iteration: u32) -> Vec<Vec<f32>> {
    let key = [seed as u32, (seed >> 32) as u32];
    (0..net.depth())
        .map(|block| {
            let bound = bound(net.inputs(block));
            (0..(net.width() * net.inputs(block) * 9) as u32)
                .map(|element| {
                    let counter = [element / 4, block as u32, iteration, PURPOSE_WEIGHTS];
                    weight(philox4x32(key, counter)[element as usize % 4], bound)
                })
                .collect()
        })
        .collect()
}

/// 1/√fan_in of a 3×3 convolution.
pub fn bound(inputs: usize) -> f32 {
    1.0 / ((9 * inputs) as f32).sqrt()
}

/// A weight from a random word: 24 bits as [0, 1), then to ±bound.
pub fn weight(word: u32, bound: f32) -> f32 {
    let u = (word >> 8) as f32 * (-24f32).exp2();
    (u * 2.0 - 1.0) * bound
}
