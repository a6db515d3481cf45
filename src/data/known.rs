//! Every data set that the program knows by name, in one place: what it is, and where it comes from.

use super::{bytes::File, cifar, glyphs, mnist, svhn, tiny_imagenet};
use crate::{Dataset, Error, Result};

#[cfg(feature = "files")]
mod files;
#[cfg(feature = "files")]
pub(super) use files::Origin;

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
    /// How it is made of its files' content, wherever they are.
    pub(super) held: Held,
    #[cfg(feature = "files")]
    pub(super) origin: Origin,
}

/// How a data set is made of bytes.
#[derive(Debug)]
pub(super) enum Held {
    /// By this crate, of none.
    Drawn(fn() -> Result<Dataset>),
    /// Of the content of these files.
    Files {
        names: &'static [&'static str],
        /// One that may be missing.
        optional: Option<&'static str>,
        /// Takes the files in the order of `names`, and the optional one.
        read: fn(&Known, &[File<'_>], Option<File<'_>>) -> Result<Dataset>,
    },
    /// Not at all: it is of pictures, which only the feature `files` decodes.
    Pictures,
}

impl Known {
    /// The data set of this name, if there is one.
    pub fn of(name: &str) -> Option<&'static Self> {
        KNOWN.iter().find(|known| known.name == name)
    }

    /// Whether it needs files; else it is always at hand.
    pub fn has_files(&self) -> bool {
        !matches!(self.held, Held::Drawn(_))
    }
}

/// The entry of a name, or an error that lists those that exist.
pub(super) fn known(name: &str) -> Result<&'static Known> {
    Known::of(name).ok_or_else(|| {
        let folder = if cfg!(feature = "files") { " and folder:PATH" } else { "" };
        Error::setting("dataset", name, format!("there are {}{folder}", NAMES.join(", ")))
    })
}

#[cfg(all(test, feature = "files"))]
mod tests {
    use super::*;
    use crate::data::remote::Pinned;

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
