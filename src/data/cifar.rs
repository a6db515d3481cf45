//! CIFAR-10 and CIFAR-100: 32×32 photographs as binary records, in a folder or in their archive.

use std::{
    io::Read,
    path::{Path, PathBuf},
};

use super::{
    Known, archive,
    bytes::{MAX_BYTES, damaged, open},
    known::Origin,
    store::{Pinned, Published, Remote, Unpacked},
};
use crate::{Dataset, DatasetInfo, Error, Result};

/// Ten kinds of animals and vehicles.
pub(super) const CIFAR10: Known = Known {
    name: "cifar10",
    title: "CIFAR-10",
    train: 50_000,
    test: 10_000,
    classes: 10,
    channels: 3,
    size: 32,
    mean: &[0.4914, 0.4822, 0.4465],
    std: &[0.2023, 0.1994, 0.2010],
    flip: true,
    licence: "none stated",
    source: "https://www.cs.toronto.edu/~kriz/cifar.html",
    origin: Origin::Published(Published {
        mirrors: &["https://www.cs.toronto.edu/~kriz/"],
        files: &[Remote {
            name: "cifar-10-binary.tar",
            pinned: Pinned::Gzip,
            len: 170_052_171,
            sha256: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        }],
        download: 170_052_171,
        read: |known, paths| from_archive(known, &TEN, &paths[0]),
        unpacked: Some(Unpacked {
            folder: TEN.folder,
            files: TEN.files,
            read: |known, paths| from_folder(known, &TEN, paths),
        }),
    }),
};

/// A hundred kinds of things, the "fine" labels.
pub(super) const CIFAR100: Known = Known {
    name: "cifar100",
    title: "CIFAR-100",
    train: 50_000,
    test: 10_000,
    classes: 100,
    channels: 3,
    size: 32,
    mean: &[0.5071, 0.4866, 0.4409],
    std: &[0.2673, 0.2564, 0.2762],
    flip: true,
    licence: "none stated",
    source: "https://www.cs.toronto.edu/~kriz/cifar.html",
    origin: Origin::Published(Published {
        mirrors: &["https://www.cs.toronto.edu/~kriz/"],
        files: &[Remote {
            name: "cifar-100-binary.tar",
            pinned: Pinned::Gzip,
            len: 168_513_733,
            sha256: "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
        }],
        download: 168_513_733,
        read: |known, paths| from_archive(known, &HUNDRED, &paths[0]),
        unpacked: Some(Unpacked {
            folder: HUNDRED.folder,
            files: HUNDRED.files,
            read: |known, paths| from_folder(known, &HUNDRED, paths),
        }),
    }),
};

/// How one of them lies in its files.
struct Form {
    folder: &'static str,
    /// Those with training records, then the one with test records.
    files: &'static [&'static str],
    /// The class names, a line each. Copies of the rest do without.
    names_in: &'static str,
    /// Bytes before a record's pixels, the last of which is the label.
    labels: usize,
    /// The class names as that file has them.
    names: &'static [&'static str],
}

const TEN: Form = Form {
    folder: "cifar-10-batches-bin",
    files: &[
        "data_batch_1.bin",
        "data_batch_2.bin",
        "data_batch_3.bin",
        "data_batch_4.bin",
        "data_batch_5.bin",
        "test_batch.bin",
    ],
    names_in: "batches.meta.txt",
    labels: 1,
    names: &[
        "airplane",
        "automobile",
        "bird",
        "cat",
        "deer",
        "dog",
        "frog",
        "horse",
        "ship",
        "truck",
    ],
};

const HUNDRED: Form = Form {
    folder: "cifar-100-binary",
    files: &["train.bin", "test.bin"],
    names_in: "fine_label_names.txt",
    labels: 2,
    #[rustfmt::skip]
    names: &[
        "apple", "aquarium_fish", "baby", "bear", "beaver", "bed", "bee", "beetle", "bicycle",
        "bottle", "bowl", "boy", "bridge", "bus", "butterfly", "camel", "can", "castle",
        "caterpillar", "cattle", "chair", "chimpanzee", "clock", "cloud", "cockroach", "couch",
        "crab", "crocodile", "cup", "dinosaur", "dolphin", "elephant", "flatfish", "forest", "fox",
        "girl", "hamster", "house", "kangaroo", "keyboard", "lamp", "lawn_mower", "leopard", "lion",
        "lizard", "lobster", "man", "maple_tree", "motorcycle", "mountain", "mouse", "mushroom",
        "oak_tree", "orange", "orchid", "otter", "palm_tree", "pear", "pickup_truck", "pine_tree",
        "plain", "plate", "poppy", "porcupine", "possum", "rabbit", "raccoon", "ray", "road",
        "rocket", "rose", "sea", "seal", "shark", "shrew", "skunk", "skyscraper", "snail", "snake",
        "spider", "squirrel", "streetcar", "sunflower", "sweet_pepper", "table", "tank",
        "telephone", "television", "tiger", "tractor", "train", "trout", "tulip", "turtle",
        "wardrobe", "whale", "willow_tree", "wolf", "woman", "worm",
    ],
};

fn from_folder(known: &Known, form: &Form, paths: &[PathBuf]) -> Result<Dataset> {
    let mut parts = Vec::new();
    for path in paths {
        parts.push(Part { path, name: None, content: read_file(path)? });
    }
    // Beside the records, and like them plain or gzipped.
    let names = paths[0].with_file_name(form.names_in);
    let names_content = if names.is_file() { Some(read_file(&names)?) } else { None };
    let names = names_content.map(|content| Part { path: &names, name: None, content });
    assemble(known, form, parts, names)
}

fn from_archive(known: &Known, form: &Form, path: &Path) -> Result<Dataset> {
    let wanted: Vec<_> = form.files.iter().copied().chain([form.names_in]).collect();
    let mut files = archive::read_files(path, form.folder, &wanted)?;
    let mut take = |name| Some(Part { path, name: Some(name), content: files.remove(name)? });
    let mut parts = Vec::new();
    for name in form.files {
        parts.push(take(name).ok_or_else(|| {
            Error::format(path, format!("there is no {}/{name} in it", form.folder))
        })?);
    }
    let names = take(form.names_in);
    assemble(known, form, parts, names)
}

/// A file's content, and what errors call it.
struct Part<'a> {
    path: &'a Path,
    /// Of a file in an archive.
    name: Option<&'a str>,
    content: Vec<u8>,
}

impl Part<'_> {
    fn wrong(&self, reason: String) -> Error {
        match self.name {
            Some(name) => Error::format(self.path, format!("{name} in it {reason}")),
            None => Error::format(self.path, reason),
        }
    }
}

fn read_file(path: &Path) -> Result<Vec<u8>> {
    let mut content = Vec::new();
    let read = open(path)?.take(MAX_BYTES + 1).read_to_end(&mut content);
    read.map_err(|error| damaged(path, error))?;
    if content.len() as u64 > MAX_BYTES {
        return Err(Error::format(path, format!("has more than {MAX_BYTES} bytes")));
    }
    Ok(content)
}

fn assemble(
    known: &Known,
    form: &Form,
    mut parts: Vec<Part<'_>>,
    names: Option<Part<'_>>,
) -> Result<Dataset> {
    let class_names = match names {
        Some(part) => class_names(known, &part)?,
        None => form.names.iter().copied().map(String::from).collect(),
    };
    let test = parts.split_off(parts.len() - 1);
    let info = DatasetInfo {
        name: known.name.into(),
        class_names,
        channels: known.channels,
        size: known.size,
        // The values that everyone uses, also for a subset.
        mean: known.mean.to_vec(),
        std: known.std.to_vec(),
    };
    Dataset::new(info, split(known, form, parts)?, split(known, form, test)?)
}

fn class_names(known: &Known, part: &Part<'_>) -> Result<Vec<String>> {
    let text = String::from_utf8_lossy(&part.content);
    let names: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    if names.len() != known.classes {
        return Err(part.wrong(format!(
            "names {} classes; {} has {}, a line each",
            names.len(),
            known.title,
            known.classes
        )));
    }
    Ok(names.into_iter().map(String::from).collect())
}

/// Pixels and labels of all records, the pixels as they lie there: channel by channel, row by row.
fn split(known: &Known, form: &Form, parts: Vec<Part<'_>>) -> Result<(Vec<u8>, Vec<u32>)> {
    let record = form.labels + known.channels * known.size * known.size;
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for part in parts {
        let length = part.content.len();
        if length == 0 || length % record != 0 {
            return Err(part.wrong(format!(
                "has {length} bytes, which are no whole number of records of {record}: truncated, \
                 or not {}",
                known.title
            )));
        }
        pixels.reserve(length);
        for (k, record) in part.content.chunks_exact(record).enumerate() {
            let (label, image) = record.split_at(form.labels);
            let label = u32::from(label[form.labels - 1]);
            if label as usize >= known.classes {
                return Err(part.wrong(format!(
                    "has label {label} in record {k}; the {} classes are 0 to {}",
                    known.classes,
                    known.classes - 1
                )));
            }
            labels.push(label);
            pixels.extend_from_slice(image);
        }
    }
    Ok((pixels, labels))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{
        Sources,
        archive::tests::{entry, tar},
        idx::tests::gzip,
    };
    use std::fs;
    use tar::EntryType;

    /// A record whose pixels tell which it is: the label, and `tone` more a channel.
    fn record(form: &Form, label: u8, tone: u8) -> Vec<u8> {
        let coarse = vec![99; form.labels - 1];
        let planes = (0..3).flat_map(|channel| vec![label + tone * channel; 1024]);
        coarse.into_iter().chain([label]).chain(planes).collect()
    }

    /// All classes in the first training file, one image in each of the others.
    fn files(form: &Form) -> Vec<(&'static str, Vec<u8>)> {
        let all = (0..form.names.len()).flat_map(|label| record(form, label as u8, 1)).collect();
        let others = (2..).map(|k| record(form, k, 20));
        form.files.iter().copied().zip([all].into_iter().chain(others)).collect()
    }

    fn put(folder: &Path, files: &[(&str, Vec<u8>)]) {
        fs::create_dir_all(folder).unwrap();
        for (name, content) in files {
            fs::write(folder.join(name), content).unwrap();
        }
    }

    fn archive(form: &Form, files: &[(&str, Vec<u8>)]) -> Vec<u8> {
        let entries: Vec<_> = files
            .iter()
            .rev()
            .map(|(name, content)| {
                entry(&format!("{}/{name}", form.folder), EntryType::Regular, content)
            })
            .collect();
        tar(&entries)
    }

    fn load(name: &str, folder: &Path) -> Result<Dataset> {
        let sources = Sources { data_dir: Some(folder.to_path_buf()) };
        crate::data::load(name, &sources, &mut |_| panic!("a folder was given"))
    }

    const BOTH: [(&Known, &Form, &str); 2] =
        [(&CIFAR10, &TEN, "cifar-10-binary"), (&CIFAR100, &HUNDRED, "cifar-100-binary")];

    #[test]
    fn folders_and_archives_hold_the_same() {
        for (known, form, archive_name) in BOTH {
            let files = files(form);
            let tar = archive(form, &files);
            for way in ["", "unpacked", "tar", "tar.gz"] {
                let root = tempfile::tempdir().unwrap();
                let own = root.path().join(known.name);
                match way {
                    "" => put(root.path(), &files),
                    "unpacked" => put(&root.path().join(form.folder), &files),
                    "tar" => put(root.path(), &[(&format!("{archive_name}.tar"), tar.clone())]),
                    _ => put(&own, &[(&format!("{archive_name}.tar.gz"), gzip(&tar))]),
                }
                let set = load(known.name, root.path()).unwrap();
                assert_eq!((set.name(), set.classes()), (known.name, known.classes), "{way}");
                assert_eq!((set.channels(), set.size()), (3, 32));
                assert_eq!((set.mean(), set.std()), (known.mean, known.std));
                let batches = form.files.len() - 2;
                assert_eq!(set.train().len(), known.classes + batches);
                assert_eq!(set.train().labels()[..10], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
                let image = set.train().image(7);
                assert_eq!((image[0], image[1024], image[3071]), (7, 8, 9));
                assert_eq!(set.test().labels(), [2 + batches as u32]);
                assert_eq!(set.class_names()[9], form.names[9]);
            }
        }
    }

    #[test]
    fn names_are_those_of_the_copy() {
        for (known, form, archive_name) in BOTH {
            let mut files = files(form);
            let names: Vec<_> = (0..known.classes).map(|k| format!("name {k}")).collect();
            files.push((form.names_in, format!("{}\n\n", names.join("\n")).into_bytes()));
            let root = tempfile::tempdir().unwrap();
            put(&root.path().join(form.folder), &files);
            assert_eq!(load(known.name, root.path()).unwrap().class_names(), names);
            let root = tempfile::tempdir().unwrap();
            put(root.path(), &[(&format!("{archive_name}.tar.gz"), archive(form, &files))]);
            assert_eq!(load(known.name, root.path()).unwrap().class_names(), names);
            files.pop();
            files.push((form.names_in, b"one\n".to_vec()));
            put(&root.path().join(form.folder), &files);
            let message = load(known.name, root.path()).unwrap_err().to_string();
            assert!(message.contains("names 1 classes"), "{message}");
        }
    }

    #[test]
    fn broken_records_are_named() {
        for (known, form, archive_name) in BOTH {
            let spoilt = |spoil: &dyn Fn(&mut Vec<u8>), expected: &str| {
                let mut files = files(form);
                spoil(&mut files[0].1);
                let root = tempfile::tempdir().unwrap();
                put(root.path(), &[(&format!("{archive_name}.tar"), archive(form, &files))]);
                for _ in 0..2 {
                    let error = load(known.name, root.path()).unwrap_err();
                    assert!(matches!(error, Error::Format { .. }), "{error:?}");
                    let message = error.to_string();
                    assert!(message.contains(expected), "{expected}: {message}");
                    assert!(message.contains(files[0].0), "{message}");
                    // And once more from its folder.
                    put(&root.path().join(form.folder), &files);
                }
            };
            spoilt(&|bytes| bytes.truncate(bytes.len() - 1), "truncated");
            spoilt(&|bytes| bytes.clear(), "has 0 bytes");
            spoilt(&|bytes| bytes[form.labels - 1] = 100, "has label 100 in record 0");
        }
    }

    #[test]
    fn what_is_missing_is_told() {
        let root = tempfile::tempdir().unwrap();
        let mut files = files(&TEN);
        let test = files.pop().unwrap();
        put(&root.path().join(TEN.folder), &files);
        let error = load("cifar10", root.path()).unwrap_err();
        assert!(matches!(error, Error::NotFound { .. }), "{error:?}");
        let message = error.to_string();
        for part in
            ["CIFAR-10 not", "cifar-10-batches-bin lacks test_batch.bin\n", "cifar-10-binary.tar"]
        {
            assert!(message.contains(part), "{part} is missing in: {message}");
        }
        // A whole archive is better than half a folder.
        files.push(test);
        put(root.path(), &[("cifar-10-binary.tar.gz", gzip(&archive(&TEN, &files)))]);
        assert!(load("cifar10", root.path()).is_ok());
        put(root.path(), &[("cifar-10-binary.tar.gz", gzip(&archive(&TEN, &files[1..])))]);
        let message = load("cifar10", root.path()).unwrap_err().to_string();
        assert!(message.contains("no cifar-10-batches-bin/data_batch_1.bin in it"), "{message}");
    }

    /// The real one, where there is a copy: needs DM_WGPU_DATA.
    #[test]
    fn the_real_cifar10_has_its_counts() {
        let sources = Sources::default();
        let at_hand = std::env::var_os(crate::data::store::DATA_VARIABLE).is_some()
            && CIFAR10.on_disk(&sources).unwrap().is_some();
        if !at_hand {
            println!("SKIPPED: DM_WGPU_DATA names no folder with CIFAR-10");
            return;
        }
        let set = crate::data::load("cifar10", &sources, &mut |_| panic!()).unwrap();
        assert_eq!((set.train().len(), set.test().len()), (50_000, 10_000));
        for class in 0..10 {
            assert_eq!(set.train().of_class(class).len(), 5000);
            assert_eq!(set.test().of_class(class).len(), 1000);
        }
        assert_eq!(set.class_names(), TEN.names);
        for channel in 0..3 {
            let planes = (0..set.train().len())
                .map(|n| &set.train().image(n)[channel * 1024..(channel + 1) * 1024]);
            let sum: u64 = planes.flatten().map(|&pixel| u64::from(pixel)).sum();
            let mean = sum as f64 / (255.0 * 1024.0 * set.train().len() as f64);
            assert!((mean - f64::from(CIFAR10.mean[channel])).abs() < 2e-3, "{channel}: {mean}");
        }
    }
}
