//! The picture that shows a whole synthetic set: a row a class.

use std::path::Path;

use super::png;
use crate::{Result, SyntheticSet, files};

/// Small images are enlarged until a side has about so many pixels.
const READABLE: usize = 96;
/// Enlarging stops where the whole picture would have a longer side.
const COMFORTABLE: usize = 6144;
/// What would make a side longer than this is left out: viewers refuse such pictures.
const LARGEST: usize = 16384;
/// Between images and around them; neither black digits nor white ones run into it.
const GUTTER: u8 = 128;

/// Writes a PNG with one row a class and one column for each of its images, enlarged by a whole
/// number (nearest neighbour) so that pixels stay what they are.
///
/// A set whose picture would exceed 16384 pixels a side, unenlarged, has its last columns or rows
/// left out, and a warning is logged.
///
/// # Errors
/// [`Error::Shape`](crate::Error::Shape) when the set's fields contradict each other,
/// [`Error::Io`](crate::Error::Io) when writing fails.
pub fn write_grid(set: &SyntheticSet, path: &Path) -> Result<()> {
    set.check()?;
    let layout = Layout::of(set.size, set.ipc, set.classes());
    if layout.columns < set.ipc || layout.rows < set.classes() {
        log::warn!(
            "{} shows {} of {} classes and {} of {} images each",
            path.display(),
            layout.rows,
            set.classes(),
            layout.columns,
            set.ipc
        );
    }
    let (width, height) = layout.extent();
    let mut canvas = vec![GUTTER; width * height * set.channels];
    for row in 0..layout.rows {
        for column in 0..layout.columns {
            let image = set.image_u8(row * set.ipc + column);
            layout.paint(&mut canvas, &image, set.channels, (row, column));
        }
    }
    files::write_whole(path, &png::encode(&canvas, (width, height), set.channels, path)?)
}

#[derive(Debug, PartialEq)]
struct Layout {
    size: usize,
    columns: usize,
    rows: usize,
    scale: usize,
    gutter: usize,
}

impl Layout {
    fn of(size: usize, ipc: usize, classes: usize) -> Self {
        let mut layout = Self { size, columns: ipc, rows: classes, scale: 1, gutter: 1 };
        let fitting = (LARGEST - layout.gutter) / layout.pitch();
        layout.columns = layout.columns.min(fitting);
        layout.rows = layout.rows.min(fitting);
        for scale in (2..=READABLE.div_ceil(size)).rev() {
            let larger = Self { scale, gutter: 2, ..layout };
            let (width, height) = larger.extent();
            if width.max(height) <= COMFORTABLE {
                return larger;
            }
        }
        layout
    }

    fn pitch(&self) -> usize {
        self.size * self.scale + self.gutter
    }

    fn extent(&self) -> (usize, usize) {
        let side = |n: usize| n * self.pitch() + self.gutter;
        (side(self.columns), side(self.rows))
    }

    fn paint(
        &self,
        canvas: &mut [u8],
        image: &[u8],
        channels: usize,
        (row, column): (usize, usize),
    ) {
        let (width, _) = self.extent();
        let left = self.gutter + column * self.pitch();
        let top = self.gutter + row * self.pitch();
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
            settings: "{}".into(),
        }
    }

    #[test]
    fn shows_every_image_in_its_place() {
        let folder = tempfile::tempdir().unwrap();
        for (classes, ipc, channels, size) in
            [(10, 1, 1, 28), (10, 10, 3, 32), (3, 100, 1, 28), (2, 3, 3, 64), (1, 1, 1, 1)]
        {
            let path = folder.path().join("grid.png");
            write_grid(&plain(classes, ipc, channels, size), &path).unwrap();
            let picture = image::open(&path).unwrap();
            let layout = Layout::of(size, ipc, classes);
            assert_eq!((layout.rows, layout.columns), (classes, ipc));
            let (width, height) = layout.extent();
            assert_eq!(picture.dimensions(), (width as u32, height as u32));
            for row in 0..classes {
                for column in 0..ipc {
                    let left = layout.gutter + column * layout.pitch();
                    let top = layout.gutter + row * layout.pitch();
                    let last = size * layout.scale - 1;
                    for (x, y) in [(left, top), (left + last, top + last)] {
                        let image = row * ipc + column;
                        let expected = |c: usize| ((image * 37 + c * 90) % 256) as u8;
                        let found = picture.get_pixel(x as u32, y as u32);
                        assert_eq!(found[0], expected(0));
                        assert_eq!(found[2], expected(if channels == 3 { 2 } else { 0 }));
                    }
                    assert_eq!(picture.get_pixel(left as u32 - 1, top as u32)[0], GUTTER);
                }
            }
        }
    }

    #[test]
    fn sizes_stay_within_reason() {
        assert_eq!(Layout::of(28, 1, 10).scale, 4);
        assert_eq!(Layout::of(28, 100, 10).scale, 2);
        assert_eq!(Layout::of(64, 10, 10).scale, 2);
        assert_eq!(Layout::of(500, 1, 2).scale, 1);
        for (size, ipc, classes) in [(28, 5000, 10), (32, 1, 100_000), (4096, 50, 50)] {
            let (width, height) = Layout::of(size, ipc, classes).extent();
            assert!(width <= LARGEST && height <= LARGEST, "{width}×{height}");
        }
    }
}
