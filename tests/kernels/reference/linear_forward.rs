//! Twin of `linear_forward`: the classifier's last layer.

/// logits (N, classes) = `embeddings` (N, features) · `weight`ᵀ + `bias`; weight: (classes, features).
pub fn linear_forward(embeddings: &[f64], weight: &[f64], bias: &[f64]) -> Vec<f64> {
    let features = weight.len() / bias.len();
    let mut logits = Vec::new();
    for embedding in embeddings.chunks(features) {
        for (weight, bias) in weight.chunks(features).zip(bias) {
            logits.push(embedding.iter().zip(weight).map(|(e, w)| e * w).sum::<f64>() + bias);
        }
    }
    logits
}
