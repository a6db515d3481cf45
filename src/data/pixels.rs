//! Where the pixels of a split lie: in memory, or in a file that is mapped into it.

#[cfg(feature = "files")]
use std::{ops::Range, sync::Arc};

#[cfg(feature = "files")]
use super::map::Map;

/// Bytes that are read as a slice, whoever holds them.
#[derive(Debug, Clone)]
pub(super) enum Pixels {
    Owned(Vec<u8>),
    /// A part of a file, which several may share.
    #[cfg(feature = "files")]
    Mapped(Arc<Map>, Range<usize>),
}

#[cfg(feature = "files")]
impl Pixels {
    /// A part of a mapped file; `None` if the file is shorter.
    pub fn mapped(file: &Arc<Map>, range: Range<usize>) -> Option<Self> {
        file.get(range.clone()).map(|_| Self::Mapped(Arc::clone(file), range))
    }
}

impl std::ops::Deref for Pixels {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Owned(bytes) => bytes,
            #[cfg(feature = "files")]
            Self::Mapped(file, range) => &file[range.clone()],
        }
    }
}
