//! Lists the kernels that a device has compiled, and makes a device compute wrongly, to test that this is noticed.

use crate::{Gpu, gpu::compile_as, kernels};

/// Compiles all kernels of which `alter` changes the source, and whose names with their constants begin with
/// `name`, and puts them where this device looks for the right ones. Returns how many there were.
pub fn spoil(gpu: &Gpu, name: &str, alter: impl Fn(&str) -> String) -> usize {
    let fixed = kernels::all().flat_map(|(kernel, variants)| {
        variants.iter().map(|constants| {
            (kernel.name.to_owned(), kernel.source.to_owned(), kernel.slots, *constants)
        })
    });
    let generated = kernels::generated()
        .into_iter()
        .map(|kernel| (kernel.source(), kernel))
        .map(|(source, kernel)| (kernel.name, source, kernel.slots, kernel.constants));
    let mut altered = 0;
    for (kernel, source, slots, constants) in fixed.chain(generated) {
        if format!("{kernel} {constants:?}").starts_with(name) && alter(&source) != source {
            compile_as(gpu, &kernel, &alter(&source), slots, constants);
            altered += 1;
        }
    }
    altered
}

/// The names of the kernels that were used on this device so far, without their constants, in order.
pub fn used(gpu: &Gpu) -> Vec<String> {
    let mut names: Vec<_> = gpu.compiled();
    names.iter_mut().for_each(|name| name.truncate(name.find(' ').unwrap_or(name.len())));
    names.sort();
    names.dedup();
    names
}
