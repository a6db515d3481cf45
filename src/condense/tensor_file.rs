//! What the files of sets and of checkpoints share: safetensors, written the same for the same content
//! and read with distrust.

use std::collections::HashMap;
#[cfg(feature = "files")]
use std::{fs, path::Path};

use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde_json::{Map, Value, json};

use crate::Result;
#[cfg(feature = "files")]
use crate::{Error, listing::read_data};

/// Larger files are not ours, and reading one could fill the machine's memory.
pub(crate) const MAX_FILE: u64 = 4 << 30;

/// An array on its way into a file.
pub(super) struct Part<'a> {
    pub name: &'a str,
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    /// Little-endian.
    pub bytes: Vec<u8>,
}

impl<'a> Part<'a> {
    pub fn f32(name: &'a str, shape: Vec<usize>, values: &[f32]) -> Self {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Self { name, dtype: Dtype::F32, shape, bytes }
    }

    pub fn i64(name: &'a str, shape: Vec<usize>, values: &[i64]) -> Self {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Self { name, dtype: Dtype::I64, shape, bytes }
    }
}

/// A file's bytes. They are written here because the crate writes metadata in random order. Parts
/// of wider types come first, so that all parts are aligned.
pub(super) fn encode(metadata: Value, parts: &[Part<'_>]) -> Vec<u8> {
    // `Value`'s maps have a fixed order.
    let mut header = Map::new();
    header.insert("__metadata__".into(), metadata);
    let mut at = 0;
    for Part { name, dtype, shape, bytes } in parts {
        let end = at + bytes.len();
        let entry =
            json!({ "dtype": dtype.to_string(), "shape": shape, "data_offsets": [at, end] });
        header.insert((*name).to_owned(), entry);
        at = end;
    }
    let mut header = Value::Object(header).to_string().into_bytes();
    header.resize(header.len().next_multiple_of(8), b' ');
    let mut bytes = Vec::with_capacity(8 + header.len() + at);
    bytes.extend((header.len() as u64).to_le_bytes());
    bytes.extend(header);
    for part in parts {
        bytes.extend_from_slice(&part.bytes);
    }
    bytes
}

/// The bytes of a file that may hold `what`: not too large for one.
#[cfg(feature = "files")]
pub(super) fn read(path: &Path, what: &str) -> Result<Vec<u8>> {
    let about = fs::metadata(path).map_err(Error::io("read", path))?;
    if about.len() > MAX_FILE {
        return Err(Error::format(path, format!("{} bytes are too many for {what}", about.len())));
    }
    read_data(path)
}

/// A file's arrays and its metadata, if it is of this format and one of these versions.
pub(super) fn open<'a>(
    bytes: &'a [u8],
    format: &str,
    versions: &[&str],
) -> Result<(SafeTensors<'a>, Meta), String> {
    let broken = |reason| format!("no readable safetensors file: {reason}");
    check_offsets(bytes).map_err(broken)?;
    let (_, header) =
        SafeTensors::read_metadata(bytes).map_err(|error| broken(error.to_string()))?;
    let tensors = SafeTensors::deserialize(bytes).map_err(|error| broken(error.to_string()))?;
    let meta = Meta(header.metadata().clone().unwrap_or_default());
    let found = meta.text("format")?;
    if found != format {
        return Err(format!("the format is {found:?}, {format:?} was expected"));
    }
    let found = meta.text("format_version")?;
    if !versions.contains(&found) {
        let known = versions.join(" and ");
        return Err(format!("the format's version is {found}, this program reads {known}"));
    }
    Ok((tensors, meta))
}

/// Refuses tensors that reach beyond the file before the crate adds their ends up: huge ones would
/// overflow there.
pub(crate) fn check_offsets(bytes: &[u8]) -> Result<(), String> {
    let short = || "it ends before its header does".to_owned();
    let (length, rest) = bytes.split_first_chunk().ok_or_else(short)?;
    let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| short())?;
    let header = rest.get(..length).ok_or_else(short)?;
    let header: HashMap<String, Value> =
        serde_json::from_slice(header).map_err(|error| format!("invalid header: {error}"))?;
    for (name, entry) in header.iter().filter(|(name, _)| *name != "__metadata__") {
        let end = entry.get("data_offsets").and_then(|offsets| offsets.get(1)?.as_u64());
        if end.is_none_or(|end| end > (rest.len() - length) as u64) {
            return Err(format!("tensor {name:?} reaches beyond the file's end"));
        }
    }
    Ok(())
}

/// A tensor of the given kind.
pub(super) fn tensor<'a>(
    tensors: &SafeTensors<'a>,
    name: &str,
    dtype: Dtype,
    dimensions: usize,
) -> Result<TensorView<'a>, String> {
    let found = tensors.tensor(name).map_err(|_| format!("there is no tensor {name:?}"))?;
    if found.dtype() != dtype || found.shape().len() != dimensions {
        return Err(format!(
            "{name}: {} of shape {:?}, {dtype} in {dimensions} dimensions was expected",
            found.dtype(),
            found.shape()
        ));
    }
    Ok(found)
}

pub(super) fn values<T, const BYTES: usize>(data: &[u8], from_le: fn([u8; BYTES]) -> T) -> Vec<T> {
    // Chunks have just this length, so nothing is dropped.
    data.chunks_exact(BYTES).filter_map(|chunk| chunk.try_into().ok()).map(from_le).collect()
}

/// A file's metadata: text by name.
pub(super) struct Meta(HashMap<String, String>);

impl Meta {
    pub fn text(&self, name: &str) -> Result<&str, String> {
        let found = self.0.get(name).map(String::as_str);
        found.ok_or_else(|| format!("its metadata has no {name:?}"))
    }

    pub fn json<T: serde::de::DeserializeOwned>(
        &self,
        name: &str,
        what: &str,
    ) -> Result<T, String> {
        serde_json::from_str(self.text(name)?)
            .map_err(|error| format!("{name:?} in its metadata is not {what}: {error}"))
    }
}
