//! A published file, and what is known of it beforehand.

/// A file on the mirrors.
#[derive(Debug, Clone, Copy)]
pub(super) struct Remote<'a> {
    /// Without `.gz`.
    #[cfg_attr(not(feature = "files"), allow(dead_code))]
    pub(super) name: &'a str,
    /// What `len` and `sha256` are of, and with it the name on the mirrors.
    pub(super) pinned: Pinned,
    /// In bytes.
    #[cfg_attr(not(feature = "download"), allow(dead_code))]
    pub(super) len: u64,
    /// In lower-case hexadecimal digits.
    #[cfg_attr(not(feature = "download"), allow(dead_code))]
    pub(super) sha256: &'a str,
}

/// What a hash was taken of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(dead_code)] // Which ones occur is up to the data sets.
pub(super) enum Pinned {
    /// Of the plain content of `<name>.gz`: mirrors may compress differently.
    Content,
    /// Of `<name>.gz` as it is published.
    Gzip,
    /// Of `<name>` as it is published.
    Plain,
}

impl Remote<'_> {
    /// Its name on the mirrors.
    #[cfg(feature = "files")]
    pub(super) fn published(&self) -> String {
        match self.pinned {
            Pinned::Content | Pinned::Gzip => format!("{}.gz", self.name),
            Pinned::Plain => self.name.to_owned(),
        }
    }
}
