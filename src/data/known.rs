//! The description of a data set with a name: what it is, and where it comes from.

use super::bytes::File;
use crate::{Dataset, Result};

#[cfg(feature = "files")]
mod files;
#[cfg(feature = "files")]
pub(super) use files::{Origin, Published, Read, Unpacked, Unread};

/// A data set with a name: what is known about it before it is loaded.
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
    /// Whether its pictures may be mirrored left to right. Digits and letters may not: they would
    /// become something else.
    pub flip: bool,
    /// The licence in the words of its publishers, or that none is stated.
    pub licence: &'static str,
    /// The address where its publishers present it.
    pub source: &'static str,
    /// How it is made from the content of its files.
    pub(super) held: Held,
    #[cfg(feature = "files")]
    pub(super) origin: Origin,
}

/// How a data set is made from bytes.
#[derive(Debug)]
pub(super) enum Held {
    /// Drawn by this crate, without files.
    Drawn(fn() -> Result<Dataset>),
    /// From the content of these files.
    Files {
        names: &'static [&'static str],
        /// A file that may be missing.
        optional: Option<&'static str>,
        /// Takes the files in the order of `names`, and the optional one.
        read: fn(&Known, &[File<'_>], Option<File<'_>>) -> Result<Dataset>,
    },
    /// Not possible: it consists of pictures, which are decoded only with the feature `files`.
    Pictures,
}

impl Known {
    /// Whether it needs files; otherwise it is always available.
    pub fn has_files(&self) -> bool {
        !matches!(self.held, Held::Drawn(_))
    }
}
