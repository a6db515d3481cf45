//! A zip archive of plain, aligned entries, as NumPy and PyTorch map them into memory.

use std::io::{Cursor, Write};

use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

/// PyTorch's readers may rely on it.
const ALIGNMENT: u16 = 64;

pub(super) struct Archive(ZipWriter<Cursor<Vec<u8>>>);

impl Archive {
    pub fn new() -> Self {
        Self(ZipWriter::new(Cursor::new(Vec::new())))
    }

    /// Adds an entry whose content comes in pieces.
    pub fn add(&mut self, name: &str, content: &[&[u8]]) -> Result<(), String> {
        let length: usize = content.iter().map(|piece| piece.len()).sum();
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .with_alignment(ALIGNMENT)
            .large_file(u32::try_from(length).is_err());
        let failed = |reason: &dyn std::fmt::Display| format!("entry {name}: {reason}");
        self.0.start_file(name, options).map_err(|error| failed(&error))?;
        let mut write = |piece: &&[u8]| self.0.write_all(piece).map_err(|error| failed(&error));
        content.iter().try_for_each(&mut write)
    }

    /// The archive's bytes.
    pub fn finish(self) -> Result<Vec<u8>, String> {
        self.0.finish().map(Cursor::into_inner).map_err(|error| error.to_string())
    }
}

/// Values as files have them, the least significant byte first.
pub(super) fn little_endian<T: Copy, const BYTES: usize>(
    values: &[T],
    bytes: fn(T) -> [u8; BYTES],
) -> Vec<u8> {
    values.iter().flat_map(|&value| bytes(value)).collect()
}
