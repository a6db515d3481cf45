//! Where the data sets that have names are on this machine, or come from.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::Known;
use crate::{
    Dataset, Result,
    data::{
        Sources,
        store::{Place, Published},
    },
};

/// Where a data set comes from.
#[derive(Debug)]
pub(in crate::data) enum Origin {
    /// Made by this crate.
    Drawn(fn() -> Result<Dataset>),
    /// Files that others have published.
    Published(Published),
}

impl Known {
    /// Bytes that a download takes; 0 if it needs no files.
    pub fn download(&self) -> u64 {
        match &self.origin {
            Origin::Drawn(_) => 0,
            Origin::Published(published) => published.download,
        }
    }

    /// Where it is on this machine, by the rules of [`load`](crate::data::load): its file or, of several,
    /// their folder. None if files are missing, or if it needs none.
    ///
    /// # Errors
    /// [`Error::NotFound`](crate::Error::NotFound) if there is no home folder to look in.
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
