//! Files that are either complete or absent: they are written beside their place, then renamed.

use std::{
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Once,
};

use crate::{Error, Result};

/// Prefix of unfinished files.
pub(crate) const WRITING: &str = ".writing-";

/// Writes `bytes` to `path` so that nobody ever sees a half-written file. An existing file is replaced.
///
/// # Errors
/// [`Error::Io`] naming `path`, which is then as it was before.
pub fn write_whole(path: impl AsRef<Path>, bytes: &[u8]) -> Result<()> {
    let path = path.as_ref();
    let failed = |error| Error::io("write", path)(error);
    let file = beside(path, bytes).map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error)).map(drop::<File>)
}

/// The same, but an existing file is not replaced.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> Result<()> {
    let failed = |error| Error::io("write", path)(error);
    let file = beside(path, bytes).map_err(failed)?;
    let refused = match file.persist_noclobber(path) {
        Ok(_) => return Ok(()),
        Err(refused) => refused,
    };
    if !is_unsupported(&refused.error) {
        return Err(failed(refused.error));
    }
    // On file systems without links, an empty file takes the name first and is then replaced.
    File::create_new(path).map_err(failed)?;
    refused.file.persist(path).map_err(|error| {
        // This file is our own.
        let _ = std::fs::remove_file(path);
        failed(error.error)
    })?;
    Ok(())
}

/// Calls that some file systems refuse for every file, for instance mounts of network shares or of buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extra {
    /// The content is on the disk, and not only on its way.
    Synced,
    /// Nobody writes to it by accident.
    Protected,
}

impl Extra {
    /// Makes the call. Files are complete without it, so a file system that refuses it causes one warning; an error of
    /// a failing or full disk is still an error.
    pub fn give(self, file: &File) -> io::Result<()> {
        match self.attempt(file) {
            Err(error) if is_unsupported(&error) => {
                static WARNED: [Once; 2] = [Once::new(), Once::new()];
                let (warned, what) = match self {
                    Self::Synced => (&WARNED[0], "make sure that files are on its disk (fsync)"),
                    Self::Protected => (&WARNED[1], "make files read-only (chmod)"),
                };
                warned.call_once(|| {
                    log::warn!(
                        "the file system can't {what}: {error}; the program goes on without"
                    );
                });
                Ok(())
            }
            done => done,
        }
    }

    fn attempt(self, file: &File) -> io::Result<()> {
        #[cfg(test)]
        if let Some(code) = tests::REFUSED.get() {
            return Err(io::Error::from_raw_os_error(code));
        }
        match self {
            Self::Synced => file.sync_all(),
            #[cfg(unix)]
            Self::Protected => {
                use std::os::unix::fs::PermissionsExt;
                file.set_permissions(std::fs::Permissions::from_mode(0o444))
            }
            // On Windows files that are read-only can't be removed.
            #[cfg(not(unix))]
            Self::Protected => Ok(()),
        }
    }
}

/// Whether the error means that the file system does not support the call (`EPERM`, `EINVAL`, `ENOTSUP`, `ENOSYS` and
/// similar), not that the call failed.
fn is_unsupported(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidInput, PermissionDenied, Unsupported};
    matches!(error.kind(), InvalidInput | PermissionDenied | Unsupported)
}

/// Writes the bytes to a temporary file that only needs its final name.
fn beside(path: &Path, bytes: &[u8]) -> std::io::Result<tempfile::NamedTempFile> {
    let folder = folder_of(path);
    let mut file = temporary(WRITING, &folder).map_err(|error| without_name(error, &folder))?;
    // Not through the temporary file's own methods, whose errors would name it instead of the final file.
    file.as_file_mut().write_all(bytes)?;
    // Without this, a crash of the machine could keep the new name and lose the content.
    Extra::Synced.give(file.as_file())?;
    Ok(file)
}

/// The error without the name of the temporary file, which would not help anybody.
fn without_name(error: io::Error, folder: &Path) -> io::Error {
    use io::ErrorKind::{
        NotADirectory, NotFound, PermissionDenied, ReadOnlyFilesystem, StorageFull,
    };
    match error.kind() {
        NotFound if !folder.exists() => {
            io::Error::new(NotFound, format!("the folder {} does not exist", folder.display()))
        }
        // Although it exists: a folder of the system.
        NotFound => {
            io::Error::new(NotFound, format!("nothing can be created in {}", folder.display()))
        }
        NotADirectory => {
            io::Error::new(NotADirectory, format!("{} is not a folder", folder.display()))
        }
        kind @ (PermissionDenied | ReadOnlyFilesystem | StorageFull) => kind.into(),
        _ => error,
    }
}

/// The folder that a path is in: `.` for a bare name.
pub(crate) fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        _ => PathBuf::from("."),
    }
}

/// A file that is renamed when it is complete, and removed if it never is.
pub(crate) fn temporary(prefix: &str, folder: &Path) -> std::io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(prefix);
    // Temporary files are private by default; this one becomes a result, with the rights that the
    // user's umask gives any new file.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::{cell::Cell, fs};

    thread_local! {
        /// The number of an error that a file system shall give for every [`Extra`].
        pub(crate) static REFUSED: Cell<Option<i32>> = const { Cell::new(None) };
    }

    #[cfg(unix)]
    #[test]
    fn permissions_that_a_file_system_lacks_are_done_without() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        // EPERM, EINVAL, ENOTSUP (by its name on Linux, then on macOS), EACCES.
        let unsupported = if cfg!(target_os = "linux") { 95 } else { 45 };
        for code in [1, 22, unsupported, 13] {
            REFUSED.set(Some(code));
            write_whole(&path, &[code as u8]).unwrap();
            assert_eq!(fs::read(&path).unwrap(), [code as u8]);
        }
        // EIO, ENOSPC: the disk itself.
        for code in [5, 28] {
            REFUSED.set(Some(code));
            write_whole(&path, b"lost").unwrap_err();
            write_new(&folder.path().join("new"), b"lost").unwrap_err();
        }
        REFUSED.set(None);
        assert_eq!(fs::read(&path).unwrap(), [13]);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn replaces_whole_files_and_leaves_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        write_whole(&path, b"one").unwrap();
        write_whole(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn new_files_replace_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        write_new(&path, b"one").unwrap();
        let message = write_new(&path, b"two").unwrap_err().to_string();
        assert!(message.contains("a.txt"), "{message}");
        assert_eq!(fs::read(&path).unwrap(), b"one");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_failure_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("missing").join("a.txt");
        let message = write_whole(&path, b"one").unwrap_err().to_string();
        assert!(message.contains("a.txt: the folder "), "{message}");
        assert!(message.ends_with("missing does not exist"), "{message}");
    }

    #[cfg(unix)]
    #[test]
    fn results_have_the_rights_of_ordinary_files() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (ours, plain) = (folder.path().join("ours"), folder.path().join("plain"));
        write_whole(&ours, b"").unwrap();
        fs::write(&plain, b"").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&ours), mode(&plain));
    }
}
