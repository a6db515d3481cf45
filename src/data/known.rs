//! Every data set that the program knows by name, in one place: what it is, and where it comes from.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{
    FOLDER, Sources, cifar, glyphs, mnist,
    store::{Place, Published},
    svhn, tiny_imagenet,
};
use crate::{Dataset, Error, Result};

/// All of them, in the order in which they are shown.
pub static KNOWN: [Known; 8] = [
    glyphs::GLYPHS,
    mnist::MNIST,
    mnist::FASHION_MNIST,
    mnist::KMNIST,
    svhn::SVHN,
    cifar::CIFAR10,
    cifar::CIFAR100,
    tiny_imagenet::TINY_IMAGENET,
];

/// The names that [`load`](super::load) knows.
pub const NAMES: [&str; KNOWN.len()] = {
    let mut names = [""; KNOWN.len()];
    let mut k = 0;
    while k < names.len() {
        names[k] = KNOWN[k].name;
        k += 1;
    }
    names
};

/// A data set that has a name here: what is known of it before it is loaded.
#[derive(Debug)]
#[non_exhaustive]
pub struct Known {
    /// What [`load`](super::load) takes, e.g. `fashion-mnist`.
    pub name: &'static str,
    /// As its authors write it, e.g. `Fashion-MNIST`.
    pub title: &'static str,
    /// Number of training images.
    pub train: usize,
    /// Number of test images.
    pub test: usize,
    /// Number of classes.
    pub classes: usize,
    /// 1 or 3.
    pub channels: usize,
    /// Height and width in pixels.
    pub size: usize,
    /// Mean of each channel, of pixels in 0…1: the values that published results were made with.
    pub mean: &'static [f32],
    /// Standard deviation of each channel, of pixels in 0…1, likewise.
    pub std: &'static [f32],
    /// Whether its pictures may be mirrored left to right without becoming something else, as digits
    /// and letters do.
    pub flip: bool,
    /// In the words of its publishers, or that there are none.
    pub licence: &'static str,
    /// Where its publishers present it.
    pub source: &'static str,
    pub(super) origin: Origin,
}

/// Where a data set comes from.
#[derive(Debug)]
pub(super) enum Origin {
    /// Made by this crate.
    Drawn(fn() -> Result<Dataset>),
    /// Files that others have published.
    Published(Published),
}

impl Known {
    /// The data set of this name, if there is one.
    pub fn of(name: &str) -> Option<&'static Self> {
        KNOWN.iter().find(|known| known.name == name)
    }

    /// Whether it needs files; else it is always at hand.
    pub fn has_files(&self) -> bool {
        matches!(self.origin, Origin::Published(_))
    }

    /// Bytes that a download takes; 0 if it needs no files.
    pub fn download(&self) -> u64 {
        match &self.origin {
            Origin::Drawn(_) => 0,
            Origin::Published(published) => published.download,
        }
    }

    /// Where it is on this machine, by the rules of [`load`](super::load): its file or, of several,
    /// their folder. None if files are missing, or if it needs none.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is no home folder to look in.
    pub fn on_disk(&self, sources: &Sources) -> Result<Option<PathBuf>> {
        match &self.origin {
            Origin::Drawn(_) => Ok(None),
            Origin::Published(published) => {
                let place = Place::of(sources)?;
                Ok(published.locate(&place, self.name).map(|found| found.shown()))
            }
        }
    }
}

/// Tells a folder of classes from one of other things.
const CLASSES: &str = "wnids.txt";

impl Known {
    /// How many of its classes are in `path`, as [`on_disk`](Self::on_disk) gives it: of Tiny ImageNet there are
    /// copies with fewer than all.
    pub fn classes_at(&self, path: &Path) -> usize {
        if !path.join(CLASSES).is_file() {
            return self.classes;
        }
        let folders = fs::read_dir(path.join("train")).into_iter().flatten().flatten();
        folders.filter(|folder| folder.path().is_dir()).count()
    }
}

/// The entry of a name, or an error that lists those that exist.
pub(super) fn known(name: &str) -> Result<&'static Known> {
    Known::of(name).ok_or_else(|| {
        let names = NAMES.join(", ");
        Error::setting("dataset", name, format!("there are {names} and {FOLDER}PATH"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::store::Pinned;

    #[test]
    fn every_known_data_set_is_consistent() {
        for known in &KNOWN {
            let name = known.name;
            assert_eq!(KNOWN.iter().filter(|other| other.name == name).count(), 1, "{name}");
            assert!(matches!(known.channels, 1 | 3), "{name}");
            assert_eq!((known.mean.len(), known.std.len()), (known.channels, known.channels));
            assert!(known.std.iter().all(|std| *std > 0.0), "{name}");
            assert!(!known.licence.is_empty() && !known.source.is_empty(), "{name}");
            let Origin::Published(published) = &known.origin else { continue };
            assert!(known.source.starts_with("http"), "{name}");
            for file in published.files {
                let hex =
                    file.sha256.bytes().all(|c| c.is_ascii_digit() || (b'a'..=b'f').contains(&c));
                assert!(hex && file.sha256.len() == 64, "{name}: {}", file.name);
                assert!(!file.name.ends_with(".gz"), "{name}: {}", file.name);
            }
            for mirror in published.mirrors {
                assert!(mirror.starts_with("http") && mirror.ends_with('/'), "{mirror}");
            }
            // Where the published files themselves are pinned, their sizes are known.
            if published.files.iter().all(|file| file.pinned != Pinned::Content) {
                let bytes: u64 = published.files.iter().map(|file| file.len).sum();
                assert_eq!(bytes, published.download, "{name}");
            }
        }
    }
}
