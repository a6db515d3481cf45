//! Every data set that the program knows by name, in one place.

use super::{Known, cifar, glyphs, mnist, svhn, tiny_imagenet};
use crate::{Error, Result};

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

impl Known {
    /// The data set of this name, if there is one.
    pub fn of(name: &str) -> Option<&'static Self> {
        KNOWN.iter().find(|known| known.name == name)
    }
}

/// The entry of a name, or an error that lists those that exist.
pub(super) fn known(name: &str) -> Result<&'static Known> {
    Known::of(name).ok_or_else(|| {
        let folder = if cfg!(feature = "files") { " and folder:PATH" } else { "" };
        Error::setting("dataset", name, format!("there are {}{folder}", NAMES.join(", ")))
    })
}

#[cfg(test)]
#[cfg(feature = "files")]
mod tests {
    use super::*;
    use crate::data::{known::Origin, remote::Pinned};

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
            // If the published files themselves are pinned, their sizes are known.
            if published.files.iter().all(|file| file.pinned != Pinned::Content) {
                let bytes: u64 = published.files.iter().map(|file| file.len).sum();
                assert_eq!(bytes, published.download, "{name}");
            }
        }
    }
}
