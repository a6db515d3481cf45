//! The `dm-wgpu` program: everything it does is in `cli`.
#![deny(unsafe_code)]

mod cli;

fn main() -> std::process::ExitCode {
    cli::run()
}
