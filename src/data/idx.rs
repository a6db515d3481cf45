//! Reads IDX files, the format MNIST comes in: 8-bit images or labels, plain or gzipped.
//!
//! Sizes in a header are not trusted: they are checked before they are multiplied, and memory grows
//! with the bytes that are really there, up to [`MAX_BYTES`].

use std::{
    io::{self, Read},
    path::Path,
};

use super::bytes::{File, MAX_BYTES, damaged};
use crate::{Error, Result};

/// Magic number of unsigned bytes in three dimensions: images.
const IMAGES: u32 = 0x803;
/// Magic number of unsigned bytes in one dimension: labels.
const LABELS: u32 = 0x801;

/// Pixels and labels of one split, from its two files.
///
/// # Errors
/// [`Error::Io`] or [`Error::Format`] naming the file: not IDX, truncated, too long, images that
/// are not `size`×`size`, a label that is not below `classes`, or counts that disagree.
pub(super) fn read_split<'a>(
    images: impl Into<File<'a>>,
    labels: impl Into<File<'a>>,
    size: usize,
    classes: usize,
) -> Result<(Vec<u8>, Vec<u32>)> {
    let (images, labels) = (images.into(), labels.into());
    let (count, pixels) = read_images(images, size)?;
    let numbers = read_labels(labels, classes)?;
    if numbers.len() != count {
        return Err(Error::format(
            labels.path(),
            format!(
                "holds {} labels, but {} holds {count} images: the two files do not belong together",
                numbers.len(),
                images.path().display()
            ),
        ));
    }
    Ok((pixels, numbers))
}

/// The number of images and their pixels.
fn read_images<'a>(file: impl Into<File<'a>>, size: usize) -> Result<(usize, Vec<u8>)> {
    let file = file.into();
    let (path, mut file) = (file.path(), file.open()?);
    check_magic(&mut file, path, IMAGES)?;
    let count = header_word(&mut file, path)?;
    let (height, width) = (header_word(&mut file, path)?, header_word(&mut file, path)?);
    if count == 0 {
        return Err(Error::format(path, "holds no image: its header says 0"));
    }
    if height != width || height as usize != size {
        return Err(Error::format(
            path,
            format!("holds images of {height}×{width} pixels; {size}×{size} expected"),
        ));
    }
    let total = [count, height, width].iter().try_fold(1u64, |n, &d| n.checked_mul(d.into()));
    let pixels = read_content(&mut file, path, total)?;
    Ok((count as usize, pixels))
}

/// One number below `classes` for each image.
fn read_labels<'a>(file: impl Into<File<'a>>, classes: usize) -> Result<Vec<u32>> {
    let file = file.into();
    let (path, mut file) = (file.path(), file.open()?);
    check_magic(&mut file, path, LABELS)?;
    let count = header_word(&mut file, path)?;
    if count == 0 {
        return Err(Error::format(path, "holds no label: its header says 0"));
    }
    let labels = read_content(&mut file, path, Some(count.into()))?;
    if let Some(index) = labels.iter().position(|&label| usize::from(label) >= classes) {
        return Err(Error::format(
            path,
            format!(
                "label {index} is {}; the {classes} classes are 0 to {}",
                labels[index],
                classes.saturating_sub(1)
            ),
        ));
    }
    Ok(labels.into_iter().map(u32::from).collect())
}

fn check_magic(file: &mut impl Read, path: &Path, expected: u32) -> Result<()> {
    let name = |magic| match magic {
        IMAGES => "images",
        LABELS => "labels",
        _ => "something else",
    };
    let magic = header_word(file, path)?;
    if magic == expected {
        return Ok(());
    }
    let wanted = name(expected);
    Err(Error::format(
        path,
        match magic {
            IMAGES | LABELS => format!(
                "holds {} where {wanted} were expected: are two files' names swapped?",
                name(magic)
            ),
            _ => format!(
                "is not an IDX file of 8-bit {wanted}: it begins with {magic:#010x}, \
                 not {expected:#010x}"
            ),
        },
    ))
}

fn header_word(file: &mut impl Read, path: &Path) -> Result<u32> {
    let mut bytes = [0; 4];
    file.read_exact(&mut bytes).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => Error::format(path, "ends within its header: truncated"),
        _ => damaged(path, error),
    })?;
    Ok(u32::from_be_bytes(bytes))
}

/// Exactly `total` bytes up to the file's end; `None` means that the product of sizes overflowed.
fn read_content(file: &mut impl Read, path: &Path, total: Option<u64>) -> Result<Vec<u8>> {
    let total = total.filter(|&n| n <= MAX_BYTES).ok_or_else(|| {
        Error::format(path, format!("its header promises more than {MAX_BYTES} bytes: damaged"))
    })?;
    let mut content = Vec::new();
    // One byte more than promised: this detects a file that is too long, and at the end it makes
    // the decoder compare gzip's checksum.
    let read = file.take(total + 1).read_to_end(&mut content);
    let found = content.len() as u64;
    match read {
        Ok(_) if found == total => Ok(content),
        Ok(_) if found > total => Err(Error::format(
            path,
            format!("goes on after the {total} bytes that its header promises"),
        )),
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => Err(damaged(path, error)),
        _ => Err(Error::format(
            path,
            format!("truncated: its header promises {total} bytes, {found} are there"),
        )),
    }
}

#[cfg(test)]
#[cfg(feature = "files")]
pub(super) mod tests {
    use super::*;
    use std::{io::Write, path::PathBuf};

    /// An IDX file: magic number, dimensions, content.
    pub(crate) fn idx(magic: u32, dims: &[u32], content: &[u8]) -> Vec<u8> {
        let header = std::iter::once(&magic).chain(dims).flat_map(|word| word.to_be_bytes());
        header.chain(content.iter().copied()).collect()
    }

    pub(crate) fn gzip(plain: &[u8]) -> Vec<u8> {
        let mut to = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        to.write_all(plain).unwrap();
        to.finish().unwrap()
    }

    struct Folder(tempfile::TempDir);
    impl Folder {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }
        fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
            let path = self.0.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            path
        }
        /// The message for an images file of these bytes; it must name the file.
        fn images_error(&self, bytes: &[u8]) -> String {
            let path = self.file("pictures", bytes);
            let error = read_images(&path, 2).unwrap_err();
            assert!(matches!(error, Error::Format { .. }), "{error:?}");
            assert!(error.to_string().contains("pictures"), "{error}");
            error.to_string()
        }
    }

    fn two_images() -> Vec<u8> {
        idx(IMAGES, &[2, 2, 2], &[1, 2, 3, 4, 5, 6, 7, 8])
    }

    #[test]
    fn plain_and_gzipped_read_the_same_whatever_their_names() {
        let folder = Folder::new();
        let labels = idx(LABELS, &[2], &[1, 0]);
        for (images, labels) in
            [(two_images(), labels.clone()), (gzip(&two_images()), gzip(&labels))]
        {
            let images = folder.file("images.gz", &images);
            let labels = folder.file("labels", &labels);
            let (pixels, labels) = read_split(&images, &labels, 2, 2).unwrap();
            assert_eq!(pixels, [1, 2, 3, 4, 5, 6, 7, 8]);
            assert_eq!(labels, [1, 0]);
        }
    }

    #[test]
    fn truncation_is_noticed_at_every_length() {
        let folder = Folder::new();
        for whole in [two_images(), gzip(&two_images())] {
            for length in 0..whole.len() {
                let message = folder.images_error(&whole[..length]);
                assert!(message.contains("truncated"), "{length}: {message}");
            }
        }
    }

    #[test]
    fn a_byte_too_many_is_noticed() {
        let folder = Folder::new();
        let long = idx(IMAGES, &[2, 2, 2], &[0; 9]);
        for bytes in [long.clone(), gzip(&long)] {
            let message = folder.images_error(&bytes);
            assert!(message.contains("goes on after the 8 bytes"), "{message}");
        }
    }

    #[test]
    fn a_gzip_bomb_is_not_unpacked() {
        let folder = Folder::new();
        let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        bomb.write_all(&idx(IMAGES, &[1, 2, 2], &[])).unwrap();
        for _ in 0..256 {
            bomb.write_all(&[0; 1 << 16]).unwrap();
        }
        let bomb = bomb.finish().unwrap();
        let path = folder.file("bomb", &bomb);
        let mut plain = File::from(&path).open().unwrap();
        let mut header = [0; 16];
        plain.read_exact(&mut header).unwrap();
        assert!(read_content(&mut plain, &path, Some(4)).is_err());
        let mut rest = Vec::new();
        plain.read_to_end(&mut rest).unwrap();
        assert_eq!(rest.len(), (1 << 24) - 5, "only the promised bytes and one more were taken");
    }

    #[test]
    fn absurd_sizes_are_refused_before_reading() {
        let folder = Folder::new();
        let side = 1u32 << 20;
        let path = folder.file("huge", &idx(IMAGES, &[u32::MAX, side, side], &[]));
        let message = read_images(&path, side as usize).unwrap_err().to_string();
        assert!(message.contains("promises more than"), "{message}");
        // Within the limit, missing bytes are noticed without allocating room for them.
        let message = folder.images_error(&idx(IMAGES, &[1 << 28, 2, 2], &[7; 12]));
        assert!(message.contains("promises 1073741824 bytes, 12 are there"), "{message}");
    }

    #[test]
    fn files_of_other_formats_are_named() {
        let folder = Folder::new();
        let message = folder.images_error(&idx(LABELS, &[2], &[0, 1]));
        assert!(message.contains("labels where images were expected"), "{message}");
        let message = folder.images_error(b"<!DOCTYPE html>");
        assert!(message.contains("it is a web page"), "{message}");
        let message = folder.images_error(b"<!something else>");
        assert!(message.contains("0x3c21736f"), "{message}");
        let path = folder.file("numbers", &two_images());
        let message = read_labels(&path, 10).unwrap_err().to_string();
        assert!(message.contains("images where labels were expected"), "{message}");
    }

    #[test]
    fn shapes_that_do_not_fit_are_refused() {
        let folder = Folder::new();
        let message = folder.images_error(&idx(IMAGES, &[1, 2, 3], &[0; 6]));
        assert!(message.contains("2×3 pixels; 2×2 expected"), "{message}");
        let message = folder.images_error(&idx(IMAGES, &[1, 3, 3], &[0; 9]));
        assert!(message.contains("3×3 pixels; 2×2 expected"), "{message}");
        let message = folder.images_error(&idx(IMAGES, &[0, 2, 2], &[]));
        assert!(message.contains("holds no image"), "{message}");
        let message = folder.images_error(&idx(IMAGES, &[1, 0, 0], &[]));
        assert!(message.contains("0×0 pixels"), "{message}");
        let path = folder.file("numbers", &idx(LABELS, &[0], &[]));
        assert!(read_labels(&path, 10).unwrap_err().to_string().contains("holds no label"));
    }

    #[test]
    fn labels_must_fit_classes_and_images() {
        let folder = Folder::new();
        let images = folder.file("images", &two_images());
        let labels = folder.file("labels", &idx(LABELS, &[2], &[9, 10]));
        let message = read_split(&images, &labels, 2, 10).unwrap_err().to_string();
        assert!(message.contains("label 1 is 10; the 10 classes are 0 to 9"), "{message}");
        let labels = folder.file("labels", &idx(LABELS, &[3], &[0, 1, 2]));
        let message = read_split(&images, &labels, 2, 10).unwrap_err().to_string();
        assert!(message.contains("3 labels") && message.contains("2 images"), "{message}");
    }

    #[test]
    fn damaged_gzip_is_a_format_error() {
        let folder = Folder::new();
        let mut bytes = gzip(&two_images());
        let checksum = bytes.len() - 8;
        bytes[checksum] ^= 1;
        assert!(folder.images_error(&bytes).contains("damaged gzip"));
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = read_images(Path::new("no/such/file"), 28).unwrap_err();
        assert!(matches!(error, Error::Io { .. }));
        assert!(error.to_string().starts_with("could not open no/such/file"), "{error}");
    }
}
