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

use common::{gpus, wide};
use proptest::test_runner::{Config, RngSeed};

/// First blocks of 32 rows have kernels of their own there.
#[test]
fn with_subgroups_of_sixteen() {
    wide::run_again(&["steps::images_of_32"]);
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
