//! Flags of examinations.

use clap::{Args, builder::PossibleValuesParser};

use dm_wgpu::project::settings::BACKENDS;

const EXAMINED: &str = "\
What is checked, on every adapter or on the one that --adapter names:
  kernels   each family, and f16, on small cases with known results
  speed     multiply-adds alone, copying alone
For wrong results, doctor names the kernels and the option that avoids them. Its output can go
into a bug report as it is.

Exit codes: 0 every usable adapter computes correctly, 1 something is wrong, or there is no
usable adapter, 2 wrong usage.";

/// `dm-wgpu doctor`.
#[derive(Debug, Args)]
#[command(after_help = EXAMINED, override_usage = "dm-wgpu doctor [OPTIONS]")]
pub struct DoctorArgs {
    /// Check one adapter only: part of its name, or its index in `dm-wgpu adapters` [default: all].
    #[arg(long, value_name = "NAME-OR-INDEX")]
    pub adapter: Option<String>,
    /// Check only adapters of this graphics API [default: any].
    #[arg(long, value_name = "API", value_parser = PossibleValuesParser::new(BACKENDS))]
    pub backend: Option<String>,
    /// Print JSON, one object per line: events as they happen, then the result; with --quiet only the result.
    #[arg(long)]
    pub json: bool,
    /// Print only errors and the result.
    #[arg(long, short)]
    pub quiet: bool,
}
