//! Data sets by name.

use std::path::Path;

use super::{
    FOLDER, Progress, Sources,
    catalogue::known,
    folder::{self, folder},
    known::Origin,
    mnist::MNIST,
    store::{self, Place},
    tiny_imagenet::TINY_IMAGENET,
};
use crate::{Dataset, Error, Result};

/// The data set of this name: one of [`NAMES`](super::NAMES), or `folder:` and the path of a
/// [`folder`].
///
/// The files of published sets, plain or gzipped, or their archive as it is published, are looked
/// for in a folder with the set's name below [`Sources::data_dir`] and in that folder itself.
/// Without `data_dir`, the folder that the environment variable `DM_WGPU_DATA` names is searched in
/// the same way. Without that too, the user's cache folder is used: missing files are downloaded to
/// it (cargo feature `download`; `DM_WGPU_MIRROR` is another server's address, to which
/// `/<name>/<file>` or `/<file>` is appended) and checked against their SHA-256. If a folder is
/// named, no other place is searched; its files are taken as they are and may be a subset.
///
/// `on_progress` is called for each piece that is downloaded; often there is none.
///
/// # Errors
/// [`Error::Setting`] for an unknown name or for options that have no effect on this set, [`Error::NotFound`] where the
/// named folder lacks files, [`Error::Download`] when no mirror gave one, [`Error::Io`] and [`Error::Format`] for files
/// that cannot be used.
///
pub fn load(
    name: &str,
    sources: &Sources,
    on_progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Dataset> {
    check(name, sources)?;
    let dataset = all(name, sources, on_progress)?;
    match &sources.classes {
        // Pictures were chosen before they were decoded.
        Some(choice) if dataset.part().is_none() => {
            let images = |class| dataset.train().of_class(class).len();
            let images: Vec<_> = (0..dataset.classes()).map(images).collect();
            dataset.of_classes(&choice.of(&images)?)
        }
        _ => Ok(dataset),
    }
}

fn all(
    name: &str,
    sources: &Sources,
    on_progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Dataset> {
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

/// MNIST (LeCun, Cortes, Burges): 60 000 training and 10 000 test images of 1×28×28.
///
/// The same as [`load`] with the name `mnist`; see there for the places that are searched. Your own
/// files may hold a subset or other data, with 28×28 pixels and labels 0 to 9; a download must be
/// the original.
///
/// `on_progress` is called for each piece that is downloaded.
///
/// # Errors
/// As [`load`].
pub fn mnist(sources: &Sources, on_progress: &mut dyn FnMut(Progress<'_>)) -> Result<Dataset> {
    load(MNIST.name, sources, on_progress)
}

/// Whether [`load`] could load this, as far as can be known without reading or downloading anything.
///
/// # Errors
/// As [`load`]: [`Error::Setting`] for an unknown name, a path that is not a folder, or options
/// that have no effect on this set; [`Error::Io`] or [`Error::Format`] for a folder that can't be
/// read as pictures.
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
