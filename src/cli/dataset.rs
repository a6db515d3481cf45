//! The one place where the program meets the data loaders.

use std::path::{Path, PathBuf};

use clap::{
    builder::{PossibleValue, PossibleValuesParser, TypedValueParser},
    error::ErrorKind,
};

use dm_wgpu::{
    Dataset, Result,
    data::{self, Known},
    project::{Data, pictures},
};

pub use dm_wgpu::data::{FOLDER, NAMES, name_of};

/// Checks a data set as far as possible without reading it. Returns it only if it needs no files.
pub fn look(asked: &Data) -> Result<Option<Dataset>> {
    let (name, sources) = (&asked.name, asked.sources());
    data::check(name, &sources)?;
    match Known::of(name).is_some_and(|known| !known.has_files()) {
        true => data::load(name, &sources, &mut |_| {}).map(Some),
        false => Ok(None),
    }
}

/// Whether a data set of this name can be loaded as far as that can be told by the name.
pub fn is_known(name: &str) -> bool {
    NAMES.contains(&name) || pictures(name).is_some_and(Path::is_absolute)
}

/// For clap: a known name, or a folder, whose path is made absolute.
pub fn parser() -> impl TypedValueParser<Value = String> {
    Names(PossibleValuesParser::new(NAMES.into_iter().chain(["folder:PATH"])))
}

#[derive(Clone)]
struct Names(PossibleValuesParser);

impl TypedValueParser for Names {
    type Value = String;

    fn parse_ref(
        &self,
        command: &clap::Command,
        arg: Option<&clap::Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<String, clap::Error> {
        match value.to_str().and_then(|value| value.strip_prefix(FOLDER)) {
            Some(path) => match at_home(path, std::env::home_dir()) {
                Some(path) => Ok(format!("{FOLDER}{}", absolute(&path).display())),
                None => {
                    let why =
                        format!("{FOLDER}{path}: there is no home folder for ~ to stand for\n");
                    Err(command.clone().error(ErrorKind::ValueValidation, why))
                }
            },
            None => self.0.parse_ref(command, arg, value),
        }
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        self.0.possible_values()
    }
}

/// A path with `~` for the home folder, which shells replace at the beginning of a word only.
fn at_home(path: &str, home: Option<PathBuf>) -> Option<PathBuf> {
    match path.strip_prefix('~') {
        Some(rest) if rest.is_empty() || rest.starts_with(std::path::is_separator) => {
            let home = home.filter(|home| !home.as_os_str().is_empty())?;
            Some(home.join(rest.trim_start_matches(std::path::is_separator)))
        }
        _ => Some(path.into()),
    }
}

/// An empty path stays empty: a later check has a better error for it.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.into())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use dm_wgpu::DatasetInfo;

    #[test]
    fn folders_have_paths() {
        let parsed = |text: &str| {
            parser().parse_ref(&clap::Command::new("x"), None, text.as_ref()).map_err(|_| ())
        };
        assert_eq!(parsed("mnist").unwrap(), "mnist");
        assert!(parsed("pets").is_err());
        let here = std::env::current_dir().unwrap();
        assert_eq!(
            parsed("folder:pets").unwrap(),
            format!("folder:{}", here.join("pets").display())
        );
        assert_eq!(parsed("folder:").unwrap(), "folder:");
        let at = |path| at_home(path, Some("/home/me".into())).unwrap();
        for (path, expected) in
            [("~", "/home/me"), ("~/x/y", "/home/me/x/y"), ("~x", "~x"), ("a/~", "a/~"), ("", "")]
        {
            assert_eq!(at(path), Path::new(expected), "{path}");
        }
        assert_eq!((at_home("~/x", None), at_home("x", None)), (None, Some("x".into())));
    }

    /// A data set of two 4×4 images.
    pub(crate) fn tiny() -> Dataset {
        let info = DatasetInfo {
            name: "tiny".into(),
            class_names: vec!["a".into(), "b".into()],
            channels: 1,
            size: 4,
            mean: vec![0.5],
            std: vec![0.25],
        };
        Dataset::new(info, (vec![0; 32], vec![0, 1]), (vec![], vec![])).unwrap()
    }
}
