//! Flags of examinations.

use clap::{Args, builder::PossibleValuesParser};

use dm_wgpu::project::settings::BACKENDS;

const EXAMINED: &str = "\
What is examined, on every adapter or the one that is named:
  kernels   each family, and f16, on small cases with known answers
  speed     multiply-adds alone, copying alone
Wrong results are told, with the variant, and what does without it. What it prints can go into
a bug report as it is.

Exit codes: 0 all is well with each adapter that can be used, 1 something is wrong, or there is
none, 2 asked for wrongly.";

/// `dm-wgpu doctor`.
#[derive(Debug, Args)]
#[command(after_help = EXAMINED, override_usage = "dm-wgpu doctor [OPTIONS]")]
pub struct DoctorArgs {
    /// One adapter: part of its name, or its index in `dm-wgpu adapters` [default: all].
    #[arg(long, value_name = "NAME-OR-INDEX")]
    pub adapter: Option<String>,
    /// Only those of this graphics API [default: any].
    #[arg(long, value_name = "API", value_parser = PossibleValuesParser::new(BACKENDS))]
    pub backend: Option<String>,
    /// Print JSON, one object per line: events as they come, then the result; with --quiet it alone.
    #[arg(long)]
    pub json: bool,
    /// Say nothing but errors and the result.
    #[arg(long, short)]
    pub quiet: bool,
}
