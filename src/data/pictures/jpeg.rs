//! JPEG: a decoder that stays within a few values of libjpeg for every sampling and order of scans. Before it, the file
//! is checked for what the decoder does not notice.

mod bits;
#[cfg(test)]
mod tests;
mod walk;

use image::{DynamicImage, GrayImage, RgbImage, metadata::Orientation};
use jpeg_decoder::{Decoder, PixelFormat};

use bits::Stop;
use walk::File;

pub(super) fn is_jpeg(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0xff, 0xd8, 0xff])
}

/// Width, height and whether it has colours, from the first bytes alone.
pub(super) fn survey(bytes: &[u8]) -> Result<(u32, u32, bool), String> {
    let (width, height, components) = File::new(bytes).extent().map_err(explained)?;
    Ok((width as u32, height as u32, components > 1))
}

/// Decodes a picture of known extent, and says how its camera was held.
pub(super) fn decode(
    bytes: &[u8],
    (width, height): (u32, u32),
) -> Result<(DynamicImage, Orientation), String> {
    let mut decoder = Decoder::new(bytes);
    let mut file = File::new(bytes);
    match file.walk() {
        Ok(()) | Err(Stop::Unclear) => {}
        Err(stop) => return Err(explained(stop)),
    }
    if let Some(colours) = file.colours() {
        decoder.set_color_transform(colours);
    }
    let pixels = decoder.decode().map_err(|error| error.to_string())?;
    let format = decoder.info().map(|info| info.pixel_format);
    let picture = match format {
        Some(PixelFormat::L8) => GrayImage::from_raw(width, height, pixels).map(DynamicImage::from),
        Some(PixelFormat::RGB24) => {
            RgbImage::from_raw(width, height, pixels).map(DynamicImage::from)
        }
        Some(PixelFormat::CMYK32) => {
            RgbImage::from_raw(width, height, printed(&pixels)).map(DynamicImage::from)
        }
        _ => None,
    };
    let held = decoder.exif_data().and_then(Orientation::from_exif_chunk);
    let picture = picture.ok_or("it has other pixels than it promises")?;
    Ok((picture, held.unwrap_or(Orientation::NoTransforms)))
}

fn explained(stop: Stop) -> String {
    match stop {
        Stop::Unclear => "its first segments are no JPEG's".into(),
        Stop::Short => "the file ends before the picture does".into(),
        Stop::Damaged => "its data are damaged: there are codes that mean nothing".into(),
        Stop::Unread(what, instead) => format!("JPEG {what} is not read here: {instead}"),
    }
}

/// The colour that four inks give on paper.
fn printed(inks: &[u8]) -> Vec<u8> {
    let colours = |&[c, m, y, k]: &[u8; 4]| {
        [c, m, y].map(|ink| {
            let light = u16::from(255 - ink) * u16::from(255 - k);
            ((u32::from(light) + 127) / 255) as u8
        })
    };
    inks.as_chunks().0.iter().flat_map(colours).collect()
}
