//! Where the data sets that have names are on this machine, or come from.

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

/// What is known of a data set's files.
#[derive(Debug)]
pub(in crate::data) struct Published {
    /// Addresses that the names of files are appended to, asked in turn.
    #[cfg_attr(not(feature = "download"), allow(dead_code))]
    pub(in crate::data) mirrors: &'static [&'static str],
    /// What is downloaded, in the order that `read` takes.
    pub(in crate::data) files: &'static [Remote<'static>],
    /// Bytes of them all as the mirrors have them.
    pub(in crate::data) download: u64,
    /// Makes the data set of the paths of `files`.
    pub(in crate::data) read: Read,
    /// What becomes of them when they are unpacked, or otherwise prepared, by hand. The first that
    /// is there is taken.
    pub(in crate::data) unpacked: &'static [Unpacked],
    /// Other forms of it that people have, which are not read here.
    pub(in crate::data) unread: &'static [Unread],
}

/// A form of a data set that can't be read.
#[derive(Debug)]
pub(in crate::data) struct Unread {
    /// Files or folders by which it is known.
    pub(in crate::data) names: &'static [&'static str],
    /// What it is and what to do.
    pub(in crate::data) what: &'static str,
}

/// Makes a data set of the paths of its files. Sets of pictures are decoded, which may take a while.
pub(in crate::data) type Read =
    fn(&Known, &[PathBuf], &Sources, &mut dyn FnMut(Progress<'_>)) -> Result<Dataset>;

/// An archive's content, as unpacking leaves it.
#[derive(Debug)]
pub(in crate::data) struct Unpacked {
    /// The folder in which the archive has it. Any end of this path will do.
    pub(in crate::data) folder: &'static str,
    /// Files or folders in it without which it is not complete.
    pub(in crate::data) files: &'static [&'static str],
    /// Makes the data set of their paths.
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
