//! The images of a set as 8-bit pixels, class by class, from which every picture of the set is made.

use std::path::Path;

use super::png;
use crate::{Error, Result, SyntheticSet, files, listing::read_data, names::folded};

/// The images of a set as 8-bit pixels, class by class.
#[derive(Debug, Clone, PartialEq)]
pub struct Sheet {
    pub(super) names: Vec<String>,
    pub(super) channels: usize,
    pub(super) size: usize,
    /// Images of each class, each H×W×C bytes.
    pub(super) images: Vec<Vec<Vec<u8>>>,
}

impl Sheet {
    /// Of a synthetic set.
    ///
    /// # Errors
    /// [`Error::Shape`] when the set's fields contradict each other.
    pub fn of(set: &SyntheticSet) -> Result<Self> {
        set.check()?;
        let mut images = vec![Vec::new(); set.classes()];
        for (index, &label) in set.labels.iter().enumerate() {
            // It was checked that there is such a class.
            images[label as usize].push(set.image_u8(index));
        }
        Ok(Self { names: set.class_names.clone(), channels: set.channels, size: set.size, images })
    }

    /// From images of each class, each H×W×C bytes.
    pub(crate) fn new(
        names: Vec<String>,
        channels: usize,
        size: usize,
        images: Vec<Vec<Vec<u8>>>,
    ) -> Self {
        Self { names, channels, size, images }
    }

    /// One name per class.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The class of this name, or else the only class whose name differs from it only in case or in its Unicode form.
    pub fn class_called(&self, name: &str) -> Option<usize> {
        let alike = |other: &&String| folded(other) == folded(name);
        let exact = self.names.iter().position(|other| other == name);
        exact.or_else(|| match self.names.iter().filter(alike).count() {
            1 => self.names.iter().position(|other| alike(&other)),
            _ => None,
        })
    }

    /// Height and width of an image.
    pub fn size(&self) -> usize {
        self.size
    }

    /// 1 or 3.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// The images of a class, each H×W×C bytes; empty if there is no such class.
    pub fn class(&self, class: usize) -> &[Vec<u8>] {
        self.images.get(class).map_or(&[], Vec::as_slice)
    }

    /// How many images the largest class has.
    pub fn longest(&self) -> usize {
        self.images.iter().map(Vec::len).max().unwrap_or(0)
    }

    /// The first images of every class, as many as `most`.
    pub fn first(&self, most: usize) -> Self {
        let first = |class: &Vec<Vec<u8>>| class[..most.min(class.len())].to_vec();
        Self { images: self.images.iter().map(first).collect(), ..self.clone_empty() }
    }

    /// Only the classes with these numbers.
    pub fn only(&self, classes: &[usize]) -> Self {
        let kept = || classes.iter().filter(|&&class| class < self.names.len());
        Self {
            names: kept().map(|&class| self.names[class].clone()).collect(),
            images: kept().map(|&class| self.images[class].clone()).collect(),
            ..self.clone_empty()
        }
    }

    fn clone_empty(&self) -> Self {
        let names = self.names.clone();
        Self { names, channels: self.channels, size: self.size, images: Vec::new() }
    }

    /// Writes all images into one PNG: one row per class, unenlarged, with nothing between the images.
    ///
    /// # Errors
    /// [`Error::Io`] when writing fails, [`Error::Format`] when no PNG can be so large.
    pub fn save(&self, path: &Path) -> Result<()> {
        let row = self.size * self.channels;
        let width = self.longest() * self.size;
        let mut canvas = Vec::with_capacity(width * self.channels * self.size * self.names.len());
        for class in &self.images {
            for y in 0..self.size {
                canvas.extend(class.iter().flat_map(|image| &image[y * row..][..row]));
                canvas.resize(canvas.len().next_multiple_of(width * self.channels), 0);
            }
        }
        let extent = (width, self.names.len() * self.size);
        files::write_whole(path, &png::encode(&canvas, extent, self.channels, path)?)
    }

    /// Reads what [`save`](Self::save) wrote of a set with the names and shape of this one.
    ///
    /// # Errors
    /// [`Error::Io`] when there is no such file, [`Error::Format`] when it is no picture or one of
    /// another shape.
    pub fn load_like(&self, path: &Path) -> Result<Self> {
        let bytes = read_data(path)?;
        let picture = image::load_from_memory_with_format(&bytes, image::ImageFormat::Png)
            .map_err(|error| Error::format(path, format!("no readable PNG: {error}")))?;
        let (width, height) = (self.longest() * self.size, self.names.len() * self.size);
        let found = (picture.width() as usize, picture.height() as usize);
        if found != (width, height) {
            return Err(Error::format(
                path,
                format!("{}×{} pixels, {width}×{height} were expected", found.0, found.1),
            ));
        }
        let pixels = match self.channels {
            1 => picture.into_luma8().into_raw(),
            _ => picture.into_rgb8().into_raw(),
        };
        let row = self.size * self.channels;
        let image = |class: usize, index: usize| {
            let line = |y| ((class * self.size + y) * width + index * self.size) * self.channels;
            (0..self.size).flat_map(|y| &pixels[line(y)..][..row]).copied().collect()
        };
        let of_class = |(class, images): (usize, &Vec<_>)| {
            (0..images.len()).map(|index| image(class, index)).collect()
        };
        let images = self.images.iter().enumerate().map(of_class).collect();
        Ok(Self { images, ..self.clone_empty() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::grid::tests::plain;

    #[test]
    fn a_sheet_is_read_back_pixel_for_pixel() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("000010.png");
        for (classes, ipc, channels, size) in [(3, 4, 1, 5), (2, 1, 3, 8)] {
            let mut sheet = Sheet::of(&plain(classes, ipc, channels, size)).unwrap();
            // Every pixel its own, and one class with fewer images.
            let mut value = 0u8;
            sheet.images.iter_mut().flatten().flatten().for_each(|pixel| {
                *pixel = value;
                value = value.wrapping_add(7);
            });
            if ipc > 1 {
                sheet.images[1].pop();
            }
            sheet.save(&path).unwrap();
            assert_eq!(sheet.load_like(&path).unwrap(), sheet);
        }
        let other = Sheet::of(&plain(2, 2, 3, 8)).unwrap();
        let error = other.load_like(&path).unwrap_err().to_string();
        assert!(error.contains("8×16 pixels, 16×16 were expected"), "{error}");
    }

    #[test]
    fn parts_keep_their_names() {
        let sheet = Sheet::of(&plain(3, 4, 1, 2)).unwrap();
        let part = sheet.only(&[2, 7, 0]).first(2);
        assert_eq!(part.names(), ["2", "0"]);
        assert_eq!(part.class(0), &sheet.class(2)[..2]);
        assert_eq!(part.longest(), 2);
        assert!(part.class(9).is_empty());
        let names = ["caf\u{e9}", "a", "A"].map(String::from);
        let named = Sheet { names: names.into(), ..part };
        let found = ["cafe\u{301}", "Caf\u{c9}", "A", "b"].map(|name| named.class_called(name));
        assert_eq!(found, [Some(0), Some(0), Some(2), None]);
    }
}
