//! The files of data sets with names: where they are on this machine, or where they are downloaded from, and how they
//! are read.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::Known;
use crate::{
    Dataset, Result,
    data::{Progress, Sources, remote::Remote},
};

/// Where a data set comes from.
#[derive(Debug)]
pub(in crate::data) enum Origin {
    /// Made by this crate.
    Drawn(fn() -> Result<Dataset>),
    /// Files that others have published.
    Published(Published),
}

/// The files of a data set: names, hashes, mirrors.
#[derive(Debug)]
pub(in crate::data) struct Published {
    /// Addresses to which file names are appended, tried in turn.
    #[cfg_attr(not(feature = "download"), allow(dead_code))]
    pub(in crate::data) mirrors: &'static [&'static str],
    /// The files that are downloaded, in the order that `read` takes.
    pub(in crate::data) files: &'static [Remote<'static>],
    /// Total bytes of all files as the mirrors have them.
    pub(in crate::data) download: u64,
    /// Makes the data set from the paths of `files`.
    pub(in crate::data) read: Read,
    /// Unpacked or otherwise prepared forms. The first that exists is taken.
    pub(in crate::data) unpacked: &'static [Unpacked],
    /// Other forms of the set that exist but are not read here.
    pub(in crate::data) unread: &'static [Unread],
}

/// A form of a data set that can't be read.
#[derive(Debug)]
pub(in crate::data) struct Unread {
    /// Files or folders by which it is recognised.
    pub(in crate::data) names: &'static [&'static str],
    /// What it is, and what the user can do.
    pub(in crate::data) what: &'static str,
}

/// Makes a data set from the paths of its files. Sets of pictures are decoded, which may take a while.
pub(in crate::data) type Read =
    fn(&Known, &[PathBuf], &Sources, &mut dyn FnMut(Progress<'_>)) -> Result<Dataset>;

/// An archive's content, as unpacking leaves it.
#[derive(Debug)]
pub(in crate::data) struct Unpacked {
    /// Its folder in the archive. Any end of this path is accepted.
    pub(in crate::data) folder: &'static str,
    /// Files or folders that a complete copy must have.
    pub(in crate::data) files: &'static [&'static str],
    /// Makes the data set from their paths.
    pub(in crate::data) read: Read,
}

impl Known {
    /// Bytes that a download takes; 0 if it needs no files.
    pub fn download(&self) -> u64 {
        match &self.origin {
            Origin::Drawn(_) => 0,
            Origin::Published(published) => published.download,
        }
    }
}

/// Distinguishes a folder of classes from other folders.
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
