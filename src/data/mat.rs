//! Reads numeric arrays out of MATLAB files of version 5, the form in which SVHN comes.
//!
//! Such a file is a header and then elements, each with its kind and length; an array is an element
//! that holds others (flags, dimensions, name, numbers), and may be compressed as a whole.
//! As in the other formats, sizes in the file are not trusted.

use std::{
    io::{self, Read},
    path::Path,
};

use super::bytes::{File, MAX_BYTES, damaged};
use crate::{Error, Result};

/// Text, a place for an offset, version and byte order.
const HEADER: usize = 128;
/// Kinds of elements.
const UINT8: u32 = 2;
const MATRIX: u32 = 14;
const COMPRESSED: u32 = 15;
/// A bound on the length of flags, dimensions and names; real files are far below it.
const MOST_HEAD: u64 = 4096;

/// An array of numbers, in MATLAB's order: the first index runs fastest.
#[derive(Debug)]
pub(super) struct Array {
    pub(super) dims: Vec<usize>,
    kind: u32,
    data: Vec<u8>,
}

impl Array {
    /// The numbers of an array that is stored as 8-bit ones.
    pub(super) fn into_bytes(self) -> Option<Vec<u8>> {
        (self.kind == UINT8).then_some(self.data)
    }

    /// The numbers, however they are stored.
    pub(super) fn numbers(&self) -> Vec<f64> {
        // Little-endian bytes, extended to whole words where the kind is shorter.
        fn each<const N: usize>(data: &[u8], number: impl Fn([u8; N]) -> f64) -> Vec<f64> {
            let words = data.chunks_exact(N).filter_map(|word| word.try_into().ok());
            words.map(number).collect()
        }
        match self.kind {
            1 => each(&self.data, |[byte]| i8::from_le_bytes([byte]).into()),
            UINT8 => each(&self.data, |[byte]| byte.into()),
            3 => each(&self.data, |word| i16::from_le_bytes(word).into()),
            4 => each(&self.data, |word| u16::from_le_bytes(word).into()),
            5 => each(&self.data, |word| i32::from_le_bytes(word).into()),
            6 => each(&self.data, |word| u32::from_le_bytes(word).into()),
            7 => each(&self.data, |word| f32::from_le_bytes(word).into()),
            _ => each(&self.data, f64::from_le_bytes),
        }
    }
}

/// Bytes of one number of a kind; 0 for kinds that hold none that are read here.
fn width(kind: u32) -> u64 {
    match kind {
        1 | UINT8 => 1,
        3 | 4 => 2,
        5..=7 => 4,
        9 => 8,
        _ => 0,
    }
}

/// The two arrays of these names, wherever in the file they are.
///
/// # Errors
/// [`Error::Io`] or [`Error::Format`] naming the file: another format, truncated or damaged, or
/// without one of them.
pub(super) fn read_arrays<'a>(file: impl Into<File<'a>>, names: [&str; 2]) -> Result<[Array; 2]> {
    let file = file.into();
    let (path, mut file) = (file.path(), file.open()?);
    check_header(&mut file, path)?;
    let mut found = [None, None];
    while let Some((kind, size)) = element(&mut file, path)? {
        let mut body = file.by_ref().take(size);
        let array = match kind {
            COMPRESSED => {
                let mut plain = flate2::read::ZlibDecoder::new(&mut body);
                let array = match element(&mut plain, path)? {
                    Some((MATRIX, _)) => matrix(&mut plain, path, names)?,
                    _ => None,
                };
                if array.is_some() {
                    // Padding, then the checksum; not read if it decompresses to a huge size.
                    io::copy(&mut plain.take(8), &mut io::sink()).map_err(|e| wrong(path, e))?;
                }
                array
            }
            MATRIX => matrix(&mut body, path, names)?,
            _ => None,
        };
        if let Some((which, array)) = array {
            found[which] = Some(array);
        }
        io::copy(&mut body, &mut io::sink()).map_err(|error| wrong(path, error))?;
        if body.limit() > 0 {
            return Err(Error::format(path, "ends within an array: truncated"));
        }
        if let [Some(_), Some(_)] = found {
            break;
        }
    }
    let [Some(first), Some(second)] = found else {
        let missing = names[usize::from(found[0].is_some())];
        return Err(Error::format(path, format!("holds no array of numbers called {missing}")));
    };
    Ok([first, second])
}

fn check_header(file: &mut impl Read, path: &Path) -> Result<()> {
    let mut header = Vec::with_capacity(HEADER);
    let read = file.take(HEADER as u64).read_to_end(&mut header);
    read.map_err(|error| wrong(path, error))?;
    let reason = match &header[..] {
        [.., 0, 1, b'I', b'M'] if header.len() == HEADER => return Ok(()),
        [.., 1, 0, b'M', b'I'] if header.len() == HEADER => {
            "is a MATLAB file of big-endian numbers"
        }
        [.., 0, 2, b'I', b'M'] => "is a MATLAB file of version 7.3; save it as version 7 or 5",
        _ => "is not a MATLAB file of version 5",
    };
    Err(Error::format(path, reason))
}

/// Kind and length of the element that begins here; `None` at the end of the data.
fn element(from: &mut impl Read, path: &Path) -> Result<Option<(u32, u64)>> {
    let mut head = Vec::with_capacity(8);
    from.by_ref().take(8).read_to_end(&mut head).map_err(|error| wrong(path, error))?;
    match head[..] {
        [] => Ok(None),
        [a, b, c, d, e, f, g, h] => {
            Ok(Some((u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]).into())))
        }
        _ => Err(Error::format(path, "ends within an element's head: truncated")),
    }
}

/// The array whose element begins here, and which of the names it has; `None` if it has another
/// name or does not hold real numbers.
fn matrix(from: &mut impl Read, path: &Path, names: [&str; 2]) -> Result<Option<(usize, Array)>> {
    let (_, flags) = part(from, path, MOST_HEAD)?;
    let (_, dims) = part(from, path, MOST_HEAD)?;
    let (_, name) = part(from, path, MOST_HEAD)?;
    let Some(which) = names.iter().position(|wanted| wanted.as_bytes() == name) else {
        return Ok(None);
    };
    // Classes 6 to 15 are numbers, the others cells, structures, text and the like.
    if !flags.first().is_some_and(|class| (6..=15).contains(class)) {
        return Ok(None);
    }
    let dims: Vec<i32> = dims
        .chunks_exact(4)
        .filter_map(|word| word.try_into().ok())
        .map(i32::from_le_bytes)
        .collect();
    let (kind, data) = part(from, path, MAX_BYTES)?;
    let sizes: Option<Vec<usize>> = dims.iter().map(|&dim| dim.try_into().ok()).collect();
    let fitting = sizes.filter(|sizes| {
        let bytes = sizes.iter().try_fold(width(kind), |n, &dim| n.checked_mul(dim as u64));
        width(kind) > 0 && bytes == Some(data.len() as u64)
    });
    let Some(dims) = fitting else {
        return Err(Error::format(
            path,
            format!(
                "array {} of {} is to have {} bytes of numbers of kind {kind}: damaged",
                names[which],
                dims.iter().map(i32::to_string).collect::<Vec<_>>().join("×"),
                data.len()
            ),
        ));
    };
    Ok(Some((which, Array { dims, kind, data })))
}

/// A part of an array, of at most `most` bytes: its kind and content. Content of up to four bytes is in the header
/// itself.
fn part(from: &mut impl Read, path: &Path, most: u64) -> Result<(u32, Vec<u8>)> {
    let ends = || Error::format(path, "ends within an array: truncated");
    let (kind, size) = element(from, path)?.ok_or_else(ends)?;
    let short = kind >> 16;
    if short > 0 {
        let content = (size as u32).to_le_bytes();
        let content = content
            .get(..short as usize)
            .ok_or_else(|| Error::format(path, "has four bytes in the place of more: damaged"))?;
        return Ok((kind & 0xffff, content.to_vec()));
    }
    if size > most {
        return Err(Error::format(path, format!("promises {size} bytes in one array: damaged")));
    }
    let mut content = Vec::new();
    // The memory grows with the bytes that are really there, whatever the header says.
    from.by_ref().take(size).read_to_end(&mut content).map_err(|error| wrong(path, error))?;
    if (content.len() as u64) < size {
        return Err(ends());
    }
    let padding = size.next_multiple_of(8) - size;
    io::copy(&mut from.by_ref().take(padding), &mut io::sink())
        .map_err(|error| wrong(path, error))?;
    Ok((kind, content))
}

/// Distinguishes damaged compression from a failing disk.
fn wrong(path: &Path, error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
            Error::format(path, format!("damaged compression: {error}"))
        }
        _ => damaged(path, error),
    }
}

#[cfg(test)]
#[cfg(feature = "files")]
pub(super) mod tests {
    use super::*;
    use std::{io::Write, path::PathBuf};

    fn element(kind: u32, content: &[u8]) -> Vec<u8> {
        let mut bytes = [kind.to_le_bytes(), (content.len() as u32).to_le_bytes()].concat();
        bytes.extend(content);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes
    }

    /// An array element: 8-bit numbers, or others under their kind.
    pub(crate) fn array(name: &str, dims: &[i32], kind: u32, data: &[u8]) -> Vec<u8> {
        let dims: Vec<u8> = dims.iter().flat_map(|dim| dim.to_le_bytes()).collect();
        // A short name lies in the head of its part.
        let name = match name.len() {
            0..=4 => {
                let mut bytes = (1 | (name.len() as u32) << 16).to_le_bytes().to_vec();
                bytes.extend(name.bytes());
                bytes.resize(8, 0);
                bytes
            }
            _ => element(1, name.as_bytes()),
        };
        let parts =
            [element(6, &[9, 0, 0, 0, 0, 0, 0, 0]), element(5, &dims), name, element(kind, data)];
        element(MATRIX, &parts.concat())
    }

    pub(crate) fn compressed(element: &[u8]) -> Vec<u8> {
        let mut to = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        to.write_all(element).unwrap();
        let plain = to.finish().unwrap();
        // Compressed elements are not padded.
        [&COMPRESSED.to_le_bytes()[..], &(plain.len() as u32).to_le_bytes(), &plain].concat()
    }

    pub(crate) fn file(elements: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = b"MATLAB 5.0 MAT-file, made by a test".to_vec();
        bytes.resize(124, b' ');
        bytes.extend([0, 1, b'I', b'M']);
        [bytes, elements.concat()].concat()
    }

    struct Case(tempfile::TempDir);
    impl Case {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }
        fn path(&self, bytes: &[u8]) -> PathBuf {
            let path = self.0.path().join("a.mat");
            std::fs::write(&path, bytes).unwrap();
            path
        }
        fn read(&self, bytes: &[u8]) -> Result<[Array; 2]> {
            read_arrays(&self.path(bytes), ["X", "labels"])
        }
        fn failure(&self, bytes: &[u8]) -> String {
            let error = self.read(bytes).unwrap_err();
            assert!(matches!(error, Error::Format { .. }), "{error:?}");
            assert!(error.to_string().contains("a.mat: "), "{error}");
            error.to_string()
        }
    }

    fn x() -> Vec<u8> {
        array("X", &[2, 3], UINT8, &[1, 2, 3, 4, 5, 6])
    }
    fn labels() -> Vec<u8> {
        let numbers = [1.0f64, 10.0].map(f64::to_le_bytes).concat();
        array("labels", &[2, 1], 9, &numbers)
    }

    #[test]
    fn arrays_are_found_in_any_order_compressed_or_not() {
        let case = Case::new();
        let other = array("Y", &[1, 2], UINT8, &[0, 0]);
        for elements in [
            vec![x(), labels()],
            vec![labels(), other.clone(), x()],
            vec![compressed(&x()), compressed(&labels())],
            vec![compressed(&other), compressed(&labels()), x(), vec![1]],
        ] {
            let [x, labels] = case.read(&file(&elements)).unwrap();
            assert_eq!(x.dims, [2, 3]);
            assert_eq!(x.numbers(), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
            assert_eq!(labels.numbers(), [1.0, 10.0]);
            assert_eq!(x.into_bytes().unwrap(), [1, 2, 3, 4, 5, 6]);
            assert!(labels.into_bytes().is_none());
        }
    }

    #[test]
    fn every_kind_of_number_is_read() {
        let case = Case::new();
        for (kind, data) in [
            (1, vec![3, 10]),
            (3, [3i16, 10].map(i16::to_le_bytes).concat()),
            (4, [3u16, 10].map(u16::to_le_bytes).concat()),
            (5, [3i32, 10].map(i32::to_le_bytes).concat()),
            (6, [3u32, 10].map(u32::to_le_bytes).concat()),
            (7, [3f32, 10.0].map(f32::to_le_bytes).concat()),
        ] {
            let [_, numbers] =
                case.read(&file(&[x(), array("labels", &[1, 2], kind, &data)])).unwrap();
            assert_eq!(numbers.numbers(), [3.0, 10.0], "kind {kind}");
        }
    }

    #[test]
    fn truncation_is_noticed_at_every_length() {
        let case = Case::new();
        for whole in [file(&[x(), labels()]), file(&[compressed(&x()), compressed(&labels())])] {
            for length in 0..whole.len() {
                let message = case.failure(&whole[..length]);
                let told = ["truncated", "not a MATLAB", "no array of numbers", "damaged"];
                assert!(told.iter().any(|words| message.contains(words)), "{length}: {message}");
            }
        }
    }

    #[test]
    fn other_formats_are_named() {
        let case = Case::new();
        let mut newer = file(&[]);
        newer[125] = 2;
        assert!(case.failure(&newer).contains("version 7.3"));
        let mut swapped = file(&[x(), labels()]);
        swapped[124..128].copy_from_slice(&[1, 0, b'M', b'I']);
        assert!(case.failure(&swapped).contains("big-endian"));
        assert!(case.failure(b"<html></html>").contains("it is a web page"));
        assert!(case.failure(b"<other></other>").contains("not a MATLAB file"));
        assert!(case.failure(&file(&[x()])).contains("called labels"));
        assert!(case.failure(&file(&[labels()])).contains("called X"));
    }

    #[test]
    fn promised_sizes_are_not_allocated() {
        let case = Case::new();
        let mut long = x();
        let at = long.len() - 16 + 4;
        long[at..at + 4].copy_from_slice(&(MAX_BYTES as u32 + 1).to_le_bytes());
        assert!(case.failure(&file(&[long.clone()])).contains("promises"));
        long[at..at + 4].copy_from_slice(&(MAX_BYTES as u32).to_le_bytes());
        assert!(case.failure(&file(&[long])).contains("truncated"));
        let most = i32::MAX;
        for dims in [&[most, most, most][..], &[2, 2], &[-1, 6], &[]] {
            let message = case.failure(&file(&[array("X", dims, UINT8, &[1, 2, 3, 4, 5, 6])]));
            assert!(message.contains("damaged"), "{dims:?}: {message}");
        }
        let odd = array("X", &[2, 3], 12, &[0; 48]);
        assert!(case.failure(&file(&[odd])).contains("kind 12"));
    }

    #[test]
    fn bombs_are_not_unpacked_and_damage_is_named() {
        let case = Case::new();
        let mut bomb = array("X", &[2, 3], UINT8, &[1, 2, 3, 4, 5, 6]);
        bomb.resize(1 << 24, 0);
        // Only what the array promises is taken from it.
        case.read(&file(&[compressed(&bomb), compressed(&labels())])).unwrap();
        let mut spoilt = compressed(&x());
        let checksum = spoilt.len() - 1;
        spoilt[checksum] ^= 1;
        let message = case.failure(&file(&[spoilt, labels()]));
        assert!(message.contains("damaged compression"), "{message}");
    }
}
