//! Data sets from arrays: images with labels in an `.npz`, apart for training and testing or not.

use std::{io::Cursor, path::Path};

use zip::ZipArchive;

use super::{Values, npz};
use crate::{Dataset, DatasetInfo, Error, Result, impostors::refuse_impostor};

/// What archives call their arrays: training images and labels, then those of the test.
const SPLIT: [[&str; 4]; 2] = [
    ["train_images", "train_labels", "test_images", "test_labels"],
    ["x_train", "y_train", "x_test", "y_test"],
];
/// Where one split is all there is, every so many-th image of a class is set aside for the test.
const ASIDE: usize = 5;

/// A data set from the bytes of an `.npz` file of this name: `uint8` pixels of square images, as (N, H, W), (N, C, H, W)
/// or (N, H, W, C) with one or three channels, and an integer label for each, from 0.
///
/// The arrays are `train_images`, `train_labels`, `test_images` and `test_labels`; or `x_train`, `y_train`, `x_test` and
/// `y_test`; or `images` and `labels`, of which every fifth image of each class becomes a test image. An array
/// `class_names` names the classes; otherwise their numbers do. Mean and standard deviation are those of the training
/// images.
///
/// ```
/// # fn dropped(bytes: &[u8]) -> dm_wgpu::Result<()> {
/// let dataset = dm_wgpu::import::dataset_from_npz("mnist.npz", bytes)?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`Error::Format`], with that name, when the arrays are missing or not such images and labels; [`Error::Shape`] when a
/// class has no training image.
pub fn dataset_from_npz(name: &str, bytes: &[u8]) -> Result<Dataset> {
    let path = Path::new(name);
    refuse_impostor(bytes, path)?;
    let parts = parts(bytes).map_err(|reason| Error::format(path, reason))?;
    let stem = path.file_stem().map_or_else(|| name.into(), |stem| stem.to_string_lossy());
    let shape = (parts.channels, parts.size);
    let info = DatasetInfo::measured(stem, parts.class_names, shape, &parts.train.0);
    Dataset::new(info, parts.train, parts.test)
}

/// Pixels (N, C, H, W) and labels.
type Part = (Vec<u8>, Vec<u32>);

struct Parts {
    class_names: Vec<String>,
    channels: usize,
    size: usize,
    train: Part,
    test: Part,
}

fn parts(bytes: &[u8]) -> Result<Parts, String> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|_| npz::NO_ARCHIVE)?;
    let apart = SPLIT.into_iter().find(|names| npz::has(&archive, names[0]));
    let ((channels, size), train, test) = match apart {
        Some([images, labels, test_images, test_labels]) => {
            let (shape, train) = split(&mut archive, images, labels)?;
            let (test_shape, test) = split(&mut archive, test_images, test_labels)?;
            if shape != test_shape {
                return Err(format!(
                    "arrays {images:?} and {test_images:?} hold images of different shapes"
                ));
            }
            (shape, train, test)
        }
        None => {
            let (shape, all) = split(&mut archive, "images", "labels")?;
            let (train, test) = divided(all, shape.0 * shape.1 * shape.1);
            (shape, train, test)
        }
    };
    let classes = train.1.iter().max().map_or(0, |label| *label as usize + 1);
    let class_names = match npz::has(&archive, "class_names") {
        true => npz::array(&mut archive, "class_names")?
            .texts()
            .map_err(|reason| format!("array \"class_names\": {reason}"))?,
        false => (0..classes).map(|class| class.to_string()).collect(),
    };
    Ok(Parts { class_names, channels, size, train, test })
}

/// Channels and size of the images of two arrays, and what they hold.
fn split(
    archive: &mut ZipArchive<Cursor<&[u8]>>,
    images: &str,
    labels: &str,
) -> Result<((usize, usize), Part), String> {
    let array = npz::array(archive, images)?;
    let of = |name: &str, reason: String| format!("array {name:?}: {reason}");
    let Values::Bytes(pixels) = array.values().map_err(|reason| of(images, reason))? else {
        let reason = "it holds floats; a data set needs uint8 pixels, from 0 to 255";
        return Err(of(images, reason.into()));
    };
    let (channels, size, last) = match *array.shape {
        [_, height, width] if height == width => (1, height, false),
        [_, channels @ (1 | 3), height, width] if height == width => (channels, height, false),
        [_, height, width, channels @ (1 | 3)] if height == width => (channels, height, true),
        _ => {
            let shape = &array.shape;
            let reason = format!(
                "shape {shape:?}; square images of 1 or 3 channels are needed: (N, H, W), (N, C, H, W) or (N, H, W, C)"
            );
            return Err(of(images, reason));
        }
    };
    let (count, image_len) = (array.shape[0], channels * size * size);
    if count == 0 || image_len == 0 {
        return Err(of(images, format!("shape {:?}; there is no pixel", array.shape)));
    }
    let pixels = if last { planes(&pixels, channels, size) } else { pixels };
    let array = npz::array(archive, labels)?;
    let numbers = array.integers().map_err(|reason| of(labels, reason))?;
    // (N, 1) as well, as some libraries leave them.
    if numbers.len() != count || array.shape.first() != Some(&count) {
        let shape = &array.shape;
        return Err(of(labels, format!("shape {shape:?}; {count} images need a number each")));
    }
    // Far more classes than anything here can tell apart; without a bound, one number could ask for any memory.
    let label = |&number: &i64| u32::try_from(number).ok().filter(|label| *label < 1 << 16);
    let wrong =
        |at: usize| of(labels, format!("label {at} is {}; labels count from 0", numbers[at]));
    let known = numbers.iter().map(label).collect::<Option<Vec<_>>>();
    let known = known.ok_or_else(|| {
        wrong(numbers.iter().position(|n| label(n).is_none()).unwrap_or_default())
    })?;
    Ok(((channels, size), (pixels, known)))
}

/// (N, H, W, C) as (N, C, H, W).
fn planes(pixels: &[u8], channels: usize, size: usize) -> Vec<u8> {
    let image = |image: &'_ [u8]| -> Vec<u8> {
        (0..channels).flat_map(|c| image.iter().skip(c).step_by(channels).copied()).collect()
    };
    pixels.chunks_exact(channels * size * size).flat_map(image).collect()
}

/// Every so many-th image of each class apart, for the test.
fn divided((pixels, labels): Part, image_len: usize) -> (Part, Part) {
    let (mut train, mut test) = (Part::default(), Part::default());
    let mut seen = vec![0; labels.iter().max().map_or(0, |label| *label as usize + 1)];
    for (image, label) in pixels.chunks_exact(image_len).zip(labels) {
        let count = &mut seen[label as usize];
        *count += 1;
        let to = if *count % ASIDE == 0 { &mut test } else { &mut train };
        to.0.extend(image);
        to.1.push(label);
    }
    (train, test)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::{npy::tests::npy, npz::tests::npz};
    use zip::CompressionMethod::Deflated;

    fn file(arrays: &[(&str, Vec<u8>)]) -> Vec<u8> {
        npz(arrays, Deflated)
    }

    #[test]
    fn arrays_apart_are_read_with_channels_first_or_last() {
        let pixels: Vec<u8> = (0..24).collect();
        let mut last = vec![0; 24];
        for (at, &value) in pixels.iter().enumerate() {
            let (image, channel, place) = (at / 12, at / 4 % 3, at % 4);
            last[image * 12 + place * 3 + channel] = value;
        }
        for (shape, pixels) in [("(2, 3, 2, 2)", &pixels), ("(2, 2, 2, 3)", &last)] {
            let bytes = file(&[
                ("x_train", npy("|u1", shape, pixels)),
                ("y_train", npy("|u1", "(2, 1)", &[1, 0])),
                ("x_test", npy("|u1", shape, pixels)),
                ("y_test", npy("<i8", "(2,)", &[0; 16])),
            ]);
            let set = dataset_from_npz("folder/pets.npz", &bytes).unwrap();
            assert_eq!(
                (set.name(), set.class_names()),
                ("pets", &["0", "1"].map(String::from)[..])
            );
            assert_eq!((set.channels(), set.size()), (3, 2));
            assert_eq!(set.train().pixels(), (0..24).collect::<Vec<u8>>(), "{shape}");
            assert_eq!((set.train().labels(), set.test().labels()), (&[1, 0][..], &[0, 0][..]));
            let mean = (0..24).filter(|at| at / 4 % 3 == 0).sum::<u8>() as f32 / 8.0 / 255.0;
            assert!((set.mean()[0] - mean).abs() < 1e-6);
        }
    }

    #[test]
    fn a_fifth_is_set_aside_where_there_is_no_test() {
        let bytes = file(&[
            ("images", npy("|u1", "(12, 1, 1)", &(0..12).collect::<Vec<u8>>())),
            ("labels", npy("|u1", "(12,)", &[0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1])),
            ("class_names", npy("<U1", "(2,)", &[b'a', 0, 0, 0, b'b', 0, 0, 0])),
        ]);
        let set = dataset_from_npz("x.npz", &bytes).unwrap();
        assert_eq!(set.class_names(), ["a", "b"]);
        assert_eq!((set.test().pixels(), set.test().labels()), (&[8, 9][..], &[0, 1][..]));
        assert_eq!(set.train().pixels(), [0, 1, 2, 3, 4, 5, 6, 7, 10, 11]);
        let values: Vec<f64> = set.train().pixels().iter().map(|&x| f64::from(x) / 255.0).collect();
        let mean = values.iter().sum::<f64>() / 10.0;
        let std = (values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 10.0).sqrt();
        assert!((f64::from(set.mean()[0]) - mean).abs() < 1e-6);
        assert!((f64::from(set.std()[0]) - std).abs() < 1e-6);
    }

    #[test]
    fn what_is_no_data_set_is_refused_by_name() {
        let images = || ("images", npy("|u1", "(2, 2, 2)", &[7; 8]));
        let labels = |shape: &str, of: &[u8]| ("labels", npy("|i1", shape, of));
        for (arrays, words) in [
            (vec![images()], "no array \"labels\"; it holds images"),
            (vec![], "no array \"images\"; it holds nothing"),
            (vec![images(), labels("(3,)", &[0, 1, 2])], "2 images need a number each"),
            (vec![images(), labels("(2,)", &[0, 255])], "label 1 is -1; labels count from 0"),
            (
                vec![("images", npy("<f4", "(1, 1, 1)", &[0; 4])), labels("(1,)", &[0])],
                "a data set needs uint8 pixels",
            ),
            (
                vec![("images", npy("|u1", "(1, 2, 3)", &[0; 6])), labels("(1,)", &[0])],
                "square images",
            ),
            (vec![("images", npy("|u1", "(0, 2, 2)", &[])), labels("(0,)", &[])], "no pixel"),
            (vec![images(), labels("(2,)", &[0, 2])], "class 1 (1) has no image"),
        ] {
            let message = dataset_from_npz("a.npz", &file(&arrays)).unwrap_err().to_string();
            assert!(message.contains(words), "{message}");
        }
        let message = dataset_from_npz("a.npz", b"PK no").unwrap_err().to_string();
        assert!(message.starts_with("a.npz: it is not an npz file"), "{message}");
    }
}
