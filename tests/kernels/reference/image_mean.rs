//! Twin of `image_mean`: the mean of each image over channels, rows and columns.

use super::Batch;

/// One mean per image.
pub fn image_mean(x: &Batch) -> Vec<f64> {
    let each = x.channels * x.size * x.size;
    x.values.chunks(each).map(|image| image.iter().sum::<f64>() / each as f64).collect()
}
