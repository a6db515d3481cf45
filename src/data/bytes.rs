//! The bytes of data files, decompressed on the way, and never more than a data set can have.

#[cfg(feature = "files")]
use std::path::PathBuf;
use std::{
    io::{self, BufReader, Read},
    path::Path,
};

#[cfg(feature = "files")]
use crate::listing::open_data;
use crate::{Error, Result, impostors::refuse_impostor};

/// More than any set of small images has: a file that claims more is damaged or hostile.
pub(super) const MAX_BYTES: u64 = 1 << 30;

/// A file of data, on this machine or in memory.
#[derive(Debug, Clone, Copy)]
pub(super) enum File<'a> {
    #[cfg(feature = "files")]
    OnDisk(&'a Path),
    /// Its name in errors, and its content.
    InMemory(&'a Path, &'a [u8]),
}

impl<'a> File<'a> {
    /// Its name in errors.
    pub fn path(self) -> &'a Path {
        match self {
            #[cfg(feature = "files")]
            Self::OnDisk(path) => path,
            Self::InMemory(path, _) => path,
        }
    }

    /// Its bytes as they are.
    pub fn stored(self) -> Result<Box<dyn Read + 'a>> {
        match self {
            #[cfg(feature = "files")]
            Self::OnDisk(path) => Ok(Box::new(open_data(path)?)),
            Self::InMemory(path, content) => {
                refuse_impostor(content, path)?;
                Ok(Box::new(content))
            }
        }
    }

    /// Its bytes, decompressed if they are gzip. The content decides, since browsers and archivers change names.
    pub fn open(self) -> Result<Box<dyn Read + 'a>> {
        let (_, reader) = decompressed(self.stored()?).map_err(Error::io("read", self.path()))?;
        Ok(reader)
    }

    /// All of these bytes, if they are no more than a data set can have.
    pub fn content(self) -> Result<Vec<u8>> {
        let (path, mut content) = (self.path(), Vec::new());
        let read = self.open()?.take(MAX_BYTES + 1).read_to_end(&mut content);
        read.map_err(|error| damaged(path, error))?;
        if content.len() as u64 > MAX_BYTES {
            return Err(Error::format(path, format!("has more than {MAX_BYTES} bytes")));
        }
        Ok(content)
    }
}

#[cfg(feature = "files")]
impl<'a, P: AsRef<Path> + ?Sized> From<&'a P> for File<'a> {
    fn from(path: &'a P) -> Self {
        Self::OnDisk(path.as_ref())
    }
}

/// The files of these paths.
#[cfg(feature = "files")]
pub(super) fn on_disk(paths: &[PathBuf]) -> Vec<File<'_>> {
    paths.iter().map(File::from).collect()
}

/// Whether `raw` is gzip, and a reader of its plain bytes.
pub(super) fn decompressed<'a>(mut raw: impl Read + 'a) -> io::Result<(bool, Box<dyn Read + 'a>)> {
    let mut start = Vec::with_capacity(2);
    raw.by_ref().take(2).read_to_end(&mut start)?;
    let gzip = start == [0x1f, 0x8b];
    let whole = BufReader::with_capacity(1 << 16, io::Cursor::new(start).chain(raw));
    // Several gzip members are one file by the format's own rules, hence the "multi" decoder.
    Ok(match gzip {
        true => (true, Box::new(flate2::bufread::MultiGzDecoder::new(whole))),
        false => (false, Box::new(whole)),
    })
}

/// Distinguishes wrong content (errors of a decoder, a file that ends too early) from a failing
/// disk.
pub(super) fn damaged(path: &Path, error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
            Error::format(path, format!("damaged gzip data: {error}"))
        }
        io::ErrorKind::UnexpectedEof => Error::format(path, "ends too early: truncated"),
        _ => Error::io("read", path)(error),
    }
}
