//! `.safetensors`: this crate's own, or any with `images` and `labels`.

use std::path::Path;

use safetensors::{Dtype, SafeTensors};

use super::{Arrays, Content, Values, integer};
use crate::{
    Error, Result, SyntheticSet,
    condense::{FORMAT, check_offsets},
};

/// Reads a file's bytes; errors name `path`.
pub(super) fn decode(bytes: &[u8], path: &Path) -> Result<Content> {
    let wrong = |reason: String| Error::format(path, reason);
    let broken = |reason: String| wrong(format!("no readable safetensors file: {reason}"));
    check_offsets(bytes).map_err(broken)?;
    let (_, header) =
        SafeTensors::read_metadata(bytes).map_err(|error| broken(error.to_string()))?;
    let format = header.metadata().as_ref().and_then(|meta| meta.get("format"));
    // Other programs write "pt" or "np" there.
    if format.is_some_and(|format| format == FORMAT) {
        return SyntheticSet::of_file(bytes, path).map(Content::Set);
    }
    foreign(bytes).map(Content::Arrays).map_err(wrong)
}

fn foreign(bytes: &[u8]) -> Result<Arrays, String> {
    let tensors = SafeTensors::deserialize(bytes)
        .map_err(|error| format!("no readable safetensors file: {error}"))?;
    let tensor = |name: &str| {
        tensors.tensor(name).map_err(|_| {
            format!("there is no tensor {name:?}; it holds {}", tensors.names().join(", "))
        })
    };
    let (images, labels) = (tensor("images")?, tensor("labels")?);
    if labels.shape().len() != 1 {
        return Err(format!("labels: shape {:?}, one number per image is needed", labels.shape()));
    }
    let data = images.data();
    let values = match images.dtype() {
        Dtype::F32 => Values::Floats(numbers(data, f32::from_le_bytes)),
        Dtype::F64 => Values::Floats(numbers(data, |b| f64::from_le_bytes(b) as f32)),
        Dtype::U8 => Values::Bytes(data.to_vec()),
        other => return Err(format!("images: {other}; F32, F64 or U8 are possible")),
    };
    let data = labels.data();
    let labels = match labels.dtype() {
        kind @ (Dtype::I8 | Dtype::I16 | Dtype::I32 | Dtype::I64) => {
            data.chunks_exact(kind.bitsize() / 8).map(|b| integer(b.iter(), true)).collect()
        }
        kind @ (Dtype::U8 | Dtype::U16 | Dtype::U32 | Dtype::U64) => {
            data.chunks_exact(kind.bitsize() / 8).map(|b| integer(b.iter(), false)).collect()
        }
        other => return Err(format!("labels: {other}; integers are needed, as I64")),
    };
    Ok(Arrays { shape: images.shape().to_vec(), values, labels })
}

fn numbers<T, const BYTES: usize>(data: &[u8], from_le: impl Fn([u8; BYTES]) -> T) -> Vec<T> {
    data.as_chunks().0.iter().map(|&chunk| from_le(chunk)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use safetensors::tensor::{TensorView, serialize};

    fn file(images: (Dtype, &[u8]), labels: (Dtype, &[u8])) -> Vec<u8> {
        let view = |(dtype, data), shape| TensorView::new(dtype, shape, data).unwrap();
        serialize(
            [("images", view(images, vec![2, 1, 1, 1])), ("labels", view(labels, vec![2]))],
            None,
        )
        .unwrap()
    }

    #[test]
    fn files_of_other_programs_are_read() {
        let path = Path::new("set.safetensors");
        let floats = [1.5f32, -2.0].map(f32::to_le_bytes).concat();
        let bytes = file((Dtype::F32, &floats), (Dtype::U8, &[1, 0]));
        let Content::Arrays(arrays) = decode(&bytes, path).unwrap() else {
            panic!("it does not say so")
        };
        assert!(matches!(arrays.values, Values::Floats(values) if values == [1.5, -2.0]));
        assert_eq!((arrays.shape, arrays.labels), (vec![2, 1, 1, 1], vec![1, 0]));
    }

    #[test]
    fn labels_of_every_width_are_read() {
        for (kind, bytes, expected) in [
            (Dtype::I8, &[3, 255][..], [3, -1]),
            (Dtype::U8, &[3, 255], [3, 255]),
            (Dtype::I16, &[3, 0, 254, 255], [3, -2]),
            (Dtype::U16, &[3, 0, 254, 255], [3, 65_534]),
            (Dtype::U32, &[3, 0, 0, 0, 0, 1, 0, 0], [3, 256]),
            (Dtype::I64, &[[3, 0, 0, 0, 0, 0, 0, 0], [255; 8]].concat(), [3, -1]),
            (Dtype::U64, &[[3, 0, 0, 0, 0, 0, 0, 0], [255; 8]].concat(), [3, i64::MAX]),
        ] {
            let set = foreign(&file((Dtype::U8, &[0; 2]), (kind, bytes))).unwrap();
            assert_eq!(set.labels, expected, "{kind}");
        }
    }

    #[test]
    fn tensors_that_do_not_fit_are_refused() {
        let half = file((Dtype::F16, &[0; 4]), (Dtype::U8, &[1, 0]));
        assert!(foreign(&half).unwrap_err().contains("F16"));
        let floats = file((Dtype::U8, &[0; 2]), (Dtype::F32, &[0; 8]));
        assert!(foreign(&floats).unwrap_err().contains("labels: F32"));
        let truths = file((Dtype::U8, &[0; 2]), (Dtype::BOOL, &[0; 2]));
        assert!(foreign(&truths).unwrap_err().contains("labels: BOOL"));
        assert!(foreign(&half[..20]).unwrap_err().contains("no readable"));
    }
}
