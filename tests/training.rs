//! Training on the GPU against its f64 twins: every kernel, then whole steps of several networks.
//!
//! Every family of kernels that the adapter can have. The same cases are drawn every time;
//! `PROPTEST_RNG_SEED` and `PROPTEST_CASES` draw others.

mod common;
mod reference;

#[path = "training/kernels.rs"]
mod kernels;
#[path = "training/setup.rs"]
mod setup;
#[path = "training/slopes.rs"]
mod slopes;
#[path = "training/steps.rs"]
mod steps;

use std::sync::OnceLock;

use dm_wgpu::{Gpu, Kernels};
use proptest::test_runner::{Config, RngSeed};

/// The GPU once for each family of kernels that its adapter supports.
fn gpus() -> &'static [Gpu] {
    static GPUS: OnceLock<Vec<Gpu>> = OnceLock::new();
    GPUS.get_or_init(|| {
        let with = |kernels| common::gpu().clone().with_kernels(kernels).ok();
        let gpus: Vec<_> = Kernels::ALL.into_iter().filter_map(with).collect();
        let names: Vec<_> = gpus.iter().map(|gpu| gpu.kernels().name()).collect();
        println!("kernels {names:?}, {} lanes", common::gpu().info().subgroup_max_size);
        assert!(!gpus.is_empty());
        gpus
    })
}

/// How many cases, and which.
fn cases(count: u32) -> Config {
    let from_environment = Config::default();
    let chosen = std::env::var_os("PROPTEST_CASES").is_some();
    Config {
        cases: if chosen { from_environment.cases } else { count },
        rng_seed: match from_environment.rng_seed {
            RngSeed::Random => RngSeed::Fixed(0),
            fixed => fixed,
        },
        // Which cases run is fixed already; a file of failures beside the tests would add nothing.
        failure_persistence: None,
        ..from_environment
    }
}
