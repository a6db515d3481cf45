//! Twin of `linear_backward_weight`: the last layer's gradient at its weight.

/// (classes, features) from `d_logits` (N, classes) and `embeddings` (N, features), summed over N.
pub fn linear_backward_weight(d_logits: &[f64], embeddings: &[f64], classes: usize) -> Vec<f64> {
    let images = d_logits.len() / classes;
    let features = embeddings.len() / images;
    let mut d_weight = vec![0.0; classes * features];
    for n in 0..images {
        for k in 0..classes {
            for f in 0..features {
                d_weight[k * features + f] +=
                    d_logits[n * classes + k] * embeddings[n * features + f];
            }
        }
    }
    d_weight
}
