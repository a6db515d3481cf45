//! Data sets by name, and what loading one needs to know.

use std::path::PathBuf;

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

/// How far a download has come.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Progress<'a> {
    /// The file, e.g. `train-images-idx3-ubyte`.
    pub file: &'a str,
    /// Bytes that have arrived. Begins again at 0 when another mirror is tried.
    pub done: u64,
    /// Bytes that the server announced.
    pub total: Option<u64>,
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
