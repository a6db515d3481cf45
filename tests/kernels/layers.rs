//! Networks of layers in sizes that nobody published, against their twins: odd kernels, strides and paddings, channels
//! that no workgroup is full of, windows that overlap, and two residuals within one another.

use dm_wgpu::{
    Activation, Layer, Net, NormKind, PoolKind,
    testing::{self, DmCase, DmSession, Images, Row},
};

use crate::{
    common::{Rng, Tolerance, gpus, relative_error},
    golden::{
        engine::first_difference,
        network::{by_names, from_names},
        snapshots::{match_snapshots, match_snapshots_twin},
        vectors::{SnapshotsCase, SnapshotsStep},
    },
    images,
    reference::{
        Batch, Op,
        layers::{Tensors, Training, embed, measured},
        narrow, widen,
    },
};

fn conv(out: usize, kernel: usize, stride: usize, pad: usize, bias: bool) -> Layer {
    Layer::Conv { out, kernel, stride, pad, bias }
}

fn pool(kind: PoolKind, kernel: usize, stride: usize, pad: usize) -> Layer {
    Layer::Pool { kind, kernel, stride, pad }
}

fn norm(kind: NormKind) -> Layer {
    Layer::Norm(kind)
}

fn act(kind: Activation) -> Layer {
    Layer::Act { kind }
}

/// (channels, size, layers before the last, which are flattened).
pub fn networks() -> Vec<(usize, usize, Vec<Layer>)> {
    use Activation::{LeakyRelu, Relu, Sigmoid, Swish};
    let inner =
        Layer::Residual { body: vec![conv(5, 1, 1, 0, true), act(Sigmoid)], shortcut: vec![] };
    vec![
        (3, 13, vec![conv(5, 5, 2, 1, true), act(LeakyRelu), pool(PoolKind::Max, 3, 2, 1)]),
        (
            1,
            11,
            vec![
                conv(7, 3, 3, 2, false),
                norm(NormKind::Batch),
                act(Swish),
                conv(3, 1, 2, 0, true),
            ],
        ),
        (
            3,
            10,
            vec![
                conv(6, 4, 1, 0, true),
                norm(NormKind::Group { groups: 3 }),
                pool(PoolKind::Avg, 3, 2, 1),
                conv(2, 7, 3, 5, true),
                act(Sigmoid),
            ],
        ),
        (
            1,
            9,
            vec![
                conv(5, 3, 1, 1, true),
                norm(NormKind::Layer),
                act(Relu),
                Layer::Residual {
                    body: vec![conv(5, 3, 2, 1, false), norm(NormKind::Batch), inner],
                    shortcut: vec![pool(PoolKind::Avg, 1, 2, 0), norm(NormKind::Instance)],
                },
                act(LeakyRelu),
                pool(PoolKind::Max, 2, 1, 0),
            ],
        ),
        // Windows side by side that leave rows and columns over, with ReLU's zeros as equal values.
        (
            3,
            17,
            vec![
                conv(5, 3, 1, 1, true),
                act(Relu),
                pool(PoolKind::Max, 3, 3, 0),
                conv(4, 3, 1, 1, true),
                pool(PoolKind::Avg, 2, 2, 0),
                Layer::Residual { body: vec![], shortcut: vec![] },
            ],
        ),
        // Blocks of the fast kernels, and more after them.
        (
            3,
            16,
            vec![
                conv(8, 3, 1, 1, true),
                norm(NormKind::Instance),
                act(Relu),
                pool(PoolKind::Avg, 2, 2, 0),
                conv(8, 3, 1, 1, false),
                norm(NormKind::Batch),
                act(Relu),
                Layer::Residual { body: vec![], shortcut: vec![] },
            ],
        ),
        // Planes of a multiple of four values, which CPU adapters keep in textures, among some that they do not.
        (
            3,
            16,
            vec![
                conv(6, 3, 1, 1, true),
                norm(NormKind::Group { groups: 3 }),
                act(Swish),
                pool(PoolKind::Max, 2, 2, 0),
                conv(8, 5, 1, 2, false),
                norm(NormKind::Batch),
                act(LeakyRelu),
                Layer::Residual {
                    body: vec![
                        conv(8, 3, 1, 1, true),
                        norm(NormKind::Group { groups: 2 }),
                        act(Sigmoid),
                    ],
                    shortcut: vec![],
                },
                pool(PoolKind::Avg, 2, 2, 0),
                conv(7, 1, 1, 0, true),
                norm(NormKind::Layer),
            ],
        ),
        (
            1,
            24,
            vec![
                conv(5, 3, 2, 1, false),
                act(Relu),
                pool(PoolKind::Max, 2, 2, 0),
                conv(6, 2, 1, 1, false),
                conv(10, 4, 1, 0, false),
                norm(NormKind::Instance),
                act(Sigmoid),
            ],
        ),
        // The last linear layers read such planes.
        (3, 8, vec![conv(6, 3, 1, 1, true), act(Relu), pool(PoolKind::Max, 2, 2, 0)]),
        // A layer norm of one plane.
        (1, 6, vec![conv(1, 3, 1, 1, false), norm(NormKind::Layer), act(Relu)]),
        // Pools over whole planes.
        (
            3,
            8,
            vec![
                conv(8, 3, 1, 1, true),
                norm(NormKind::Instance),
                act(Relu),
                pool(PoolKind::Avg, 2, 2, 0),
                norm(NormKind::Batch),
                pool(PoolKind::Avg, 4, 4, 0),
            ],
        ),
        (3, 4, vec![conv(16, 3, 2, 1, false), act(Relu), pool(PoolKind::Max, 2, 2, 0)]),
        // Strides between planes of six rows, which end within a texel, and of three, whose taps are often beside them.
        (
            3,
            12,
            vec![
                conv(8, 3, 2, 1, false),
                norm(NormKind::Instance),
                act(Relu),
                conv(8, 3, 2, 1, true),
                norm(NormKind::Group { groups: 2 }),
                act(Relu),
                conv(6, 3, 1, 1, false),
                act(LeakyRelu),
            ],
        ),
    ]
}

pub fn net((channels, size, mut layers): (usize, usize, Vec<Layer>)) -> Net {
    layers.extend([
        Layer::Flatten,
        Layer::Linear { out: 6 },
        act(Activation::Swish),
        Layer::Linear { out: 4 },
    ]);
    Net::new(channels, size, layers).unwrap()
}

/// Values for each parameter; a running variance is positive.
pub fn parameters(rng: &mut Rng, net: &Net) -> Tensors {
    let mut tensors = Tensors::new();
    for ((path, what), len) in
        testing::net_parameters(net).into_iter().zip(testing::net_lengths(net))
    {
        let mut insert = |name: &str, len, of: &dyn Fn(f32) -> f32| {
            let values: Vec<_> = rng.normals(len).into_iter().map(of).collect();
            tensors.insert(format!("{path}.{name}"), widen(&values));
        };
        match what {
            "affine" => {
                insert("weight", len / 2, &|v| 1.0 + 0.2 * v);
                insert("bias", len / 2, &|v| 0.2 * v);
            }
            "running" => {
                insert("running_mean", len / 2, &|v| 0.2 * v);
                insert("running_var", len / 2, &|v| 1.0 + 0.5 * v.abs());
            }
            what => insert(what, len, &|v| 0.3 * v),
        }
    }
    tensors
}

/// As the twin needs them: the biases that a fast block leaves out are 0.
pub fn with_biases(net: &Net, tensors: &Tensors) -> Tensors {
    let mut all = tensors.clone();
    for (i, layer) in net.layers().iter().enumerate() {
        if let Layer::Conv { out, bias: true, .. } = layer {
            all.entry(format!("{i}.bias")).or_insert_with(|| vec![0.0; *out]);
        }
    }
    all
}

#[track_caller]
pub fn assert_near(what: &str, out: &[f32], reference: &[f64], limit: f64) {
    let error = relative_error(out, reference);
    assert!(error <= limit, "{what}: relative error {error:.1e}");
}

#[test]
fn networks_of_odd_sizes_train_as_their_twins() {
    let limit = Tolerance::GOLDEN;
    for (i, net) in networks().into_iter().map(net).enumerate() {
        let rng = &mut Rng(i as u64);
        let (x, labels) = (images(rng, 5, net.channels(), net.size()), [0, 3, 1, 2, 3]);
        let init = parameters(rng, &net);
        let mut twin = Training::new(with_biases(&net, &init));
        let steps = [(); 2].map(|()| twin.step(net.layers(), &Batch::from(&x), &labels, 0.05));
        for gpu in gpus() {
            let parts = if net.has_batch_norm() { vec![5] } else { vec![5, 2] };
            for part in parts {
                let init = from_names(&net, &init).unwrap();
                let beside = init.iter().map(|values| values.iter().map(|v| 0.5 * v).collect());
                let nets = [beside.collect(), init.clone()];
                let trained = testing::train_nets(gpu, &net, &nets, &x, &labels, part, 2, 0.05);
                let own = trained.unwrap().swap_remove(1);
                let what = |name: &str| {
                    format!("network {i}, {}, parts of {part}: {name}", gpu.kernels().name())
                };
                for (s, step) in steps.iter().enumerate() {
                    assert_near(&what("logits"), &own.logits[s], &step.logits, limit.values);
                }
                assert_near(&what("dx"), &own.d_images, &steps[0].dx, limit.gradients);
                let all = [(&own.gradients, &steps[0].gradients), (&own.params, &twin.params)];
                for (tensors, expected) in all {
                    for (name, values) in by_names(&net, tensors) {
                        assert_near(
                            &what(&name),
                            &narrow(&values),
                            &expected[&name],
                            limit.gradients,
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn embeddings_by_frozen_statistics_are_their_twins() {
    let limit = Tolerance::GOLDEN;
    for (i, net) in networks().into_iter().map(net).enumerate() {
        let rng = &mut Rng(10 + i as u64);
        let x = images(rng, 6, net.channels(), net.size());
        let params = parameters(rng, &net);
        // Three images share a row.
        let rows = rng.normals(2 * net.features());
        let each: Vec<_> = (0..6)
            .flat_map(|n| rows[n / 3 * net.features()..][..net.features()].to_vec())
            .collect();
        let (embedding, dx) =
            embed(net.layers(), &with_biases(&net, &params), &Batch::from(&x), &widen(&each));
        for gpu in gpus() {
            let own = from_names(&net, &params).unwrap();
            let out = testing::embed_net(gpu, &net, &own, &x, (&rows, 3)).unwrap();
            let what = |name: &str| format!("network {i}, {}: {name}", gpu.kernels().name());
            assert_near(&what("embedding"), &out.0, &embedding, limit.values);
            assert_near(&what("dx"), &out.1, &dx, limit.gradients);
        }
    }
}

#[test]
fn of_equal_values_a_pool_passes_its_gradient_to_the_first() {
    let even = vec![conv(4, 1, 1, 0, false), pool(PoolKind::Max, 2, 2, 0), conv(3, 1, 1, 0, false)];
    let odd = |kernel, stride| (11, vec![pool(PoolKind::Max, kernel, stride, 0)]);
    let whole = |size| {
        (
            size,
            vec![conv(8, 1, 1, 0, false), pool(PoolKind::Max, size, 1, 0), act(Activation::Swish)],
        )
    };
    for (size, layers) in [odd(2, 2), odd(3, 3), odd(3, 2), (12, even), whole(2), whole(4)] {
        let net = net((3, size, layers));
        let rng = &mut Rng(40);
        let mut x = images(rng, 4, 3, size);
        // Most windows have their largest value more than once.
        x.values.iter_mut().for_each(|value| *value = value.round());
        let (params, d) = (parameters(rng, &net), rng.normals(4 * net.features()));
        let batch = Batch::from(&x);
        let (_, dx) = embed(net.layers(), &with_biases(&net, &params), &batch, &widen(&d));
        for gpu in gpus() {
            let own = from_names(&net, &params).unwrap();
            let out = testing::embed_net(gpu, &net, &own, &x, (&d, 1)).unwrap();
            assert_near(&format!("planes of {size}"), &out.1, &dx, Tolerance::GOLDEN.gradients);
        }
    }
}

/// A step of distribution matching whose batch norms are frozen by real images of their own, in one chunk and in the
/// smallest ones.
#[test]
fn steps_by_frozen_batch_norms_are_their_twins() {
    let limit = Tolerance::GOLDEN;
    let (classes, ipc, batch_real, norm_images) = (2, 2, 3, 4);
    let nets = networks().into_iter().map(net).enumerate();
    for (i, net) in nets.filter(|(_, net)| net.has_batch_norm()) {
        let rng = &mut Rng(30 + i as u64);
        let mut draw = |n| images(rng, n, net.channels(), net.size());
        let (syn, norm) = (draw(classes * ipc), draw(norm_images));
        let real = draw(classes * batch_real);
        let params = parameters(rng, &net);
        let frozen = measured(net.layers(), &with_biases(&net, &params), &Batch::from(&norm));
        let features = net.features();
        let embedded = |x: &Images, d: &[f64]| embed(net.layers(), &frozen, &Batch::from(x), d);
        let mean = |x: &Images, class: usize, count: usize| -> Vec<f64> {
            let (all, _) = embedded(x, &vec![0.0; x.n * features]);
            let own = &all[class * count * features..][..count * features];
            (0..features)
                .map(|f| own.iter().skip(f).step_by(features).sum::<f64>() / count as f64)
                .collect()
        };
        let difference = |class| -> Vec<f64> {
            let (own, others) = (mean(&syn, class, ipc), mean(&real, class, batch_real));
            own.iter().zip(&others).map(|(own, other)| own - other).collect()
        };
        let differences: Vec<_> = (0..classes).map(difference).collect();
        let loss: f64 = differences.iter().flatten().map(|d| d * d).sum();
        let d_embedding: Vec<f64> = (0..classes * ipc)
            .flat_map(|n| differences[n / ipc].iter().map(|d| 2.0 * d / ipc as f64))
            .collect();
        let (_, grad) = embedded(&syn, &d_embedding);
        for gpu in gpus() {
            let (lr, factor, padding) = (1.0, 1, 0.0);
            let case = DmCase {
                net: net.clone(),
                classes,
                ipc,
                batch_real,
                norm_images,
                lr,
                factor,
                padding,
            };
            let step = |budget: u64| {
                let gpu = gpu.clone().with_memory_budget(budget);
                let own = from_names(&net, &params).unwrap();
                let rows = vec![Row::NONE; classes];
                DmSession::new(&gpu, &case, &syn.values)?.step(
                    &own,
                    &rows,
                    &real.values,
                    &norm.values,
                )
            };
            let out = step(64 << 20).unwrap();
            let what = |name: &str| format!("network {i}, {}: {name}", gpu.kernels().name());
            assert_near(&what("loss"), &[out.loss], &[loss], limit.values);
            assert_near(&what("grad"), &out.grad, &grad, limit.gradients);
            let mut budget = 1024;
            let least = loop {
                match step(budget) {
                    Err(error) if error.is_usage() => budget += budget / 8,
                    least => break least.unwrap(),
                }
            };
            assert_eq!(first_difference(&out, &least), None, "{}, {budget} bytes", what("bits"));
        }
    }
}

/// A step along a trajectory, where recognition reads the images that were embedded: in one chunk and in the smallest ones,
/// with augmentations in one pass and in two.
#[test]
fn snapshots_of_any_network_are_their_twins() {
    let limit = Tolerance::GOLDEN;
    let (classes, each, factor) = (4, 3, 2);
    let nets = networks().into_iter().map(net).enumerate();
    for (i, net) in nets.filter(|(_, net)| !net.has_batch_norm()) {
        let rng = &mut Rng(70 + i as u64);
        let shades = |rng: &mut Rng, n: usize| {
            let mut all = images(rng, n, net.channels(), net.size());
            all.values.iter_mut().for_each(|value| *value = (0.5 + 0.2 * *value).clamp(0.0, 1.0));
            all
        };
        let color = |contrast| Op::Color { brightness: 0.2, saturation: 1.5, contrast };
        let mut params = || with_biases(&net, &parameters(rng, &net));
        let step = SnapshotsStep {
            matching: params(),
            class: params(),
            ops: vec![
                vec![color(0.6), color(1.2), color(0.8), Op::None],
                vec![Op::Crop { y: 1, x: 0 }, Op::Cutout { y: 2, x: 3 }, Op::None, Op::Flip],
            ],
            real: shades(rng, classes * each),
            losses: vec![],
            grad: vec![],
            syn: vec![],
            velocity: vec![],
        };
        let case = SnapshotsCase {
            classes,
            ipc: 1,
            factor,
            alpha: 0.7,
            lr: 0.1,
            mean: vec![0.45; net.channels()],
            std: vec![0.25; net.channels()],
            joint: true,
            syn0: shades(rng, classes),
            steps: vec![step],
            net,
        };
        let twin = match_snapshots_twin(&case).remove(0);
        for gpu in gpus() {
            let out = match_snapshots(gpu, &case).unwrap().remove(0);
            let what = |name: &str| format!("network {i}, {}: {name}", gpu.kernels().name());
            assert_near(&what("losses"), &out.losses, &widen(&twin.losses), limit.values);
            assert_near(&what("grad"), &out.grad, &widen(&twin.grad), limit.gradients);
        }
    }
}

/// The twins, whose sizes go beyond those of the golden vectors, by the slope of the loss.
#[test]
fn gradients_of_the_twins_are_slopes() {
    for (i, net) in networks().into_iter().map(net).enumerate() {
        let rng = &mut Rng(20 + i as u64);
        let (x, labels) = (Batch::from(&images(rng, 4, net.channels(), net.size())), [3, 0, 1, 2]);
        let params = with_biases(&net, &parameters(rng, &net));
        let step = |x: &Batch, params: &Tensors| {
            Training::new(params.clone()).step(net.layers(), x, &labels, 0.0)
        };
        let own = step(&x, &params);
        let h = 1e-5;
        let moved = |values: &[f64], v: &[f32], h: f64| -> Vec<f64> {
            values.iter().zip(v).map(|(x, v)| x + h * f64::from(*v)).collect()
        };
        let check = |name: &str, gradient: &[f64], v: &[f32], ahead: f64, behind: f64| {
            let along: f64 = gradient.iter().zip(v).map(|(g, v)| g * f64::from(*v)).sum();
            let slope = (ahead - behind) / (2.0 * h);
            let scale = gradient.iter().map(|g| g * g).sum::<f64>().sqrt().max(1e-6);
            assert!((along - slope).abs() <= 1e-4 * scale, "network {i}, {name}: {along}, {slope}");
        };
        let v = rng.signs(x.values.len());
        let loss = |h| step(&x.with(moved(&x.values, &v, h)), &params).loss;
        check("images", &own.dx, &v, loss(h), loss(-h));
        for (name, gradient) in &own.gradients {
            let v = rng.signs(gradient.len());
            let loss = |h| {
                let mut params = params.clone();
                params.insert(name.clone(), moved(&params[name], &v, h));
                step(&x, &params).loss
            };
            check(name, gradient, &v, loss(h), loss(-h));
        }
    }
}
