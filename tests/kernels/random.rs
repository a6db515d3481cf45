//! Random words and random weights: to the bit.

use dm_wgpu::{ConvNet, testing};
use proptest::prelude::*;

use crate::{cases, common::gpu, reference};

#[test]
fn philox_known_answers() {
    for (key, counter, expected) in reference::philox::KNOWN_ANSWERS {
        let words = testing::philox4x32(gpu(), key, &[counter]).unwrap();
        assert_eq!(words, [expected], "key {key:x?}, counter {counter:x?}");
    }
}

proptest! {
    #![proptest_config(cases(16))]

    #[test]
    fn philox_matches_the_twin(
        key: [u32; 2],
        counters in prop::collection::vec(any::<[u32; 4]>(), 1..200),
    ) {
        let words = testing::philox4x32(gpu(), key, &counters).unwrap();
        let expected: Vec<_> = counters.iter().map(|c| reference::philox4x32(key, *c)).collect();
        prop_assert_eq!(words, expected);
    }

    #[test]
    fn weights_match_the_twin(
        // For these widths 1/√fan_in rounds to one and the same f32 however it is computed (it does
        // not for 8 or 128), so that a difference can only come from the words or their use.
        (channels, width) in (prop::sample::select(vec![1, 3]), prop::sample::select(vec![1, 3, 16, 17])),
        depth in 1usize..=3,
        seed: u64,
        iteration: u32,
    ) {
        let net = ConvNet::new(channels, 12, width, depth).unwrap();
        let weights = testing::random_weights(gpu(), &net, seed, iteration).unwrap();
        let expected = reference::random_weights(&net, seed, iteration);
        prop_assert_eq!(weights.len(), depth);
        for (block, (weights, expected)) in weights.iter().zip(&expected).enumerate() {
            prop_assert_eq!(weights.len(), expected.len());
            for (i, (w, e)) in weights.iter().zip(expected).enumerate() {
                prop_assert!(ulps(*w, *e) <= 1, "block {}, weight {}: {} is not {}", block, i, w, e);
            }
        }
    }
}

/// How many f32 lie between, one of the ends counted.
fn ulps(a: f32, b: f32) -> u64 {
    let ordered = |v: f32| {
        let magnitude = i64::from(v.to_bits() & 0x7FFF_FFFF);
        if v.is_sign_negative() { -magnitude } else { magnitude }
    };
    if a.is_finite() && b.is_finite() { ordered(a).abs_diff(ordered(b)) } else { u64::MAX }
}

#[test]
fn weights_are_uniform() {
    let net = ConvNet::new(3, 32, 128, 2).unwrap();
    let weights = testing::random_weights(gpu(), &net, 1, 0).unwrap();
    for (block, weights) in weights.iter().enumerate() {
        let bound = 1.0 / (9.0 * net.inputs(block) as f64).sqrt();
        let count = weights.len() as f64;
        let scaled: Vec<f64> = weights.iter().map(|w| f64::from(*w) / bound).collect();
        assert!(scaled.iter().all(|w| (-1.0 - 1e-6..=1.0 + 1e-6).contains(w)), "out of bounds");

        // Mean 0, second moment 1/3, fourth 1/5, and neighbours independent; each within five of
        // its standard deviations for so many draws.
        let moment = |f: &dyn Fn(usize) -> f64| (0..weights.len() - 1).map(f).sum::<f64>() / count;
        let within = |value: f64, expected: f64, deviation: f64| {
            let limit = 5.0 * deviation / count.sqrt() + 2.0 / count;
            assert!((value - expected).abs() < limit, "block {block}: {value}, not {expected}");
        };
        within(moment(&|i| scaled[i]), 0.0, (1.0f64 / 3.0).sqrt());
        within(moment(&|i| scaled[i].powi(2)), 1.0 / 3.0, (1.0f64 / 5.0 - 1.0 / 9.0).sqrt());
        within(moment(&|i| scaled[i].powi(4)), 1.0 / 5.0, (1.0f64 / 9.0 - 1.0 / 25.0).sqrt());
        within(moment(&|i| scaled[i] * scaled[i + 1]), 0.0, 1.0 / 3.0);

        // χ² over 16 equal bins: 15 ± 5.5, and 45 is exceeded once in some ten thousand.
        let mut bins = [0.0f64; 16];
        for w in &scaled {
            bins[((w + 1.0) * 8.0).clamp(0.0, 15.0) as usize] += 1.0;
        }
        let expected = count / 16.0;
        let chi2: f64 = bins.iter().map(|bin| (bin - expected).powi(2) / expected).sum();
        assert!(chi2 < 45.0, "block {block}: χ² = {chi2}");
    }
}

#[test]
fn nothing_repeats_between_blocks_iterations_and_seeds() {
    let net = ConvNet::new(3, 12, 3, 2).unwrap();
    let draw = |seed, iteration| testing::random_weights(gpu(), &net, seed, iteration).unwrap();
    let base = draw(5, 3);
    assert_eq!(base, draw(5, 3), "the same again");
    for other in [draw(5, 4), draw(6, 3), draw(5 | 1 << 40, 3)] {
        for (a, b) in base.iter().zip(&other) {
            assert!(a.iter().zip(b).filter(|(a, b)| a == b).count() <= 1);
        }
    }
}
