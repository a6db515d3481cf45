//! What the doctor knows is what the f64 twins compute; right kernels pass, a wrong one is found.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    path::Path,
};

use dm_wgpu::{
    AdapterChoice, ConvNet, Gpu, Kernels,
    doctor::{
        self, Along, CASES, Case, GOLDEN, Layers, Match, Outcome, PROJECTIONS, Task, Training,
        projections,
    },
    testing, wgpu,
};

use crate::{
    common::{assert_close, device_of, gpus},
    golden::{
        gradients::match_gradients_twin,
        network::{by_names, by_names_of, from_names_of, values_of},
        snapshots::match_snapshots_twin,
        unrolled::distil_twin,
        vectors::{GradientsCase, GradientsStep, SnapshotsCase, SnapshotsStep, UnrollCase},
    },
    reference::{self, Batch, Op, Params, layers, widen, widen_all},
};

/// The rows of the case of augmentations, in the twins' words.
const OPS: [Op; 7] = [
    Op::None,
    Op::Color { brightness: 0.25, saturation: 1.5, contrast: 0.75 },
    Op::Crop { y: 3, x: -2 },
    Op::Cutout { y: 9, x: 20 },
    Op::Flip,
    Op::Scale { x: 1.125, y: 0.875 },
    Op::Rotate(0.125),
];

/// A ReLU nearer to its kink than this, rounding could switch, and the gradient jumps.
const KINK: f64 = 8e-6;

#[track_caller]
fn assert_no_kink(case: &Case, distance: f64) {
    assert!(distance > KINK, "{}: a ReLU is {distance:.1e} from its kink: draw others", case.name);
}

/// What a case results in, by the twins.
fn twins(case: &Case) -> Vec<(&'static str, Vec<f64>)> {
    match case.task().unwrap() {
        Task::Weights(net, seed, iteration) => {
            let weights = reference::random_weights(&net, seed, iteration);
            vec![("weights", widen(&weights.concat()))]
        }
        Task::Augment(pixels, mean, std, x, dy, rows) => {
            assert_eq!(rows, OPS.map(testing::Row::from));
            let (means, stds) = (vec![mean; x.channels], vec![std; x.channels]);
            let pixels = reference::normalise(&pixels, x.channels, x.size, &means, &stds);
            vec![
                ("pixels", reference::augment_forward(&pixels, &OPS).values),
                ("images", reference::augment_forward(&(&x).into(), &OPS).values),
                ("gradient", reference::augment_backward(&(&dy).into(), &OPS).values),
            ]
        }
        Task::Embed(net, weights, x, d_embedding) => {
            let weights = widen_all(&weights);
            let trace = reference::embed_forward(&net, &weights, &(&x).into());
            assert_no_kink(case, trace.kink_distance());
            let dx = reference::embed_backward(&net, &weights, &trace, &widen(&d_embedding));
            let embedding = trace.embedding().to_vec();
            vec![
                ("embedding", embedding.clone()),
                ("kept embedding", embedding),
                ("gradient", dx.values),
            ]
        }
        Task::Step(settings, syn, weights, rows, real) => {
            let ops = [Op::Rotate(0.125), Op::Crop { y: 3, x: -2 }];
            assert_eq!(rows, ops.map(testing::Row::from));
            let mut syn = Batch::new(widen(&syn), settings.classes * settings.ipc, 3, 32);
            let mut velocity = vec![0.0; syn.values.len()];
            let (channels, size) = (settings.net.channels(), settings.net.size());
            let width = weights[0].len() / (9 * channels);
            let result = reference::DmStep {
                net: &ConvNet::new(channels, size, width, weights.len()).unwrap(),
                weights: &widen_all(&weights),
                ops: &ops,
                real: &(&real).into(),
                real_counts: &vec![settings.batch_real; settings.classes],
                ipc: settings.ipc,
            }
            .take(&mut syn, &mut velocity, settings.lr.into());
            assert_no_kink(case, result.kink_distance);
            vec![
                ("loss", vec![result.loss]),
                ("gradient", result.grad.values),
                ("images", syn.values),
            ]
        }
        Task::Train(Training { net, init, x, labels, steps, lr }) => {
            let x = Batch::from(&x);
            let mut training = reference::Training::new(Params::from(&init));
            let mut step = || training.step(&net, &x, &labels, lr.into());
            let results: Vec<_> = (0..steps).map(|_| step()).collect();
            results.iter().for_each(|step| assert_no_kink(case, step.kink_distance));
            let gradients = &results[0].gradients;
            let convs =
                (0..net.depth()).map(|d| gradients.get(&format!("conv{d}.weight")).to_vec());
            vec![
                ("logits of a test", results[0].logits.clone()),
                ("logits", results[0].logits.clone()),
                ("gradients", convs.collect::<Vec<_>>().concat()),
                ("logits after a step", results[steps - 1].logits.clone()),
            ]
        }
        Task::Layers(Layers { net, init, x, labels, d_embedding }) => {
            let (list, x, params) = (net.layers(), Batch::from(&x), by_names(&net, &init));
            let rows = widen(&d_embedding).repeat(x.n);
            let (embedding, d_images) = layers::embed(list, &params, &x, &rows);
            let tested = layers::evaluate(list, &params, &x);
            let mut training = layers::Training::new(params);
            let step = training.step(list, &x, &labels, 0.05);
            training.step(list, &x, &labels, 0.05);
            vec![
                ("embedding", embedding),
                ("gradient at the images", d_images),
                ("logits of a test", tested),
                ("logits", step.logits),
                ("gradients", values_of(&net, &step.gradients, false)),
                ("gradient of the loss at the images", step.dx),
                ("parameters after two steps", values_of(&net, &training.params, true)),
            ]
        }
        Task::Match(given) => match_twins(&given),
        Task::Distil(given) => distil_twins(&given),
        Task::Along(given) => along_twins(&given),
    }
}

/// A step along a trajectory by the twins, and images that are mixed.
fn along_twins(given: &Along) -> Vec<(&'static str, Vec<f64>)> {
    let Along { case, syn, snapshots: [matching, class], rows, real, boxes, others } = given;
    let ops = vec![
        vec![
            Op::Color { brightness: 0.25, saturation: 1.5, contrast: 0.75 },
            Op::Color { brightness: -0.5, saturation: 0.5, contrast: 1.25 },
        ],
        vec![Op::Crop { y: 1, x: -1 }, Op::Cutout { y: 3, x: 8 }],
        vec![Op::None, Op::Flip],
        vec![Op::Scale { x: 1.125, y: 0.875 }, Op::Rotate(0.125)],
    ];
    // One pass makes the first three.
    let row = |at: usize, class: usize| testing::Row::from(ops[at][class]);
    let first = |class| row(0, class).then(row(1, class)).then(row(2, class));
    assert_eq!(*rows, [first(0), first(1), row(3, 0), row(3, 1)]);
    let (mean, std) = (case.mean[0], case.std[0]);
    let raw = |images: &testing::Images| testing::Images {
        values: images.values.iter().map(|value| value * std + mean).collect(),
        ..*images
    };
    let step = SnapshotsStep {
        matching: by_names(&case.net, matching),
        class: by_names(&case.net, class),
        ops,
        real: raw(real),
        losses: vec![],
        grad: vec![],
        syn: vec![],
        velocity: vec![],
    };
    let left = match_snapshots_twin(&SnapshotsCase {
        net: case.net.clone(),
        classes: case.classes,
        ipc: case.ipc,
        factor: case.factor,
        alpha: case.alpha,
        lr: case.lr,
        mean: case.mean.clone(),
        std: case.std.clone(),
        joint: true,
        syn0: raw(syn),
        steps: vec![step],
    });
    let (mean, std) = (f64::from(mean), f64::from(std));
    let boxes: Vec<_> = boxes.iter().map(|cut| cut.map(|end| end as usize)).collect();
    vec![
        ("losses", widen(&left[0].losses)),
        ("gradient", left[0].grad.iter().map(|g| f64::from(*g) * std).collect()),
        ("images", left[0].syn.iter().map(|x| (f64::from(*x) - mean) / std).collect()),
        ("mixed", reference::cutmix::cutmix(&real.into(), &others.into(), &boxes).values),
    ]
}

/// Dataset distillation by the twins, after whose training Adam takes its first step.
fn distil_twins(given: &testing::UnrollCase) -> Vec<(&'static str, Vec<f64>)> {
    let names = testing::net_parameters_apart(&given.net).unwrap();
    let layer = |role: &str, len: usize| -> f64 {
        match (role, len) {
            ("weight", 36) => 1.0 / (9.0 + 36.0),
            ("weight", 144) => 1.0 / (36.0 + 36.0),
            ("weight", 128) => 1.0 / (64.0 + 2.0),
            _ => 0.0,
        }
    };
    let drawn = names.iter().zip(&given.init).enumerate().flat_map(|(number, ((_, role), own))| {
        let deviation = (2.0 * layer(role, own.len())).sqrt();
        let value = move |i| deviation * reference::normal(5, i, number as u32, 3, 14);
        (0..own.len() as u32).map(value)
    });
    let case = UnrollCase {
        net: given.net.clone(),
        init: by_names_of(&names, &given.init),
        data: given.data.clone(),
        labels: given.labels.clone(),
        steps: given.steps,
        raw: given.raw.clone(),
        real: given.real.clone(),
        inner_losses: vec![],
        loss: 0.0,
        trained: layers::Tensors::new(),
        d_data: vec![],
        d_raw: vec![],
    };
    let out = distil_twin(&case);
    let (lr, first, second) = given.adam;
    let rates = (lr.into(), first.into(), second.into());
    let moved = |values: &[f32], gradient: &[f64]| {
        let zeros = vec![0.0; values.len()];
        reference::adam([&widen(values), &zeros, &zeros], gradient, rates, 1)[0].clone()
    };
    let (images, raw) = (moved(&given.data.values, &out.d_data), moved(&given.raw, &out.d_raw));
    vec![
        ("drawn weights", drawn.collect()),
        (
            "parameters after the training",
            widen(&from_names_of(&names, &out.trained).unwrap().concat()),
        ),
        ("losses", out.losses),
        ("gradient at the images", out.d_data),
        ("gradient at the rates", out.d_raw),
        ("images", images),
        ("rates", raw),
    ]
}

/// Gradient matching by the twins. What changes along the direction is a difference, so small that it is exact enough.
fn match_twins(
    Match { case, init, direction, syn, input }: &Match,
) -> Vec<(&'static str, Vec<f64>)> {
    let ops = [[Op::Scale { x: 1.125, y: 0.875 }, Op::None], [Op::Flip, Op::Crop { y: 1, x: -2 }]];
    let trained = [Op::Rotate(0.125), Op::Cutout { y: 9, x: 4 }];
    assert_eq!(input.inner, [trained.map(testing::Row::from)]);
    let names = testing::net_parameters_apart(&case.net).unwrap();
    // The twin's convolutions before an instance norm have a bias, of which nothing comes.
    let with_bias = |values: &[Vec<f32>]| {
        let mut all = by_names_of(&names, values);
        all.insert("3.body.0.bias".into(), vec![0.0; 4]);
        all
    };
    let step = |(s, (rows, real)): (usize, &(Vec<testing::Row>, Vec<f32>))| {
        assert_eq!(*rows, ops[s].map(testing::Row::from));
        let n = case.batch_real * case.labels.len();
        GradientsStep {
            ops: ops[s].to_vec(),
            real: testing::Images { values: real.clone(), n, ..*syn },
            norm: None,
            distances: vec![],
            grad: vec![],
            moved: None,
            inner: if s == 0 { vec![(trained.to_vec(), 0.0)] } else { vec![] },
            trained: layers::Tensors::new(),
        }
    };
    let run = GradientsCase {
        net: case.net.clone(),
        init: with_bias(init),
        labels: case.labels.clone(),
        ipc: case.counts[0],
        distance: case.distance,
        rates: case.rates,
        lr_net: case.lr_net,
        inner: case.inner as usize,
        syn0: syn.clone(),
        steps: input.steps.iter().enumerate().map(step).collect(),
    };
    let last = match_gradients_twin(&run).pop().unwrap();
    let own = |tensors: &layers::Tensors| widen(&from_names_of(&names, tensors).unwrap().concat());
    let (params, way) = (with_bias(init), with_bias(direction));
    let h = 1e-6;
    let at = |h: f64| {
        let mut moved = params.clone();
        for (name, values) in &mut moved {
            values.iter_mut().zip(&way[name]).for_each(|(p, v)| *p += h * v);
        }
        let x = Batch::from(syn);
        layers::Training::new(moved).step(case.net.layers(), &x, &case.labels, 0.0)
    };
    let (ahead, behind) = (at(h), at(-h));
    let slope = |a: &[f64], b: &[f64]| -> Vec<f64> {
        a.iter().zip(b).map(|(a, b)| (a - b) / (2.0 * h)).collect()
    };
    let changes =
        ahead.gradients.iter().map(|(name, a)| (name.clone(), slope(a, &behind.gradients[name])));
    vec![
        ("distances", widen(&last.distances)),
        ("gradient", widen(&last.grad)),
        ("images", widen(&last.syn)),
        ("parameters after a step", own(&last.net)),
        ("change of the gradient at the images", slope(&ahead.dx, &behind.dx)),
        ("changes of the gradients", own(&changes.collect())),
    ]
}

/// With `DM_WGPU_WRITE_GOLDEN=1` the file is written instead.
#[test]
fn known_answers_are_those_of_the_twins() {
    let mut computed = BTreeMap::new();
    for case in &CASES {
        for (what, values) in twins(case) {
            let before = computed.insert(format!("{}, {what}", case.name), projections(&values));
            assert!(before.is_none(), "two results of one name");
        }
    }
    if std::env::var_os("DM_WGPU_WRITE_GOLDEN").is_some() {
        let mut text = String::from("{");
        for (number, (what, sums)) in computed.iter().enumerate() {
            let sums: Vec<_> = sums.iter().map(|sum| format!("{sum:.9e}")).collect();
            let comma = if number == 0 { "" } else { "," };
            write!(text, "{comma}\n  \"{what}\": [{}]", sums.join(", ")).unwrap();
        }
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/doctor/golden.json");
        return std::fs::write(path, text + "\n}\n").unwrap();
    }
    let known: BTreeMap<String, [f64; PROJECTIONS]> = serde_json::from_str(GOLDEN).unwrap();
    let names = |of: &BTreeMap<String, _>| of.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&known), names(&computed));
    for (what, sums) in &computed {
        assert_close(what, &known[what], sums, 1e-7);
    }
}

#[test]
fn correct_kernels_pass() {
    for gpu in gpus() {
        let found = doctor::check_blocking(gpu);
        assert_eq!(found.name, gpu.kernels().name());
        assert_eq!(found.outcome, Outcome::Right, "{:#?}", found.checks);
        let worst = found.checks.iter().map(|c| c.error.unwrap() / c.tolerance).fold(0.0, f64::max);
        println!("{}: {worst:.1e} of what is allowed, {:.1} s", found.name, found.seconds);
        // So close that a kernel which is a little wrong is not taken for rounding.
        assert!(worst < 0.2, "{:#?}", found.checks);
    }
}

/// What other layers need around the convolutions of families that have such.
const AROUND: [&str; 2] = ["layers/halo", "layers/bias"];

/// Of the family lanes, with planes in textures.
const TEXELS: [&str; 31] = [
    "augment_read_cpu",
    "image_mean_cpu",
    "augment_forward_cpu",
    "augment_backward_cpu",
    "block_cpu_lanes",
    "first_block_cpu_lanes",
    "first_block_backward_cpu_lanes",
    "first_block_weight_cpu_lanes",
    "norm_backward_cpu",
    "norm_forward_cpu",
    "weight_gradient_cpu_lanes",
    "pack_winograd",
    "pack_taps",
    "product_cpu_lanes",
    "product_weight_cpu_lanes",
    "from_texels",
    "to_texels",
    "to_positions",
    "texels_to_positions",
    "layers/cpu/act_backward",
    "layers/cpu/act_forward",
    "layers/cpu/conv_backward_bias",
    "layers/cpu/norm_backward_data",
    "layers/cpu/norm_backward_sums",
    "layers/cpu/norm_forward",
    "layers/cpu/norm_statistics",
    "layers/cpu/pool_backward",
    "layers/cpu/pool_forward",
    "layers/cpu/pool_plane_backward",
    "layers/cpu/pool_plane_forward",
    "layers/cpu/sum",
];

/// Beside those of no run's computation. What belongs to lanes depends on how many there are.
#[test]
fn every_kernel_is_checked() {
    let idle = ["philox", "picture", "copy", "multiply_add"];
    for gpu in gpus() {
        let kernels = gpu.kernels();
        let choice = AdapterChoice::default().kernels(Some(kernels));
        let fresh = Gpu::headless_blocking(&choice).unwrap();
        doctor::check_blocking(&fresh);
        let used = testing::used(&fresh);
        let all = testing::shaders();
        let of_family = |name: &&str| match kernels {
            Kernels::Tiles => name.ends_with("_tiles") || AROUND.contains(name),
            Kernels::Plain => {
                let others = ["_tiles", "_matrices", "pack_weights"];
                let elsewhere = TEXELS.contains(name) || AROUND.contains(name);
                !others.iter().any(|end| name.ends_with(end)) && !elsewhere
            }
            _ => TEXELS.contains(name),
        };
        let names = all.iter().filter_map(|shader| shader.name.split(' ').next());
        let unused: BTreeSet<_> = names
            .filter(of_family)
            .filter(|name| !idle.contains(name) && !used.iter().any(|used| used == name))
            .collect();
        assert!(unused.is_empty(), "{}: {unused:?}", kernels.name());
    }
}

/// One tap of nine is left out, as by a compiler that gets a loop wrong.
#[test]
fn a_wrong_kernel_is_found() {
    let gpu = device_of(wgpu::Limits::default()).with_kernels(Kernels::Plain).unwrap();
    let altered = testing::spoil(&gpu, "conv ", |wgsl| wgsl.replace("tap < 9u", "tap < 8u"));
    assert_eq!(altered, 2, "both directions");
    let found = doctor::check_blocking(&gpu);
    assert_eq!(found.outcome, Outcome::Wrong);
    let wrong: Vec<_> = found.checks.iter().filter(|c| !c.right).map(|c| c.what.as_str()).collect();
    for (what, is_wrong) in [
        ("network 3×32×32, embedding", true),
        ("network 1×28×28, gradient", true),
        ("step, loss", true),
        ("training, logits", true),
        ("drawn weights, weights", false),
        ("augmentation, images", false),
    ] {
        assert_eq!(wrong.contains(&what), is_wrong, "{what}: {:#?}", found.checks);
    }
    // The other family does without it.
    let tiles = gpu.with_kernels(Kernels::Tiles).unwrap();
    assert_eq!(doctor::check_blocking(&tiles).outcome, Outcome::Right);
}

#[test]
fn nan_counts_as_wrong() {
    let gpu = device_of(wgpu::Limits::default());
    let nan = |wgsl: &str| {
        wgsl.replace(
            "losses[k] = loss",
            "losses[k] = loss * bitcast<f32>(0x7fc00000u | params.features)",
        )
    };
    assert!(testing::spoil(&gpu, "mean_difference ", nan) > 0);
    let found = doctor::check_blocking(&gpu);
    let loss = found.checks.iter().find(|check| check.what == "step, loss").unwrap();
    assert!(!loss.right && loss.error.is_none(), "{loss:?}");
    assert_eq!(found.outcome, Outcome::Wrong);
}

#[test]
fn a_lost_device_is_reported_as_failed() {
    let lost = Gpu::headless_blocking(&AdapterChoice::default()).unwrap();
    lost.device().destroy();
    let found = doctor::check_blocking(&lost);
    assert!(matches!(found.outcome, Outcome::Failed { .. }), "{:?}", found.outcome);
}

#[test]
fn an_adapter_is_examined_in_every_variant() {
    let mut begun = Vec::new();
    let mut begin = |what: &str| begun.push(what.to_owned());
    let found = doctor::examine_blocking(&AdapterChoice::default(), &mut begin).unwrap();
    assert_eq!(begun, ["opening", "plain", "lanes", "tiles", "f16", "speed"]);
    assert!(found.is_sound(), "{found:#?}");
    let names: Vec<_> = found.variants.iter().map(|variant| variant.name.as_str()).collect();
    assert_eq!(names, ["plain", "lanes", "tiles", "f16"]);
    assert_eq!(found.variants.iter().filter(|variant| variant.default).count(), 1);
    let unknown = AdapterChoice::default().adapter(Some("no such".into()));
    assert!(doctor::examine_blocking(&unknown, &mut |_| {}).unwrap_err().is_usage());
}
