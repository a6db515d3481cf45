//! CIFAR-10 and CIFAR-100: 32×32 photographs as binary records, in a folder or in their archive.

use std::path::Path;

use super::{Known, bytes::File, known::Held};
#[cfg(feature = "files")]
use super::{
    class_folders,
    known::{Origin, Published, Unpacked, Unread},
    remote::{Pinned, Remote},
};
use crate::{Dataset, DatasetInfo, Error, Result};

#[cfg(feature = "files")]
mod files;
#[cfg(test)]
#[cfg(feature = "files")]
mod tests;

#[cfg(feature = "files")]
use files::{from_archive, from_folder};

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
    held: Held::Files {
        names: TEN.files,
        optional: Some(TEN.names_in),
        read: |known, files, names| from_files(known, &TEN, files, names),
    },
    #[cfg(feature = "files")]
    origin: Origin::Published(Published {
        mirrors: &["https://www.cs.toronto.edu/~kriz/"],
        files: &[Remote {
            name: "cifar-10-binary.tar",
            pinned: Pinned::Gzip,
            len: 170_052_171,
            sha256: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        }],
        download: 170_052_171,
        read: |known, paths, _, _| from_archive(known, &TEN, &paths[0]),
        unpacked: &[
            Unpacked {
                folder: TEN.folder,
                files: TEN.files,
                read: |known, paths, _, _| from_folder(known, &TEN, paths),
            },
            // As pictures, a sub-folder per class. They come class by class, in the order of their
            // names, where the records are shuffled: the same images, drawn otherwise by a seed.
            Unpacked {
                folder: "cifar10",
                files: &[
                    "train/airplane",
                    "train/automobile",
                    "train/bird",
                    "train/cat",
                    "train/deer",
                    "train/dog",
                    "train/frog",
                    "train/horse",
                    "train/ship",
                    "train/truck",
                    "test",
                ],
                read: |known, paths, _, on_progress| {
                    let root = paths[0].ancestors().nth(2).unwrap_or(Path::new("."));
                    class_folders::published(known, TEN.names, root, on_progress)
                },
            },
        ],
        unread: &[Unread {
            names: &[
                "cifar-10-batches-py",
                "cifar-10-python.tar.gz",
                "cifar-10-python.tar",
                "batches.meta",
            ],
            what: TEN.python.what,
        }],
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
    held: Held::Files {
        names: HUNDRED.files,
        optional: Some(HUNDRED.names_in),
        read: |known, files, names| from_files(known, &HUNDRED, files, names),
    },
    #[cfg(feature = "files")]
    origin: Origin::Published(Published {
        mirrors: &["https://www.cs.toronto.edu/~kriz/"],
        files: &[Remote {
            name: "cifar-100-binary.tar",
            pinned: Pinned::Gzip,
            len: 168_513_733,
            sha256: "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
        }],
        download: 168_513_733,
        read: |known, paths, _, _| from_archive(known, &HUNDRED, &paths[0]),
        unpacked: &[Unpacked {
            folder: HUNDRED.folder,
            files: HUNDRED.files,
            read: |known, paths, _, _| from_folder(known, &HUNDRED, paths),
        }],
        unread: &[Unread {
            names: &["cifar-100-python", "cifar-100-python.tar.gz", "cifar-100-python.tar", "meta"],
            what: HUNDRED.python.what,
        }],
    }),
};

/// How one of the two sets is stored in its files.
struct Form {
    #[cfg_attr(not(feature = "files"), allow(dead_code))]
    folder: &'static str,
    /// Those with training records, then the one with test records.
    files: &'static [&'static str],
    /// The class names, one per line. Copies without this file are accepted.
    names_in: &'static str,
    /// Bytes before a record's pixels, the last of which is the label.
    labels: usize,
    /// The class names in that file.
    names: &'static [&'static str],
    #[cfg_attr(not(feature = "files"), allow(dead_code))]
    python: Python,
}

/// The same images as Python's pickles, which are not read here.
#[cfg_attr(not(feature = "files"), allow(dead_code))]
struct Python {
    /// In its archive.
    folder: &'static str,
    /// A small file there.
    file: &'static str,
    what: &'static str,
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
    python: Python {
        folder: "cifar-10-batches-py",
        file: "batches.meta",
        what: "it is the version for Python, which is not read: get the binary version, \
               cifar-10-binary.tar.gz, from https://www.cs.toronto.edu/~kriz/cifar.html",
    },
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
    python: Python {
        folder: "cifar-100-python",
        file: "meta",
        what: "it is the version for Python, which is not read: get the binary version, \
               cifar-100-binary.tar.gz, from https://www.cs.toronto.edu/~kriz/cifar.html",
    },
};

fn from_files(
    known: &Known,
    form: &Form,
    files: &[File<'_>],
    names: Option<File<'_>>,
) -> Result<Dataset> {
    let parts = files.iter().map(|&file| Part::of(file)).collect::<Result<_>>()?;
    assemble(known, form, parts, names.map(Part::of).transpose()?)
}

/// A file's content, and its name in errors.
struct Part<'a> {
    path: &'a Path,
    /// Of a file in an archive.
    name: Option<&'a str>,
    content: Vec<u8>,
}

impl<'a> Part<'a> {
    fn of(file: File<'a>) -> Result<Self> {
        Ok(Part { path: file.path(), name: None, content: file.content()? })
    }

    fn wrong(&self, reason: String) -> Error {
        match self.name {
            Some(name) => Error::format(self.path, format!("{name} in it {reason}")),
            None => Error::format(self.path, reason),
        }
    }
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

/// Pixels and labels of all records; pixels in the order of the file: channel by channel, row by row.
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
