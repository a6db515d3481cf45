//! Twin of `learned_rates`.

/// log(1 + exp(x)).
pub fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}
