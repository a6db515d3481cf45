//! CutMix: a box from another image, and the loss with both labels.

use super::{Batch, softmax_cross_entropy};

/// [r0, r1, c0, c1] about a centre (row, column), and the share that is left of the image.
pub fn cut_box(size: usize, beta: f64, center: [usize; 2]) -> ([usize; 4], f64) {
    let side = (size as f64 * (1.0 - beta).sqrt()).floor() as i64;
    let ends = |at: usize| {
        [at as i64 - side / 2, at as i64 + side / 2].map(|end| end.clamp(0, size as i64) as usize)
    };
    let ([r0, r1], [c0, c1]) = (ends(center[0]), ends(center[1]));
    ([r0, r1, c0, c1], 1.0 - ((r1 - r0) * (c1 - c0)) as f64 / (size * size) as f64)
}

/// x, with each image's box from the image at its place in `others`.
pub fn cutmix(x: &Batch, others: &Batch, boxes: &[[usize; 4]]) -> Batch {
    let mut y = x.clone();
    for (n, [r0, r1, c0, c1]) in boxes.iter().enumerate() {
        for c in 0..x.channels {
            for (row, column) in (*r0..*r1).flat_map(|row| (*c0..*c1).map(move |q| (row, q))) {
                *y.at_mut(n, c, row, column) = others.at(n, c, row, column);
            }
        }
    }
    y
}

/// `weight` times each image's cross-entropy with its labels (one, other, share of the one), and the gradient.
pub fn mixed_cross_entropy(
    logits: &[f64],
    labels: &[(u32, u32, f64)],
    weight: f64,
) -> (Vec<f64>, Vec<f64>) {
    let classes = logits.len() / labels.len();
    let (mut losses, mut gradient) = (vec![], vec![]);
    for (logits, (one, other, share)) in logits.chunks(classes).zip(labels) {
        let [(first, d_first), (second, d_second)] =
            [one, other].map(|label| softmax_cross_entropy(logits, &[*label]));
        losses.push(weight * (share * first[0] + (1.0 - share) * second[0]));
        let both = d_first.iter().zip(&d_second);
        gradient.extend(both.map(|(a, b)| weight * (share * a + (1.0 - share) * b)));
    }
    (losses, gradient)
}
