//! The bytes of data files, decompressed on the way, and never more than a data set can have.

use std::{
    io::{self, BufReader, Read},
    path::Path,
};

use crate::{Error, Result, listing::open_data};

/// More than any set of small images has: a file that promises more is damaged or hostile.
pub(super) const MAX_BYTES: u64 = 1 << 30;

/// The file's bytes, decompressed if they are gzip: the content decides, since names get changed
/// by browsers and archivers.
pub(super) fn open(path: &Path) -> Result<Box<dyn Read>> {
    let (_, reader) = decompressed(open_data(path)?).map_err(Error::io("read", path))?;
    Ok(reader)
}

/// Whether `raw` is gzip, and a reader of its plain bytes.
pub(super) fn decompressed(mut raw: impl Read + 'static) -> io::Result<(bool, Box<dyn Read>)> {
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

/// Tells content that is wrong (a decoder's complaints, a file that ends too early) from a disk that
/// fails.
pub(super) fn damaged(path: &Path, error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
            Error::format(path, format!("damaged gzip data: {error}"))
        }
        io::ErrorKind::UnexpectedEof => Error::format(path, "ends too early: truncated"),
        _ => Error::io("read", path)(error),
    }
}
