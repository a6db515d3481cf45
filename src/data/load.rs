//! Data sets by name, and what loading one needs to know.

use std::path::{Path, PathBuf};

use super::{
    FOLDER,
    folder::{self, folder},
    known::{Origin, known},
    store::{self, Place},
    tiny_imagenet::TINY_IMAGENET,
};
use crate::{Dataset, Error, Result};

/// Where data sets may come from, and what becomes of pictures.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The only folder to look in. Without one: what the environment variable `DM_WGPU_DATA`
    /// names, or else the user's cache folder, with downloads.
    pub data_dir: Option<PathBuf>,
    /// Height and width to which pictures are cut and resampled, of [`folder`] and `tiny-imagenet`.
    /// Without it they have to be alike.
    pub resize: Option<usize>,
    /// The part of each class of a [`folder`] without test pictures of its own that is set aside
    /// for the test, from 0 to below 1; else [`TEST_FRACTION`](super::TEST_FRACTION).
    pub test_fraction: Option<f64>,
}

impl Sources {
    /// The folder in which data sets are looked for: in folders of their names and, if somebody named
    /// it, in itself.
    ///
    /// # Errors
    /// [`Error::NotFound`](crate::Error::NotFound) if nobody named one and there is no home folder.
    pub fn folder(&self) -> Result<PathBuf> {
        match Place::of(self)? {
            Place::Named(folder, _) | Place::Cache(folder) => Ok(folder),
        }
    }

    /// Whether what is missing there is downloaded: not to a folder that somebody named.
    pub fn downloads(&self) -> bool {
        cfg!(feature = "download") && matches!(Place::of(self), Ok(Place::Cache(_)))
    }
}

/// How far a download, or the decoding of pictures, has come.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Progress<'a> {
    /// What is being done, and so what is counted.
    pub work: Work,
    /// The file that is downloaded, e.g. `train-images-idx3-ubyte`, or the data set that is decoded.
    pub file: &'a str,
    /// What has been done, with what an earlier download left. Begins again at 0 where a server sends
    /// everything once more.
    pub done: u64,
    /// What there is to do: the bytes that the server announced, or all pictures.
    pub total: Option<u64>,
    /// The file that is not whole yet and that nobody could go on with. A program that ends here and
    /// now should remove it; else it is removed when the same is loaded again.
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
    /// Of a file that is called `unfinished` until it is whole, if what there is of it is not kept.
    #[cfg(feature = "download")]
    pub(super) fn downloading(
        file: &'a str,
        unfinished: Option<&'a Path>,
        done: u64,
        total: Option<u64>,
    ) -> Self {
        Self { work: Work::Downloading, file, done, total, unfinished }
    }
}

/// The data set of this name: one of [`NAMES`](super::NAMES), or `folder:` and the path of a
/// [`folder`].
///
/// The files of published ones, plain or gzipped, or their archive as it is published, are looked
/// for in a folder of the set's name below [`Sources::data_dir`] and in that folder itself; without
/// one, likewise in the folder that the environment variable `DM_WGPU_DATA` names; without that
/// either, in the user's cache folder, to which missing files are downloaded (cargo feature
/// `download`; `DM_WGPU_MIRROR` is another server's address, to which `/<name>/<file>` or `/<file>`
/// is appended) and checked against their SHA-256. A folder that was named is the only place looked
/// in; what is in it is taken as it is and may be a subset.
///
/// `on_progress` hears of each piece that has to be downloaded; often there is none.
///
/// # Errors
/// [`Error::Setting`] for an unknown name or options that it has no use for, [`Error::NotFound`] where the named folder lacks files,
/// [`Error::Download`] when no mirror gave one, [`Error::Io`] and [`Error::Format`] for files that
/// cannot be used.
///
pub fn load(
    name: &str,
    sources: &Sources,
    on_progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Dataset> {
    check(name, sources)?;
    if let Some(path) = name.strip_prefix(FOLDER) {
        if let Some(folder) = &sources.data_dir {
            let why = "folder: has its path with it; leave it out";
            return Err(Error::setting("data_dir", folder.display(), why));
        }
        return folder(Path::new(path), sources, on_progress);
    }
    let known = known(name)?;
    match &known.origin {
        Origin::Drawn(draw) => draw(),
        Origin::Published(published) => {
            store::load(known, published, &Place::of(sources)?, sources, on_progress)
        }
    }
}

/// Whether [`load`] could load this, as far as that can be told without reading or downloading anything.
///
/// # Errors
/// As [`load`]: [`Error::Setting`] for an unknown name, a folder that is none, or options that it has
/// no use for; [`Error::Io`] or [`Error::Format`] for a folder that can't be read as one of pictures.
pub fn check(name: &str, sources: &Sources) -> Result<()> {
    if let Some(path) = name.strip_prefix(FOLDER) {
        return folder::check(Path::new(path));
    }
    let known = known(name)?;
    let pictures = known.name == TINY_IMAGENET.name;
    if let Some(size) = sources.resize.filter(|_| !pictures) {
        let why = format!("the images of {name} have the size that they have; leave it out");
        return Err(Error::setting("resize", size, why));
    }
    if let Some(fraction) = sources.test_fraction {
        let why = format!("{name} has test images of its own; leave it out");
        return Err(Error::setting("test_fraction", fraction, why));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Known, NAMES};

    #[test]
    fn an_unknown_name_is_answered_with_those_that_exist() {
        let error = load("mnits", &Sources::default(), &mut |_| {}).unwrap_err();
        assert!(error.is_usage());
        assert_eq!(
            error.to_string(),
            format!("dataset = mnits: there are {} and folder:PATH", NAMES.join(", "))
        );
    }

    #[test]
    fn every_name_leads_to_its_data_set() {
        // A folder without files: that a data set misses its own shows that it was asked for.
        let folder = tempfile::tempdir().unwrap();
        let sources = Sources { data_dir: Some(folder.path().to_path_buf()), ..Default::default() };
        for name in NAMES {
            match load(name, &sources, &mut |_| {}) {
                Ok(set) => {
                    let known = Known::of(name).unwrap();
                    assert_eq!(set.name(), name);
                    assert_eq!((set.train().len(), set.test().len()), (known.train, known.test));
                    assert_eq!((set.classes(), set.channels()), (known.classes, known.channels));
                    assert_eq!(set.size(), known.size);
                    for (is, known) in [(set.mean(), known.mean), (set.std(), known.std)] {
                        assert!((is[0] - known[0]).abs() < 5e-5, "{is:?}, not {known:?}");
                    }
                }
                Err(Error::NotFound { what, .. }) => {
                    // CIFAR-10 is cifar10.
                    let bare = |name: &str| name.to_lowercase().replace('-', "");
                    assert_eq!(bare(&what), bare(name));
                }
                Err(other) => panic!("{other}"),
            }
        }
    }
}
