//! What is known of a data set that has a name: what it is, and where it comes from.

use super::bytes::File;
use crate::{Dataset, Result};

#[cfg(feature = "files")]
mod files;
#[cfg(feature = "files")]
pub(super) use files::{Origin, Published, Read, Unpacked, Unread};

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
    /// Whether it needs files; else it is always at hand.
    pub fn has_files(&self) -> bool {
        !matches!(self.held, Held::Drawn(_))
    }
}
