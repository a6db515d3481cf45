//! What is in the cache of trajectories: listing and removing them. `trajectories.rs` makes and reads them.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{
    Result,
    files::{text_of, write_json},
};
use crate::{Error, EvaluationSettings, data::user_cache};

/// What it is of, beside its snapshots.
const ABOUT: &str = "about.json";

/// The last velocities, from which a training goes on.
pub(super) const VELOCITY: &str = "velocity.safetensors";

/// What a trajectory is of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// The data set's name.
    pub dataset: String,
    /// By what the network was trained.
    pub settings: EvaluationSettings,
    /// The device on which it was trained.
    pub adapter: String,
    /// The seconds that its training took so far.
    pub seconds: f64,
}

/// A trajectory in the cache.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KeptTrajectory {
    /// Of its folder in the cache.
    pub name: String,
    /// Its folder.
    pub path: PathBuf,
    /// None for one that an earlier version left.
    pub about: Option<About>,
    /// Snapshots that are there.
    pub snapshots: u32,
    /// Bytes of all its files.
    pub bytes: u64,
}

impl About {
    pub(super) fn read(folder: &Path) -> Option<Self> {
        serde_json::from_str(&text_of(&folder.join(ABOUT)).ok()?).ok()
    }

    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        write_json(self, &folder.join(ABOUT))
    }
}

/// The file of a snapshot.
pub(super) fn snapshot(epoch: u32) -> String {
    format!("epoch{epoch:04}.safetensors")
}

/// Whether a file of this name belongs to a trajectory.
fn is_own(name: &str) -> bool {
    let epoch = name.strip_prefix("epoch").and_then(|rest| rest.strip_suffix(".safetensors"));
    epoch.is_some_and(|epoch| epoch.bytes().all(|c| c.is_ascii_digit()))
        || [ABOUT, VELOCITY].contains(&name)
}

/// The folder of all trajectories; none without a home folder.
pub fn trajectory_folder() -> Option<PathBuf> {
    user_cache().map(|cache| cache.join("trajectories"))
}

/// All that are in the cache, by name; none if there is no cache.
///
/// # Errors
/// [`Error::Io`] if the folder cannot be read.
pub fn kept_trajectories() -> Result<Vec<KeptTrajectory>> {
    match trajectory_folder() {
        Some(folder) => list(&folder),
        None => Ok(Vec::new()),
    }
}

fn list(folder: &Path) -> Result<Vec<KeptTrajectory>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::io("read", folder)(error).into()),
    };
    let mut all: Vec<_> = entries.flatten().filter_map(|entry| of(&entry.path())).collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(all)
}

/// The one in this folder, if it is one.
fn of(path: &Path) -> Option<KeptTrajectory> {
    let name = path.file_name()?.to_str()?.to_owned();
    // A link leads elsewhere.
    if !fs::symlink_metadata(path).ok()?.is_dir() {
        return None;
    }
    let (mut snapshots, mut bytes) = (0, 0);
    for entry in fs::read_dir(path).ok()?.flatten() {
        let own = entry.file_name().to_str().is_some_and(is_own);
        if let (true, Ok(about)) = (own, entry.metadata()) {
            bytes += about.len();
            snapshots += u32::from(entry.file_name().to_string_lossy().starts_with("epoch"));
        }
    }
    let about = About::read(path);
    (snapshots > 0 || about.is_some()).then(|| KeptTrajectory {
        name,
        path: path.into(),
        about,
        snapshots,
        bytes,
    })
}

impl KeptTrajectory {
    /// Takes it out of the cache. Files that no training left stay, and their folder with them.
    ///
    /// # Errors
    /// [`Error::Io`] if a file cannot be removed.
    pub fn remove(&self) -> Result<()> {
        let entries = fs::read_dir(&self.path).map_err(Error::io("read", &self.path))?;
        for entry in entries.flatten() {
            if entry.file_name().to_str().is_some_and(is_own) {
                let path = entry.path();
                fs::remove_file(&path).map_err(Error::io("remove", &path))?;
            }
        }
        match fs::remove_dir(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::DirectoryNotEmpty => {
                Err(Error::io("remove", &self.path)(error).into())
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_trajectories_are_listed_and_removed() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("trajectories");
        assert!(list(&folder).unwrap().is_empty());
        let file = |name: &str, bytes: &[u8]| {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        };
        file("b/epoch0000.safetensors", b"123");
        file("b/epoch0001.safetensors", b"4567");
        file("b/velocity.safetensors", b"89");
        file("a/epoch0000.safetensors", b"1");
        file("a/notes.txt", b"of somebody");
        file("other/epochs.txt", b"");
        file("file", b"");
        let all = list(&folder).unwrap();
        let told: Vec<_> =
            all.iter().map(|kept| (&kept.name[..], kept.snapshots, kept.bytes)).collect();
        assert_eq!(told, [("a", 1, 1), ("b", 2, 9)]);
        assert!(all.iter().all(|kept| kept.about.is_none()), "of an earlier version");
        all.iter().for_each(|kept| kept.remove().unwrap());
        assert!(list(&folder).unwrap().is_empty() && !folder.join("b").exists());
        assert!(folder.join("a/notes.txt").is_file() && folder.join("other/epochs.txt").is_file());
    }
}
