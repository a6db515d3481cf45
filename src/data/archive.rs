//! Reads files out of a `.tar` or `.tar.gz`. They go from the archive to memory and never to the
//! disk, so that no name in an archive can lead anywhere.

use std::{
    collections::BTreeMap,
    io::{self, Read},
    path::{Component, Path},
};

use tar::{Archive, EntryType};

use super::bytes::{File, MAX_BYTES, damaged};
use crate::{Error, Result};

/// The contents of the files of these names in one folder of an archive; missing ones are left out.
/// Only ordinary files count, and of two with the same name the first.
///
/// # Errors
/// [`Error::Io`] or [`Error::Format`] naming the archive: damaged, or with a file beyond reason.
pub(super) fn read_files<'a>(
    path: &Path,
    folder: &str,
    names: &[&'a str],
) -> Result<BTreeMap<&'a str, Vec<u8>>> {
    let mut archive = Archive::new(File::from(path).open()?);
    let wrong = |error| damaged(path, error);
    let mut files = BTreeMap::new();
    // Raw entries: the names that extensions of the format give are not needed, and reading
    // extensions would trust the sizes that they name.
    for entry in archive.entries().map_err(wrong)?.raw(true) {
        let entry = entry.map_err(|error| not_tar(path, error))?;
        let Some(name) = wanted(&entry, folder, names) else { continue };
        if files.contains_key(name) {
            continue;
        }
        let size = entry.size();
        if size > MAX_BYTES {
            return Err(Error::format(
                path,
                format!("{name} in it is to have more than {MAX_BYTES} bytes: damaged"),
            ));
        }
        let mut content = Vec::new();
        // The memory grows with the bytes that are really there, whatever the header says.
        let read = entry.take(size).read_to_end(&mut content);
        read.map_err(wrong)?;
        if (content.len() as u64) < size {
            return Err(Error::format(path, format!("ends within {name}: truncated")));
        }
        files.insert(name, content);
        if files.len() == names.len() {
            break;
        }
    }
    // Read to the end, where gzip has its checksum, but not if it decompresses to a huge size.
    io::copy(&mut archive.into_inner().take(MAX_BYTES), &mut io::sink()).map_err(wrong)?;
    Ok(files)
}

/// The wanted name that this entry has, if it is an ordinary file in that folder.
fn wanted<'a>(
    entry: &tar::Entry<'_, impl Read>,
    folder: &str,
    names: &[&'a str],
) -> Option<&'a str> {
    if entry.header().entry_type() != EntryType::Regular {
        return None;
    }
    let path = entry.path().ok()?;
    let mut parts = path.components().filter(|part| *part != Component::CurDir);
    let place = parts.next()? == Component::Normal(folder.as_ref());
    let name = parts.next()?;
    let rest = parts.next();
    (names.iter().copied())
        .find(|wanted| place && rest.is_none() && name == Component::Normal((*wanted).as_ref()))
}

/// An error of the decoder means a damaged file; any other error means that this is not an archive.
fn not_tar(path: &Path, error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::Other => {
            Error::format(path, format!("is not a tar archive, or a damaged one: {error}"))
        }
        _ => damaged(path, error),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::data::idx::tests::gzip;
    use std::path::PathBuf;

    /// An entry's header and content, under any name at all: what `tar` itself would refuse too.
    pub(crate) fn entry(name: &str, kind: EntryType, content: &[u8]) -> Vec<u8> {
        let mut header = tar::Header::new_ustar();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(kind);
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        let mut bytes = header.as_bytes().to_vec();
        bytes.extend(content);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
        bytes
    }

    pub(crate) fn tar(entries: &[Vec<u8>]) -> Vec<u8> {
        [entries.concat(), vec![0; 1024]].concat()
    }

    /// The same entry with another size in its header.
    fn with_size(mut entry: Vec<u8>, size: u64) -> Vec<u8> {
        let mut header = tar::Header::from_byte_slice(&entry[..512]).clone();
        header.set_size(size);
        header.set_cksum();
        entry[..512].copy_from_slice(header.as_bytes());
        entry
    }

    fn file(name: &str, content: &[u8]) -> Vec<u8> {
        entry(name, EntryType::Regular, content)
    }

    struct Case(tempfile::TempDir);
    impl Case {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }
        fn path(&self, bytes: &[u8]) -> PathBuf {
            let path = self.0.path().join("inner/a.tar.gz");
            std::fs::create_dir_all(self.0.path().join("inner")).unwrap();
            std::fs::write(&path, bytes).unwrap();
            path
        }
        fn read(&self, bytes: &[u8]) -> Result<BTreeMap<&'static str, Vec<u8>>> {
            read_files(&self.path(bytes), "set", &["one", "two"])
        }
        fn failure(&self, bytes: &[u8]) -> String {
            let error = self.read(bytes).unwrap_err();
            assert!(matches!(error, Error::Format { .. }), "{error:?}");
            assert!(error.to_string().contains("a.tar.gz"), "{error}");
            error.to_string()
        }
    }

    #[test]
    fn files_are_found_among_other_entries() {
        let case = Case::new();
        let long = vec![7; 2000];
        let bytes = tar(&[
            entry("set/", EntryType::Directory, &[]),
            file("set/readme", b"hello"),
            file("./set/two", &long),
            file("set/one", b"first"),
        ]);
        for bytes in [bytes.clone(), gzip(&bytes)] {
            let files = case.read(&bytes).unwrap();
            assert_eq!(files["one"], b"first");
            assert_eq!(files["two"], long);
        }
        let files = case.read(&tar(&[file("set/two", b"x")])).unwrap();
        assert_eq!(files.keys().collect::<Vec<_>>(), [&"two"]);
    }

    /// Everything that an archive can try to get out of its folder.
    #[test]
    fn paths_that_leave_the_archive_are_passed_over() {
        let case = Case::new();
        let bytes = tar(&[
            file("../evil", b"up"),
            file("../../set/one", b"up"),
            file("/set/one", b"absolute"),
            file("set/../set/one", b"around"),
            file("set/deeper/one", b"deeper"),
            file("other/one", b"elsewhere"),
            file("one", b"bare"),
            entry("set/one", EntryType::Symlink, b"/etc/passwd"),
            entry("set/one", EntryType::Link, b""),
            entry("set/two", EntryType::Directory, b""),
        ]);
        for bytes in [bytes.clone(), gzip(&bytes)] {
            assert!(case.read(&bytes).unwrap().is_empty());
        }
        let entries = |folder: &Path| std::fs::read_dir(folder).unwrap().count();
        assert_eq!((entries(case.0.path()), entries(&case.0.path().join("inner"))), (1, 1));
    }

    #[test]
    fn promised_sizes_are_not_allocated() {
        let case = Case::new();
        let promising = |size: u64| with_size(file("set/one", b"short"), size);
        for bytes in [promising(MAX_BYTES), gzip(&promising(MAX_BYTES))] {
            let message = case.failure(&bytes);
            assert!(message.contains("truncated"), "{message}");
        }
        let message = case.failure(&promising(MAX_BYTES + 1));
        assert!(message.contains("more than"), "{message}");
        // An extension that would be read whole before the name is known.
        let long_name = entry("././@LongLink", EntryType::GNULongName, b"x");
        assert!(case.failure(&with_size(long_name, 1 << 40)).contains("damaged"));
    }

    #[test]
    fn damaged_archives_are_refused_with_what_is_wrong() {
        let case = Case::new();
        let bytes = tar(&[file("set/one", &[1; 3000]), file("set/two", &[2; 3000])]);
        let mut gzipped = gzip(&bytes);
        assert!(case.failure(&gzipped[..gzipped.len() / 2]).contains("truncated"));
        let checksum = gzipped.len() - 8;
        gzipped[checksum] ^= 1;
        assert!(case.failure(&gzipped).contains("damaged"));
        assert!(case.failure(&b"<html>".repeat(200)).contains("it is a web page"));
        assert!(case.failure(&b"other".repeat(200)).contains("not a tar archive"));
    }
}
