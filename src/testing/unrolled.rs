//! The kernels of dataset distillation alone, and its memory.

use crate::{
    Gpu, Result,
    gpu::Buffer,
    hosted::{UnrollCase, run, unroll_plan},
    kernels::{self, Moves, Rates},
};

/// Whether the device's memory budget has room for it.
pub fn unroll_fits(gpu: &Gpu, case: &UnrollCase) -> Result<()> {
    unroll_plan(case)?.check(gpu)
}

/// A step of Adam, number `step` from 1: values and the two moments after it.
pub fn adam(
    gpu: &Gpu,
    [values, mean, square]: [&[f32]; 3],
    gradient: &[f32],
    (lr, first, second): (f32, f32, f32),
    step: u32,
) -> Result<[Vec<f32>; 3]> {
    let held = [values, mean, square, gradient].map(|v| Buffer::from_slice(gpu, "values", v));
    let moves = Buffer::params(gpu, "moves", &Moves::new(lr, (first, second), step));
    let moments = (&held[1], &held[2]);
    run(gpu, |r| r.push(kernels::adam(gpu, &moves, &held[0], moments, &held[3])))?;
    let [values, mean, square, _] = held.map(|buffer| buffer.read_blocking(gpu));
    Ok([values?, mean?, square?])
}

/// softplus of each, and the gradient at it from the products of so many parts of each step: four values per part, of which
/// the first counts.
pub fn learned_rates(gpu: &Gpu, raw: &[f32], products: &[f32]) -> Result<(Vec<f32>, Vec<f32>)> {
    let values = Buffer::from_slice(gpu, "raw", raw);
    let rates = Buffer::zeros(gpu, "rates", raw.len());
    let gradient = Buffer::zeros(gpu, "gradient", raw.len());
    let parts = products.len() / kernels::PRODUCTS / raw.len();
    let products = Buffer::from_slice(gpu, "products", products);
    run(gpu, |r| {
        r.push(kernels::learned_rates(gpu, &values, &rates));
        r.push(kernels::rate_gradient(gpu, &values, (&products, parts), &gradient));
    })?;
    let rates: Vec<Rates> = rates.read_blocking(gpu)?;
    Ok((rates.iter().map(|rates| rates.lr).collect(), gradient.read_blocking(gpu)?))
}
