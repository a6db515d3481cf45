//! Class names in pictures, in a small font that is part of the program.

use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster, get_raster_width};

/// How dark letters are.
const INK: u8 = 45;

/// Drawn as three dots in the width of one letter: the font has none.
const ELLIPSIS: char = '…';

/// One of the sizes that there are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Font {
    Small,
    Large,
}

impl Font {
    fn raster(self) -> RasterHeight {
        match self {
            Self::Small => RasterHeight::Size16,
            Self::Large => RasterHeight::Size24,
        }
    }

    /// Pixels from one line to the next.
    pub fn height(self) -> usize {
        self.raster().val()
    }

    /// Pixels of a text on one line.
    pub fn width(self, text: &str) -> usize {
        text.chars().count() * get_raster_width(FontWeight::Regular, self.raster())
    }
}

/// A name as the font can draw it, in at most so many letters. A name with letters that the font
/// lacks becomes `class 3`.
pub(super) fn drawable(name: &str, class: usize, most: usize) -> String {
    // Combining accents are dropped; their letters stay.
    let combining = |c: char| ('\u{300}'..='\u{36f}').contains(&c);
    let name: String = name.trim().chars().filter(|&c| !combining(c)).collect();
    if name.is_empty() || !name.chars().all(known) {
        return format!("class {class}");
    }
    match name.chars().count() > most {
        false => name,
        true => name.chars().take(most.saturating_sub(1)).chain([ELLIPSIS]).collect(),
    }
}

fn known(letter: char) -> bool {
    letter == ELLIPSIS || get_raster(letter, FontWeight::Regular, RasterHeight::Size16).is_some()
}

/// Draws a text on a canvas of so many channels and pixels per row, its upper left corner at (x, y).
pub(super) fn write(
    canvas: &mut [u8],
    (width, channels): (usize, usize),
    text: &str,
    font: Font,
    (x, y): (usize, usize),
) {
    let step = font.width("x");
    let mut draw = |letter: char, x: usize| {
        let Some(raster) = get_raster(letter, FontWeight::Regular, font.raster()) else { return };
        for (row, line) in raster.rows().enumerate() {
            for (column, &ink) in line.iter().enumerate().filter(|(_, ink)| **ink > 0) {
                let at = ((y + row) * width + x + column) * channels;
                for value in &mut canvas[at..at + channels] {
                    let (paper, ink) = (u32::from(*value), u32::from(ink));
                    // Between the two, so it is a byte again.
                    *value = ((paper * (255 - ink) + u32::from(INK) * ink) / 255) as u8;
                }
            }
        }
    };
    for (at, letter) in text.chars().enumerate() {
        let x = x + at * step;
        match letter {
            ELLIPSIS => {
                let dots = [x.saturating_sub(step / 3), x, x + step / 3];
                dots.into_iter().for_each(|x| draw('.', x));
            }
            letter => draw(letter, x),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_or_replaced() {
        for (name, expected) in [
            ("airplane", "airplane"),
            ("aquarium fish", "aquarium f…"),
            (" čáp ", "čáp"),
            ("e\u{301}tude", "etude"),
            ("ねこ", "class 3"),
            ("<b>&", "<b>&"),
            ("", "class 3"),
            ("a\nb", "class 3"),
        ] {
            assert_eq!(drawable(name, 3, 11), expected);
        }
    }

    #[test]
    fn letters_stay_in_their_place() {
        for font in [Font::Small, Font::Large] {
            let (width, height) = (font.width("gÅ…"), font.height());
            let mut canvas = vec![255; (width + 2) * (height + 2) * 3];
            write(&mut canvas, (width + 2, 3), "gÅ…", font, (1, 1));
            let ink = |x: usize, y: usize| canvas[(y * (width + 2) + x) * 3] < 128;
            let inked = |columns: std::ops::Range<usize>| {
                columns.flat_map(|x| (0..height + 2).map(move |y| (x, y))).any(|(x, y)| ink(x, y))
            };
            for letter in 0..3 {
                let left = 1 + letter * width / 3;
                assert!(inked(left..left + width / 3), "letter {letter} is missing");
            }
            assert!(!(0..width + 2).any(|x| ink(x, 0) || ink(x, height + 1)));
        }
    }
}
