//! Data sets with names, made from the content of their files, for programs without a file system.

use std::path::Path;

use super::{bytes::File, catalogue::known, known::Held};
use crate::{Dataset, Error, Result};

/// The data set of this name, one of [`NAMES`](super::NAMES), from the content of its files. Each file has its
/// published name, with or without `.gz`, and is plain or gzipped. The files may hold a subset, or data of your own in
/// the same format. Files that the set does not have are ignored.
///
/// | name | files |
/// |---|---|
/// | `glyphs` | none |
/// | `mnist`, `fashion-mnist`, `kmnist` | `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte`, `t10k-labels-idx1-ubyte` |
/// | `svhn` | `train_32x32.mat`, `test_32x32.mat` |
/// | `cifar10` | `data_batch_1.bin` to `data_batch_5.bin`, `test_batch.bin`; `batches.meta.txt` if it is there |
/// | `cifar100` | `train.bin`, `test.bin`; `fine_label_names.txt` if it is there |
///
/// ```
/// # fn downloaded() -> dm_wgpu::Result<()> {
/// # let (images, labels, test_images, test_labels) = (vec![], vec![], vec![], vec![]);
/// let dataset = dm_wgpu::data::from_bytes(
///     "mnist",
///     &[
///         ("train-images-idx3-ubyte.gz", &images),
///         ("train-labels-idx1-ubyte.gz", &labels),
///         ("t10k-images-idx3-ubyte.gz", &test_images),
///         ("t10k-labels-idx1-ubyte.gz", &test_labels),
///     ],
/// )?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`Error::Setting`] for a name that is not known, and for `tiny-imagenet`, whose pictures are decoded only by `load`
/// of the cargo feature `files`; [`Error::NotFound`] for a file that is missing; [`Error::Format`], with the name that
/// you gave, for a damaged file.
pub fn from_bytes(name: &str, files: &[(&str, &[u8])]) -> Result<Dataset> {
    let known = known(name)?;
    match known.held {
        Held::Drawn(draw) => draw(),
        Held::Files { names, optional, read } => {
            let found = |wanted: &str| {
                let is = |(given, _): &&(&str, &[u8])| {
                    given.strip_suffix(".gz").unwrap_or(given) == wanted
                };
                files
                    .iter()
                    .find(is)
                    .map(|(given, content)| File::InMemory(Path::new(*given), content))
            };
            let missing = |wanted: &&str| Error::NotFound {
                what: format!("{}: {wanted}", known.title),
                help: format!("give the content of all of {}, plain or gzipped", names.join(", ")),
            };
            let held = names.iter().map(|wanted| found(wanted).ok_or_else(|| missing(wanted)));
            read(known, &held.collect::<Result<Vec<_>>>()?, optional.and_then(found))
        }
        Held::Pictures => Err(Error::setting(
            "dataset",
            name,
            "it consists of picture files, which are decoded only from a folder or an archive on disk, with the \
             cargo feature `files`",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of MNIST's form.
    fn idx(magic: u32, dims: &[u32], content: Vec<u8>) -> Vec<u8> {
        let header = std::iter::once(&magic).chain(dims).flat_map(|word| word.to_be_bytes());
        header.chain(content).collect()
    }

    fn gzip(plain: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::read::GzEncoder::new(plain, flate2::Compression::fast());
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut encoder, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn mnist_is_read_plain_and_gzipped() {
        let images = idx(0x803, &[10, 28, 28], (0..10).flat_map(|k| [k; 784]).collect());
        let labels = idx(0x801, &[10], (0..10).collect());
        let files: [(&str, &[u8]); 4] = [
            ("t10k-labels-idx1-ubyte", &labels),
            ("train-images-idx3-ubyte.gz", &gzip(&images)),
            ("train-labels-idx1-ubyte", &gzip(&labels)),
            ("t10k-images-idx3-ubyte", &images),
        ];
        let set = from_bytes("fashion-mnist", &files).unwrap();
        assert_eq!((set.name(), set.class_names()[9].as_str()), ("fashion-mnist", "Ankle boot"));
        assert_eq!((set.train().image(3), set.test().labels()[4]), (&[3; 784][..], 4));

        let missing = from_bytes("mnist", &files[1..]).unwrap_err().to_string();
        assert!(missing.contains("MNIST: t10k-labels-idx1-ubyte"), "{missing}");
        let mut damaged = files;
        damaged[1].1 = &labels;
        let damaged = from_bytes("mnist", &damaged).unwrap_err().to_string();
        assert!(damaged.starts_with("train-images-idx3-ubyte.gz: holds labels"), "{damaged}");
        let mut page = files;
        page[2].1 = b"<!DOCTYPE html><title>Not found</title>";
        let page = from_bytes("mnist", &page).unwrap_err().to_string();
        assert!(page.contains("web page (Not found)"), "{page}");
    }

    #[test]
    fn cifars_records_come_with_or_without_names() {
        let record = |label: u8| [vec![0, label], vec![label; 3072]].concat();
        let train: Vec<u8> = (0..100).flat_map(record).collect();
        let (test, names) = (record(7), (0..100).map(|k| format!("n{k}\n")).collect::<String>());
        let files: [(&str, &[u8]); 3] = [
            ("train.bin", &train),
            ("test.bin", &test),
            ("fine_label_names.txt", names.as_bytes()),
        ];
        let named = from_bytes("cifar100", &files).unwrap();
        assert_eq!((named.class_names()[99].as_str(), named.test().labels()), ("n99", &[7][..]));
        assert_eq!(from_bytes("cifar100", &files[..2]).unwrap().class_names()[0], "apple");
    }

    #[test]
    fn sets_of_no_files_and_of_pictures() {
        assert_eq!(from_bytes("glyphs", &[]).unwrap().classes(), 10);
        let pictures = from_bytes("tiny-imagenet", &[]).unwrap_err();
        assert!(pictures.is_usage() && pictures.to_string().contains("`files`"), "{pictures}");
        let unknown = from_bytes("mnits", &[]).unwrap_err();
        assert!(unknown.is_usage() && unknown.to_string().contains("fashion-mnist"), "{unknown}");
    }
}
