//! The result of an evaluation.

/// Test accuracy of each network, in per cent.
///
/// ```
/// let accuracy = dm_wgpu::Accuracy::of(vec![80.0, 90.0, 100.0]);
/// assert_eq!(accuracy.to_string(), "90.00 ± 8.16 %");
/// ```
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Accuracy {
    /// The mean over the networks.
    pub mean: f64,
    /// Standard deviation over the networks (of a population, as the field's papers give it).
    pub std: f64,
    /// Each network's accuracy.
    pub runs: Vec<f64>,
}

impl Accuracy {
    /// From each network's accuracy in per cent; all zero if there are none.
    pub fn of(runs: Vec<f64>) -> Self {
        // The sum of no numbers would be -0.
        let count = runs.len().max(1) as f64;
        let mean = runs.iter().fold(0.0, |sum, run| sum + run) / count;
        let variance = runs.iter().fold(0.0, |sum, run| sum + (run - mean).powi(2)) / count;
        Self { mean, std: variance.sqrt(), runs }
    }
}

impl std::fmt::Display for Accuracy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.runs.len() {
            // A single network has no deviation.
            1 => write!(f, "{:.2} %", self.mean),
            _ => write!(f, "{:.2} ± {:.2} %", self.mean, self.std),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mean_and_deviation() {
        let accuracy = Accuracy::of(vec![80.0, 90.0, 100.0]);
        assert_eq!(accuracy.mean, 90.0);
        assert!((accuracy.std - (200.0f64 / 3.0).sqrt()).abs() < 1e-12);
        assert_eq!(accuracy.to_string(), "90.00 ± 8.16 %");
        assert_eq!(Accuracy::of(vec![97.5]).to_string(), "97.50 %");
        assert_eq!(Accuracy::of(vec![97.5]).std, 0.0);
        assert_eq!(Accuracy::of(vec![]).to_string(), "0.00 ± 0.00 %");
    }
}
