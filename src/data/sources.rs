//! What loading a data set needs to know, and how it reports its progress.

use std::path::{Path, PathBuf};

use super::ClassChoice;
use crate::setters::with_setters;

with_setters! {
    /// Where data sets may come from, and how pictures are prepared. Every field can be read, and set by the method of
    /// its name.
    #[derive(Debug, Clone, Default)]
    pub struct Sources {
        /// The only folder to search. Without it: the folder that the environment variable
        /// `DM_WGPU_DATA` names, or else the user's cache folder, with downloads.
        pub data_dir: Option<PathBuf>,
        /// Height and width to which pictures are cut and resampled, of [`folder`](super::folder()) and `tiny-imagenet`.
        /// Without it, all pictures must have the same size.
        pub resize: Option<usize>,
        /// The part of each class of a [`folder`](super::folder()) without test pictures of its own that is set aside
        /// for the test, from 0 to below 1; else [`TEST_FRACTION`](super::TEST_FRACTION).
        pub test_fraction: Option<f64>,
        /// Only these classes. Of [`folder`](super::folder()) and `tiny-imagenet`, whose pictures are in files of their own,
        /// only their pictures are read and decoded.
        pub classes: Option<ClassChoice>,
    }
}

/// The progress of a download, or of decoding pictures.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Progress<'a> {
    /// What is being done, and therefore what is counted.
    pub work: Work,
    /// The file that is downloaded, e.g. `train-images-idx3-ubyte`, or the data set that is decoded.
    pub file: &'a str,
    /// What has been done, including what an earlier download left. Begins again at 0 if a server
    /// sends everything once more.
    pub done: u64,
    /// All of the work: the bytes that the server announced, or all pictures.
    pub total: Option<u64>,
    /// The unfinished file that cannot be continued. A program that ends now should remove it;
    /// otherwise it is removed when the same set is loaded again.
    pub unfinished: Option<&'a Path>,
}

/// The kind of work that a [`Progress`] reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Work {
    /// Bytes arrive.
    Downloading,
    /// Pictures are decoded.
    Decoding,
}

impl<'a> Progress<'a> {
    /// For a file that has the name `unfinished` until it is complete, if its part is not kept.
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
