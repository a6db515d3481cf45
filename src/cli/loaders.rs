//! Reads a TOML file in every way that the program does, for the fuzzer and for the test that replays its findings.

use std::fs;

use dm_wgpu::project::Record;

use super::args::Cli;

/// Reads it as `--config` does, and as the record of a run that is to be resumed. Returns whether either accepts it.
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
        // A record that can be resumed is the same after it was written and read again.
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
