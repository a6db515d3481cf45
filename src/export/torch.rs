//! `.pt`: what `torch.save` writes, a zip with a pickle of the structure and an entry for each tensor.

use super::{
    archive::{Archive, little_endian},
    pickle::Value,
};
use crate::SyntheticSet;

/// The folder in the zip that holds all entries. `torch.save` uses the file's name; readers accept any.
const ROOT: &str = "archive";

pub(super) fn encode(
    runs: &[SyntheticSet],
    accuracies: &[(String, Vec<f64>)],
) -> Result<Vec<u8>, String> {
    let mut storages = Vec::new();
    let mut data = Vec::new();
    for set in runs {
        let shape = [set.labels.len(), set.channels, set.size, set.size];
        let images = little_endian(&set.images, f32::to_le_bytes);
        let labels = little_endian(&set.labels, i64::to_le_bytes);
        let key = storages.len();
        data.push(Value::List(vec![
            tensor("FloatStorage", key, &shape),
            tensor("LongStorage", key + 1, &shape[..1]),
        ]));
        storages.extend([images, labels]);
    }
    let floats = |values: &[f64]| Value::List(values.iter().copied().map(Value::Float).collect());
    let wide = |values: &[f32]| floats(&values.iter().copied().map(f64::from).collect::<Vec<_>>());
    let accuracies = accuracies.iter().map(|(model, values)| (model.clone(), floats(values)));
    let mut entries = vec![
        ("data".to_owned(), Value::List(data)),
        ("accs_all_exps".to_owned(), Value::Dict(accuracies.collect())),
    ];
    if let Some(set) = runs.first() {
        let names = set.class_names.iter().map(|name| Value::text(name)).collect();
        entries.extend([
            ("mean".to_owned(), wide(&set.mean)),
            ("std".to_owned(), wide(&set.std)),
            ("class_names".to_owned(), Value::List(names)),
            ("dataset".to_owned(), Value::text(&set.dataset)),
        ]);
    }
    let mut archive = Archive::new();
    let mut add = |name: &str, content: &[u8]| archive.add(&format!("{ROOT}/{name}"), &[content]);
    // The pickle first: readers look for it to learn the root.
    add("data.pkl", &Value::Dict(entries).dump()?)?;
    add("byteorder", b"little")?;
    for (key, bytes) in storages.iter().enumerate() {
        add(&format!("data/{key}"), bytes)?;
    }
    add("version", b"3\n")?;
    archive.finish()
}

/// A dense tensor whose values are the storage's of this key.
fn tensor(storage: &'static str, key: usize, shape: &[usize]) -> Value {
    let strides = (1..=shape.len()).map(|from| shape[from..].iter().product());
    let storage = Value::Persistent(Box::new(Value::Tuple(vec![
        Value::text("storage"),
        Value::Global("torch", storage),
        Value::text(&key.to_string()),
        Value::text("cpu"),
        Value::Int(shape.iter().product::<usize>() as i64),
    ])));
    let no_hooks = Value::Call(Box::new(Value::Global("collections", "OrderedDict")), vec![]);
    let rebuild = Value::Global("torch._utils", "_rebuild_tensor_v2");
    let shape = Value::tuple(shape.iter().copied());
    let arguments = [
        storage,
        Value::Int(0),
        shape,
        Value::tuple(strides),
        // Whether it requires a gradient.
        Value::Bool(false),
        no_hooks,
    ];
    Value::Call(Box::new(rebuild), arguments.into())
}

#[cfg(test)]
#[cfg(feature = "files")]
mod tests {
    use super::*;
    use crate::export::tests::set;
    use std::io::{Cursor, Read};
    use zip::{CompressionMethod, ZipArchive};

    /// `tests/program/export.rs` reads it with PyTorch, if that is installed.
    #[test]
    fn values_lie_uncompressed_and_aligned() {
        let runs = [set(&["a", "b"], &[1, 2], 3, 4), set(&["a", "b"], &[1, 1], 3, 4)];
        let bytes = encode(&runs, &[("ConvNet".into(), vec![0.5])]).unwrap();
        assert_eq!(bytes, encode(&runs, &[("ConvNet".into(), vec![0.5])]).unwrap());
        let mut archive = ZipArchive::new(Cursor::new(bytes)).unwrap();
        let mut content = |name: &str| {
            let mut entry = archive.by_name(&format!("archive/{name}")).unwrap();
            assert_eq!(entry.compression(), CompressionMethod::Stored);
            assert_eq!(entry.data_start().unwrap() % 64, 0, "{name}");
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            content
        };
        assert_eq!(content("version"), b"3\n");
        assert_eq!(content("byteorder"), b"little");
        for (run, set) in runs.iter().enumerate() {
            let images = little_endian(&set.images, f32::to_le_bytes);
            assert_eq!(content(&format!("data/{}", 2 * run)), images);
            let labels = little_endian(&set.labels, i64::to_le_bytes);
            assert_eq!(content(&format!("data/{}", 2 * run + 1)), labels);
        }
        assert!(content("data.pkl").starts_with(b"\x80\x02}"));
    }
}
