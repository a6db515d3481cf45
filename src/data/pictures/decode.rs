//! One picture from the bytes of its file to planes of pixels.

use std::io::Cursor;

use image::{
    DynamicImage, GrayImage, ImageDecoder, ImageReader, RgbImage,
    imageops::{self, FilterType},
};

/// What pictures are recognised by, in any case; their content says which of these they are.
const EXTENSIONS: [&str; 5] = ["png", "jpg", "jpeg", "webp", "bmp"];

/// What is behind transparent places: paper.
const PAPER: u16 = 255;

/// Whether a file's name is one of a picture that can be read.
pub(crate) fn is_picture(name: &str) -> bool {
    let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_lowercase());
    extension.is_some_and(|extension| EXTENSIONS.contains(&extension.as_str()))
}

/// Decodes a picture, turned as its camera says it was held.
pub(crate) fn read(bytes: &[u8]) -> Result<DynamicImage, String> {
    let unreadable = |error: image::ImageError| format!("no readable picture: {error}");
    let mut decoder = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(|error| format!("no readable picture: {error}"))?
        .into_decoder()
        .map_err(unreadable)?;
    if cut_short(bytes) {
        return Err("no readable picture: the file ends before the picture does".into());
    }
    let orientation = decoder.orientation().map_err(unreadable)?;
    let mut picture = DynamicImage::from_decoder(decoder).map_err(unreadable)?;
    picture.apply_orientation(orientation);
    Ok(picture)
}

/// Whether a JPEG has no end: decoders make up what is missing. What precedes the picture may hold
/// another, small one with an end of its own, and some programs put more after the end.
fn cut_short(bytes: &[u8]) -> bool {
    const JPEG: [u8; 2] = [0xff, 0xd8];
    const SCAN: [u8; 2] = [0xff, 0xda];
    const END: [u8; 2] = [0xff, 0xd9];
    let Some(mut rest) = bytes.strip_prefix(&JPEG) else { return false };
    // Segments with their lengths, up to the first that has pixels.
    while let [a, b, high, low, ..] = *rest {
        if [a, b] == SCAN {
            return !rest.windows(2).any(|pair| pair == END);
        }
        let length = usize::from(u16::from_be_bytes([high, low]));
        // Anything else is the decoder's business.
        let Some(after) = rest.get(2 + length..).filter(|_| a == 0xff && length >= 2) else {
            return false;
        };
        rest = after;
    }
    false
}

/// The shape that all pictures of a set get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Form {
    /// 1 or 3.
    pub channels: usize,
    /// Height and width.
    pub size: usize,
    /// Whether others are cut to a square and resampled; else they are refused.
    pub resize: bool,
}

/// Why a picture is not as it should be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    Unreadable(String),
    /// Width and height.
    Size(u32, u32),
    /// It has colours where only grey is.
    Coloured,
}

impl Form {
    /// The picture's C·H·W bytes.
    pub fn fitted(self, bytes: &[u8]) -> Result<Vec<u8>, Refused> {
        let picture = read(bytes).map_err(Refused::Unreadable)?;
        if self.channels == 1 && picture.color().has_color() {
            return Err(Refused::Coloured);
        }
        let (width, height) = (picture.width(), picture.height());
        let size = self.size as u32;
        if (width, height) == (size, size) {
            return Ok(planes(&picture, self.channels));
        }
        if !self.resize {
            return Err(Refused::Size(width, height));
        }
        let side = width.min(height);
        let square = picture.crop_imm((width - side) / 2, (height - side) / 2, side, side);
        // Cubic, as sharp as it gets with hardly any ringing; widened where it makes smaller.
        Ok(match self.channels {
            1 => imageops::resize(&grey(&square), size, size, FilterType::CatmullRom).into_raw(),
            _ => {
                let square = imageops::resize(&rgb(&square), size, size, FilterType::CatmullRom);
                split(&square.into_raw())
            }
        })
    }
}

/// A picture's pixels, channel after channel: 1 or 3 of them, on white where it is transparent.
pub(crate) fn planes(picture: &DynamicImage, channels: usize) -> Vec<u8> {
    match channels {
        1 => grey(picture).into_raw(),
        _ => split(&rgb(picture).into_raw()),
    }
}

fn grey(picture: &DynamicImage) -> GrayImage {
    if !picture.color().has_alpha() {
        return picture.to_luma8();
    }
    let picture = picture.to_luma_alpha8();
    GrayImage::from_fn(picture.width(), picture.height(), |x, y| {
        let [grey, alpha] = picture.get_pixel(x, y).0;
        [on_paper(grey, alpha)].into()
    })
}

fn rgb(picture: &DynamicImage) -> RgbImage {
    if !picture.color().has_alpha() {
        return picture.to_rgb8();
    }
    let picture = picture.to_rgba8();
    RgbImage::from_fn(picture.width(), picture.height(), |x, y| {
        let [r, g, b, alpha] = picture.get_pixel(x, y).0;
        [r, g, b].map(|value| on_paper(value, alpha)).into()
    })
}

fn on_paper(value: u8, alpha: u8) -> u8 {
    let alpha = u16::from(alpha);
    ((u16::from(value) * alpha + PAPER * (255 - alpha) + 127) / 255) as u8
}

fn split(rgb: &[u8]) -> Vec<u8> {
    (0..3).flat_map(|channel| rgb.iter().skip(channel).step_by(3).copied()).collect()
}

/// Width, height and whether it has colours, from the first bytes alone.
pub(super) fn survey(bytes: &[u8]) -> Result<(u32, u32, bool), String> {
    let unreadable = |error: &dyn std::fmt::Display| format!("no readable picture: {error}");
    let decoder = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(|error| unreadable(&error))?
        .into_decoder()
        .map_err(|error| unreadable(&error))?;
    let (width, height) = decoder.dimensions();
    Ok((width, height, decoder.color_type().has_color()))
}
