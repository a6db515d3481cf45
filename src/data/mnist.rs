//! MNIST and the sets in the same format: four IDX files, grey images of 28×28, ten classes.

use std::io::Read;

use sha2::{Digest, Sha256};

use super::{
    Known,
    bytes::{self, File},
    idx,
    known::Held,
    remote::{Pinned, Remote},
};
#[cfg(feature = "files")]
use super::{
    bytes::on_disk,
    known::{Origin, Published, Unpacked},
};
use crate::{Dataset, DatasetInfo, Error, Result};

#[cfg(test)]
#[cfg(feature = "files")]
mod tests;

/// Handwritten digits.
pub(super) const MNIST: Known = Known {
    name: "mnist",
    title: "MNIST",
    train: 60_000,
    test: 10_000,
    classes: 10,
    channels: 1,
    size: 28,
    mean: &[0.1307],
    std: &[0.3081],
    flip: false,
    licence: "CC BY-SA 3.0",
    source: "http://yann.lecun.com/exdb/mnist/",
    held: Held::Files {
        names: &NAMES,
        optional: None,
        read: |known, files, _| read(known, files, DIGITS),
    },
    #[cfg(feature = "files")]
    origin: Origin::Published(Published {
        mirrors: &[
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ],
        files: &FILES,
        download: 11_594_722,
        read: |known, paths, _, _| read(known, &on_disk(paths), DIGITS),
        unpacked: &[Unpacked {
            // As torchvision leaves them.
            folder: "MNIST/raw",
            files: &NAMES,
            read: |known, paths, _, _| read(known, &on_disk(paths), DIGITS),
        }],
        unread: &[],
    }),
};

/// Photographs of clothes.
pub(super) const FASHION_MNIST: Known = Known {
    name: "fashion-mnist",
    title: "Fashion-MNIST",
    train: 60_000,
    test: 10_000,
    classes: 10,
    channels: 1,
    size: 28,
    mean: &[0.2861],
    std: &[0.3530],
    flip: true,
    licence: "MIT",
    source: "https://github.com/zalandoresearch/fashion-mnist",
    held: Held::Files {
        names: &NAMES,
        optional: None,
        read: |known, files, _| read(known, files, CLOTHES),
    },
    #[cfg(feature = "files")]
    origin: Origin::Published(Published {
        mirrors: &[
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        ],
        files: &FASHION_FILES,
        download: 30_878_645,
        read: |known, paths, _, _| read(known, &on_disk(paths), CLOTHES),
        unpacked: &[Unpacked {
            // As torchvision leaves them.
            folder: "FashionMNIST/raw",
            files: &NAMES,
            read: |known, paths, _, _| read(known, &on_disk(paths), CLOTHES),
        }],
        unread: &[],
    }),
};

/// Handwritten characters of old Japanese books.
pub(super) const KMNIST: Known = Known {
    name: "kmnist",
    title: "KMNIST",
    train: 60_000,
    test: 10_000,
    classes: 10,
    channels: 1,
    size: 28,
    mean: &[0.1918],
    std: &[0.3483],
    flip: false,
    licence: "CC BY-SA 4.0",
    source: "http://codh.rois.ac.jp/kmnist/",
    held: Held::Files {
        names: &NAMES,
        optional: None,
        read: |known, files, _| read(known, files, SYLLABLES),
    },
    #[cfg(feature = "files")]
    origin: Origin::Published(Published {
        mirrors: &[
            "https://codh.rois.ac.jp/kmnist/dataset/kmnist/",
            "http://codh.rois.ac.jp/kmnist/dataset/kmnist/",
        ],
        files: &KMNIST_FILES,
        download: 21_240_888,
        read: |known, paths, _, _| read(known, &on_disk(paths), SYLLABLES),
        unpacked: &[Unpacked {
            // As torchvision leaves them.
            folder: "KMNIST/raw",
            files: &NAMES,
            read: |known, paths, _, _| read(known, &on_disk(paths), SYLLABLES),
        }],
        unread: &[],
    }),
};

const DIGITS: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
const CLOTHES: [&str; 10] = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
];
const SYLLABLES: [&str; 10] = ["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"];

/// Training images, training labels, test images, test labels.
const NAMES: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];

/// The plain content of these files does not change; their gzip forms differ between mirrors.
const FILES: [Remote<'static>; 4] = {
    const fn content(which: usize, len: u64, sha256: &str) -> Remote<'_> {
        Remote { name: NAMES[which], pinned: Pinned::Content, len, sha256 }
    }
    [
        content(
            0,
            16 + 60_000 * 784,
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        ),
        content(1, 8 + 60_000, "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
        content(
            2,
            16 + 10_000 * 784,
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        ),
        content(3, 8 + 10_000, "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
    ]
};

const FASHION_FILES: [Remote<'static>; 4] = [
    gzipped(0, 26_421_880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
    gzipped(1, 29_515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
    gzipped(2, 4_422_102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
    gzipped(3, 5_148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
];

const KMNIST_FILES: [Remote<'static>; 4] = [
    gzipped(0, 18_165_135, "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4"),
    gzipped(1, 29_497, "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17"),
    gzipped(2, 3_041_136, "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5"),
    gzipped(3, 5_120, "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c"),
];

const fn gzipped(which: usize, len: u64, sha256: &str) -> Remote<'_> {
    Remote { name: NAMES[which], pinned: Pinned::Gzip, len, sha256 }
}

/// The sets' files have the same names, so that one may lie where another is looked for.
fn check_not_another(known: &Known, labels: File<'_>) -> Result<()> {
    for (other, files) in
        [(&MNIST, FILES), (&FASHION_MNIST, FASHION_FILES), (&KMNIST, KMNIST_FILES)]
    {
        if other.name != known.name && is(labels, &files[1])? {
            return Err(Error::format(
                labels.path(),
                format!(
                    "belongs to {}, not {}: put each into a folder of its own, {} and {}",
                    other.title, known.title, other.name, known.name
                ),
            ));
        }
    }
    Ok(())
}

/// Whether a file of labels is the published one, judged by the pinned hash.
fn is(labels: File<'_>, published: &Remote<'_>) -> Result<bool> {
    let stored = labels.stored()?;
    let read = match published.pinned {
        Pinned::Content => bytes::decompressed(stored).map(|(_, plain)| plain),
        Pinned::Gzip | Pinned::Plain => Ok(stored),
    };
    let mut content = Vec::new();
    let mut most = read.map_err(Error::io("read", labels.path()))?.take(published.len + 1);
    // The format's reader reports damaged files.
    let whole = most.read_to_end(&mut content).is_ok();
    let hash = Sha256::digest(&content);
    let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(whole && hash == published.sha256)
}

fn read(known: &Known, files: &[File<'_>], class_names: [&str; 10]) -> Result<Dataset> {
    check_not_another(known, files[1])?;
    let split = |images: usize, labels: usize| {
        idx::read_split(files[images], files[labels], known.size, class_names.len())
    };
    Dataset::new(
        DatasetInfo {
            name: known.name.into(),
            class_names: class_names.map(String::from).into(),
            channels: 1,
            size: known.size,
            // The values that everyone uses, also for a subset.
            mean: known.mean.to_vec(),
            std: known.std.to_vec(),
        },
        split(0, 1)?,
        split(2, 3)?,
    )
}
