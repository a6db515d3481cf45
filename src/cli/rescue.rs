//! How a run that stopped can be gone on with, and where its work goes if its folder takes no more.

use std::{
    fs,
    path::{Path, PathBuf},
};

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

/// The command that was given, as a line of a summary: where nothing was saved, it begins again.
pub fn again() -> String {
    format!("go on     {}", repeating(std::env::args().skip(1), &[]))
}

/// A command without these flags, nor an `--out` that is taken by now.
pub fn repeating(words: impl Iterator<Item = String>, without: &[&str]) -> String {
    let (mut command, mut words) = ("dm-wgpu".to_owned(), words.peekable());
    while let Some(word) = words.next() {
        let (flag, value) = match word.split_once('=') {
            Some((flag, value)) => (flag, Some(value.to_owned())),
            None => (if word == "-o" { "--out" } else { &word }, words.peek().cloned()),
        };
        let taken =
            |folder: &String| fs::read_dir(folder).is_ok_and(|mut all| all.next().is_some());
        if without.contains(&flag) || flag == "--out" && value.as_ref().is_some_and(taken) {
            if !word.contains('=') {
                words.next();
            }
            continue;
        }
        command += &format!(" {}", quoted(&word));
    }
    command
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_repeated_as_it_was_typed() {
        let taken = tempfile::tempdir().unwrap();
        fs::write(taken.path().join("x"), "").unwrap();
        let repeated =
            |line: &str, without: &[&str]| repeating(line.split('|').map(String::from), without);
        let line = "compare|--dataset|folder:my pets|--methods|dm,random|--json|--out=new";
        let told = "dm-wgpu compare --dataset 'folder:my pets'";
        assert_eq!(repeated(line, &[]), format!("{told} --methods dm,random --json --out=new"));
        assert_eq!(repeated(line, &["--methods", "--out"]), format!("{told} --json"));
        let full = format!("--quiet|--out|{}|--ipc|1", taken.path().display());
        assert_eq!(repeated(&full, &[]), "dm-wgpu --quiet --ipc 1");
    }
}
