//! `.npz`: a zip of NumPy arrays, `images` and `labels`. This crate's own files also name their data set.

use std::{
    io::{Cursor, Read},
    path::Path,
};

use zip::ZipArchive;

use super::{Arrays, Content, Values, npy::Array};
use crate::{Error, Result, SyntheticSet, condense::MAX_FILE};

/// The entries besides `images` and `labels` in this crate's own files; `settings` may be missing, and `factor` is in those
/// of packed sets only.
const OWN: [&str; 4] = ["dataset", "class_names", "mean", "std"];

/// The zip reader's own message would only be jargon.
pub(super) const NO_ARCHIVE: &str =
    "it is not an npz file (a zip archive of arrays), or was cut short";

/// Reads a file's bytes; errors name `path`.
pub(super) fn decode(bytes: &[u8], path: &Path) -> Result<Content> {
    content(bytes).map_err(|reason| Error::format(path, reason))
}

fn content(bytes: &[u8]) -> Result<Content, String> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|_| NO_ARCHIVE)?;
    let images = array(&mut archive, "images")?;
    let labels = array(&mut archive, "labels")?;
    let of = |name: &'static str| move |reason: String| format!("array {name:?}: {reason}");
    if labels.shape.len() != 1 {
        return Err(of("labels")(format!(
            "shape {:?}, one number per image is needed",
            labels.shape
        )));
    }
    let arrays = Arrays {
        values: images.values().map_err(of("images"))?,
        shape: images.shape,
        labels: labels.integers().map_err(of("labels"))?,
    };
    let own = OWN.iter().all(|name| has(&archive, name));
    match arrays {
        Arrays { values: Values::Floats(images), shape, labels } if own => {
            set(&mut archive, images, &shape, labels).map(Content::Set)
        }
        arrays => Ok(Content::Arrays(arrays)),
    }
}

/// A set that names its data set.
fn set(
    archive: &mut ZipArchive<Cursor<&[u8]>>,
    images: Vec<f32>,
    shape: &[usize],
    labels: Vec<i64>,
) -> Result<SyntheticSet, String> {
    let &[_, channels, size, _] = shape else {
        return Err(format!("array \"images\": shape {shape:?}, (N, C, H, W) is needed"));
    };
    let of = |name: &'static str| move |reason: String| format!("array {name:?}: {reason}");
    let mut texts = |name| array(archive, name)?.texts().map_err(of(name));
    let (dataset, class_names) = (texts("dataset")?.concat(), texts("class_names")?);
    let mut floats = |name| match array(archive, name)?.values().map_err(of(name))? {
        Values::Floats(values) => Ok(values),
        Values::Bytes(_) => Err(of(name)("floats are needed".into())),
    };
    let (mean, std) = (floats("mean")?, floats("std")?);
    let settings = match has(archive, "settings") {
        true => array(archive, "settings")?.texts().map_err(of("settings"))?.concat(),
        false => "{}".to_owned(),
    };
    let factor = match has(archive, "factor") {
        true => match array(archive, "factor")?.integers().map_err(of("factor"))?[..] {
            [factor] => usize::try_from(factor).unwrap_or(0),
            _ => return Err(of("factor")("one number is needed".into())),
        },
        false => 1,
    };
    let ipc = labels.len().div_ceil(class_names.len().max(1));
    let set = SyntheticSet {
        images,
        labels,
        channels,
        size,
        dataset,
        class_names,
        mean,
        std,
        ipc,
        factor,
        settings,
        course: None,
    };
    set.check_loosely().map_err(|error| error.to_string())?;
    Ok(set)
}

pub(super) fn has(archive: &ZipArchive<Cursor<&[u8]>>, name: &str) -> bool {
    archive.index_for_name(&format!("{name}.npy")).is_some()
}

pub(super) fn array(archive: &mut ZipArchive<Cursor<&[u8]>>, name: &str) -> Result<Array, String> {
    let file = format!("{name}.npy");
    if !has(archive, name) {
        let names: Vec<_> = archive
            .file_names()
            .filter_map(Result::ok)
            .map(|name| name.strip_suffix(".npy").unwrap_or(&name).to_owned())
            .collect();
        let names = if names.is_empty() { "nothing".into() } else { names.join(", ") };
        return Err(format!("there is no array {name:?}; it holds {names}"));
    }
    let broken = |reason: String| format!("array {name:?}: {reason}");
    let entry = archive.by_name(&file).map_err(|error| broken(error.to_string()))?;
    let mut bytes = Vec::new();
    // Compressed files can claim any size, and can decompress to huge sizes.
    entry.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(|error| broken(error.to_string()))?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(broken(format!("more than {} GiB", MAX_FILE >> 30)));
    }
    Array::parse(&bytes).map_err(broken)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::import::npy::tests::npy;
    use std::io::Write;
    use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

    pub(in crate::import) fn npz(arrays: &[(&str, Vec<u8>)], method: CompressionMethod) -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in arrays {
            let options = SimpleFileOptions::default().compression_method(method);
            zip.start_file(format!("{name}.npy"), options).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    fn images() -> Vec<u8> {
        npy("<f4", "(2, 1, 1, 1)", &[0; 8])
    }

    #[test]
    fn stored_and_compressed_archives_are_read() {
        for method in [CompressionMethod::Stored, CompressionMethod::Deflated] {
            let labels = npy("|u1", "(2,)", &[1, 0]);
            let file = npz(&[("labels", labels), ("more", vec![]), ("images", images())], method);
            let Content::Arrays(arrays) = content(&file).unwrap() else { panic!("a set") };
            assert_eq!((arrays.shape, arrays.labels), (vec![2, 1, 1, 1], vec![1, 0]));
            for end in [0, 10, file.len() / 2, file.len() - 1] {
                let message = content(&file[..end]).unwrap_err();
                assert!(message.contains("not an npz file"), "{message}");
            }
        }
    }

    #[test]
    fn missing_arrays_are_named() {
        let stored = CompressionMethod::Stored;
        for (arrays, words) in [
            (vec![("images", images())], ["\"labels\"", "holds images"]),
            (vec![("x", images())], ["\"images\"", "holds x"]),
            (vec![], ["\"images\"", "nothing"]),
            (vec![("images", vec![1, 2]), ("labels", vec![])], ["\"images\"", "no NumPy array"]),
            (
                vec![("images", images()), ("labels", npy("|u1", "(2, 1)", &[0, 1]))],
                ["\"labels\"", "one number per image"],
            ),
        ] {
            let message = content(&npz(&arrays, stored)).unwrap_err();
            assert!(words.iter().all(|word| message.contains(word)), "{message}");
        }
    }
}
