//! NumPy's array format: a header that is a Python dictionary, then the values.
//!
//! <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>

use super::{Values, integer};

/// An array: what kind of numbers, in which shape, and their bytes.
#[derive(Debug)]
pub(super) struct Array {
    /// A type such as `<f4`: byte order, kind, bytes.
    descr: String,
    pub shape: Vec<usize>,
    data: Vec<u8>,
}

impl Array {
    /// From the bytes of an `.npy` file.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let short = || "it ends before its header does".to_owned();
        let rest = bytes.strip_prefix(b"\x93NUMPY").ok_or("it is no NumPy array")?;
        let (&[major, _minor], rest) = rest.split_first_chunk().ok_or_else(short)?;
        let (len, rest) = match major {
            1 => {
                let (len, rest) = rest.split_first_chunk().ok_or_else(short)?;
                (u16::from_le_bytes(*len).into(), rest)
            }
            2 | 3 => {
                let (len, rest) = rest.split_first_chunk().ok_or_else(short)?;
                (u32::from_le_bytes(*len) as usize, rest)
            }
            _ => return Err(format!("version {major} of the format is unknown, 1 to 3 are read")),
        };
        let (header, data) = rest.split_at_checked(len).ok_or_else(short)?;
        let header = std::str::from_utf8(header).map_err(|_| "its header is no text")?;
        let array = Self {
            descr: text(header, "descr")?.to_owned(),
            shape: shape(header)?,
            data: data.to_vec(),
        };
        if entry(header, "fortran_order")?.starts_with("True") {
            return Err("it is in Fortran's order; save numpy.ascontiguousarray of it".into());
        }
        let size: usize = match array.descr.get(2..).map(str::parse) {
            // Text is counted in code points of four bytes.
            Some(Ok(points)) if array.descr[1..].starts_with('U') => {
                usize::saturating_mul(points, 4)
            }
            Some(Ok(size)) => size,
            _ => {
                return Err(format!(
                    "its values are of kind {:?}, numbers are needed",
                    array.descr
                ));
            }
        };
        let expected = array.shape.iter().try_fold(size, |bytes, &side| bytes.checked_mul(side));
        if expected != Some(array.data.len()) {
            return Err(format!(
                "shape {:?} of {} does not fit its {} bytes of values: is it cut short?",
                array.shape,
                array.descr,
                array.data.len()
            ));
        }
        Ok(array)
    }

    /// The values as images.
    pub fn values(&self) -> Result<Values, String> {
        Ok(match self.descr.as_str() {
            "<f4" => Values::Floats(self.numbers(f32::from_le_bytes)),
            ">f4" => Values::Floats(self.numbers(f32::from_be_bytes)),
            "<f8" => Values::Floats(self.numbers(|b| f64::from_le_bytes(b) as f32)),
            ">f8" => Values::Floats(self.numbers(|b| f64::from_be_bytes(b) as f32)),
            "|u1" => Values::Bytes(self.data.clone()),
            other => {
                return Err(format!(
                    "images are of kind {other:?}; normalised float32 or float64, or uint8 pixels \
                     are possible"
                ));
            }
        })
    }

    /// The values as labels.
    pub fn integers(&self) -> Result<Vec<i64>, String> {
        let (order, size) = (self.descr.as_bytes().first(), self.descr.get(2..));
        let signed = self.descr.get(1..2) == Some("i");
        let width = match (self.descr.get(1..2), size) {
            (Some("i" | "u"), Some("1")) => 1,
            (Some("i" | "u"), Some("2")) => 2,
            (Some("i" | "u"), Some("4")) => 4,
            (Some("i" | "u"), Some("8")) => 8,
            _ => {
                let kind = &self.descr;
                return Err(format!("labels are of kind {kind:?}, integers are needed"));
            }
        };
        let values = self.data.chunks_exact(width);
        Ok(match order {
            Some(b'>') => values.map(|b| integer(b.iter().rev(), signed)).collect(),
            _ => values.map(|b| integer(b.iter(), signed)).collect(),
        })
    }

    /// The values as text: the elements one after the other, whatever their shape.
    pub fn texts(&self) -> Result<Vec<String>, String> {
        let points = match self.descr.split_at_checked(2) {
            Some(("<U", _)) => self.numbers(u32::from_le_bytes),
            Some((">U", _)) => self.numbers(u32::from_be_bytes),
            _ => return Err(format!("its values are of kind {:?}, text is needed", self.descr)),
        };
        let count: usize = self.shape.iter().product();
        if count == 0 || points.is_empty() {
            return Ok(vec![String::new(); count]);
        }
        let text = |points: &[u32]| {
            // Shorter ones are filled up with zeros.
            let end = points.iter().rposition(|&point| point != 0).map_or(0, |last| last + 1);
            points[..end].iter().map(|&point| char::from_u32(point)).collect::<Option<String>>()
        };
        let texts = points.chunks(points.len() / count).map(text).collect::<Option<_>>();
        texts.ok_or_else(|| "it has characters that are none".into())
    }

    fn numbers<T, const BYTES: usize>(&self, from: impl Fn([u8; BYTES]) -> T) -> Vec<T> {
        self.data.as_chunks().0.iter().map(|&chunk| from(chunk)).collect()
    }
}

/// What follows a key of the header.
fn entry<'a>(header: &'a str, key: &str) -> Result<&'a str, String> {
    let missing = || format!("its header has no {key:?}");
    let quoted = [format!("'{key}'"), format!("\"{key}\"")];
    let rest = quoted.iter().find_map(|key| header.split_once(key.as_str())).ok_or_else(missing)?.1;
    Ok(rest.trim_start().strip_prefix(':').ok_or_else(missing)?.trim_start())
}

fn text<'a>(header: &'a str, key: &str) -> Result<&'a str, String> {
    let value = entry(header, key)?;
    let quote = value.chars().next().filter(|c| matches!(c, '\'' | '"'));
    let text = quote.and_then(|quote| value[1..].split_once(quote)).map(|(text, _)| text);
    // Records have a list there.
    text.filter(|text| text.is_ascii()).ok_or_else(|| "it is no array of plain numbers".into())
}

fn shape(header: &str) -> Result<Vec<usize>, String> {
    let wrong = || "its header has no readable shape".to_owned();
    let (sides, _) = entry(header, "shape")?
        .strip_prefix('(')
        .and_then(|rest| rest.split_once(')'))
        .ok_or_else(wrong)?;
    let sides = sides.split(',').map(str::trim).filter(|side| !side.is_empty());
    sides.map(|side| side.parse().map_err(|_| wrong())).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// An `.npy` file.
    pub(crate) fn npy(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
        let mut header =
            format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
        while (10 + header.len() + 1) % 64 != 0 {
            header.push(' ');
        }
        header.push('\n');
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(data);
        bytes
    }

    #[test]
    fn numbers_of_every_type_are_read() {
        let floats = |descr: &str, data: &[u8]| {
            let array = Array::parse(&npy(descr, "(2,)", data)).unwrap();
            match array.values().unwrap() {
                Values::Floats(values) => values,
                Values::Bytes(_) => panic!("bytes"),
            }
        };
        let bytes = |values: [[u8; 4]; 2]| values.concat();
        assert_eq!(floats("<f4", &bytes([1.5f32, -2.0].map(f32::to_le_bytes))), [1.5, -2.0]);
        assert_eq!(floats(">f4", &bytes([1.5f32, -2.0].map(f32::to_be_bytes))), [1.5, -2.0]);
        assert_eq!(floats("<f8", &[1.5f64, -2.0].map(f64::to_le_bytes).concat()), [1.5, -2.0]);
        let labels = |descr: &str, data: &[u8]| {
            Array::parse(&npy(descr, "(2,)", data)).unwrap().integers().unwrap()
        };
        assert_eq!(labels("<i8", &[3i64, -1].map(i64::to_le_bytes).concat()), [3, -1]);
        assert_eq!(labels("<i4", &[3i32, -1].map(i32::to_le_bytes).concat()), [3, -1]);
        assert_eq!(labels("|u1", &[3, 255]), [3, 255]);
        assert_eq!(labels("|i1", &[3, 255]), [3, -1]);
        for (width, kinds) in [(2, ["i2", "u2"]), (4, ["i4", "u4"]), (8, ["i8", "u8"])] {
            for kind in kinds {
                // 3, and the largest, or of those with a sign −2.
                let mut values = [vec![0; width], vec![255; width]].concat();
                (values[0], values[width]) = (3, 254);
                let large = match kind {
                    "u2" => 0xfffe,
                    "u4" => 0xffff_fffe,
                    "u8" => i64::MAX,
                    _ => -2,
                };
                assert_eq!(labels(&format!("<{kind}"), &values), [3, large], "<{kind}");
                values.chunks_mut(width).for_each(<[u8]>::reverse);
                assert_eq!(labels(&format!(">{kind}"), &values), [3, large], ">{kind}");
            }
        }
        let array = Array::parse(&npy("|u1", "(1, 2, 1)", &[3, 255])).unwrap();
        assert_eq!(array.shape, [1, 2, 1]);
    }

    #[test]
    fn text_is_read_in_full() {
        let texts = |descr: &str, shape: &str, points: &[u32], to: fn(u32) -> [u8; 4]| {
            let data: Vec<_> = points.iter().copied().flat_map(to).collect();
            Array::parse(&npy(descr, shape, &data)).unwrap().texts()
        };
        let points = ['é'.into(), 0, 'a'.into(), 'b'.into()];
        assert_eq!(texts("<U2", "(2,)", &points, u32::to_le_bytes).unwrap(), ["é", "ab"]);
        assert_eq!(texts(">U2", "(2,)", &points, u32::to_be_bytes).unwrap(), ["é", "ab"]);
        assert_eq!(texts("<U2", "()", &points[2..], u32::to_le_bytes).unwrap(), ["ab"]);
        assert_eq!(texts("<U2", "(0,)", &[], u32::to_le_bytes).unwrap(), [""; 0]);
        assert_eq!(texts("<U0", "(2,)", &[], u32::to_le_bytes).unwrap(), ["", ""]);
        let message = texts("<U1", "(1,)", &[u32::MAX], u32::to_le_bytes).unwrap_err();
        assert!(message.contains("characters"), "{message}");
        let message = texts("<i4", "(1,)", &[1], u32::to_le_bytes).unwrap_err();
        assert!(message.contains("text is needed"), "{message}");
    }

    #[test]
    fn broken_arrays_are_refused() {
        let good = npy("<f4", "(2, 3)", &[0; 24]);
        assert!(Array::parse(&good).is_ok());
        for end in 0..good.len() {
            assert!(Array::parse(&good[..end]).is_err(), "{end}");
        }
        for (bytes, word) in [
            (npy("<f4", "(2, 3)", &[0; 25]), "does not fit"),
            (npy("<f4", "(99999999999, 99999999999)", &[0; 24]), "does not fit"),
            (npy("<f4", "(-2, 3)", &[0; 24]), "shape"),
            (npy("<f4", "2", &[0; 8]), "shape"),
            (npy("<fé", "(2,)", &[0; 8]), "plain numbers"),
            (npy("|O", "(2,)", &[0; 8]), "kind"),
        ] {
            let message = Array::parse(&bytes).unwrap_err();
            assert!(message.contains(word), "{message}");
        }
        for (kind, size) in
            [("<f4", 4), ("|b1", 1), ("<c8", 8), ("|S3", 3), ("<i16", 16), ("<m8", 8)]
        {
            let array = Array::parse(&npy(kind, "(2,)", &vec![0; 2 * size])).unwrap();
            let message = array.integers().unwrap_err();
            assert!(message.contains("integers") && message.contains(kind), "{message}");
        }
        for (kind, size) in
            [("<i4", 4), ("<f2", 2), ("|i1", 1), (">u2", 2), ("|b1", 1), ("<f16", 16)]
        {
            let array = Array::parse(&npy(kind, "(2,)", &vec![0; 2 * size])).unwrap();
            let message = array.values().unwrap_err();
            assert!(message.contains("uint8") && message.contains(kind), "{message}");
        }
    }
}
