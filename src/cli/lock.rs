//! One process at a time on a run's folder. The system gives the lock back when the process ends,
//! however it ends.

use std::{
    fs::{File, OpenOptions},
    io,
    path::Path,
};

use fs4::{FileExt, TryLockError};

use super::failure::Failure;

/// In the run's folder. It stays there: removing it would let two processes lock different files.
pub const FILE: &str = ".lock";

/// Held as long as it lives.
#[derive(Debug)]
pub struct Lock {
    _file: Option<File>,
}

impl Lock {
    pub fn of(folder: &Path) -> Result<Self, Failure> {
        let path = folder.join(FILE);
        let file = OpenOptions::new().create(true).append(true).open(&path).map_err(|error| {
            Failure::Failed(format!("{} can't be written: {error}", path.display()))
        })?;
        match FileExt::try_lock(&file) {
            Ok(()) => Ok(Self { _file: Some(file) }),
            Err(TryLockError::WouldBlock) => Err(Failure::Failed(format!(
                "another process is at work on {}; wait for its end, or stop it",
                folder.display()
            ))),
            Err(TryLockError::Error(error)) => {
                // Some network file systems have no locks. The run itself needs none.
                unlocked(&path, &error);
                Ok(Self { _file: None })
            }
        }
    }
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
    fn one_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let first = Lock::of(folder.path()).unwrap();
        let refused = Lock::of(folder.path()).unwrap_err();
        assert!(refused.to_string().contains("another process"), "{refused}");
        assert_eq!(refused.code(), 1);
        drop(first);
        Lock::of(folder.path()).unwrap();
    }
}
