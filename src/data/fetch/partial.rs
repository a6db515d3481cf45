//! What has arrived of a file: kept where a download breaks off, so that the next one goes on there.

use std::{
    fs,
    io::{self, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use super::UNFINISHED;
use crate::files;

/// What the names of files begin with that a later download goes on with.
pub(super) const KEPT: &str = ".partial-";

/// The beginning of a file, open and this program's alone.
pub(super) struct Partial {
    file: fs::File,
    path: PathBuf,
    len: u64,
    /// Whether it stays when it is not whole in the end.
    kept: bool,
    whole: bool,
}

impl Partial {
    /// What an earlier download left of the file of this name, or an empty one.
    pub(super) fn open(folder: &Path, name: &str) -> io::Result<Self> {
        let path = folder.join(format!("{KEPT}{name}"));
        let mut options = fs::OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).open(&path)?;
        // Locked is what another program is writing to, and gone what it has just made whole. File
        // systems that know no locks count as taken too: safe, if without going on later.
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

    /// What a program that ends here and now should remove: nothing, if it is worth keeping.
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

    /// To read it from its beginning; what is appended then comes after what was read.
    pub(super) fn reader(&self) -> io::Result<fs::File> {
        let mut file = self.file.try_clone()?;
        file.rewind()?;
        Ok(file)
    }

    /// Gives it its name, now that it is whole.
    pub(super) fn finish(mut self, path: &Path) -> io::Result<()> {
        // Without this a crash of the machine could keep the new name and lose what it stands for.
        self.file.sync_all()?;
        fs::rename(&self.path, path)?;
        self.whole = true;
        Ok(())
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.whole && (!self.kept || self.len == 0) {
            // Whoever can't be removed is in nobody's way.
            let _ = fs::remove_file(&self.path);
        }
    }
}
