//! `case=network` by the GPU, by the twins, and how their results are compared.

use dm_wgpu::{
    Architecture, Gpu, Kernels, Layer, Net, NormKind,
    testing::{self, NetTrained},
};

use serde_json::Value;

use super::vectors::{Case, NetworkCase, Result, Vectors};
use crate::reference::{
    Batch,
    layers::{Tensors, Training, evaluate},
    narrow, widen,
};

/// What training left of a network; parameters by their names in golden vectors.
pub struct Network {
    pub logits: Vec<Vec<f32>>,
    pub losses: Vec<f32>,
    pub gradients: Tensors,
    pub dx: Vec<f32>,
    pub last: Tensors,
    pub eval_logits: Vec<f32>,
}

pub fn train_network_twin(case: &NetworkCase) -> Network {
    let (layers, x) = (case.net.layers(), Batch::from(&case.x));
    let mut training = Training::new(case.init.clone());
    let mut step = || training.step(layers, &x, &case.labels, case.lr.into());
    let steps: Vec<_> = (0..case.losses.len()).map(|_| step()).collect();
    let eval_logits = evaluate(layers, &training.params, &(&case.eval_x).into());
    Network {
        logits: steps.iter().map(|step| narrow(&step.logits)).collect(),
        losses: steps.iter().map(|step| step.loss as f32).collect(),
        gradients: steps[0].gradients.clone(),
        dx: narrow(&steps[0].dx),
        last: training.params,
        eval_logits: narrow(&eval_logits),
    }
}

/// The batch in one piece and, where images do not depend on one another, in parts of which the last is smaller; each
/// time alone, and beside another network, which must not change a bit. Families of kernels differ in blocks at the
/// beginning and in convolutions 3×3, which classifiers go through all these ways in each: others than tiles go one way.
pub fn train_network(gpu: &Gpu, case: &NetworkCase) -> Result<Vec<(String, Network)>> {
    let NetworkCase { net, x, labels, lr, losses, .. } = case;
    let init = from_names(net, &case.init)?;
    let larger = |tensor: &Vec<f32>| tensor.iter().map(|v| 1.5 * v).collect();
    let other: Vec<_> = init.iter().map(larger).collect();
    let train = |init: &[Vec<Vec<f32>>], part| {
        let trained = testing::train_nets(gpu, net, init, x, labels, part, losses.len(), *lr);
        trained.map_err(|e| e.to_string())
    };
    let all = gpu.kernels() == Kernels::Tiles;
    let uneven = (2..x.n).find(|part| all && !net.has_batch_norm() && !x.n.is_multiple_of(*part));
    let mut ways = Vec::new();
    for part in [Some(x.n), uneven].into_iter().flatten() {
        let both = train(&[other.clone(), init.clone()], part)?.swap_remove(1);
        if all {
            let alone = train(std::slice::from_ref(&init), part)?.swap_remove(0);
            if let Some(what) = difference(&alone, &both) {
                return Err(format!("in parts of {part}, another network changes the {what}"));
            }
        }
        let last = [other.clone(), both.params.clone()];
        let logits = testing::classify_nets(gpu, net, &last, &case.eval_x);
        let network = Network {
            gradients: by_names(net, &both.gradients),
            last: by_names(net, &both.params),
            logits: both.logits,
            losses: both.losses,
            dx: both.d_images,
            eval_logits: logits.map_err(|e| e.to_string())?.swap_remove(1),
        };
        ways.push((format!("in parts of {part}"), network));
    }
    Ok(ways)
}

fn difference(a: &NetTrained, b: &NetTrained) -> Option<&'static str> {
    let same = [
        ("logits", a.logits == b.logits),
        ("losses", a.losses == b.losses),
        ("gradients", a.gradients == b.gradients),
        ("gradient at the images", a.d_images == b.d_images),
        ("parameters", a.params == b.params),
    ];
    same.into_iter().find(|(_, same)| !same).map(|(what, _)| what)
}

/// What golden vectors call the two halves of a parameter's pairs.
fn halves(what: &str) -> Option<[&'static str; 2]> {
    match what {
        "affine" => Some(["weight", "bias"]),
        "running" => Some(["running_mean", "running_var"]),
        _ => None,
    }
}

pub fn from_names(net: &Net, tensors: &Tensors) -> Result<Vec<Vec<f32>>> {
    from_names_of(&testing::net_parameters(net), tensors)
}

/// The values of these parameters: the path of each one's layer, and what it is.
pub fn from_names_of(names: &Names, tensors: &Tensors) -> Result<Vec<Vec<f32>>> {
    names.iter().map(|(path, what)| Ok(narrow(&in_order(tensors, path, what)?))).collect()
}

type Names = [(String, &'static str)];

/// One parameter's values as the library has them.
fn in_order(tensors: &Tensors, path: &str, what: &str) -> Result<Vec<f64>> {
    let get = |name: &str| {
        tensors.get(&format!("{path}.{name}")).ok_or(format!("holds no {path}.{name}"))
    };
    match halves(what) {
        None => get(what).cloned(),
        Some([a, b]) => Ok(get(a)?.iter().zip(get(b)?).flat_map(|(&a, &b)| [a, b]).collect()),
    }
}

/// The values of all parameters, or of those that have a gradient, in the library's order.
pub fn values_of(net: &Net, tensors: &Tensors, running: bool) -> Vec<f64> {
    let wanted = testing::net_parameters(net).into_iter().filter(|p| running || p.1 != "running");
    wanted.flat_map(|(path, what)| in_order(tensors, &path, what).unwrap()).collect()
}

pub fn by_names(net: &Net, tensors: &[Vec<f32>]) -> Tensors {
    by_names_of(&testing::net_parameters(net), tensors)
}

pub fn by_names_of(names: &Names, tensors: &[Vec<f32>]) -> Tensors {
    let mut named = Tensors::new();
    for ((path, what), values) in names.iter().zip(tensors) {
        // What has no gradient leaves none.
        if values.is_empty() {
            continue;
        }
        let mut insert =
            |name: &str, values: Vec<f64>| named.insert(format!("{path}.{name}"), values);
        match halves(what) {
            None => drop(insert(what, widen(values))),
            Some(names) => {
                let (a, b) = values.chunks(2).map(|pair| (pair[0], pair[1])).unzip();
                let [a, b]: [Vec<f32>; 2] = [a, b];
                names
                    .into_iter()
                    .zip([a, b])
                    .for_each(|(name, half)| drop(insert(name, widen(&half))));
            }
        }
    }
    named
}

/// Whether a parameter is the bias of a convolution that the instance norm right after it cancels.
pub fn is_cancelled(net: &Net, name: &str) -> bool {
    let number = name.strip_suffix(".bias").and_then(|path| path.parse::<usize>().ok());
    number.is_some_and(|number| {
        let after = (net.layers().get(number), net.layers().get(number + 1));
        matches!(after, (Some(Layer::Conv { .. }), Some(Layer::Norm(NormKind::Instance))))
    })
}

/// The networks that the library has by name are those of the vectors, but for their widths.
#[test]
fn named_networks_are_those_of_the_vectors() {
    let mut compared = 0;
    for path in
        super::harness::folders().iter().flat_map(|folder| std::fs::read_dir(folder).unwrap())
    {
        let path = path.unwrap().path();
        let Ok(Case::Network(case)) = Vectors::read(&path).and_then(|vectors| vectors.case())
        else {
            continue;
        };
        let arch = Vectors::read(&path).unwrap().arch().unwrap();
        let name = match arch.strip_prefix("ConvNet") {
            Some(own) => {
                let options = [
                    ("NN", "norm=none"),
                    ("BN", "norm=batch"),
                    ("LN", "norm=layer"),
                    ("GN", "norm=group"),
                    ("ASwishBN", "norm=batch:act=swish"),
                    ("ASwish", "act=swish"),
                    ("AS", "act=sigmoid"),
                    ("AL", "act=leaky_relu"),
                    ("NP", "pool=none"),
                    ("MP", "pool=max"),
                    ("", ""),
                ];
                let (_, option) = options.iter().find(|(short, _)| *short == own).unwrap();
                format!("convnet:{option}")
            }
            None => arch.to_lowercase().replace("bn", "-bn").replace("_ap", "-ap"),
        };
        let convs = case.net.layers().iter().filter(|layer| matches!(layer, Layer::Conv { .. }));
        let architecture: Architecture = name.parse().unwrap();
        let images = (case.net.channels(), case.net.size());
        let named = architecture.net(images, case.net.classes(), (8, convs.count().clamp(1, 5)));
        let kinds = |net: &Net| without_widths(&serde_json::to_value(net.layers()).unwrap());
        assert_eq!(kinds(&named.unwrap()), kinds(&case.net), "{}", path.display());
        compared += 1;
    }
    assert!(compared > 0);
}

fn without_widths(layers: &Value) -> Value {
    match layers {
        Value::Array(list) => list.iter().map(without_widths).collect(),
        Value::Object(layer) => {
            let kept = layer.iter().filter(|(key, _)| *key != "out");
            kept.map(|(key, value)| (key.clone(), without_widths(value))).collect()
        }
        other => other.clone(),
    }
}
