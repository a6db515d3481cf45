//! Tests for the readers of files with arbitrary bytes. Each function gives bytes to the reader of one format, as
//! the content of a user's file, and checks the result. Both an error and a data set are fine; a panic, a huge
//! allocation or a result that contradicts itself is a failure.
//!
//! The fuzz targets call these functions, and so does `tests/corpus.rs`, which replays the inputs that were kept.

use std::{fs, path::Path};

use dm_wgpu::{
    Checkpoint, Dataset, DatasetInfo, SyntheticSet,
    data::{self, Sources},
    import, testing,
};

/// Reads a file and returns whether it was accepted.
pub type Load = fn(&[u8]) -> bool;

/// The name of each format, which is also that of its folder in `tests/corpus` and in the archive, and its function.
#[allow(dead_code)]
pub const LOADERS: [(&str, Load); 9] = [
    ("idx", idx),
    ("mat", mat),
    ("cifar", cifar),
    ("tar", tar),
    ("zip", zip),
    ("sets", sets),
    ("npz", npz),
    ("checkpoint", checkpoint),
    ("picture", picture),
];

/// MNIST's files: the length of the labels in two bytes, the labels, and then the images.
pub fn idx(bytes: &[u8]) -> bool {
    let (labels, images) = two(bytes);
    let files = [("images-idx3", images), ("labels-idx1", labels)];
    let files = files.map(|(name, content)| {
        ["train", "t10k"].map(|split| (format!("{split}-{name}-ubyte"), content))
    });
    load("mnist", files.as_flattened())
}

/// SVHN's MATLAB files, the same bytes for training and test.
pub fn mat(bytes: &[u8]) -> bool {
    load("svhn", &["train", "test"].map(|split| (format!("{split}_32x32.mat"), bytes)))
}

/// CIFAR-100's files: the length of the class names in two bytes, the names, and then the records, the same for
/// training and test.
pub fn cifar(bytes: &[u8]) -> bool {
    let (names, records) = two(bytes);
    let files = [("train.bin", records), ("test.bin", records), ("fine_label_names.txt", names)];
    load("cifar100", &files.map(|(name, bytes)| (name.to_owned(), bytes)))
}

/// CIFAR-100's archive.
pub fn tar(bytes: &[u8]) -> bool {
    load("cifar100", &[("cifar-100-binary.tar.gz".to_owned(), bytes)])
}

/// Tiny ImageNet's archive; its pictures are resampled to a smaller size.
pub fn zip(bytes: &[u8]) -> bool {
    in_folder(&[("set.zip".to_owned(), bytes)], |folder| {
        let set = testing::zipped_pictures(&folder.join("set.zip"), 4, folder);
        set.is_ok_and(|set| check(&set))
    })
}

/// Synthetic sets as safetensors, of this crate and of other programs.
pub fn sets(bytes: &[u8]) -> bool {
    in_folder(&[("set.safetensors".to_owned(), bytes)], |folder| {
        let path = folder.join("set.safetensors");
        if let Ok(set) = SyntheticSet::load(&path) {
            (0..set.labels.len()).for_each(|image| drop(set.image_u8(image)));
            let again = folder.join("again.safetensors");
            set.save(&again).expect("what was read can be written");
            assert_eq!(SyntheticSet::load(&again).expect("what was written can be read"), set);
        }
        imported(&path)
    })
}

/// Synthetic sets, or data sets, as NumPy arrays in a zip archive.
pub fn npz(bytes: &[u8]) -> bool {
    let dataset = import::dataset_from_npz("set.npz", bytes).is_ok();
    dataset
        | in_folder(&[("set.npz".to_owned(), bytes)], |folder| imported(&folder.join("set.npz")))
}

/// The checkpoint of a run.
pub fn checkpoint(bytes: &[u8]) -> bool {
    in_folder(&[("checkpoint.safetensors".to_owned(), bytes)], |folder| {
        let Ok(read) = Checkpoint::load(&folder.join("checkpoint.safetensors")) else {
            return false;
        };
        let again = folder.join("again.safetensors");
        read.save(&again).expect("what was read can be written");
        assert_eq!(Checkpoint::load(&again).expect("what was written can be read"), read);
        true
    })
}

/// A picture of a folder of pictures.
pub fn picture(bytes: &[u8]) -> bool {
    let fitted = |channels| {
        let pixels = testing::picture(bytes, channels, 6);
        pixels.is_ok_and(|pixels| pixels.len() == channels * 36)
    };
    // A grey picture can be read in colour, but a coloured one not in grey.
    let (grey, coloured) = (fitted(1), fitted(3));
    assert!(coloured || !grey);
    coloured
}

/// Reads a set in every possible way.
fn imported(path: &Path) -> bool {
    let Ok(set) = import::read(path) else { return false };
    let sheet = set.into_sheet();
    let set = import::read(path).expect("it was read before");
    let dataset = tiny();
    if let Ok(set) = set.into_set(&dataset) {
        assert_eq!(set.images.len(), set.labels.len() * dataset.image_len());
        assert!(set.labels.iter().all(|&label| label == 0 || label == 1));
    }
    sheet.is_ok_and(|sheet| !sheet.names().is_empty())
}

/// What imported sets are for: two classes, 1×2×2.
fn tiny() -> Dataset {
    let info = DatasetInfo {
        name: "tiny".into(),
        class_names: vec!["a".into(), "b".into()],
        channels: 1,
        size: 2,
        mean: vec![0.5],
        std: vec![0.25],
    };
    Dataset::new(info, (vec![0; 8], vec![0, 1]), (vec![], vec![])).expect("it fits together")
}

/// Loads the published set of this name from these files.
fn load(name: &str, files: &[(String, &[u8])]) -> bool {
    in_folder(files, |folder| {
        let sources = Sources::default().data_dir(Some(folder.to_path_buf()));
        data::load(name, &sources, &mut |_| {}).is_ok_and(|set| check(&set))
    })
}

fn check(set: &Dataset) -> bool {
    for split in [set.train(), set.test()] {
        assert_eq!(split.pixels().len(), split.len() * set.image_len());
        assert!(split.labels().iter().all(|&label| (label as usize) < set.classes()));
    }
    set.train().len() >= set.classes()
}

/// Does the work in a temporary folder with these files.
fn in_folder(files: &[(String, &[u8])], work: impl FnOnce(&Path) -> bool) -> bool {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).expect("a temporary file can be written");
    }
    work(folder.path())
}

/// The first part, whose length is in the first two bytes, and the rest.
fn two(bytes: &[u8]) -> (&[u8], &[u8]) {
    let Some((length, rest)) = bytes.split_first_chunk() else { return (&[], &[]) };
    rest.split_at(usize::from(u16::from_le_bytes(*length)).min(rest.len()))
}
