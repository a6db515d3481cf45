//! Twin of `softmax_cross_entropy`: the classifier's loss and its gradient at the logits.

/// Each image's cross-entropy, and the gradient of their mean at the logits (N, classes).
pub fn softmax_cross_entropy(logits: &[f64], labels: &[u32]) -> (Vec<f64>, Vec<f64>) {
    let (images, classes) = (labels.len(), logits.len() / labels.len());
    let (mut losses, mut d_logits) = (Vec::new(), Vec::new());
    for (logits, label) in logits.chunks(classes).zip(labels) {
        let label = *label as usize;
        let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = logits.iter().map(|z| (z - largest).exp()).sum();
        let log_sum = largest + sum.ln();
        losses.push(log_sum - logits[label]);
        for (k, z) in logits.iter().enumerate() {
            let wanted = if k == label { 1.0 } else { 0.0 };
            d_logits.push(((z - log_sum).exp() - wanted) / images as f64);
        }
    }
    (losses, d_logits)
}
