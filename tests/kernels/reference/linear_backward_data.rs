//! Twin of `linear_backward_data`: the last layer's gradient at the embeddings.

/// (N, features) from `d_logits` (N, classes) and `weight` (classes, features).
pub fn linear_backward_data(d_logits: &[f64], weight: &[f64], classes: usize) -> Vec<f64> {
    let features = weight.len() / classes;
    let mut d_embeddings = Vec::new();
    for d_logits in d_logits.chunks(classes) {
        for f in 0..features {
            d_embeddings.push((0..classes).map(|k| d_logits[k] * weight[k * features + f]).sum());
        }
    }
    d_embeddings
}
