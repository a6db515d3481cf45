//! A lock that lets one process at a time work on a run's folder. The system releases the lock when
//! the process ends, however it ends.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    path::Path,
};

use super::{Error, Result, files::LOCK};

/// The lock is held until this value is dropped.
#[derive(Debug)]
pub struct Lock {
    file: Option<File>,
}

impl Lock {
    pub fn of(folder: &Path) -> Result<Self> {
        let path = folder.join(LOCK);
        loop {
            let file = OpenOptions::new().create(true).append(true).open(&path);
            let file = file.map_err(|source| Error::Lock { path: path.clone(), source })?;
            match file.try_lock() {
                Ok(()) if lies_at(&file, &path) => return Ok(Self { file: Some(file) }),
                // The former holder removed the file before it released the lock.
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(Error::Busy(folder.to_path_buf())),
                Err(TryLockError::Error(error)) => {
                    // Some network file systems have no locks. The run works without one.
                    unlocked(&path, &error);
                    return Ok(Self { file: None });
                }
            }
        }
    }
}

/// Closing the file is not enough: a process that was started meanwhile has it open until its own program begins.
impl Drop for Lock {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.file.as_ref().map(File::unlock) {
            log::warn!("a lock was not given back: {error}");
        }
    }
}

/// Whether an open file is still the one with this name: a lock on a file without a name keeps nobody out.
#[cfg(unix)]
fn lies_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let (Ok(open), Ok(named)) = (file.metadata(), path.metadata()) else { return false };
    (open.dev(), open.ino()) == (named.dev(), named.ino())
}

/// On other systems, an open file keeps its name.
#[cfg(not(unix))]
fn lies_at(_: &File, _: &Path) -> bool {
    true
}

fn unlocked(path: &Path, error: &io::Error) {
    log::warn!(
        "{} can't be locked ({error}): see to it that no other process works on this run",
        path.display()
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_ends_though_its_file_is_open_elsewhere() {
        let folder = tempfile::tempdir().unwrap();
        let lock = Lock::of(folder.path()).unwrap();
        let elsewhere = lock.file.as_ref().unwrap().try_clone().unwrap();
        drop(lock);
        Lock::of(folder.path()).unwrap();
        drop(elsewhere);
    }

    #[test]
    fn only_one_process_holds_a_lock() {
        let folder = tempfile::tempdir().unwrap();
        let first = Lock::of(folder.path()).unwrap();
        let refused = Lock::of(folder.path()).unwrap_err();
        assert!(refused.to_string().contains("another process"), "{refused}");
        assert!(!refused.is_usage());
        drop(first);
        Lock::of(folder.path()).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_was_taken_away_locks_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(LOCK);
        let taken_away = File::create(&path).unwrap();
        assert!(lies_at(&taken_away, &path));
        std::fs::remove_file(&path).unwrap();
        assert!(!lies_at(&taken_away, &path));
        let _lock = Lock::of(folder.path()).unwrap();
        assert!(!lies_at(&taken_away, &path));
    }
}
