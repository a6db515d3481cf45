//! Files that come back as they were saved, and broken ones that are refused in words.

use std::{fs, path::PathBuf};

use proptest::prelude::*;
use safetensors::SafeTensors;
use serde_json::Value;

use super::*;

fn set() -> SyntheticSet {
    let (classes, ipc, channels, size) = (3, 2, 3, 4);
    let n = classes * ipc;
    SyntheticSet {
        images: (0..n * channels * size * size).map(|i| i as f32 * 0.01 - 1.0).collect(),
        labels: (0..n).map(|i| (i / ipc) as i64).collect(),
        channels,
        size,
        dataset: "made-up".into(),
        class_names: vec!["cat".into(), "a \"dog\"".into(), "čáp".into()],
        mean: vec![0.1307, 0.4914, 0.1],
        std: vec![0.3081, 0.2, 0.7],
        ipc,
        factor: 1,
        settings: r#"{"ipc":2}"#.into(),
        course: None,
    }
}

fn refused(bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broken.safetensors");
    fs::write(&path, bytes).unwrap();
    let error = SyntheticSet::load(&path).unwrap_err();
    assert!(matches!(error, Error::Format { .. }), "{error:?}");
    let message = error.to_string();
    assert!(message.contains("broken.safetensors"), "{message}");
    message
}

/// A file with this header and no other change.
fn with_header(change: impl Fn(&mut Value)) -> Vec<u8> {
    let bytes = set().encode();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let mut header: Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    change(&mut header);
    let header = header.to_string().into_bytes();
    [&(header.len() as u64).to_le_bytes()[..], &header, &bytes[8 + length..]].concat()
}

#[test]
fn a_set_is_read_back_as_it_was_saved() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("set.safetensors");
    set().save(&path).unwrap();
    assert_eq!(SyntheticSet::load(&path).unwrap(), set());
    let first = fs::read(&path).unwrap();
    set().save(&path).unwrap();
    assert_eq!(fs::read(&path).unwrap(), first);
}

#[test]
fn classes_may_have_different_numbers_of_images() {
    let mut uneven = set();
    uneven.labels = vec![0, 0, 0, 1, 2, 2];
    uneven.ipc = 3;
    let bytes = uneven.to_bytes().unwrap();
    assert_eq!(SyntheticSet::from_bytes(&bytes).unwrap(), uneven);
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    assert_eq!(header.metadata().as_ref().unwrap()["format_version"], "3");
    type Change = fn(&mut SyntheticSet);
    let changes: [Change; 3] = [
        |set| set.ipc = 4,
        |set| set.labels = vec![0, 0, 0, 2, 2, 2],
        |set| set.labels = vec![0, 0, 1, 0, 2, 2],
    ];
    for change in changes {
        let mut odd = uneven.clone();
        change(&mut odd);
        assert!(matches!(odd.to_bytes(), Err(Error::Shape { .. })), "{odd:?}");
    }
    // Packed ones, which readers of that version would take for images.
    uneven.factor = 2;
    let bytes = uneven.to_bytes().unwrap();
    assert_eq!(SyntheticSet::from_bytes(&bytes).unwrap(), uneven);
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    assert_eq!(header.metadata().as_ref().unwrap()["format_version"], "4");
    let labels = uneven.decoded().unwrap().labels;
    assert_eq!(labels, [vec![0; 12], vec![1; 4], vec![2; 8]].concat());
}

#[test]
fn bytes_are_those_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("set.safetensors");
    set().save(&path).unwrap();
    let bytes = set().to_bytes().unwrap();
    assert_eq!(fs::read(&path).unwrap(), bytes);
    assert_eq!(SyntheticSet::from_bytes(&bytes).unwrap(), set());
    let error = SyntheticSet::from_bytes(&bytes[..bytes.len() - 1]).unwrap_err().to_string();
    assert!(error.starts_with("synthetic set: no readable safetensors"), "{error}");
    let mut odd = set();
    odd.labels[0] = 2;
    assert!(matches!(odd.to_bytes(), Err(Error::Shape { .. })));
}

#[test]
fn other_safetensors_readers_can_read_a_set() {
    let bytes = set().encode();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(file.tensor("images").unwrap().shape(), [6, 3, 4, 4]);
    assert_eq!(file.tensor("labels").unwrap().dtype(), Dtype::I64);
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let meta = header.metadata().as_ref().unwrap();
    assert_eq!(meta["mean"], "[0.1307,0.4914,0.1]");
    assert_eq!(meta["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn pixels_are_denormalised_interleaved_and_clamped() {
    let mut set = set();
    (set.mean, set.std) = (vec![0.5, 0.0, 0.25], vec![0.5, 1.0, 0.25]);
    let image = set.image_len();
    set.images[image] = -1.0; // red of the second image's first pixel: 0
    set.images[image + 16] = 0.5; // green: 127.5 rounds away from 0
    set.images[image + 32] = 100.0; // blue: clamped
    set.images[image + 1] = -9.0;
    let pixels = set.image_u8(1);
    assert_eq!(pixels.len(), 48);
    assert_eq!(pixels[..4], [0, 128, 255, 0]);
}

#[test]
fn a_set_that_contradicts_itself_is_not_saved() {
    type Change = fn(&mut SyntheticSet);
    let changes: [(Change, &str); 10] = [
        (|set| set.images.truncate(5), "values"),
        (|set| set.images[50] = f32::NAN, "image 1 has a pixel that is NaN"),
        (|set| set.labels.truncate(5), "5 images"),
        (|set| set.labels[2] = 9, "label 9"),
        (|set| set.labels[2] = -1, "label -1"),
        (|set| set.ipc = usize::MAX, "ipc"),
        (|set| set.std[1] = 0.0, "std"),
        (|set| set.mean.truncate(2), "mean"),
        (|set| set.settings = "{".into(), "JSON"),
        (|set| set.class_names.clear(), "no class"),
    ];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("set.safetensors");
    for (change, expected) in changes {
        let mut broken = set();
        change(&mut broken);
        let message = broken.save(&path).unwrap_err().to_string();
        assert!(message.contains(expected), "{message:?} lacks {expected:?}");
        // The same contradictions coming from a file.
        let message = refused(&broken.encode());
        assert!(!message.is_empty());
    }
    assert!(!path.exists());
}

#[test]
fn broken_files_are_refused() {
    let good = set().encode();
    refused(b"");
    refused(b"\x89PNG\r\n\x1a\n and so on");
    refused(&[0xff; 64]);
    for cut in [4, 8, 20, good.len() - 1] {
        refused(&good[..cut]);
    }
    refused(&[&good[..], b"more"].concat());

    let meta = |name: &'static str, value: Value| {
        refused(&with_header(|header| header["__metadata__"][name] = value.clone()))
    };
    assert!(meta("format", json!("other")).contains("other"));
    assert!(
        meta("format_version", json!("5")).contains("is 5, this program reads 1 and 2 and 3 and 4")
    );
    assert!(meta("format_version", json!("3")).contains("but all have as many"));
    assert!(meta("format_version", json!("2")).contains("no \"factor\""));
    assert!(meta("class_names", json!("cat, dog")).contains("class_names"));
    assert!(meta("ipc", json!("1e99")).contains("ipc"));
    assert!(meta("ipc", json!("3")).contains("ipc 3"));
    meta("mean", json!(4));
    for name in ["dataset", "class_names", "mean", "std", "ipc", "settings", "format"] {
        let message = refused(&with_header(|header| {
            header["__metadata__"].as_object_mut().unwrap().remove(name);
        }));
        assert!(message.contains(name), "{message}");
    }
    refused(&with_header(|header| drop(header.as_object_mut().unwrap().remove("__metadata__"))));

    let shaped = |dtype: &str, shape: Value| {
        refused(&with_header(|header| {
            header["images"]["dtype"] = json!(dtype);
            header["images"]["shape"] = shape.clone();
        }))
    };
    assert!(shaped("I32", json!([6, 3, 4, 4])).contains("I32"));
    assert!(shaped("F32", json!([6, 48])).contains("4 dimensions"));
    assert!(shaped("F32", json!([6, 3, 2, 8])).contains("square"));
    assert!(shaped("F32", json!([3, 6, 4, 4])).contains("labels of shape"));
    shaped("F32", json!([u64::MAX, 3, 4, 4]));
    shaped("F32", json!([-1, 3, 4, 4]));
    // Ends that add up to more than 64 bits must not wrap around.
    refused(&with_header(|header| {
        header["images"]["data_offsets"] = json!([48, u64::MAX]);
    }));
}

#[test]
fn folders_and_missing_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(SyntheticSet::load(folder.path()), Err(Error::Format { .. })));
    let missing: PathBuf = folder.path().join("none");
    assert!(matches!(SyntheticSet::load(&missing), Err(Error::Io { .. })));
}

proptest! {
    /// Whatever bytes are damaged, loading answers and never panics.
    #[test]
    fn no_damaged_byte_panics(at in 0usize..900, value: u8, cut in 0usize..2000) {
        let mut bytes = set().encode();
        let at = at % bytes.len();
        bytes[at] = value;
        bytes.truncate(bytes.len().max(1).min(cut.max(1)));
        if let Ok(set) = SyntheticSet::decode(&bytes) {
            let _ = set.validate();
        }
    }
}
