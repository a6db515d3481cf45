//! The part of a file that has arrived. It is kept if a download breaks off, so that the next one continues there.

use std::{
    fs,
    io::{self, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use super::UNFINISHED;
use crate::files;

/// Prefix of unfinished files that a later download continues.
pub(super) const KEPT: &str = ".partial-";

/// The beginning of a file, open and locked by this process.
pub(super) struct Partial {
    file: fs::File,
    path: PathBuf,
    len: u64,
    /// Whether it is kept if it is not complete in the end.
    kept: bool,
    whole: bool,
}

impl Partial {
    /// The beginning that an earlier download left of this file, or an empty file.
    pub(super) fn open(folder: &Path, name: &str) -> io::Result<Self> {
        let path = folder.join(format!("{KEPT}{name}"));
        let mut options = fs::OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).open(&path)?;
        // If it is locked, another process is writing to it; if it is gone, that process has just
        // completed it. On file systems without locks it counts as taken, too: this is safe, but a
        // download cannot be continued there.
        let (file, path, kept) = match file.try_lock() {
            Ok(()) if path.exists() => (file, path, true),
            _ => {
                let (file, path) = files::temporary(UNFINISHED, folder)?.into_parts();
                (file, path.keep().map_err(|error| error.error)?, false)
            }
        };
        let mut partial = Self { file, path, len: 0, kept, whole: false };
        partial.len = partial.file.seek(SeekFrom::End(0))?;
        Ok(partial)
    }

    /// Bytes that are there.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// The file that a program which ends now should remove; `None` if it is worth keeping.
    pub(super) fn to_remove(&self) -> Option<&Path> {
        (!self.kept).then_some(&self.path)
    }

    /// Forgets what is there.
    pub(super) fn restart(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.len = 0;
        Ok(())
    }

    pub(super) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// For reading it from its beginning; bytes that are then appended come after those that were read.
    pub(super) fn reader(&self) -> io::Result<fs::File> {
        let mut file = self.file.try_clone()?;
        file.rewind()?;
        Ok(file)
    }

    /// Gives it its final name, now that it is complete.
    pub(super) fn finish(mut self, path: &Path) -> io::Result<()> {
        // Without this, a crash of the machine could keep the new name and lose the content.
        self.file.sync_all()?;
        fs::rename(&self.path, path)?;
        self.whole = true;
        Ok(())
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.whole && (!self.kept || self.len == 0) {
            // A file that cannot be removed does no harm.
            let _ = fs::remove_file(&self.path);
        }
    }
}
