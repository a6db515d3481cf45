//! What is left of a run that stopped, and where its work goes if its folder takes no more.

use std::path::{Path, PathBuf};

use dm_wgpu::{
    Checkpoint, Dataset, Error,
    project::{
        Checkpoints, OutputFolder, Record,
        files::{CHECKPOINT, RECORD},
        words::{counted, quoted},
    },
};

use super::{commands::resuming, failure::Failure};

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
    checkpoint.save(&refuge.path().join(CHECKPOINT))?;
    // From here on nothing removes it.
    Ok(refuge.keep())
}

/// A checkpoint could not be written: says from where the run can be resumed.
pub fn no_checkpoint(failure: &Failure, checkpoints: &Checkpoints) -> String {
    let still = match checkpoints.saved() {
        Some(iterations) => {
            format!("the one after {} stays", counted(iterations as usize, "iteration"))
        }
        None => "there is none yet".into(),
    };
    format!("no checkpoint: {failure}; {still}")
}

/// A failure with what is left of the run.
pub fn explain(
    failure: Failure,
    dataset: &Dataset,
    checkpoints: &Checkpoints,
    folder: &OutputFolder,
) -> Failure {
    let Failure::Library(error) = &failure else { return failure };
    let (Error::Diverged { class, .. } | Error::PixelsDiverged { class, .. }) = error else {
        return failure;
    };
    let name = dataset.class_names().get(*class).map(String::as_str).unwrap_or_default();
    let left = match checkpoints.saved() {
        Some(0) | None => "there was no checkpoint to keep".to_owned(),
        Some(iterations) => format!(
            "the last good checkpoint, after {}, stays in {}, and dm-wgpu --resume {} \
             --iterations {iterations} makes results of it",
            counted(iterations as usize, "iteration"),
            folder.path().join(CHECKPOINT).display(),
            quoted(&folder.path().to_string_lossy()),
        ),
    };
    Failure::Failed(format!("{failure} (class {class} is {name:?}); {left}"))
}
