//! What the fuzzer found worth keeping. Of each format a few files lie in `tests/corpus/FORMAT`, under names that say
//! what they are; all others are in `tests/corpus.tar.gz`, as FORMAT/NAME.

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
};

use flate2::read::GzDecoder;

/// A file's name, for messages, and its bytes.
pub type Input = (String, Vec<u8>);

pub fn archive() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus.tar.gz")
}

/// All of a format: those with names first, each kind in the order of its names.
pub fn inputs(format: &str) -> Vec<Input> {
    let mut inputs = named(format);
    let bytes = fs::read(archive()).unwrap();
    inputs.extend(unpacked(&bytes).into_iter().filter(|(name, _)| is_of(name, format)));
    inputs
}

pub fn is_of(name: &str, format: &str) -> bool {
    name.split_once('/').is_some_and(|(folder, _)| folder == format)
}

pub fn named(format: &str) -> Vec<Input> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(format);
    files(&folder, format)
}

/// The files directly in a folder, as FORMAT/NAME.
pub fn files(folder: &Path, format: &str) -> Vec<Input> {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let read = |path: PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        (format!("{format}/{name}"), fs::read(&path).unwrap())
    };
    let mut files: Vec<_> = entries.map(|entry| read(entry.unwrap().path())).collect();
    files.sort();
    files
}

pub fn unpacked(archive: &[u8]) -> Vec<Input> {
    let mut archive = tar::Archive::new(GzDecoder::new(archive));
    let entries = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().to_str().unwrap().to_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        (name, bytes)
    });
    entries.collect()
}
