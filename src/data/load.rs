//! Data sets by name, and what loading one needs to know.

use std::path::{Path, PathBuf};

use super::{glyphs, mnist};
use crate::{Dataset, Error, Result};

/// The names that [`load`] knows.
pub const NAMES: [&str; 2] = ["glyphs", "mnist"];

/// Everyone's `glyphs` are the same, so that results can be compared; a run's seed is another matter.
const GLYPHS_SEED: u64 = 0;

/// Where data sets may come from.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The only folder to look in. Without one: what the environment variable `DM_WGPU_DATA`
    /// names, or else the user's cache folder, with downloads.
    pub data_dir: Option<PathBuf>,
}

/// How far a download, or the decoding of pictures, has come.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Progress<'a> {
    /// What is being done, and so what is counted.
    pub work: Work,
    /// The file that is downloaded, e.g. `train-images-idx3-ubyte`, or the data set that is decoded.
    pub file: &'a str,
    /// What has been done. Begins again at 0 when another mirror is tried.
    pub done: u64,
    /// What there is to do: the bytes that the server announced, or all pictures.
    pub total: Option<u64>,
    /// The file that is not whole yet. A program that ends here and now should remove it; else it
    /// is removed when the same is loaded again.
    pub unfinished: Option<&'a Path>,
}

/// What a [`Progress`] tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Work {
    /// Bytes arrive.
    Downloading,
    /// Pictures are decoded.
    Decoding,
}

impl<'a> Progress<'a> {
    /// Of a file that is called `unfinished` until it is whole.
    #[cfg(feature = "download")]
    pub(super) fn downloading(
        file: &'a str,
        unfinished: &'a Path,
        done: u64,
        total: Option<u64>,
    ) -> Self {
        Self { work: Work::Downloading, file, done, total, unfinished: Some(unfinished) }
    }
}

/// The data set of this name: one of [`NAMES`].
///
/// `on_progress` hears of each piece that has to be downloaded; often there is none.
///
/// # Errors
/// [`Error::Setting`] for an unknown name; else those of [`mnist`] and [`glyphs`].
pub fn load(
    name: &str,
    sources: &Sources,
    on_progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Dataset> {
    match name {
        "glyphs" => glyphs(GLYPHS_SEED),
        "mnist" => mnist(sources, on_progress),
        _ => Err(Error::setting("dataset", name, format!("there are {}", NAMES.join(" and ")))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_is_answered_with_those_that_exist() {
        let error = load("mnits", &Sources::default(), &mut |_| {}).unwrap_err();
        assert!(error.is_usage());
        assert_eq!(error.to_string(), "dataset = mnits: there are glyphs and mnist");
    }

    #[test]
    fn every_name_leads_to_its_data_set() {
        // A folder without files: that a data set misses its own shows that it was asked for.
        let folder = tempfile::tempdir().unwrap();
        let sources = Sources { data_dir: Some(folder.path().to_path_buf()) };
        for name in NAMES {
            match load(name, &sources, &mut |_| {}) {
                Ok(set) => assert_eq!(set.name(), name),
                Err(Error::NotFound { what, .. }) => assert_eq!(what.to_lowercase(), name),
                Err(other) => panic!("{other}"),
            }
        }
    }
}
