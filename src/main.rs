//! The `dm-wgpu` program: everything it does is in `cli`.
#![deny(unsafe_code)]
// Bad input meets an error, never a panic; tests may.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used))]

mod cli;

fn main() -> std::process::ExitCode {
    cli::run()
}
