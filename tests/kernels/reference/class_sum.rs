//! Twin of `class_sum`: embeddings summed over consecutive runs of rows, one run per class.

/// `embeddings` (Σ counts, features) → (classes, features).
pub fn class_sum(embeddings: &[f64], features: usize, counts: &[usize]) -> Vec<f64> {
    assert_eq!(embeddings.len(), features * counts.iter().sum::<usize>());
    let mut rows = embeddings.chunks(features);
    let mut sums = Vec::with_capacity(counts.len() * features);
    for count in counts {
        let mut sum = vec![0.0; features];
        for row in rows.by_ref().take(*count) {
            for (sum, value) in sum.iter_mut().zip(row) {
                *sum += value;
            }
        }
        sums.extend(sum);
    }
    sums
}
