//! Layers and networks along a direction of their weights, and distances of gradients: kernels against their twins, the twins
//! against differences of those that they are derivatives of.

use dm_wgpu::{
    Activation, Distance, NormKind, PoolKind,
    testing::{self, Images, Over},
};

use crate::{
    common::{Rng, Tolerance, gpus, relative_error},
    golden::network::{by_names_of, from_names_of},
    images,
    layers::{assert_near, net, networks, parameters, with_biases},
    reference::{
        self, Batch,
        gradient_match::{Shapes, distance},
        layers::{
            Norm, Pool, Tensors, Training, act_backward, act_forward, act_tangent, norm_backward,
            norm_forward, norm_tangent, pool_forward, pool_tangent,
        },
        narrow, softmax_tangent, widen,
    },
    with,
};

/// a + h · b.
fn step(a: &[f64], b: &[f64], h: f64) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a + h * b).collect()
}

/// The derivative of something at 0, by differences.
fn slope(h: f64, of: impl Fn(f64) -> Vec<f64>) -> Vec<f64> {
    of(h).iter().zip(&of(-h)).map(|(a, b)| (a - b) / (2.0 * h)).collect()
}

#[track_caller]
fn assert_slope(what: &str, out: &[f64], reference: &[f64]) {
    let error = relative_error(&narrow(out), reference);
    assert!(error <= 1e-6, "{what}: relative error {error:.1e}");
}

const KINDS: [Activation; 4] =
    [Activation::Relu, Activation::LeakyRelu, Activation::Sigmoid, Activation::Swish];

#[test]
fn activations_along_a_direction() {
    let rng = &mut Rng(1);
    // No multiple of a workgroup.
    let [x, change, dy, dy_change] = [(); 4].map(|()| rng.normals(131));
    let wide = [&x, &change, &dy, &dy_change].map(|values| widen(values));
    let [x64, change64, dy64, dy_change64] = &wide;
    for kind in KINDS {
        let twin = act_tangent(kind, (x64, change64), (dy64, dy_change64));
        let expected = slope(1e-6, |h| {
            act_backward(kind, &step(x64, change64, h), &step(dy64, dy_change64, h))
        });
        assert_slope(&format!("{kind:?}"), &twin, &expected);
        // What the kernel reads of sigmoid is its output.
        let (kept, kept_change) = match kind {
            Activation::Sigmoid => {
                (narrow(&act_forward(kind, x64)), narrow(&act_backward(kind, x64, change64)))
            }
            Activation::Swish => (x.clone(), change.clone()),
            // Theirs is act_backward.
            _ => continue,
        };
        for gpu in gpus() {
            let out = testing::act_tangent(gpu, kind, (&kept, &kept_change), (&dy, &dy_change));
            assert_near(&format!("{kind:?}"), &out.unwrap(), &twin, 1e-5);
        }
    }
}

#[test]
fn max_pools_along_a_direction() {
    for (seed, (size, kernel, stride, pad)) in
        [(9, 3, 2, 1), (7, 2, 2, 0), (5, 3, 1, 1), (6, 2, 3, 1)].into_iter().enumerate()
    {
        let rng = &mut Rng(seed as u64);
        let mut x = images(rng, 3, 2, size);
        // Windows of equals, of which the first counts.
        x.values[..size].fill(4.0);
        let change = rng.normals(x.values.len());
        let pool = Pool { kind: PoolKind::Max, kernel, stride, pad };
        let (x64, change64) = (Batch::from(&x), Batch::from(&with(&x, change.clone())));
        let twin = pool_tangent(pool, &x64, &change64).values;
        // Without the ties, which differences cannot see.
        let mut apart = x64.clone();
        apart.values[..size].iter_mut().enumerate().for_each(|(i, v)| *v -= 0.01 * i as f64);
        let moved = |h| pool_forward(pool, &apart.with(step(&apart.values, &change64.values, h)));
        let expected = slope(1e-7, |h| moved(h).values);
        assert_slope("max pool", &twin, &expected);
        for gpu in gpus() {
            let out = testing::max_pool_tangent(gpu, (kernel, stride, pad), &x, &change).unwrap();
            assert_near("max pool", &out, &twin, 1e-6);
        }
    }
}

#[test]
fn norms_along_a_direction() {
    let cases = [
        (NormKind::Instance, Over::Groups(6)),
        (NormKind::Group { groups: 3 }, Over::Groups(3)),
        (NormKind::Layer, Over::Groups(1)),
        (NormKind::Batch, Over::Batch),
        (NormKind::Batch, Over::Frozen),
    ];
    for (seed, (kind, over)) in cases.into_iter().enumerate() {
        let rng = &mut Rng(30 + seed as u64);
        let (channels, size) = (6, 5);
        let per_value = kind == NormKind::Layer;
        let len = if per_value { channels * size * size } else { channels };
        let (per_net, nets) = (3, 2);
        let x = images(rng, nets * per_net, channels, size);
        let [change, dy, dy_change] = [(); 3].map(|()| rng.normals(x.values.len()));
        let mut affine = rng.normals(2 * nets * len);
        affine.iter_mut().step_by(2).for_each(|weight| *weight = 1.0 + 0.3 * *weight);
        let direction = rng.normals(2 * nets * len);
        let running: Vec<_> =
            rng.normals(2 * nets * channels).iter().map(|v| 0.5 + v.abs()).collect();
        let halves = |all: &[f32], net: usize, len: usize| -> [Vec<f64>; 2] {
            let own = &all[2 * net * len..2 * (net + 1) * len];
            [0, 1].map(|half| own.iter().skip(half).step_by(2).map(|&v| f64::from(v)).collect())
        };
        let mut expected = [vec![], vec![], vec![]];
        for net in 0..nets {
            let part = |values: &[f32]| {
                Batch::from(&with(&x, values.to_vec())).slice(net * per_net, (net + 1) * per_net)
            };
            let [x, change, dy, dy_change] = [&x.values, &change, &dy, &dy_change].map(|v| part(v));
            let [weight, bias] = halves(&affine, net, len);
            let [weight_change, bias_change] = halves(&direction, net, len);
            let [mean, variance] = halves(&running, net, channels);
            let frozen = matches!(over, Over::Frozen).then_some((&mean[..], &variance[..]));
            let norm = Norm { kind, weight: &weight, bias: &bias, frozen };
            let (y, dx, d_weight, d_bias) = norm_tangent(
                norm,
                (&x, &change),
                (&weight_change, &bias_change),
                (&dy, &dy_change),
            );
            let h = 1e-6;
            let moved = |h: f64, of: &dyn Fn(Norm<'_>, &Batch, &Batch) -> Vec<f64>| {
                let (weight, bias) =
                    (step(&weight, &weight_change, h), step(&bias, &bias_change, h));
                let norm = Norm { kind, weight: &weight, bias: &bias, frozen };
                let x = x.with(step(&x.values, &change.values, h));
                of(norm, &x, &dy.with(step(&dy.values, &dy_change.values, h)))
            };
            let ahead = slope(h, |h| moved(h, &|norm, x, _| norm_forward(norm, x).values));
            let back = slope(h, |h| moved(h, &|norm, x, dy| norm_backward(norm, x, dy).0.values));
            let weights = slope(h, |h| moved(h, &|norm, x, dy| norm_backward(norm, x, dy).1));
            let biases = slope(h, |h| moved(h, &|norm, x, dy| norm_backward(norm, x, dy).2));
            for (what, out, reference) in [
                ("y", &y.values, &ahead),
                ("dx", &dx.values, &back),
                ("weight", &d_weight, &weights),
                ("bias", &d_bias, &biases),
            ] {
                assert_slope(&format!("{kind:?} {over:?}: {what}"), out, reference);
            }
            expected[0].extend(y.values);
            expected[1].extend(dx.values);
            expected[2].extend(d_weight.into_iter().zip(d_bias).flat_map(|(w, b)| [w, b]));
        }
        for gpu in gpus() {
            let out = testing::norm_tangent(
                gpu,
                (over, &running),
                per_value,
                nets,
                &x,
                &change,
                (&affine, &direction),
                (&dy, &dy_change),
            )
            .unwrap();
            for (what, out, expected) in [
                ("y", out.y, &expected[0]),
                ("dx", out.dx, &expected[1]),
                ("affine", out.affine, &expected[2]),
            ] {
                assert_near(&format!("{kind:?} {over:?}: {what}"), &out, expected, 1e-5);
            }
        }
    }
}

#[test]
fn cross_entropy_along_a_direction() {
    let rng = &mut Rng(5);
    let (images, classes) = (67, 7);
    let [logits, change] = [(); 2].map(|()| rng.normals(images * classes));
    let (logits64, change64) = (widen(&logits), widen(&change));
    let twin = softmax_tangent(&logits64, &change64, images);
    let labels: Vec<_> = (0..images as u32).map(|i| i % 7).collect();
    let expected = slope(1e-6, |h| {
        reference::softmax_cross_entropy(&step(&logits64, &change64, h), &labels).1
    });
    assert_slope("softmax", &twin, &expected);
    for gpu in gpus() {
        let out = testing::softmax_tangent(gpu, (&logits, &change), images).unwrap();
        assert_near("softmax", &out, &twin, 1e-5);
    }
    // Logits whose exponentials overflow.
    let large: Vec<_> = logits.iter().map(|z| 200.0 + z).collect();
    let twin = softmax_tangent(&widen(&large), &change64, images);
    let out = testing::softmax_tangent(&gpus()[0], (&large, &change), images).unwrap();
    assert_near("softmax of large logits", &out, &twin, 1e-4);
}

/// Every layer there is, in sizes that nobody published, in parts and beside another network: against differences of the
/// twin's gradients, so small that no ReLU switches.
#[test]
fn networks_of_odd_sizes_along_a_direction() {
    let limit = Tolerance::GOLDEN.gradients;
    for (i, net) in networks().into_iter().map(net).enumerate() {
        let rng = &mut Rng(50 + i as u64);
        let x: Images = images(rng, 5, net.channels(), net.size());
        let labels = [0, 3, 1, 2, 3];
        let (init, direction) = (parameters(rng, &net), parameters(rng, &net));
        let (params, way) = (with_biases(&net, &init), with_biases(&net, &direction));
        let h = 1e-7;
        let at = |h: f64| {
            let mut moved = params.clone();
            for (name, values) in &mut moved {
                if !name.contains("running") {
                    *values = step(values, &way[name], h);
                }
            }
            Training::new(moved).step(net.layers(), &Batch::from(&x), &labels, 0.0)
        };
        let (ahead, behind) = (at(h), at(-h));
        let difference = |a: &[f64], b: &[f64]| -> Vec<f64> {
            a.iter().zip(b).map(|(a, b)| (a - b) / (2.0 * h)).collect()
        };
        let names = testing::net_parameters_apart(&net).unwrap();
        let own = |tensors: &Tensors| from_names_of(&names, tensors).unwrap();
        let larger = |all: &[Vec<f32>]| -> Vec<Vec<f32>> {
            all.iter().map(|values| values.iter().map(|v| 1.5 * v).collect()).collect()
        };
        let pair = (own(&params), own(&way));
        let other = (larger(&pair.0), pair.1.clone());
        for gpu in gpus() {
            let parts = if net.has_batch_norm() { vec![5] } else { vec![5, 2] };
            for part in parts {
                let what = |name: &str| {
                    format!("network {i}, {}, parts of {part}: {name}", gpu.kernels().name())
                };
                let nets = [other.clone(), pair.clone()];
                let both = testing::along(gpu, &net, &nets, &x, &labels, part).unwrap();
                let alone = testing::along(gpu, &net, &nets[1..], &x, &labels, part).unwrap();
                assert_eq!(alone[0], both[1], "{}", what("beside another"));
                let (dx, gradients) = &both[1];
                assert_near(&what("dx"), dx, &difference(&ahead.dx, &behind.dx), limit);
                for (name, values) in by_names_of(&names, gradients) {
                    let expected = difference(&ahead.gradients[&name], &behind.gradients[&name]);
                    assert_near(&what(&name), &narrow(&values), &expected, limit);
                }
            }
        }
    }
}

#[test]
fn distances_of_gradients_and_their_slopes() {
    let rng = &mut Rng(7);
    // Convolution, linear layer, a layer norm's weight and bias in pairs, each with a row of zeros in the synthetic
    // gradient; and gradients as small as they get.
    let shapes = [(5, 9, 1, 1.0), (3, 200, 1, 1e-4), (8, 25, 2, 0.1)];
    let mut params = Vec::new();
    for (rows, row_len, stride, scale) in shapes {
        let values = |rng: &mut Rng| -> Vec<f32> {
            rng.normals(rows * row_len).into_iter().map(|v| scale * v).collect()
        };
        let (real, mut synthetic) = (values(rng), values(rng));
        (0..row_len).for_each(|i| synthetic[i * stride] = 0.0);
        params.push((real, synthetic, (row_len, stride)));
    }
    // As the twin has them: each half of the pairs by itself.
    let tensors = |of: &dyn Fn(usize) -> Vec<f32>| -> Tensors {
        let pairs = of(2);
        let half = |half: usize| {
            pairs.iter().skip(half).step_by(2).map(|&v| f64::from(v)).collect::<Vec<_>>()
        };
        let all = [("a", widen(&of(0))), ("b", widen(&of(1))), ("c.0", half(0)), ("c.1", half(1))];
        all.into_iter().map(|(name, values)| (name.to_owned(), values)).collect()
    };
    let real = tensors(&|i| params[i].0.clone());
    let synthetic = tensors(&|i| params[i].1.clone());
    let rows: Shapes =
        [("a", 5), ("b", 3), ("c.0", 4), ("c.1", 4)].map(|(name, n)| (name.to_owned(), n)).into();
    for kind in [Distance::Ours, Distance::Mse, Distance::Cos] {
        let (expected, slopes) = distance(kind, &rows, &real, &synthetic);
        // The twin's gradient, by differences, but for rows of zeros, which pass none.
        for (name, values) in &synthetic {
            let v: Vec<f64> =
                values.iter().map(|v| if *v == 0.0 { 0.0 } else { v.signum() }).collect();
            // Where all is one vector, steps are small beside all of it.
            let all = synthetic.values().flatten();
            let own: Vec<_> =
                if kind == Distance::Ours { values.iter().collect() } else { all.collect() };
            let scale = own.iter().fold(0.0f64, |most, v| most.max(v.abs()));
            let h = 1e-4 * scale;
            let at = |h: f64| {
                let mut moved = synthetic.clone();
                moved.insert(name.clone(), step(values, &v, h));
                distance(kind, &rows, &real, &moved).0
            };
            let along: f64 = slopes[name].iter().zip(&v).map(|(s, v)| s * v).sum();
            let measured = (at(h) - at(-h)) / (2.0 * h);
            let size = slopes[name].iter().map(|s| s * s).sum::<f64>().sqrt();
            assert!(
                (along - measured).abs() <= 1e-5 * size,
                "{kind:?} {name}: {along}, {measured}"
            );
        }
        if kind == Distance::Ours {
            assert!(slopes["a"][..9].iter().all(|s| *s == 0.0), "a dead row passes nothing");
        }
        for gpu in gpus() {
            // Other rows than those that count, where all is one vector.
            let mut own = params.clone();
            if kind != Distance::Ours {
                own.iter_mut().for_each(|param| param.2 = (64, 1));
            }
            let (d, directions) = testing::gradient_distance(gpu, kind, 1, &own).unwrap();
            assert_near(&format!("{kind:?}"), &d, &[expected], 1e-5);
            // Of three networks each has what it has alone: the middle one the same gradients, the others the two swapped.
            let swapped = own.clone().into_iter().map(|(a, b, rows)| (b, a, rows));
            let swapped: Vec<_> = swapped.collect();
            let (d_swapped, around) = testing::gradient_distance(gpu, kind, 1, &swapped).unwrap();
            let three = own.iter().zip(&swapped).map(|(own, around)| {
                let of = |own: &[f32], around: &[f32]| [around, own, around].concat();
                (of(&own.0, &around.0), of(&own.1, &around.1), own.2)
            });
            let three: Vec<_> = three.collect();
            let (all, every) = testing::gradient_distance(gpu, kind, 3, &three).unwrap();
            assert_eq!(all, [d_swapped[0], d[0], d_swapped[0]], "{kind:?}");
            for ((every, own), around) in every.iter().zip(&directions).zip(&around) {
                assert_eq!(*every, [&around[..], own, around].concat(), "{kind:?}");
            }
            let out = tensors(&|i| directions[i].clone());
            for (name, slopes) in &slopes {
                assert_near(&format!("{kind:?} {name}"), &narrow(&out[name]), slopes, 1e-5);
            }
        }
    }
}
