//! Readers of files that the public interface reaches only by way of the user's cache folder.

use std::path::Path;

use crate::{Dataset, Result, data};

/// The data set in an archive laid out as Tiny ImageNet's, its pictures made `size` wide; what is decoded
/// goes into `cache`.
pub fn zipped_pictures(archive: &Path, size: usize, cache: &Path) -> Result<Dataset> {
    data::zipped_pictures(archive, size, cache)
}

/// A picture's planes, cut to a square and made `size` wide; else why it is refused.
pub fn picture(bytes: &[u8], channels: usize, size: usize) -> Result<Vec<u8>, String> {
    data::fitted_picture(bytes, channels, size)
}
