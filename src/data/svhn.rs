//! SVHN: digits of house numbers in 32×32 colour pictures, in two MATLAB files.

use super::{Known, bytes::File, known::Held, mat};
#[cfg(feature = "files")]
use super::{
    bytes::on_disk,
    known::{Origin, Published},
    remote::{Pinned, Remote},
};
use crate::{Dataset, DatasetInfo, Error, Result};

/// House numbers, cropped to a digit each.
pub(super) const SVHN: Known = Known {
    name: "svhn",
    title: "SVHN",
    train: 73_257,
    test: 26_032,
    classes: 10,
    channels: 3,
    size: 32,
    mean: &[0.4377, 0.4438, 0.4728],
    std: &[0.1980, 0.2010, 0.1970],
    flip: false,
    licence: "non-commercial",
    source: "http://ufldl.stanford.edu/housenumbers/",
    held: Held::Files {
        names: &["train_32x32.mat", "test_32x32.mat"],
        optional: None,
        read: |known, files, _| read(known, files),
    },
    #[cfg(feature = "files")]
    origin: Origin::Published(Published {
        mirrors: &["http://ufldl.stanford.edu/housenumbers/"],
        files: &[
            Remote {
                name: "train_32x32.mat",
                pinned: Pinned::Plain,
                len: 182_040_794,
                sha256: "435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8",
            },
            Remote {
                name: "test_32x32.mat",
                pinned: Pinned::Plain,
                len: 64_275_384,
                sha256: "cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b",
            },
        ],
        download: 246_316_178,
        read: |known, paths, _, _| read(known, &on_disk(paths)),
        unpacked: &[],
        unread: &[],
    }),
};

fn read(known: &Known, files: &[File<'_>]) -> Result<Dataset> {
    let info = DatasetInfo {
        name: known.name.into(),
        class_names: (0..known.classes).map(|digit| digit.to_string()).collect(),
        channels: known.channels,
        size: known.size,
        // The values that everyone uses, also for a subset.
        mean: known.mean.to_vec(),
        std: known.std.to_vec(),
    };
    Dataset::new(info, split(known, files[0])?, split(known, files[1])?)
}

/// Pixels (`X`: height × width × channels × images) and labels (`y`) of one file.
fn split(known: &Known, file: File<'_>) -> Result<(Vec<u8>, Vec<u32>)> {
    let path = file.path();
    let [x, y] = mat::read_arrays(file, ["X", "y"])?;
    let shape = x.dims.iter().map(usize::to_string).collect::<Vec<_>>().join("×");
    let size = known.size;
    let count = match x.dims[..] {
        [height, width, channels, count]
            if (height, width, channels) == (size, size, known.channels) =>
        {
            count
        }
        // For a single picture, the last index is left out.
        [height, width, channels] if (height, width, channels) == (size, size, known.channels) => 1,
        _ => 0,
    };
    let pixels = x.into_bytes().filter(|_| count > 0);
    let Some(mut pixels) = pixels else {
        return Err(Error::format(
            path,
            format!(
                "X is {shape}; 8-bit numbers of {size}×{size}×{}×images expected",
                known.channels
            ),
        ));
    };
    // The first index, that of rows, runs fastest there, and that of columns fastest here.
    for plane in pixels.chunks_exact_mut(size * size) {
        for row in 0..size {
            for column in 0..row {
                plane.swap(row * size + column, column * size + row);
            }
        }
    }
    let labels = y.numbers();
    if labels.len() != count {
        return Err(Error::format(
            path,
            format!("holds {} labels for {count} images", labels.len()),
        ));
    }
    let labels = labels.iter().enumerate().map(|(k, &label)| match label {
        // Zero is written as 10, since indices begin at 1 there.
        10.0 => Ok(0),
        _ if (0.0..10.0).contains(&label) && label.fract() == 0.0 => Ok(label as u32),
        _ => Err(Error::format(
            path,
            format!("label {k} is {label}; 1 to 9 are digits, and 10 stands for 0"),
        )),
    });
    Ok((pixels, labels.collect::<Result<_>>()?))
}

#[cfg(test)]
#[cfg(feature = "files")]
mod tests {
    use super::*;
    use crate::data::{
        Sources,
        idx::tests::gzip,
        mat::tests::{array, compressed, file},
    };

    /// Pixel (row, column, channel) of picture n in the tests.
    fn pixel(row: usize, column: usize, channel: usize, n: usize) -> u8 {
        (row * 7 + column * 3 + channel * 50 + n * 11) as u8
    }

    /// A file of so many pictures, in MATLAB's order, with labels 1 to 10 in turn.
    fn mat(count: usize, squeeze: bool) -> Vec<u8> {
        let mut x = Vec::new();
        for n in 0..count {
            for channel in 0..3 {
                for column in 0..32 {
                    x.extend((0..32).map(|row| pixel(row, column, channel, n)));
                }
            }
        }
        let labels: Vec<u8> = (0..count).map(|n| (n % 10) as u8 + 1).collect();
        let x = array("X", &[32, 32, 3, count as i32], 2, &x);
        let y = array("y", &[count as i32, 1], 2, &labels);
        match squeeze {
            true => file(&[compressed(&x), compressed(&y)]),
            false => file(&[x, y]),
        }
    }

    fn load(train: &[u8], test: &[u8]) -> Result<Dataset> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("train_32x32.mat"), train).unwrap();
        std::fs::write(folder.path().join("test_32x32.mat"), test).unwrap();
        let sources = Sources { data_dir: Some(folder.path().to_path_buf()), ..Default::default() };
        crate::data::load("svhn", &sources, &mut |_| panic!())
    }

    #[test]
    fn pictures_are_transposed_and_label_ten_is_zero() {
        for (train, test) in [(mat(20, false), mat(3, true)), (mat(20, true), gzip(&mat(3, false)))]
        {
            let set = load(&train, &test).unwrap();
            assert_eq!((set.name(), set.classes(), set.channels()), ("svhn", 10, 3));
            assert_eq!(set.train().labels()[8..12], [9, 0, 1, 2]);
            assert_eq!(set.test().labels(), [1, 2, 3]);
            for (split, n) in [(set.train(), 13), (set.test(), 2)] {
                for (row, column, channel) in [(0, 0, 0), (5, 9, 1), (31, 2, 2), (0, 31, 1)] {
                    let found = split.image(n)[channel * 1024 + row * 32 + column];
                    assert_eq!(found, pixel(row, column, channel, n));
                }
            }
        }
    }

    #[test]
    fn arrays_that_do_not_fit_are_refused() {
        let good = mat(10, false);
        let failure = |x: Vec<u8>, y: Vec<u8>| {
            let error = load(&good, &file(&[x, y])).unwrap_err();
            assert!(matches!(error, Error::Format { .. }), "{error:?}");
            assert!(error.to_string().contains("test_32x32.mat"), "{error}");
            error.to_string()
        };
        let x = || array("X", &[32, 32, 3], 2, &[0; 3072]);
        let y = |labels: &[u8]| array("y", &[labels.len() as i32, 1], 2, labels);
        assert!(load(&good, &file(&[x(), y(&[10])])).is_ok());
        assert!(failure(x(), y(&[11])).contains("label 0 is 11"));
        assert!(failure(x(), y(&[1, 2])).contains("2 labels for 1 images"));
        let small = array("X", &[16, 32, 3, 2], 2, &[0; 3072]);
        assert!(failure(small, y(&[1, 2])).contains("X is 16×32×3×2"));
        let floats = array("X", &[32, 32, 3], 7, &[0; 4 * 3072]);
        assert!(failure(floats, y(&[1])).contains("8-bit"));
        let half = array("y", &[1, 1], 7, &1.5f32.to_le_bytes());
        assert!(failure(x(), half).contains("label 0 is 1.5"));
        let none = array("X", &[32, 32, 3, 0], 2, &[]);
        assert!(failure(none, y(&[])).contains("X is 32×32×3×0"));
    }
}
