//! `dm-wgpu report`: writes the page of a run, of several seeds or of a comparison again, as this version makes it.

use dm_wgpu::project::page;

use super::{args::ReportArgs, failure::Failure, say};

pub fn run(args: &ReportArgs, quiet: bool) -> Result<u8, Failure> {
    let path = page::write(&args.path)?;
    if !quiet {
        say::out(&format!("page      {}", path.display()))
            .map_err(|error| Failure::Failed(format!("stdout: {error}")))?;
    }
    Ok(0)
}
