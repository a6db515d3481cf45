//! Decoded pictures in a file: all pixels, training split first, then what they are, its length and
//! a word to end with. A file has its name only when it is whole, and is never written to again.

use std::{
    fs::{self, File},
    io::{BufWriter, Seek, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use super::{Entry, Pictures, Shelf, Size, Wanted};
use crate::{
    Error, Result,
    data::map::Map,
    files::{self, Extra},
};

/// The last bytes. Increase the number when the stored data or the decoding of pictures changes.
const END: &[u8; 8] = b"dmwgpu02";
const ENDING: &str = "pixels";
/// Prefix of unfinished files.
const UNFINISHED: &str = ".decoding-";
/// If no new picture was written for this long, the decoding process is gone.
const ABANDONED: Duration = Duration::from_secs(600);

/// Files that are read at a time for hashing.
const AT_ONCE: usize = 256;

/// What is known once all pictures are decoded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Summary {
    pub channels: usize,
    pub size: usize,
    /// Of each channel of the training images, of pixels in 0…1, as is `std`.
    pub mean: Vec<f32>,
    pub std: Vec<f32>,
    /// Test images that are training images as well.
    pub in_both: usize,
}

/// The file of a set in one state.
#[derive(Clone)]
pub(super) struct Place {
    folder: PathBuf,
    /// The same for all states of the set.
    set: String,
    /// A hash of everything on which the pixels depend.
    state: String,
}

impl Place {
    /// The file's name follows from where the pictures are and what they become, and from each
    /// one's name, length and stamp, in order; from its content where stamps say too little.
    pub fn of(folder: &Path, pictures: &mut Pictures) -> Result<Self> {
        let Pictures { shelf, train, test, wanted, part, .. } = pictures;
        let path = fs::canonicalize(shelf.path()).map_err(Error::io("read", shelf.path()))?;
        let mut set = Sha256::new();
        set.update(path.as_os_str().as_encoded_bytes());
        let Wanted { channels, size } = wanted;
        let (kind, size) = match size {
            Size::Own => (0u64, 0),
            Size::Exactly(size) => (1, *size),
            Size::Resized(size) => (2, *size),
        };
        for number in [channels.unwrap_or(0) as u64, kind, size as u64] {
            set.update(number.to_le_bytes());
        }
        // The files of parts lie beside that of the whole.
        if let Some(part) = part {
            set.update(part.classes.to_string());
        }
        let mut state = Sha256::new();
        state.update(END);
        for split in [&*train, &*test] {
            state.update((split.len() as u64).to_le_bytes());
            for pictures in split.chunks(AT_ONCE) {
                let files: Vec<_> = pictures.iter().map(|picture| &picture.file).collect();
                for (file, told_apart) in files.iter().zip(told_apart(shelf, &files)?) {
                    state.update((file.name.len() as u64).to_le_bytes());
                    state.update(file.name.as_bytes());
                    state.update(file.len.to_le_bytes());
                    state.update(told_apart);
                }
            }
        }
        let set = set.finalize();
        state.update(set);
        Ok(Self { folder: folder.to_path_buf(), set: hex(&set), state: hex(&state.finalize()) })
    }

    pub fn path(&self) -> PathBuf {
        self.folder.join(format!("{}-{}.{ENDING}", self.set, self.state))
    }

    /// What is in it, for so many training and test images; `None` if it is not there, or damaged.
    pub fn open(&self, images: (usize, usize)) -> Option<(Map, Summary)> {
        let map = Map::of(&File::open(self.path()).ok()?).ok()?;
        let rest = map.strip_suffix(END)?;
        let (rest, length) = rest.split_last_chunk::<8>()?;
        let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
        let (pixels, summary) = rest.split_at_checked(rest.len().checked_sub(length)?)?;
        let summary: Summary = serde_json::from_slice(summary).ok()?;
        let image = summary.channels.checked_mul(summary.size.checked_mul(summary.size)?)?;
        let expected = image.checked_mul(images.0.checked_add(images.1)?)?;
        (pixels.len() == expected).then_some(())?;
        Some((map, summary))
    }

    /// What a survey of all pictures came to, if there was one.
    pub fn surveyed(&self) -> Option<Summary> {
        serde_json::from_slice(&fs::read(self.survey()).ok()?).ok()
    }

    /// Keeps it, so that no other part needs one.
    pub fn keep_survey(&self, summary: &Summary) -> Result<()> {
        let path = self.survey();
        let failed = |error| Error::io("write to", &self.folder)(error);
        fs::create_dir_all(&self.folder).map_err(failed)?;
        files::write_whole(&path, &serde_json::to_vec(summary).map_err(|e| failed(e.into()))?)?;
        self.remove_others();
        Ok(())
    }

    fn survey(&self) -> PathBuf {
        self.folder.join(format!("{}-{}.survey", self.set, self.state))
    }

    /// Removes what is kept of earlier states of the same pictures.
    fn remove_others(&self) {
        let set = format!("{}-", self.set);
        let own = format!("{set}{}.", self.state);
        self.remove(|name, _| name.starts_with(&set) && !name.starts_with(&own));
    }

    /// Begins the file, under another name.
    pub fn create(&self) -> Result<Writer> {
        fs::create_dir_all(&self.folder).map_err(Error::io("create", &self.folder))?;
        self.remove(|name, age| name.starts_with(UNFINISHED) && age > ABANDONED);
        let file = files::temporary(UNFINISHED, &self.folder)
            .map_err(Error::io("write to", &self.folder))?;
        Ok(Writer { file: BufWriter::with_capacity(1 << 20, file), place: self.clone() })
    }

    /// A file that cannot be removed does no harm.
    fn remove(&self, unwanted: impl Fn(&str, Duration) -> bool) {
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let age = entry.metadata().and_then(|about| about.modified());
            let age = age.ok().and_then(|time| time.elapsed().ok()).unwrap_or_default();
            if unwanted(&entry.file_name().to_string_lossy(), age) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

/// A hash that changes when a file changes: of each file its stamp, or else a hash of its content.
fn told_apart(shelf: &mut Shelf, files: &[&Entry]) -> Result<Vec<Vec<u8>>> {
    if files.iter().all(|file| file.modified.suffices()) {
        return Ok(files.iter().map(|file| file.modified.bytes()).collect());
    }
    shelf.map(files, |bytes| Sha256::digest(bytes).to_vec()).into_iter().collect()
}

/// An unfinished file, which is removed if it is never completed.
pub(super) struct Writer {
    file: BufWriter<NamedTempFile>,
    place: Place,
}

impl Writer {
    /// Where it is until it is whole.
    pub fn path(&self) -> &Path {
        self.file.get_ref().path()
    }

    /// The next picture's pixels.
    pub fn write(&mut self, pixels: &[u8]) -> Result<()> {
        self.file.write_all(pixels).map_err(Error::io("write to", &self.place.folder))
    }

    /// Forgets what was written.
    pub fn restart(&mut self) -> Result<()> {
        let failed = |error| Error::io("write to", &self.place.folder)(error);
        self.file.rewind().map_err(failed)?;
        self.file.get_ref().as_file().set_len(0).map_err(failed)
    }

    /// Completes it, and removes what was decoded from an earlier state of the same pictures.
    pub fn finish(self, summary: &Summary) -> Result<()> {
        let Self { mut file, place } = self;
        let failed = |error| Error::io("write to", &place.folder)(error);
        let text = serde_json::to_vec(summary).map_err(|error| failed(error.into()))?;
        file.write_all(&text).map_err(failed)?;
        file.write_all(&(text.len() as u64).to_le_bytes()).map_err(failed)?;
        file.write_all(END).map_err(failed)?;
        let file = file.into_inner().map_err(|error| failed(error.into_error()))?;
        for extra in [Extra::Synced, Extra::Protected] {
            extra.give(file.as_file()).map_err(failed)?;
        }
        file.persist(place.path()).map_err(|error| failed(error.error))?;
        place.remove_others();
        Ok(())
    }
}

/// The first half of a hash, which is plenty.
fn hex(hash: &[u8]) -> String {
    hash[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}
