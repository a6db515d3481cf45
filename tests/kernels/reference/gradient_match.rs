//! Twin of `gradient_rows`, `gradient_distance` and `gradient_direction`: how far two gradients are apart, and the gradient
//! of that at the second.

use std::collections::BTreeMap;

use dm_wgpu::{Distance, Layer, NormKind};

use super::layers::Tensors;

/// Rows of each parameter that has two dimensions or more, by name.
pub type Shapes = BTreeMap<String, usize>;

/// Of a list of layers on (channels, size) images: output channels of convolutions and linear layers, and channels of a layer
/// norm's weight and bias.
pub fn shapes(layers: &[Layer], (channels, _): (usize, usize)) -> Shapes {
    let mut shapes = Shapes::new();
    list("", layers, channels, &mut shapes);
    shapes
}

fn list(prefix: &str, layers: &[Layer], mut channels: usize, shapes: &mut Shapes) -> usize {
    for (i, layer) in layers.iter().enumerate() {
        let path = format!("{prefix}{i}");
        match layer {
            Layer::Conv { out, .. } | Layer::Linear { out } => {
                channels = *out;
                shapes.insert(format!("{path}.weight"), *out);
            }
            Layer::Norm(NormKind::Layer) => {
                shapes.insert(format!("{path}.weight"), channels);
                shapes.insert(format!("{path}.bias"), channels);
            }
            Layer::Residual { body, shortcut } => {
                list(&format!("{path}.shortcut."), shortcut, channels, shapes);
                channels = list(&format!("{path}.body."), body, channels, shapes);
            }
            _ => {}
        }
    }
    channels
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// 1 − cosine, and its gradient at b; a b of zero passes none.
fn one_minus_cosine(a: &[f64], b: &[f64]) -> (f64, Vec<f64>) {
    let (length_a, length_b) = (dot(a, a).sqrt(), dot(b, b).sqrt());
    let below = length_a * length_b + 1e-6;
    let cosine = dot(a, b) / below;
    let slope = |(a, b): (&f64, &f64)| match length_b {
        0.0 => 0.0,
        _ => cosine / below * length_a * b / length_b - a / below,
    };
    (1.0 - cosine, a.iter().zip(b).map(slope).collect())
}

pub fn distance(kind: Distance, shapes: &Shapes, a: &Tensors, b: &Tensors) -> (f64, Tensors) {
    let mut direction = Tensors::new();
    if kind == Distance::Ours {
        let mut sum = 0.0;
        for (name, &rows) in shapes {
            let (a, b) = (&a[name], &b[name]);
            let len = a.len() / rows;
            let each = a.chunks(len).zip(b.chunks(len)).map(|(a, b)| one_minus_cosine(a, b));
            let (distances, slopes): (Vec<_>, Vec<_>) = each.unzip();
            sum += distances.iter().sum::<f64>();
            direction.insert(name.clone(), slopes.concat());
        }
        return (sum, direction);
    }
    let all = |of: &Tensors| of.values().flatten().copied().collect::<Vec<_>>();
    let (whole_a, whole_b) = (all(a), all(b));
    let (d, slopes) = match kind {
        Distance::Mse => {
            let differences = whole_a.iter().zip(&whole_b).map(|(a, b)| b - a);
            let differences: Vec<_> = differences.collect();
            (dot(&differences, &differences), differences.iter().map(|d| 2.0 * d).collect())
        }
        _ => one_minus_cosine(&whole_a, &whole_b),
    };
    let mut rest = &slopes[..];
    for (name, values) in b {
        let (own, behind) = rest.split_at(values.len());
        direction.insert(name.clone(), own.to_vec());
        rest = behind;
    }
    (d, direction)
}
