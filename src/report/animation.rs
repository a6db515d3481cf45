//! The images of a run as they grow, one frame per snapshot.
//!
//! An animated PNG rather than a GIF: it keeps every colour, where a GIF has 256, and the synthetic
//! images of coloured sets are full of fine noise that a palette turns to blotches. Browsers play it;
//! a viewer that knows only plain PNG shows the last images.

use std::{borrow::Cow, path::Path};

use png::{BitDepth, ColorType, Encoder, EncodingError};

use super::{
    Sheet,
    grid::{Layout, PAPER},
    lettering,
};
use crate::{Error, Result, files};

/// No side is much longer, unless the images would have to be made smaller.
const COMFORTABLE: usize = 1400;
/// Bytes of pixels in all frames together, unenlarged; beyond, each class shows fewer images.
const BUDGET: usize = 6 << 20;
/// Milliseconds that a frame stays, and the last one.
const STAYS: u16 = 450;
const LAST_STAYS: u16 = 2500;

/// Writes an animated PNG from the images after so many iterations, in order, all of one shape. If
/// the file would be too large, the last images of every class are left out.
///
/// # Errors
/// [`Error::Shape`] when there is no frame, [`Error::Io`] when writing fails.
pub fn write_animation(frames: &[(u32, Sheet)], path: &Path) -> Result<()> {
    let Some((_, last)) = frames.last() else {
        return Err(Error::shape("animation", "it has no frames"));
    };
    let most = shown(last, frames.len(), BUDGET);
    let frames: Vec<_> = frames
        .iter()
        .map(|(iteration, sheet)| match most < sheet.longest() {
            true => (*iteration, Cow::Owned(sheet.first(most))),
            false => (*iteration, Cow::Borrowed(sheet)),
        })
        .collect();
    let bytes = encode(&frames)
        .map_err(|error| Error::format(path, format!("no animation could be made: {error}")))?;
    files::write_whole(path, &bytes)
}

/// How many images per class fit into a number of bytes, for so many such sheets; at least one.
pub(super) fn shown(sheet: &Sheet, sheets: usize, budget: usize) -> usize {
    let one_each = sheet.names.len() * sheet.size * sheet.size * sheet.channels * sheets.max(1);
    (budget / one_each.max(1)).clamp(1, sheet.longest().max(1))
}

fn encode(frames: &[(u32, Cow<Sheet>)]) -> Result<Vec<u8>, EncodingError> {
    let Some((_, last)) = frames.last() else { return Ok(Vec::new()) };
    let layout = Layout::of(last, COMFORTABLE);
    let (width, height) = layout.extent();
    let caption = 2 * layout.font.height();
    let paint = |(iteration, sheet): &(u32, Cow<Sheet>)| {
        let mut canvas = layout.paint(sheet);
        canvas.resize(width * (height + caption) * sheet.channels, PAPER);
        let text = format!("iteration {iteration}");
        let room = width.saturating_sub(layout.font.width(&text));
        let left = layout.place(0, 0).0.min(room);
        // A picture of a few pixels has no room for this text.
        if layout.font.width(&text) <= width {
            let place = (left, height + layout.font.height() / 4);
            lettering::write(&mut canvas, (width, sheet.channels), &text, layout.font, place);
        }
        canvas
    };
    let side = |pixels: usize| u32::try_from(pixels).unwrap_or(u32::MAX);
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, side(width), side(height + caption));
    encoder.set_color(if last.channels == 1 { ColorType::Grayscale } else { ColorType::Rgb });
    encoder.set_depth(BitDepth::Eight);
    encoder.set_animated(side(frames.len()), 0)?;
    // Viewers that do not play animations show the default image, which is the last frame.
    encoder.set_sep_def_img(true)?;
    encoder.set_frame_delay(STAYS, 1000)?;
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&paint(&frames[frames.len() - 1]))?;
    for (number, frame) in frames.iter().enumerate() {
        if number + 1 == frames.len() {
            writer.set_frame_delay(LAST_STAYS, 1000)?;
        }
        writer.write_image_data(&paint(frame))?;
    }
    writer.finish()?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::grid::tests::plain;

    #[test]
    fn every_snapshot_is_a_frame_and_the_last_one_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("progress.png");
        for channels in [1, 3] {
            let mut sheet = Sheet::of(&plain(2, 3, channels, 8)).unwrap();
            let mut frames = Vec::new();
            for iteration in [0, 5, 10] {
                sheet.images[0][0].fill(iteration as u8 + 100);
                frames.push((iteration, sheet.clone()));
            }
            write_animation(&frames, &path).unwrap();

            let file = std::io::BufReader::new(std::fs::File::open(&path).unwrap());
            let mut reader = png::Decoder::new(file).read_info().unwrap();
            let control = *reader.info().animation_control().unwrap();
            assert_eq!((control.num_frames, control.num_plays), (3, 0));
            let layout = Layout::of(&sheet, COMFORTABLE);
            let (x, y) = layout.place(0, 0);
            let at = (y * layout.extent().0 + x) * channels;
            let mut canvas = vec![0; reader.output_buffer_size().unwrap()];
            let mut first = || {
                reader.next_frame(&mut canvas).unwrap();
                let stays = reader.info().frame_control().map(|frame| frame.delay_num);
                (canvas[at], stays)
            };
            assert_eq!(first().0, 110, "without animation: the last");
            assert_eq!(first(), (100, Some(STAYS)));
            assert_eq!(first(), (105, Some(STAYS)));
            assert_eq!(first(), (110, Some(LAST_STAYS)));
        }
        assert!(write_animation(&[], &path).is_err());
    }

    #[test]
    fn large_sets_show_their_first_images() {
        let sheet = Sheet::of(&plain(10, 50, 3, 8)).unwrap();
        assert_eq!(shown(&sheet, 11, BUDGET), 50);
        assert_eq!(shown(&sheet, 10, 10 * 10 * 3 * 64 * 7 + 5), 7);
        assert_eq!(shown(&sheet, 11, 1), 1);
    }
}
