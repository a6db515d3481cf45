//! One picture from the bytes of its file to planes of pixels.

use std::io::Cursor;

use image::{
    DynamicImage, GrayImage, ImageDecoder, ImageFormat, ImageReader, RgbImage,
    imageops::{self, FilterType},
};

use super::{bmp, jpeg};

/// File name endings of pictures, in any case; the content decides the format.
const EXTENSIONS: [&str; 8] = ["png", "jpg", "jpeg", "jpe", "jfif", "webp", "bmp", "dib"];

/// Decoded, no picture takes more bytes: four times a camera's of 40 megapixels.
const MOST_BYTES: u64 = 1 << 29;
/// Nor more than this for each byte of its file, as nothing packs tighter (a PNG of one bit per pixel whose
/// palette is transparent, 2¹⁵), but for WebP, where an even surface may take nothing at all.
const MOST_PACKED: u64 = 1 << 16;

/// The colour behind transparent pixels: white paper.
const PAPER: u16 = 255;

/// Whether a file's name is one of a picture that can be read.
pub(crate) fn is_picture(name: &str) -> bool {
    let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_lowercase());
    extension.is_some_and(|extension| EXTENSIONS.contains(&extension.as_str()))
}

/// The endings of such files, as messages list them.
pub(crate) fn endings() -> String {
    EXTENSIONS.map(|extension| format!(".{extension}")).join(", ")
}

/// Decodes a picture, turned as its camera says it was held.
pub(crate) fn read(bytes: &[u8]) -> Result<DynamicImage, String> {
    decode(bytes).map_err(|reason| format!("no readable picture: {reason}"))
}

fn decode(bytes: &[u8]) -> Result<DynamicImage, String> {
    if jpeg::is_jpeg(bytes) {
        let (width, height, coloured) = jpeg::survey(bytes)?;
        let channels = if coloured { 3 } else { 1 };
        check_promise(
            (width, height),
            u64::from(width) * u64::from(height) * channels,
            bytes,
            true,
        )?;
        let (mut picture, held) = jpeg::decode(bytes, (width, height))?;
        picture.apply_orientation(held);
        return Ok(picture);
    }
    let unreadable = |error: image::ImageError| error.to_string();
    let bytes = &*bmp::with_alpha(bytes);
    let reader = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(|error| error.to_string())?;
    let packs = reader.format() != Some(ImageFormat::WebP);
    let mut decoder = reader.into_decoder().map_err(unreadable)?;
    check_promise(decoder.dimensions(), decoder.total_bytes(), bytes, packs)?;
    if overrun(bytes) {
        return Err("the file ends before the picture does".into());
    }
    let orientation = decoder.orientation().map_err(unreadable)?;
    let mut picture = DynamicImage::from_decoder(decoder).map_err(unreadable)?;
    picture.apply_orientation(orientation);
    Ok(picture)
}

/// Decoders allocate what the first bytes claim. `packs`: whether the format's best compression is known.
fn check_promise(
    (width, height): (u32, u32),
    promised: u64,
    bytes: &[u8],
    packs: bool,
) -> Result<(), String> {
    let file = bytes.len() as u64;
    if promised > MOST_BYTES || packs && promised > file.saturating_mul(MOST_PACKED) {
        return Err(format!(
            "its {file} bytes are to be {width}×{height} pixels, {promised} bytes: too large, or damaged"
        ));
    }
    Ok(())
}

/// Whether a WebP has a chunk that reaches beyond its end: the decoder makes room for that, four gigabytes if
/// so many are promised.
fn overrun(bytes: &[u8]) -> bool {
    let mut rest = match bytes.split_at_checked(12) {
        Some((head, rest)) if head.starts_with(b"RIFF") && head.ends_with(b"WEBP") => rest,
        _ => return false,
    };
    while let [_, _, _, _, a, b, c, d, ..] = *rest {
        let length = u32::from_le_bytes([a, b, c, d]) as usize;
        let Some(after) = rest[8..].get(length..) else { return true };
        // Odd ones are filled up.
        rest = after.get(length % 2..).unwrap_or_default();
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
    /// It has colours, but only grey pictures are accepted.
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
        // A cubic filter, as sharp as possible with hardly any ringing; it is widened when pictures are made smaller.
        Ok(match self.channels {
            1 => imageops::resize(&grey(&square), size, size, FilterType::CatmullRom).into_raw(),
            _ => {
                let square = imageops::resize(&rgb(&square), size, size, FilterType::CatmullRom);
                split(&square.into_raw())
            }
        })
    }
}

/// One picture's planes, cut and resampled; the error says why it is refused.
#[cfg(feature = "testing")]
pub(crate) fn fitted_picture(
    bytes: &[u8],
    channels: usize,
    size: usize,
) -> Result<Vec<u8>, String> {
    survey(bytes)?;
    let form = Form { channels, size, resize: true };
    form.fitted(bytes).map_err(|refused| format!("{refused:?}"))
}

/// A picture's pixels, channel after channel: 1 or 3 of them, on white where it is transparent.
pub(crate) fn planes(picture: &DynamicImage, channels: usize) -> Vec<u8> {
    match channels {
        1 => grey(picture).into_raw(),
        _ => split(&rgb(picture).into_raw()),
    }
}

/// The same pixel by pixel.
pub(crate) fn pixels(picture: &DynamicImage, channels: usize) -> Vec<u8> {
    match channels {
        1 => grey(picture).into_raw(),
        _ => rgb(picture).into_raw(),
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
    look(bytes).map_err(|reason| format!("no readable picture: {reason}"))
}

fn look(bytes: &[u8]) -> Result<(u32, u32, bool), String> {
    if jpeg::is_jpeg(bytes) {
        return jpeg::survey(bytes);
    }
    let decoder = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(|error| error.to_string())?
        .into_decoder()
        .map_err(|error| error.to_string())?;
    let (width, height) = decoder.dimensions();
    Ok((width, height, decoder.color_type().has_color()))
}
