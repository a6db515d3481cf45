//! Flags of `dm-wgpu trajectories`.

use clap::Args;

/// `dm-wgpu trajectories`.
#[derive(Debug, Args)]
pub struct TrajectoriesArgs {
    /// Remove the network with this name, or all.
    #[arg(long, value_name = "NAME")]
    pub remove: Option<String>,
    /// Print a JSON array of objects instead of a table.
    #[arg(long)]
    pub json: bool,
}
