//! `.npz`: a zip of NumPy arrays.
//!
//! <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>

use super::archive::{Archive, little_endian};
use crate::{SyntheticSet, condense::PACKED};

pub(super) fn encode(set: &SyntheticSet) -> Result<Vec<u8>, String> {
    let (n, channels, size) = (set.labels.len(), set.channels, set.size);
    let floats = |values: &[f32]| little_endian(values, f32::to_le_bytes);
    let mut archive = Archive::new();
    let mut add = |name: &str, descr: &str, shape: &[usize], data: &[u8]| {
        archive.add(&format!("{name}.npy"), &[&header(descr, shape), data])
    };
    add("images", "<f4", &[n, channels, size, size], &floats(&set.images))?;
    add("labels", "<i8", &[n], &little_endian(&set.labels, i64::to_le_bytes))?;
    add("mean", "<f4", &[channels], &floats(&set.mean))?;
    add("std", "<f4", &[channels], &floats(&set.std))?;
    let (descr, data) = text(&set.class_names);
    add("class_names", &descr, &[set.classes()], &data)?;
    let (descr, data) = text(std::slice::from_ref(&set.dataset));
    add("dataset", &descr, &[], &data)?;
    let (descr, data) = text(std::slice::from_ref(&set.settings));
    add("settings", &descr, &[], &data)?;
    if set.factor > 1 {
        add("factor", "<i8", &[], &(set.factor as i64).to_le_bytes())?;
        let (descr, data) = text(&[PACKED.to_owned()]);
        add("packed", &descr, &[], &data)?;
    }
    archive.finish()
}

/// The header before an array's values.
fn header(descr: &str, shape: &[usize]) -> Vec<u8> {
    let sides: String = shape.iter().map(|side| format!("{side}, ")).collect();
    let mut dictionary = format!(
        "{{'descr': '{descr}', 'fortran_order': False, 'shape': ({}), }}",
        sides.trim_end()
    );
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    // Values begin at a multiple of 64, after the two bytes of the length and a line's end.
    let length = (bytes.len() + 2 + dictionary.len() + 1).next_multiple_of(64) - bytes.len() - 2;
    dictionary.extend(std::iter::repeat_n(' ', length - 1 - dictionary.len()));
    dictionary.push('\n');
    // A few dozen characters: it fits.
    bytes.extend((length as u16).to_le_bytes());
    bytes.extend(dictionary.into_bytes());
    bytes
}

/// NumPy's arrays of text: each as many code points of four bytes as the longest has.
fn text(texts: &[String]) -> (String, Vec<u8>) {
    let longest = texts.iter().map(|text| text.chars().count()).max().unwrap_or(0).max(1);
    let padded = |text: &String| {
        let points = text.chars().map(u32::from).chain(std::iter::repeat(0));
        points.take(longest).collect::<Vec<_>>()
    };
    let points: Vec<_> = texts.iter().flat_map(padded).collect();
    (format!("<U{longest}"), little_endian(&points, u32::to_le_bytes))
}

#[cfg(test)]
#[cfg(feature = "files")]
mod tests {
    use super::*;
    use crate::{data, export::tests::set, import};

    #[test]
    fn arrays_are_read_back_as_written() {
        let dataset = data::glyphs(0).unwrap();
        let names: Vec<_> = dataset.class_names().iter().map(String::as_str).collect();
        let mut set = set(&names, &[2, 1, 1, 3, 1, 1, 1, 1, 1, 1], 1, dataset.size());
        set.settings = r#"{"width":7}"#.into();
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("set.npz");
        crate::export::npz(&set, &path).unwrap();
        let read = import::read(&path).unwrap();
        assert_eq!(read.dataset(), Some("made up"));
        // The mean number of images per class, rounded up, because the arrays do not say more.
        assert_eq!(read.own_set(), Some(&SyntheticSet { ipc: 2, ..set.clone() }));
        let read = read.into_set(&dataset).unwrap();
        assert_eq!((read.images, read.labels), (set.images, set.labels));
    }

    #[test]
    fn headers_are_as_numpy_writes_them() {
        for (shape, text) in [(&[2, 3][..], "(2, 3,), }"), (&[7], "(7,), }"), (&[], "(), }")] {
            let header = header("<f4", shape);
            assert_eq!(header.len() % 64, 0);
            assert!(header.ends_with(b"\n"));
            let words = String::from_utf8_lossy(&header[10..]).into_owned();
            assert_eq!(
                words.trim_end(),
                format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {text}")
            );
        }
    }

    #[test]
    fn text_is_padded_to_the_longest() {
        let (descr, data) = text(&["é".into(), "ab".into()]);
        assert_eq!(descr, "<U2");
        assert_eq!(data, [0xe9, 0, 0, 0, 0, 0, 0, 0, b'a', 0, 0, 0, b'b', 0, 0, 0]);
    }
}
