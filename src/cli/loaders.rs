//! What is done with a TOML file that anybody may have written: for the fuzzer, and for the test that
//! replays what it found.

use std::fs;

use dm_wgpu::project::Record;

use super::args::Cli;

/// Reads it as `--config` does, and as the record of a run that is to be gone on with: whether it is taken
/// as either.
pub fn toml(bytes: &[u8]) -> bool {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join("run.toml");
    fs::write(&path, bytes).expect("a temporary file can be written");
    let words = ["dm-wgpu", "--dataset", "glyphs", "--config"].map(Into::into);
    let words = words.into_iter().chain([path.clone().into_os_string()]);
    let config = Cli::from_arguments(words).is_ok();
    let record = Record::read(&path).ok();
    let record = record.filter(|record| record.check().is_ok());
    if let Some(record) = &record {
        // What can be gone on with is written and read again as the same.
        let again = folder.path().join("again.toml");
        record.write(&again).unwrap_or_else(|failure| panic!("{failure}"));
        let read = Record::read(&again).unwrap_or_else(|failure| panic!("{failure}"));
        assert_eq!(&read, record);
    }
    config || record.is_some()
}

#[cfg(test)]
#[path = "../../tests/common/corpus.rs"]
#[allow(dead_code)]
mod corpus;

#[cfg(test)]
mod tests {
    use super::*;

    /// As `tests/corpus.rs` does for the other formats.
    #[test]
    fn no_file_of_the_corpus_makes_the_reader_panic() {
        let (mut taken, mut refused) = (0, 0);
        for (_, bytes) in corpus::inputs("toml") {
            *(if toml(&bytes) { &mut taken } else { &mut refused }) += 1;
        }
        assert!(taken >= 1 && refused >= 5, "{taken} taken, {refused} refused");
    }
}
