//! The images of a set for display, without the data set from which it was made.

use std::path::{Path, PathBuf};

use super::{Arrays, Content, Imported, Values, folder::picture, looks};
use crate::{Error, Result, data::pixels, names::printable, report::Sheet};

/// A set with more classes is a broken file.
const MOST_CLASSES: usize = 1 << 20;

impl Imported {
    /// Its images for display. If the set does not name its data set, class names are numbers.
    /// Floats whose normalisation is not known are stretched, so that the smallest is black and the
    /// largest white.
    ///
    /// # Errors
    /// [`Error::Format`] when these are not square images of one or three channels, all of one
    /// size, with a label each.
    pub fn into_sheet(self) -> Result<Sheet> {
        match self.content {
            Content::Set(set) => Sheet::of(&set),
            Content::Arrays(arrays) => {
                if let Values::Floats(values) = &arrays.values {
                    looks::warn(values, None, &self.path);
                }
                of_arrays(arrays).map_err(|reason| Error::format(&self.path, reason))
            }
            Content::Pictures(pictures) => of_pictures(pictures.classes(), &self.path),
        }
    }
}

fn of_arrays(Arrays { shape, values, labels }: Arrays) -> Result<Sheet, String> {
    let (count, channels, size) = match *shape {
        [n, c @ (1 | 3), h, w] if n > 0 && h > 0 && h == w => (n, c, h),
        _ => {
            return Err(format!(
                "images have shape {shape:?}; (N, C, H, W) is needed, with one or three channels \
                 and as high as wide"
            ));
        }
    };
    let planes = match values {
        Values::Bytes(bytes) => bytes,
        Values::Floats(floats) => stretched(&floats),
    };
    let plane = size * size;
    if labels.len() != count || Some(planes.len()) != count.checked_mul(channels * plane) {
        return Err(format!("{count} images with {} labels; one each is needed", labels.len()));
    }
    let class = |&label: &i64| usize::try_from(label).ok().filter(|&label| label < MOST_CLASSES);
    let labels: Option<Vec<_>> = labels.iter().map(class).collect();
    let labels = labels.ok_or("labels are classes counted from 0; some are not")?;
    let classes = labels.iter().max().map_or(0, |last| last + 1);
    let mut images = vec![Vec::new(); classes];
    for (image, label) in planes.chunks_exact(channels * plane).zip(labels) {
        let pixel = |at: usize| (0..channels).map(move |channel| image[channel * plane + at]);
        images[label].push((0..plane).flat_map(pixel).collect());
    }
    let names = (0..classes).map(|class| class.to_string()).collect();
    Ok(Sheet::new(names, channels, size, images))
}

/// The smallest value becomes black, the largest white, and NaN black.
fn stretched(floats: &[f32]) -> Vec<u8> {
    let finite = || floats.iter().copied().filter(|value| value.is_finite());
    let (least, most) = finite()
        .fold((f32::INFINITY, f32::NEG_INFINITY), |(least, most), x| (least.min(x), most.max(x)));
    let range = if most > least { most - least } else { 1.0 };
    // A cast from float saturates, and takes NaN for 0.
    floats.iter().map(|value| ((value - least) / range * 255.0).round() as u8).collect()
}

fn of_pictures(classes: &[(String, Vec<PathBuf>)], folder: &Path) -> Result<Sheet> {
    let mut pictures = Vec::new();
    for (_, paths) in classes {
        let decoded = paths.iter().map(|path| picture(path));
        pictures.push(decoded.collect::<Result<Vec<_>>>()?);
    }
    let every = || pictures.iter().flatten();
    let Some(first) = every().next() else {
        return Err(Error::format(folder, "there is no picture in it"));
    };
    let extent = (first.width(), first.height());
    if extent.0 != extent.1 || every().any(|p| (p.width(), p.height()) != extent) {
        return Err(Error::format(
            folder,
            format!(
                "its pictures differ in size, or are not as high as wide; the first has {}×{} \
                 pixels",
                extent.0, extent.1
            ),
        ));
    }
    let channels = if every().any(|picture| picture.color().has_color()) { 3 } else { 1 };
    let images = pictures
        .into_iter()
        .map(|class| class.iter().map(|picture| pixels(picture, channels)).collect());
    let names = classes.iter().map(|(name, _)| printable(name).into_owned()).collect();
    Ok(Sheet::new(names, channels, extent.0 as usize, images.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{GrayImage, RgbImage};

    fn arrays(shape: &[usize], values: Values, labels: &[i64]) -> Result<Sheet> {
        let arrays = Arrays { shape: shape.to_vec(), values, labels: labels.to_vec() };
        Imported { path: "set.npz".into(), content: Content::Arrays(arrays) }.into_sheet()
    }

    #[test]
    fn arrays_become_pixels() {
        let bytes = Values::Bytes((0..24).collect());
        let sheet = arrays(&[2, 3, 2, 2], bytes, &[2, 0]).unwrap();
        assert_eq!(sheet.names(), ["0", "1", "2"]);
        assert_eq!(sheet.class(2), [[0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11]]);
        assert!(sheet.class(1).is_empty() && sheet.class(0)[0][0] == 12);

        let floats = Values::Floats(vec![-2.0, 2.0, f32::NAN, 0.0]);
        let sheet = arrays(&[1, 1, 2, 2], floats, &[0]).unwrap();
        assert_eq!(sheet.class(0), [[0, 255, 0, 128]]);
        // If all values are equal, there is nothing to stretch.
        assert_eq!(stretched(&[3.0, 3.0]), [0, 0]);
    }

    #[test]
    fn what_is_no_set_of_images_is_refused() {
        let bytes = |n| Values::Bytes(vec![0; n]);
        for (shape, values, labels, word) in [
            (&[1, 2, 2, 2][..], bytes(8), &[0][..], "[1, 2, 2, 2]"),
            (&[1, 1, 2, 3], bytes(6), &[0], "as high as wide"),
            (&[0, 1, 2, 2], bytes(0), &[], "[0, 1, 2, 2]"),
            (&[2, 1, 2, 2], bytes(8), &[0], "1 labels"),
            (&[1, 1, 2, 2], bytes(3), &[0], "one each"),
            (&[1, 1, 2, 2], bytes(4), &[-1], "counted from 0"),
            (&[1, 1, 2, 2], bytes(4), &[i64::MAX], "counted from 0"),
        ] {
            let message = arrays(shape, values, labels).unwrap_err().to_string();
            assert!(message.contains(word) && message.contains("set.npz"), "{message}");
        }
    }

    #[test]
    fn folders_of_pictures_keep_their_names() {
        let place = tempfile::tempdir().unwrap();
        for class in ["b", "a"] {
            std::fs::create_dir(place.path().join(class)).unwrap();
        }
        GrayImage::from_raw(2, 2, vec![7; 4]).unwrap().save(place.path().join("b/0.png")).unwrap();
        let sheet = crate::import::read(place.path()).unwrap().into_sheet().unwrap();
        assert_eq!((sheet.names(), sheet.channels()), (&["a".into(), "b".into()][..], 1));
        assert_eq!(sheet.class(1), [[7; 4]]);
        // One in colour, and all are.
        let colours = RgbImage::from_raw(2, 2, (0..12).collect()).unwrap();
        colours.save(place.path().join("a/0.png")).unwrap();
        let sheet = crate::import::read(place.path()).unwrap().into_sheet().unwrap();
        assert_eq!((sheet.channels(), sheet.class(1)), (3, &[vec![7; 12]][..]));
        // Transparent pixels become white, as in data sets of pictures.
        let hidden = image::RgbaImage::from_raw(2, 2, [9, 9, 9, 0].repeat(4)).unwrap();
        hidden.save(place.path().join("a/0.png")).unwrap();
        let sheet = crate::import::read(place.path()).unwrap().into_sheet().unwrap();
        assert_eq!(sheet.class(0), [[255; 12]]);
        GrayImage::new(3, 2).save(place.path().join("a/1.png")).unwrap();
        let error = crate::import::read(place.path()).unwrap().into_sheet().unwrap_err();
        assert!(error.to_string().contains("2×2"), "{error}");
    }
}
