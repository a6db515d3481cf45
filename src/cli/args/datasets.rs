//! Flags of `dm-wgpu datasets`.

use std::path::PathBuf;

use clap::Args;

/// `dm-wgpu datasets`.
#[derive(Debug, Args)]
pub struct DatasetsArgs {
    /// The folder to look in [default: DM_WGPU_DATA, else the user's cache].
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Print a JSON array of objects instead of a table.
    #[arg(long)]
    pub json: bool,
}
