//! Twin of `init_weights`: weights from Xavier's normal distribution.

use super::philox4x32;

/// Value `element` of a parameter: its number among the drawn ones, the network's, and what it is for.
pub fn normal(seed: u64, element: u32, layer: u32, network: u32, purpose: u32) -> f64 {
    let key = [seed as u32, (seed >> 32) as u32];
    let words = philox4x32(key, [element / 4, layer, network, purpose]);
    let uniform = |word: u32| f64::from(word >> 8) * (-24f64).exp2();
    let pair = if element % 4 < 2 { [words[0], words[1]] } else { [words[2], words[3]] };
    let (length, angle) =
        ((-2.0 * (1.0 - uniform(pair[0])).ln()).sqrt(), std::f64::consts::TAU * uniform(pair[1]));
    length * if element.is_multiple_of(2) { angle.cos() } else { angle.sin() }
}
