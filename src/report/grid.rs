//! The picture of a whole synthetic set: one row per class, with the class's name before it.

use std::path::Path;

use super::{
    Sheet,
    lettering::{self, Font},
    png,
};
use crate::{Result, SyntheticSet, files};

/// Small images are enlarged until a side has about so many pixels.
const READABLE: usize = 96;
/// Enlarging stops where the whole picture would have a longer side.
const COMFORTABLE: usize = 6144;
/// Images that would make a side longer than this are left out, because viewers refuse such pictures.
const LARGEST: usize = 16384;
/// Between images and around them; neither black digits nor white ones run into it.
pub(super) const PAPER: u8 = 238;
/// From this number on, the classes stand in several columns.
const MANY: usize = 24;
/// The ratio of width to height at which columns aim.
const ASPECT: f64 = 1.4;
/// Letters of a class's name.
const LETTERS: usize = 18;

/// Writes a PNG with one row per class and one column for each of its images, enlarged by a whole
/// number (nearest neighbour) so that pixels stay what they are. The class's name stands before
/// the row, cut if it is long, or `class 3` if its letters are not European ones. Many classes
/// stand in several columns, from top to bottom and left to right.
///
/// A set whose picture would exceed 16384 pixels a side, unenlarged, has its last columns or rows
/// left out, and a warning is logged.
///
/// # Errors
/// [`Error::Shape`](crate::Error::Shape) when the set's fields contradict each other,
/// [`Error::Io`](crate::Error::Io) when writing fails.
pub fn write_grid(set: &SyntheticSet, path: &Path) -> Result<()> {
    let sheet = Sheet::of(set)?;
    let layout = Layout::of(&sheet, COMFORTABLE);
    if layout.columns < set.ipc || layout.rows * layout.blocks < set.classes() {
        log::warn!(
            "{} shows {} of {} classes and {} of {} images each",
            path.display(),
            (layout.rows * layout.blocks).min(set.classes()),
            set.classes(),
            layout.columns,
            set.ipc
        );
    }
    let canvas = layout.paint(&sheet);
    files::write_whole(path, &png::encode(&canvas, layout.extent(), set.channels, path)?)
}

/// The bytes of such a picture, for a screen rather than a file: no side is much longer than
/// `longest` pixels, unless images would have to be made smaller for that.
///
/// # Errors
/// [`Error::Format`](crate::Error::Format) when no PNG can be so large.
pub fn grid_png(sheet: &Sheet, longest: usize) -> Result<Vec<u8>> {
    let layout = Layout::of(sheet, longest);
    png::encode(&layout.paint(sheet), layout.extent(), sheet.channels, Path::new("the grid"))
}

/// The layout, in pixels.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Layout {
    size: usize,
    scale: usize,
    gutter: usize,
    /// Images of a class.
    columns: usize,
    /// Classes below each other.
    rows: usize,
    /// Columns of classes.
    blocks: usize,
    names: Vec<String>,
    pub font: Font,
}

impl Layout {
    pub fn of(sheet: &Sheet, comfortable: usize) -> Self {
        let classes = sheet.names.len();
        let name = |(class, name): (usize, &String)| lettering::drawable(name, class, LETTERS);
        let mut layout = Self {
            size: sheet.size,
            scale: 1,
            gutter: 1,
            columns: sheet.longest(),
            rows: classes,
            blocks: 1,
            names: sheet.names.iter().enumerate().map(name).collect(),
            font: Font::Small,
        };
        for scale in (2..=READABLE.div_ceil(sheet.size)).rev() {
            let font = if sheet.size * scale < 48 { Font::Small } else { Font::Large };
            let mut larger = Self { scale, gutter: 4, font, ..layout.clone() };
            larger.spread_out(classes);
            let (width, height) = larger.extent();
            if width.max(height) <= comfortable {
                return larger;
            }
        }
        let side = LARGEST - 2 * layout.gutter;
        layout.columns = layout.columns.min((side - layout.label()) / layout.pitch());
        layout.spread_out(classes);
        layout.rows = layout.rows.min(side / layout.row());
        layout.blocks = layout.blocks.min((side / layout.block()).max(1));
        layout
    }

    /// Spreads many classes over columns, so that the picture is not much higher than wide.
    fn spread_out(&mut self, classes: usize) {
        if classes <= MANY {
            return;
        }
        let (row, block) = (self.row(), self.block());
        let aspect = |blocks: usize| {
            let height = classes.div_ceil(blocks) * row;
            ((blocks * block) as f64 / height as f64 / ASPECT).ln().abs()
        };
        let best = (1..=classes).min_by(|&a, &b| aspect(a).total_cmp(&aspect(b))).unwrap_or(1);
        self.rows = classes.div_ceil(best);
        self.blocks = classes.div_ceil(self.rows);
    }

    fn pitch(&self) -> usize {
        self.size * self.scale + self.gutter
    }

    /// From one class to the one below.
    fn row(&self) -> usize {
        self.pitch().max(self.font.height())
    }

    /// From the left of a class's name to that of its images.
    fn label(&self) -> usize {
        let widest = self.names.iter().map(|name| self.font.width(name)).max().unwrap_or(0);
        widest + 3 * self.font.height() / 4
    }

    /// From one column of classes to the next.
    fn block(&self) -> usize {
        self.label() + self.columns * self.pitch() + self.font.height()
    }

    /// Width and height.
    pub fn extent(&self) -> (usize, usize) {
        (self.blocks * self.block(), self.rows * self.row() + 2 * self.gutter)
    }

    /// Upper left corner of an image.
    pub fn place(&self, class: usize, index: usize) -> (usize, usize) {
        let (block, row) = (class / self.rows, class % self.rows);
        let left = self.font.height() / 2 + block * self.block() + self.label();
        let middle = (self.row() - self.size * self.scale) / 2;
        (left + index * self.pitch(), self.gutter + row * self.row() + middle)
    }

    pub fn paint(&self, sheet: &Sheet) -> Vec<u8> {
        let channels = sheet.channels;
        let (width, height) = self.extent();
        let mut canvas = vec![PAPER; width * height * channels];
        for (class, images) in sheet.images.iter().enumerate().take(self.rows * self.blocks) {
            let name = &self.names[class];
            let (left, top) = self.place(class, 0);
            // To the right, beside its images.
            let x = left - self.font.height() / 2 - self.font.width(name);
            let y = (2 * top + self.size * self.scale).saturating_sub(self.font.height()) / 2;
            lettering::write(&mut canvas, (width, channels), name, self.font, (x, y));
            for (index, image) in images.iter().enumerate().take(self.columns) {
                self.enlarge(&mut canvas, image, channels, self.place(class, index));
            }
        }
        canvas
    }

    fn enlarge(
        &self,
        canvas: &mut [u8],
        image: &[u8],
        channels: usize,
        (left, top): (usize, usize),
    ) {
        let (width, _) = self.extent();
        for y in 0..self.size * self.scale {
            let start = ((top + y) * width + left) * channels;
            let line = &mut canvas[start..][..self.size * self.scale * channels];
            let from = &image[y / self.scale * self.size * channels..][..self.size * channels];
            for (wide, pixel) in
                line.chunks_exact_mut(self.scale * channels).zip(from.chunks_exact(channels))
            {
                wide.chunks_exact_mut(channels).for_each(|to| to.copy_from_slice(pixel));
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use image::GenericImageView;

    /// A set in which every image has one colour of its own.
    pub(crate) fn plain(classes: usize, ipc: usize, channels: usize, size: usize) -> SyntheticSet {
        let plane = size * size;
        let n = classes * ipc;
        let value = |image: usize, channel: usize| ((image * 37 + channel * 90) % 256) as f32;
        SyntheticSet {
            images: (0..n * channels * plane)
                .map(|i| value(i / (channels * plane), i / plane % channels) / 255.0)
                .collect(),
            labels: (0..n).map(|i| (i / ipc) as i64).collect(),
            channels,
            size,
            dataset: "plain".into(),
            class_names: (0..classes).map(|class| class.to_string()).collect(),
            mean: vec![0.0; channels],
            std: vec![1.0; channels],
            ipc,
            factor: 1,
            settings: "{}".into(),
            course: None,
        }
    }

    fn layout(size: usize, ipc: usize, classes: usize) -> Layout {
        // One name for all: only their number counts.
        let images = vec![vec![Vec::new(); ipc]; classes];
        Layout::of(&Sheet::new(vec!["name".into(); classes], 1, size, images), COMFORTABLE)
    }

    #[test]
    fn shows_every_image_in_its_place() {
        let folder = tempfile::tempdir().unwrap();
        for (classes, ipc, channels, size) in [
            (10, 1, 1, 28),
            (10, 10, 3, 32),
            (3, 100, 1, 28),
            (2, 3, 3, 64),
            (1, 1, 1, 1),
            (100, 2, 3, 32),
        ] {
            let path = folder.path().join("grid.png");
            let set = plain(classes, ipc, channels, size);
            write_grid(&set, &path).unwrap();
            let picture = image::open(&path).unwrap();
            let layout = Layout::of(&Sheet::of(&set).unwrap(), COMFORTABLE);
            assert!(layout.rows * layout.blocks >= classes && layout.columns == ipc);
            let (width, height) = layout.extent();
            assert_eq!(picture.dimensions(), (width as u32, height as u32));
            let mut corners = std::collections::HashSet::new();
            for (class, index) in (0..classes).flat_map(|c| (0..ipc).map(move |i| (c, i))) {
                let (left, top) = layout.place(class, index);
                assert!(corners.insert((left, top)), "two images in one place");
                let last = size * layout.scale - 1;
                for (x, y) in [(left, top), (left + last, top + last)] {
                    let image = class * ipc + index;
                    let expected = |c: usize| ((image * 37 + c * 90) % 256) as u8;
                    let found = picture.get_pixel(x as u32, y as u32);
                    assert_eq!(found[0], expected(0));
                    assert_eq!(found[2], expected(if channels == 3 { 2 } else { 0 }));
                }
                assert_eq!(picture.get_pixel(left as u32 - 1, top as u32)[0], PAPER);
            }
        }
    }

    #[test]
    fn names_stand_before_their_rows() {
        let mut set = plain(3, 2, 3, 32);
        set.class_names = vec!["a".into(), " ".into(), "a name that is very long".into()];
        let sheet = Sheet::of(&set).unwrap();
        let layout = Layout::of(&sheet, COMFORTABLE);
        assert_eq!(layout.names, ["a", "class 1", "a name that is ve…"]);
        let (width, _) = layout.extent();
        let canvas = layout.paint(&sheet);
        // Columns of the label that have ink in the row of a class.
        let inked = |class: usize| {
            let (left, top) = layout.place(class, 0);
            let dark = |x: &usize| {
                (top..top + 32 * layout.scale).any(|y| canvas[(y * width + x) * 3] < PAPER)
            };
            (0..left).filter(dark).count()
        };
        let letter = layout.font.width("a");
        assert!((1..=letter).contains(&inked(0)), "{} columns", inked(0));
        assert!(inked(1) > 3 * letter && inked(2) > 10 * letter);
        // Numbers would look the same without names.
        assert!(canvas.iter().any(|&value| value < 60));
    }

    #[test]
    fn sizes_stay_within_reason() {
        assert_eq!(layout(28, 1, 10).scale, 4);
        assert_eq!(layout(28, 100, 10).scale, 2);
        assert_eq!(layout(64, 10, 10).scale, 2);
        assert_eq!(layout(500, 1, 2).scale, 1);
        for (size, ipc, classes) in [(28, 5000, 10), (32, 1, 100_000), (4096, 50, 50)] {
            let (width, height) = layout(size, ipc, classes).extent();
            assert!(width <= LARGEST && height <= LARGEST, "{width}×{height}");
        }
    }

    #[test]
    fn many_classes_stand_in_columns() {
        assert_eq!(layout(28, 1, 10).blocks, 1);
        assert_eq!(layout(32, 50, 20).blocks, 1);
        for (size, ipc, classes) in [(32, 1, 100), (32, 10, 100), (64, 1, 200), (64, 10, 200)] {
            let layout = layout(size, ipc, classes);
            let (width, height) = layout.extent();
            let aspect = width as f64 / height as f64;
            assert!((0.7..2.5).contains(&aspect), "{width}×{height}");
            assert!(layout.rows * (layout.blocks - 1) < classes, "an empty column");
        }
    }
}
