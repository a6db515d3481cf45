//! What dataset distillation has of its own: Adam, learned rates, Xavier's weights. Its whole iteration is checked by golden
//! vectors.

use dm_wgpu::{Layer, Net, NormKind, testing};

use crate::{
    common::{Rng, gpu, gpus, relative_error},
    reference::{self, narrow, widen},
};

/// The counter's last word for weights of networks whose training is distilled.
const PURPOSE: u32 = 14;

#[track_caller]
fn assert_near(what: &str, out: &[f32], expected: &[f64], limit: f64) {
    let error = relative_error(out, &narrow(expected));
    assert!(error < limit, "{what}: {error:.1e}");
}

#[test]
fn adam_matches_the_twin() {
    let rng = &mut Rng(3);
    let gradient = rng.normals(1000);
    let mut state = [rng.normals(1000), vec![0.0; 1000], vec![0.0; 1000]];
    let mut twin = state.clone().map(|values| widen(&values));
    for step in 1..=3 {
        let (lr, first, second) = (0.01f32, 0.5f32, 0.999f32);
        let own = state.each_ref().map(|values| &values[..]);
        state = testing::adam(gpu(), own, &gradient, (lr, first, second), step).unwrap();
        let own = twin.each_ref().map(|values| &values[..]);
        let rates = (lr.into(), first.into(), second.into());
        twin = reference::adam(own, &widen(&gradient), rates, step as i32);
        for (what, (out, expected)) in
            ["values", "mean", "square"].iter().zip(state.iter().zip(&twin))
        {
            assert_near(what, out, expected, 1e-6);
        }
    }
    // A gradient of 0 moves nothing, rather than to NaN.
    let [values, ..] =
        testing::adam(gpu(), [&[2.0], &[0.0], &[0.0]], &[0.0], (0.01, 0.5, 0.999), 1).unwrap();
    assert_eq!(values, [2.0]);
}

/// Very small rates too, of which 1 + exp(raw) keeps nothing.
#[test]
fn learned_rates_match_the_twin() {
    let raw = [-80.0, -20.0, -9.0, -3.9, -2.1, -2.0, -1.0, 0.0, 0.5, 3.0, 20.0, 90.0f32];
    let products = Rng(4).normals(raw.len() * 3 * 4);
    let (rates, gradient) = testing::learned_rates(gpu(), &raw, &products).unwrap();
    for (raw, rate) in raw.iter().zip(rates) {
        assert_near(
            &format!("rate of {raw}"),
            &[rate],
            &[reference::softplus((*raw).into())],
            2e-6,
        );
    }
    let expected = reference::rate_gradient(&widen(&raw), &widen(&products));
    for (i, raw) in raw.iter().enumerate() {
        assert_near(&format!("slope at {raw}"), &gradient[i..=i], &expected[i..=i], 1e-5);
    }
    let h = 1e-5;
    let slope = (reference::softplus(0.7 + h) - reference::softplus(0.7 - h)) / (2.0 * h);
    assert!((slope - reference::softplus_slope(0.7)).abs() < 1e-9);
}

/// Weights by their fans, biases 0, norms 1 and 0; the same numbers whichever form the program has and however many are
/// drawn at once.
#[test]
fn xavier_weights_match_the_twin() {
    let conv = |out, kernel, pad| Layer::Conv { out, kernel, stride: 1, pad, bias: true };
    let layers = vec![
        conv(5, 3, 1),
        Layer::Norm(NormKind::Instance),
        Layer::Act { kind: dm_wgpu::Activation::Relu },
        Layer::Pool { kind: dm_wgpu::PoolKind::Avg, kernel: 2, stride: 2, pad: 0 },
        conv(3, 5, 2),
        Layer::Flatten,
        Layer::Linear { out: 4 },
    ];
    let net = Net::new(3, 8, layers).unwrap();
    // Values, number among the drawn, deviation.
    let deviation = |fans: usize| (2.0 / fans as f64).sqrt();
    let expected = [
        (5 * 27, Some((0, deviation(27 + 45)))),
        (10, None),
        (3 * 125, Some((1, deviation(125 + 75)))),
        (3, Some((2, 0.0))),
        (4 * 48, Some((3, deviation(48 + 4)))),
        (4, Some((4, 0.0))),
    ];
    let seed = 7 | 9 << 40;
    for gpu in gpus() {
        let apart = testing::xavier(gpu, &net, (seed, 6), 2, false).unwrap();
        assert_eq!(apart.len(), expected.len());
        for (values, (len, drawn)) in apart.iter().zip(expected) {
            assert_eq!(values.len(), 2 * len);
            for (network, values) in (6..).zip(values.chunks(len)) {
                match drawn {
                    None => assert_eq!(values, [1.0, 0.0].repeat(len / 2)),
                    Some((_, 0.0)) => assert!(values.iter().all(|value| *value == 0.0)),
                    Some((layer, deviation)) => {
                        let own = (0..len as u32).map(|element| {
                            deviation * reference::normal(seed, element, layer, network, PURPOSE)
                        });
                        let own: Vec<_> = own.collect();
                        assert_near("weights", values, &own, 1e-5);
                    }
                }
            }
        }
        let alone = testing::xavier(gpu, &net, (seed, 7), 1, true).unwrap();
        // Blocks have their convolutions first, then the norms.
        assert_eq!(alone[0], apart[0][135..], "{}", gpu.kernels().name());
        assert_eq!(alone[2], apart[2][375..], "{}", gpu.kernels().name());
    }
}

#[test]
fn xavier_weights_are_normal() {
    let net = Net::new(1, 64, vec![Layer::Flatten, Layer::Linear { out: 16 }]).unwrap();
    let weights = testing::xavier(gpu(), &net, (1, 0), 1, false).unwrap().swap_remove(0);
    let deviation = (2.0f64 / (4096.0 + 16.0)).sqrt();
    let scaled: Vec<_> = weights.iter().map(|w| f64::from(*w) / deviation).collect();
    let count = scaled.len() as f64;
    let moment = |power: i32| scaled.iter().map(|w| w.powi(power)).sum::<f64>() / count;
    // Each within five of its standard deviations.
    for (power, expected, variance) in
        [(1, 0.0, 1.0), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0)]
    {
        let limit = 5.0 * f64::sqrt(variance / count);
        assert!((moment(power) - expected).abs() < limit, "{power}: {}", moment(power));
    }
    let pairs: f64 = scaled.windows(2).map(|pair| pair[0] * pair[1]).sum();
    assert!((pairs / count).abs() < 5.0 / count.sqrt());
}
