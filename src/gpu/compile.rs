//! Compiling on all cores what a preparation has made.

use std::sync::Arc;

#[cfg(not(target_arch = "wasm32"))]
use super::jit;
use super::{Gpu, kernel::Pipeline};
use crate::clock::Instant;

/// Compiles what nothing has compiled yet, on all cores: a kernel takes milliseconds, by some drivers a second. Returns
/// the errors of all.
pub(super) fn compile_all(gpu: &Gpu) -> Vec<wgpu::Error> {
    let mut missing: Vec<_> =
        gpu.pipelines().values().filter(|made| !made.is_compiled()).cloned().collect();
    if missing.is_empty() {
        return Vec::new();
    }
    let begun = Instant::now();
    // Those that take long first, so that the last to be finished is a short one.
    missing.sort_by_key(|made| std::cmp::Reverse(made.text_len()));
    let errors = compile(gpu, &missing);
    #[cfg(not(target_arch = "wasm32"))]
    if errors.is_empty()
        && let Some(adapter) = &gpu.compiles_late
    {
        jit::run_early(gpu, adapter, &missing);
    }
    missing.iter().for_each(|made| made.settle());
    gpu.note(|so_far| {
        so_far.pipelines += missing.len() as u32;
        so_far.compiling += begun.elapsed();
    });
    errors
}

#[cfg(target_arch = "wasm32")]
fn compile(_: &Gpu, missing: &[Arc<Pipeline>]) -> Vec<wgpu::Error> {
    missing.iter().for_each(|made| _ = made.raw());
    Vec::new()
}

#[cfg(not(target_arch = "wasm32"))]
fn compile(gpu: &Gpu, missing: &[Arc<Pipeline>]) -> Vec<wgpu::Error> {
    use super::unpoisoned;
    use std::{
        sync::{
            Mutex, PoisonError,
            atomic::{AtomicUsize, Ordering},
        },
        thread,
    };

    let (next, errors) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some(made) = missing.get(next.fetch_add(1, Ordering::Relaxed)) {
            made.raw();
        }
    };
    thread::scope(|scope| {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        for _ in 1..cores.min(missing.len()) {
            // The scopes of one thread do not hear of errors in another.
            let helper = || unpoisoned(&errors).extend(gpu.errors_of(work));
            if thread::Builder::new().name("compiling".into()).spawn_scoped(scope, helper).is_err()
            {
                break;
            }
        }
        work();
    });
    errors.into_inner().unwrap_or_else(PoisonError::into_inner)
}
