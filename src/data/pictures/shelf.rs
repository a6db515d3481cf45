//! Where pictures lie: in a folder, or in a zip archive that is read as it is. Nothing is unpacked,
//! so that no name in an archive can lead anywhere.

use std::{
    fs::{self, File},
    io::{BufReader, Read},
    path::{Path, PathBuf},
    time::SystemTime,
};

use rayon::prelude::*;
use zip::ZipArchive;

use crate::{
    Error, Result, impostors,
    listing::{self, is_hidden, special, warn_special},
};

/// No picture, and no list of pictures, has more bytes; sizes in an archive may be false.
const MAX_FILE: u64 = 1 << 28;
/// A limit on the depth of folders, so that a folder that contains itself does not lead to an endless search.
const DEEPEST: usize = 12;

/// A place with files.
#[derive(Debug)]
pub(in crate::data) enum Shelf {
    Folder(PathBuf),
    /// The archive and the folder in it.
    Zip {
        path: PathBuf,
        within: &'static str,
        archive: Box<ZipArchive<BufReader<File>>>,
    },
}

/// A file on a shelf.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::data) struct Entry {
    /// From the shelf on, with `/` between the parts.
    pub name: String,
    /// In bytes; of an archive, the whole one's.
    pub len: u64,
    /// Of an archive, likewise.
    pub modified: Stamp,
}

/// What identifies a file and shows that it has not been written to since.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::data) struct Stamp {
    /// Nanoseconds since 1970 when it was last written to. Copies keep this time, and anybody can set it.
    time: i128,
    /// What nobody can set: the file's number on its disk, and when anything about it last changed. `None` if the
    /// system has neither.
    own: Option<(u64, i128)>,
}

impl Stamp {
    fn of(about: &fs::Metadata) -> Self {
        let since = |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).ok();
        let time =
            about.modified().ok().and_then(since).map_or(0, |since| since.as_nanos() as i128);
        #[cfg(unix)]
        let own = {
            use std::os::unix::fs::MetadataExt;
            let changed =
                i128::from(about.ctime()) * 1_000_000_000 + i128::from(about.ctime_nsec());
            // Some file systems have no such numbers.
            (about.ino() != 0).then(|| (about.ino(), changed))
        };
        #[cfg(not(unix))]
        let own = None;
        Self { time, own }
    }

    #[cfg(test)]
    pub fn none() -> Self {
        Self { time: 0, own: None }
    }

    /// Whether it distinguishes any two states of a file.
    pub fn suffices(&self) -> bool {
        self.own.is_some()
    }

    pub fn bytes(&self) -> Vec<u8> {
        let (file, changed) = self.own.unwrap_or_default();
        [self.time, file.into(), changed].map(i128::to_le_bytes).concat()
    }
}

impl Shelf {
    /// The files of a zip archive in one folder of it.
    pub fn zip(path: &Path, within: &'static str) -> Result<Self> {
        let file = listing::open_data(path)?;
        let archive = ZipArchive::new(BufReader::new(file)).map_err(|error| {
            Error::format(path, format!("no readable zip archive: {error}: was it cut short?"))
        })?;
        Ok(Self::Zip { path: path.to_path_buf(), within, archive: Box::new(archive) })
    }

    /// The folder or the archive.
    pub fn path(&self) -> &Path {
        match self {
            Self::Folder(path) | Self::Zip { path, .. } => path,
        }
    }

    /// How a file is shown to a person.
    pub fn shown(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// All files anywhere below a folder of the shelf, sorted by name, without
    /// [hidden](is_hidden) ones. Entries that are neither files nor folders are ignored with a
    /// warning.
    pub fn files(&self, below: &str) -> Result<Vec<Entry>> {
        let mut files = Vec::new();
        match self {
            Self::Folder(root) => {
                let mut odd = Vec::new();
                walk(root, below, 0, &mut files, &mut odd)?;
                warn_special(root, &odd);
            }
            Self::Zip { path, within, archive } => {
                let about = fs::metadata(path).map_err(Error::io("read", path))?;
                let (len, modified) = (about.len(), Stamp::of(&about));
                for name in archive.file_names().filter_map(Result::ok) {
                    let inside = name.strip_prefix(within).and_then(|name| name.strip_prefix('/'));
                    let Some(name) = inside.filter(|name| !name.ends_with('/')) else { continue };
                    let there = below.is_empty()
                        || name.strip_prefix(below).is_some_and(|rest| rest.starts_with('/'));
                    if there && !name.split('/').any(is_hidden) {
                        files.push(Entry { name: name.to_owned(), len, modified });
                    }
                }
            }
        }
        files.sort();
        Ok(files)
    }

    /// A file's content as text.
    pub fn text(&mut self, name: &str) -> Result<String> {
        let shown = self.shown(name);
        let bytes = match self {
            Self::Folder(root) => read_limited(&root.join(name))?,
            Self::Zip { archive, within, .. } => unzipped(archive, within, name, &shown)?,
        };
        String::from_utf8(bytes).map_err(|_| Error::format(shown, "it is no text"))
    }

    /// Calls a function with each file's content, on all cores, and returns the results in order.
    pub fn map<T: Send>(
        &mut self,
        files: &[&Entry],
        work: impl Fn(&[u8]) -> T + Sync,
    ) -> Vec<Result<T>> {
        match self {
            Self::Folder(root) => files
                .par_iter()
                .map(|file| read_limited(&root.join(&file.name)).map(|bytes| work(&bytes)))
                .collect(),
            // There is one reader, but the slow work runs in parallel.
            Self::Zip { path, within, archive } => {
                let contents: Vec<_> = files
                    .iter()
                    .map(|file| unzipped(archive, within, &file.name, &path.join(&file.name)))
                    .collect();
                contents.into_par_iter().map(|bytes| bytes.map(|bytes| work(&bytes))).collect()
            }
        }
    }
}

/// Finds files, and entries that are neither files nor folders.
fn walk(
    root: &Path,
    below: &str,
    depth: usize,
    files: &mut Vec<Entry>,
    odd: &mut Vec<String>,
) -> Result<()> {
    let folder = root.join(below);
    let failed = |error| Error::io("read", &folder)(error);
    if depth > DEEPEST {
        return Err(Error::format(folder, "too many folders in each other: one may hold itself"));
    }
    for entry in fs::read_dir(&folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let path = entry.path();
        let name = entry.file_name().into_string().map_err(|_| {
            Error::format(&path, "its name is not Unicode; rename it or take it away")
        })?;
        if is_hidden(&name) {
            continue;
        }
        let name = if below.is_empty() { name } else { format!("{below}/{name}") };
        let about = fs::metadata(&path).map_err(Error::io("read", &path))?;
        if about.is_dir() {
            walk(root, &name, depth + 1, files, odd)?;
        } else if special(&about).is_some() {
            odd.push(name);
        } else {
            files.push(Entry { name, len: about.len(), modified: Stamp::of(&about) });
        }
    }
    Ok(())
}

fn read_limited(path: &Path) -> Result<Vec<u8>> {
    let bytes = limited(listing::open(path)?, path)?;
    impostors::refuse_impostor(&bytes, path)?;
    Ok(bytes)
}

fn unzipped(
    archive: &mut ZipArchive<BufReader<File>>,
    within: &str,
    name: &str,
    shown: &Path,
) -> Result<Vec<u8>> {
    let entry = archive.by_name(&format!("{within}/{name}")).map_err(|error| match error {
        zip::result::ZipError::FileNotFound => Error::format(shown, "it is missing"),
        error => Error::format(shown, format!("not readable in the archive: {error}")),
    })?;
    limited(entry, shown)
}

fn limited(content: impl Read, path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    content.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(Error::io("read", path))?;
    match bytes.len() as u64 > MAX_FILE {
        true => Err(Error::format(path, format!("more than {} MiB", MAX_FILE >> 20))),
        false => Ok(bytes),
    }
}
