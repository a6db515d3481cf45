//! Twin of `mean_difference`: each class's loss and its gradient at the synthetic embeddings.

/// (loss of each class, gradient at each of a class's synthetic embeddings (classes, features)) from
/// sums over `real_counts[k]` real and `ipc` synthetic embeddings.
///
/// loss = ‖mean_r − mean_s‖²; every synthetic embedding of a class has the same gradient.
pub fn mean_difference(
    real: &[f64],
    syn: &[f64],
    features: usize,
    real_counts: &[usize],
    ipc: usize,
) -> (Vec<f64>, Vec<f64>) {
    let (mut losses, mut gradient) = (Vec::new(), Vec::new());
    let classes = real.chunks(features).zip(syn.chunks(features)).zip(real_counts);
    for ((real, syn), count) in classes {
        let mut loss = 0.0;
        for (real, syn) in real.iter().zip(syn) {
            let difference = real / *count as f64 - syn / ipc as f64;
            loss += difference * difference;
            gradient.push(-2.0 * difference / ipc as f64);
        }
        losses.push(loss);
    }
    (losses, gradient)
}
