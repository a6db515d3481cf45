//! Twin of `softmax_tangent`: how the gradient of the mean cross-entropy at the logits changes with them.

pub fn softmax_tangent(logits: &[f64], change: &[f64], images: usize) -> Vec<f64> {
    let classes = logits.len() / images;
    let each = logits.chunks(classes).zip(change.chunks(classes));
    each.flat_map(|(logits, change)| {
        let sum: f64 = logits.iter().map(|z| z.exp()).sum();
        let p: Vec<_> = logits.iter().map(|z| z.exp() / sum).collect();
        let mean: f64 = p.iter().zip(change).map(|(p, c)| p * c).sum();
        let own = p.iter().zip(change).map(|(p, c)| p * (c - mean) / images as f64);
        own.collect::<Vec<_>>()
    })
    .collect()
}
