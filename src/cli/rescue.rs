//! How a run that stopped can be gone on with, and where its work goes if its folder takes no more.

use std::path::{Path, PathBuf};

use dm_wgpu::Checkpoint;

use super::{
    checkpoints,
    failure::Failure,
    folder::RECORD,
    record::{Record, quoted},
};

/// The command that goes on.
pub fn resuming(folder: &Path) -> String {
    format!("dm-wgpu --resume {}", quoted(&folder.to_string_lossy()))
}

/// The same as a line of a summary.
pub fn go_on(folder: &Path) -> String {
    format!("go on     {}", resuming(folder))
}

/// A result that could not be saved, with where its run can be gone on from: its own folder, if the last
/// checkpoint is there (`stays`), or else one among the temporary files.
pub fn rescue(
    failure: Failure,
    record: &Record,
    last: Option<&Checkpoint>,
    stays: bool,
    folder: &Path,
) -> Failure {
    let Some(checkpoint) = last else { return failure };
    let told = if stays {
        format!("the run is safe in its checkpoint: make room, then {}", resuming(folder))
    } else {
        match put(record, checkpoint) {
            Ok(refuge) => format!("the run is safe in {}: {}", refuge.display(), resuming(&refuge)),
            Err(second) => format!("and it could not be saved elsewhere: {second}"),
        }
    };
    Failure::Failed(format!("{failure}; {told}"))
}

/// A folder among the temporary files that a run can be gone on with in.
fn put(record: &Record, checkpoint: &Checkpoint) -> Result<PathBuf, Failure> {
    let failed = |error: std::io::Error| Failure::Failed(error.to_string());
    let refuge = tempfile::Builder::new().prefix("dm-wgpu-").tempdir().map_err(failed)?;
    record.write(&refuge.path().join(RECORD))?;
    checkpoint.save(&refuge.path().join(checkpoints::FILE))?;
    // From here on nothing removes it.
    Ok(refuge.keep())
}
