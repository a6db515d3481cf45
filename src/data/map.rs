//! A file of the cache, mapped as a slice of memory that the system reads when it is accessed. This
//! is the only unsafe code of the data sets.

use std::{fs::File, ops::Deref};

/// A whole file, mapped for reading.
#[derive(Debug)]
pub(super) struct Map(memmap2::Mmap);

impl Map {
    /// Maps a complete file of decoded [`pictures`](super::pictures).
    #[allow(unsafe_code)]
    pub fn of(file: &File) -> std::io::Result<Self> {
        // SAFETY: a slice must not change as long as it lives, and a map would if somebody wrote to
        // the file or cut it. Nobody does. Only files of the program's own cache are mapped, which
        // lie in the user's cache folder; they are written under a temporary name, are made
        // read-only where the file system knows that, get their name when they are whole, and are never opened for writing again:
        // another state of the pictures gets another file, and an old file is removed as a whole,
        // which leaves what is mapped of it in place. Whoever tampers with the user's cache while
        // the program runs could as well tamper with the program.
        unsafe { memmap2::Mmap::map(file) }.map(Self)
    }
}

impl Deref for Map {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}
