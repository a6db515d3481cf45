//! 8-bit pixels to the bytes of a PNG.

use std::path::Path;

use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};

use crate::{Error, Result};

/// H×W×C pixels as a PNG; with two or four channels, the last one is the opacity. Errors name
/// `path`.
pub(super) fn encode(
    pixels: &[u8],
    (width, height): (usize, usize),
    channels: usize,
    path: &Path,
) -> Result<Vec<u8>> {
    let failed = |reason: String| Error::format(path, format!("no PNG could be made: {reason}"));
    let color = match channels {
        1 => ExtendedColorType::L8,
        2 => ExtendedColorType::La8,
        3 => ExtendedColorType::Rgb8,
        _ => ExtendedColorType::Rgba8,
    };
    let side = |pixels: usize| {
        u32::try_from(pixels).map_err(|_| failed(format!("{pixels} pixels are too many")))
    };
    let mut png = Vec::new();
    PngEncoder::new(&mut png)
        .write_image(pixels, side(width)?, side(height)?, color)
        .map_err(|error| failed(error.to_string()))?;
    Ok(png)
}
