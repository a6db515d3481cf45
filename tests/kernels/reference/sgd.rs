//! Twin of `sgd`: stochastic gradient descent with momentum, as `torch.optim.SGD` does it.

/// velocity ← momentum·velocity + grad; x ← x − lr·velocity. Returns (x, velocity).
pub fn sgd(
    x: &[f64],
    velocity: &[f64],
    grad: &[f64],
    lr: f64,
    momentum: f64,
) -> (Vec<f64>, Vec<f64>) {
    let velocity: Vec<f64> =
        velocity.iter().zip(grad).map(|(v, gradient)| momentum * v + gradient).collect();
    let x = x.iter().zip(&velocity).map(|(x, v)| x - lr * v).collect();
    (x, velocity)
}

/// The same with weight decay: `decay`·x is added to the gradient.
pub fn sgd_with_decay(
    x: &[f64],
    velocity: &[f64],
    grad: &[f64],
    lr: f64,
    momentum: f64,
    decay: f64,
) -> (Vec<f64>, Vec<f64>) {
    let decayed: Vec<f64> = x.iter().zip(grad).map(|(x, gradient)| gradient + decay * x).collect();
    sgd(x, velocity, &decayed, lr, momentum)
}
