//! Images as half-blocks: a character is two pixels, one above the other.

use dm_wgpu::report::{Sheet, printable};

/// Pixels of a side to which images are shrunk, unless they must be smaller …
const COMFORTABLE: usize = 28;
/// … and below which nobody would recognise them.
const LEAST: usize = 14;
/// From this number on, classes are many, and their images are shown small.
const MANY: usize = 12;
/// Letters of a name.
const LETTERS: usize = 14;

/// The layout, in characters.
#[derive(Debug, PartialEq)]
pub struct Blocks {
    /// Pixels of an image's side, an even number: so many characters, half as many lines.
    side: usize,
    /// Images of a class beside each other.
    across: usize,
    /// Images of a class.
    shown: usize,
    letters: usize,
    /// Classes beside each other.
    beside: usize,
}

impl Blocks {
    /// A layout that fits into a width. A single class shows all its images, on several lines if necessary.
    pub fn of(sheet: &Sheet, columns: usize, alone: bool) -> Self {
        let letters = sheet.names().iter().map(|name| width(name)).max().unwrap_or(0).min(LETTERS);
        let room = columns.saturating_sub(letters + 1);
        let largest = if sheet.names().len() > MANY { LEAST } else { COMFORTABLE };
        let even = |side: usize| (side & !1).max(2);
        let each = (room / sheet.longest().max(1)).saturating_sub(1);
        let side = even(each.clamp(LEAST, largest).min(sheet.size()).min(room));
        let fitting = ((room + 1) / (side + 1)).max(1);
        let across = fitting.min(sheet.longest());
        let shown = if alone { sheet.longest() } else { across };
        let block = letters + 1 + across * (side + 1);
        Self { side, across, shown, letters, beside: ((columns + 1) / block).max(1) }
    }

    /// How many of its images a class shows.
    pub fn shown(&self) -> usize {
        self.shown
    }

    pub fn text(&self, sheet: &Sheet, palette: bool) -> String {
        let classes: Vec<_> = (0..sheet.names().len()).collect();
        let mut text = String::new();
        for band in classes.chunks(self.beside) {
            let blocks: Vec<_> = band.iter().map(|&c| self.class(sheet, c, palette)).collect();
            for line in 0..blocks.iter().map(Vec::len).max().unwrap_or(0) {
                let empty = || " ".repeat(self.letters + 1 + self.across * (self.side + 1));
                let line =
                    blocks.iter().map(|block| block.get(line).cloned().unwrap_or_else(empty));
                text += line.collect::<String>().trim_end();
                text.push('\n');
            }
            text.push('\n');
        }
        text
    }

    /// A class's lines, all equally wide.
    fn class(&self, sheet: &Sheet, class: usize, palette: bool) -> Vec<String> {
        let images = sheet.class(class);
        let small: Vec<_> = images[..images.len().min(self.shown)]
            .iter()
            .map(|image| shrunk(image, sheet.size(), sheet.channels(), self.side))
            .collect();
        let height = self.side / 2;
        let mut lines = Vec::new();
        for row in small.chunks(self.across) {
            for y in 0..height {
                // The name stands beside the middle of the first images.
                let name = if lines.len() == (height - 1) / 2 { &sheet.names()[class] } else { "" };
                let mut line = fitted(name, self.letters) + " ";
                for image in row {
                    for x in 0..self.side {
                        line += &colours(
                            image[2 * y * self.side + x],
                            image[(2 * y + 1) * self.side + x],
                            palette,
                        );
                        line.push('▀');
                    }
                    line += "\u{1b}[0m ";
                }
                line += &" ".repeat((self.across - row.len()) * (self.side + 1));
                lines.push(line);
            }
        }
        lines
    }
}

/// Characters that a name takes: those of East Asia are twice as wide.
fn width(name: &str) -> usize {
    unicode_width::UnicodeWidthStr::width(&*printable(name))
}

/// A name in exactly so many characters, cut if necessary; nothing in it moves the cursor.
fn fitted(name: &str, letters: usize) -> String {
    let mut cut = printable(name).into_owned();
    if width(&cut) > letters {
        while width(&cut) >= letters && cut.pop().is_some() {}
        cut.push('…');
    }
    let missing = letters.saturating_sub(width(&cut));
    format!("{}{cut}", " ".repeat(missing))
}

/// An image of `side` pixels, each the mean of what it covers.
fn shrunk(image: &[u8], size: usize, channels: usize, side: usize) -> Vec<[u8; 3]> {
    let covered = |at: usize| at * size / side..((at + 1) * size).div_ceil(side);
    let mean = |x: usize, y: usize| {
        let mut sum = [0u32; 3];
        let mut count = 0;
        for (row, column) in covered(y).flat_map(|row| covered(x).map(move |column| (row, column)))
        {
            let pixel = &image[(row * size + column) * channels..][..channels];
            // Grey is the same in all three.
            sum.iter_mut().enumerate().for_each(|(c, sum)| *sum += u32::from(pixel[c % channels]));
            count += 1;
        }
        // The mean of bytes is a byte.
        sum.map(|sum| ((sum + count / 2) / count.max(1)) as u8)
    };
    (0..side).flat_map(|y| (0..side).map(move |x| mean(x, y))).collect()
}

fn colours(above: [u8; 3], below: [u8; 3], palette: bool) -> String {
    if palette {
        return format!("\u{1b}[38;5;{};48;5;{}m", nearest(above), nearest(below));
    }
    let ([r, g, b], [s, h, c]) = (above, below);
    format!("\u{1b}[38;2;{r};{g};{b};48;2;{s};{h};{c}m")
}

/// Of the 256 colours: the cube of six steps per channel, or, for greys, the finer ramp beside it.
fn nearest([r, g, b]: [u8; 3]) -> u8 {
    if r.abs_diff(g) < 10 && g.abs_diff(b) < 10 && r.abs_diff(b) < 10 {
        return match g {
            0..=3 => 16,
            247.. => 231,
            grey => 232 + (grey.saturating_sub(3) / 10).min(23),
        };
    }
    // 0, 95, 135, 175, 215, 255.
    let step = |value: u8| match value {
        0..48 => 0,
        48..115 => 1,
        _ => (value - 35) / 40,
    };
    16 + 36 * step(r) + 6 * step(g) + step(b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use dm_wgpu::{SyntheticSet, report::Sheet};

    fn sheet(classes: usize, ipc: usize, channels: usize, size: usize, name: &str) -> Sheet {
        let n = classes * ipc;
        let image = |i: usize| vec![(i % 7) as f32 / 7.0; channels * size * size];
        Sheet::of(&SyntheticSet {
            images: (0..n).flat_map(image).collect(),
            labels: (0..n).map(|i| (i / ipc) as i64).collect(),
            channels,
            size,
            dataset: "plain".into(),
            class_names: vec![name.into(); classes],
            mean: vec![0.0; channels],
            std: vec![1.0; channels],
            ipc,
            factor: 1,
            settings: "{}".into(),
            course: None,
        })
        .unwrap()
    }

    /// The part of a line that takes room on the screen.
    fn visible(line: &str) -> String {
        let mut seen = String::new();
        let mut escape = false;
        for c in line.chars() {
            match c {
                '\u{1b}' => escape = true,
                'm' if escape => escape = false,
                c if !escape => seen.push(c),
                _ => {}
            }
        }
        seen
    }

    #[test]
    fn lines_fit_the_width() {
        for (classes, ipc, channels, size, columns) in [
            (10, 10, 1, 28, 80),
            (10, 1, 3, 32, 80),
            (100, 1, 3, 64, 120),
            (2, 50, 1, 28, 200),
            (3, 4, 3, 7, 20),
            (1, 1, 1, 1, 8),
        ] {
            let sheet = sheet(classes, ipc, channels, size, "a name of some length");
            for alone in [false, true] {
                let blocks = Blocks::of(&sheet, columns, alone);
                let text = blocks.text(&sheet, false);
                let widths = text.lines().map(|line| width(&visible(line)));
                let widest = widths.max().unwrap();
                assert!(widest <= columns || columns < 20, "{widest} of {columns}: {blocks:?}");
                let images = text.matches('▀').count() / (blocks.side * blocks.side / 2);
                assert_eq!(images, classes * blocks.shown(), "{blocks:?}");
                assert!(!alone || blocks.shown() == ipc);
            }
        }
    }

    #[test]
    fn a_line_is_a_name_and_two_rows_of_pixels() {
        let sheet = sheet(1, 1, 1, 2, "cat");
        let text = Blocks::of(&sheet, 80, false).text(&sheet, false);
        let black = "\u{1b}[38;2;0;0;0;48;2;0;0;0m▀";
        assert_eq!(text, format!("cat {black}{black}\u{1b}[0m\n\n"));
    }

    #[test]
    fn names_are_cut_and_harmless() {
        assert_eq!(fitted("cat", 5), "  cat");
        assert_eq!(fitted("elephant", 5), "elep…");
        assert_eq!(width(&fitted("ねこねこ", 5)), 5);
        assert_eq!(fitted("\u{1b}[2J", 9), r"\u{1b}[2J");
        assert_eq!(fitted("\u{1b}[2J", 4), r"\u{…");
    }

    #[test]
    fn pixels_are_means_of_what_they_cover() {
        let image: Vec<_> = (0..16).map(|x| x * 10).collect();
        assert_eq!(shrunk(&image, 4, 1, 2), [[25; 3], [45; 3], [105; 3], [125; 3]]);
        let colours = [1, 2, 3, 3, 4, 5, 5, 6, 7, 7, 8, 9];
        assert_eq!(shrunk(&colours, 2, 3, 2), [[1, 2, 3], [3, 4, 5], [5, 6, 7], [7, 8, 9]]);
    }

    #[test]
    fn colours_of_the_palette_are_near() {
        for (colour, index) in [
            ([0, 0, 0], 16),
            ([255, 255, 255], 231),
            ([128, 128, 128], 244),
            ([255, 0, 0], 196),
            ([0, 95, 135], 24),
        ] {
            assert_eq!(nearest(colour), index, "{colour:?}");
        }
    }
}
