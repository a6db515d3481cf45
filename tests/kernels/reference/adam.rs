//! Twin of `adam`, as `torch.optim.Adam` does it.

/// Values and the two moments after step number `step`, from 1.
pub fn adam(
    [x, mean, square]: [&[f64]; 3],
    grad: &[f64],
    (lr, first, second): (f64, f64, f64),
    step: i32,
) -> [Vec<f64>; 3] {
    let mean: Vec<_> = mean.iter().zip(grad).map(|(m, g)| first * m + (1.0 - first) * g).collect();
    let square: Vec<_> =
        square.iter().zip(grad).map(|(v, g)| second * v + (1.0 - second) * g * g).collect();
    let (of_mean, of_square) = (1.0 - first.powi(step), 1.0 - second.powi(step));
    let moments = mean.iter().zip(&square);
    let x = x
        .iter()
        .zip(moments)
        .map(|(x, (m, v))| x - lr * (m / of_mean) / ((v / of_square).sqrt() + 1e-8));
    [x.collect(), mean, square]
}
