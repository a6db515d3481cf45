//! Tiny ImageNet: 200 kinds of things, 64×64.

#[cfg(feature = "files")]
use std::path::Path;

use super::{Known, known::Held};
#[cfg(feature = "files")]
use super::{
    known::{Origin, Published, Unpacked},
    pictures::Shelf,
    remote::{Pinned, Remote},
};

#[cfg(feature = "files")]
mod files;
#[cfg(all(feature = "files", feature = "testing"))]
pub(crate) use files::zipped_pictures;
#[cfg(feature = "files")]
use files::{FOLDER, load};

/// The set of a course at Stanford, a part of ImageNet. Its own test images have no labels, so the
/// validation images are used for testing, as everywhere.
pub(super) const TINY_IMAGENET: Known = Known {
    name: "tiny-imagenet",
    title: "Tiny-ImageNet",
    train: 100_000,
    test: 10_000,
    classes: 200,
    channels: 3,
    size: 64,
    mean: &[0.485, 0.456, 0.406],
    std: &[0.229, 0.224, 0.225],
    flip: true,
    licence: "non-commercial",
    source: "http://cs231n.stanford.edu/tiny-imagenet-200.zip",
    held: Held::Pictures,
    #[cfg(feature = "files")]
    origin: Origin::Published(Published {
        mirrors: &["http://cs231n.stanford.edu/"],
        files: &[Remote {
            name: "tiny-imagenet-200.zip",
            pinned: Pinned::Plain,
            len: 248_100_043,
            sha256: "6198c8ae015e2b3e007c7841da39ec069199b9aa3bfa943a462022fe5e43c821",
        }],
        download: 248_100_043,
        read: |known, paths, sources, on_progress| {
            load(known, Shelf::zip(&paths[0], FOLDER)?, sources, on_progress)
        },
        unread: &[],
        unpacked: &[Unpacked {
            folder: FOLDER,
            files: &["wnids.txt", "words.txt", "train", "val"],
            read: |known, paths, sources, on_progress| {
                let folder = paths[0].parent().unwrap_or(Path::new("."));
                load(known, Shelf::Folder(folder.to_path_buf()), sources, on_progress)
            },
        }],
    }),
};
