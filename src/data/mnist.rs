//! MNIST: finds its four files on this machine, or has them downloaded once.

use std::path::{Path, PathBuf};

use super::{Progress, Sources, idx};
use crate::{Dataset, DatasetInfo, Error, Result};

/// Names a folder that holds the data sets, for those who do not want the cache folder.
const DATA_VARIABLE: &str = "DM_WGPU_DATA";
/// Replaces the mirrors: the address that `/<file>.gz` is appended to.
#[cfg(feature = "download")]
const MIRROR_VARIABLE: &str = "DM_WGPU_MIRROR";
#[cfg(feature = "download")]
const MIRRORS: [&str; 2] = [
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
];

/// Height and width.
const SIZE: usize = 28;
const CLASSES: usize = 10;

/// A file on the mirrors.
#[derive(Debug, Clone, Copy)]
pub(super) struct Remote<'a> {
    /// Without `.gz`.
    pub(super) name: &'a str,
    /// Of the plain content, in bytes.
    #[cfg_attr(not(feature = "download"), allow(dead_code))]
    pub(super) len: u64,
    /// Of the plain content, since mirrors may compress differently.
    #[cfg_attr(not(feature = "download"), allow(dead_code))]
    pub(super) sha256: &'a str,
}

/// Training images, training labels, test images, test labels.
const FILES: [Remote<'static>; 4] = [
    Remote {
        name: "train-images-idx3-ubyte",
        len: 16 + 60_000 * 784,
        sha256: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    },
    Remote {
        name: "train-labels-idx1-ubyte",
        len: 8 + 60_000,
        sha256: "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    },
    Remote {
        name: "t10k-images-idx3-ubyte",
        len: 16 + 10_000 * 784,
        sha256: "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    },
    Remote {
        name: "t10k-labels-idx1-ubyte",
        len: 8 + 10_000,
        sha256: "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
];

/// MNIST (LeCun, Cortes, Burges): 60 000 training and 10 000 test images of 1×28×28.
///
/// Looks for its four files, plain or gzipped, in `mnist` below [`Sources::data_dir`] and in that
/// folder itself; without one, likewise in the folder that the environment variable `DM_WGPU_DATA`
/// names; without that either, in the user's cache folder, to which missing files are downloaded
/// (cargo feature `download`; `DM_WGPU_MIRROR` is another server's address, `/<file>.gz` is
/// appended). A folder that was named is the only place looked in. Files that you provide may be
/// a subset or otherwise your own, of 28×28 pixels and labels 0 to 9; a download must be the
/// original.
///
/// `on_progress` hears of each piece that is downloaded.
///
/// # Errors
/// [`Error::NotFound`] where the named folder lacks files, [`Error::Download`] when no mirror
/// gave one, [`Error::Io`] and [`Error::Format`] for files that cannot be used.
pub fn mnist(sources: &Sources, on_progress: &mut dyn FnMut(Progress<'_>)) -> Result<Dataset> {
    let variable = std::env::var_os(DATA_VARIABLE).filter(|value| !value.is_empty());
    let paths = match (&sources.data_dir, variable) {
        (Some(folder), _) => find(folder, "--data-dir")?,
        (None, Some(folder)) => find(Path::new(&folder), DATA_VARIABLE)?,
        (None, None) => return from_cache(&cache_folder()?, on_progress),
    };
    read(&paths)
}

/// The four files in `folder/mnist` or `folder`: all from one of them, for files of two different
/// copies must not be mixed. `given_by` is what named the folder.
fn find(folder: &Path, given_by: &str) -> Result<[PathBuf; 4]> {
    let places = [folder.join("mnist"), folder.to_path_buf()];
    if let Some(paths) = places.iter().find_map(|place| all_in(place, FILES)) {
        return Ok(paths);
    }
    let lacking = |place: &Path| {
        let names = FILES.map(|file| file.name);
        names.into_iter().filter(|name| locate(place, name).is_none()).collect::<Vec<_>>()
    };
    // Where most of them are is where the rest should be.
    let [below, itself] = &places;
    let place = if lacking(below).len() < lacking(itself).len() { below } else { itself };
    let missing = lacking(place);
    let state = match missing.len() {
        _ if !folder.exists() => "which does not exist".to_owned(),
        _ if !folder.is_dir() => "which is no folder".to_owned(),
        4 => "which has none of its files, nor has mnist in it".to_owned(),
        _ => format!("but {} lacks {}", place.display(), missing.join(", ")),
    };
    let [a, b, c, d] = FILES.map(|file| file.name);
    Err(Error::NotFound {
        what: "MNIST".into(),
        help: format!(
            "{given_by} names {}, {state}\n\
             Its four files, plain or .gz, must be in {} or in {}:\n  {a}, {b},\n  {c}, {d}\n{}",
            folder.display(),
            itself.display(),
            below.display(),
            match cfg!(feature = "download") {
                true => format!("Without {given_by} they are downloaded, once."),
                false => format!("Without {given_by} they are looked for in the cache folder."),
            }
        ),
    })
}

/// The four files in a folder, if none is missing.
fn all_in(folder: &Path, files: [Remote<'_>; 4]) -> Option<[PathBuf; 4]> {
    let [a, b, c, d] = files.map(|file| locate(folder, file.name));
    Some([a?, b?, c?, d?])
}

/// The file of this name in a folder, under any of the names that copies of it go by.
fn locate(folder: &Path, name: &str) -> Option<PathBuf> {
    // Some tools write train-images.idx3-ubyte.
    let dotted = name.replace("-idx", ".idx");
    [name.to_string(), format!("{name}.gz"), dotted.clone(), format!("{dotted}.gz")]
        .iter()
        .map(|name| folder.join(name))
        .find(|path| path.is_file())
}

/// Where downloads are kept on this platform.
fn cache_folder() -> Result<PathBuf> {
    directories::ProjectDirs::from("", "", "dm-wgpu")
        .map(|folders| folders.cache_dir().join("mnist"))
        .ok_or_else(|| Error::NotFound {
            what: "the user's cache folder".into(),
            help: format!(
                "there is no home folder. Name a folder that holds MNIST with --data-dir or \
                 {DATA_VARIABLE}."
            ),
        })
}

fn from_cache(folder: &Path, on_progress: &mut dyn FnMut(Progress<'_>)) -> Result<Dataset> {
    let paths = complete(folder, FILES, on_progress)?;
    read(&paths).map_err(|error| match error {
        Error::Format { path, reason } => Error::Format {
            path,
            reason: format!("{reason}. Delete this file from the cache to get it anew"),
        },
        other => other,
    })
}

/// The files in the cache folder, after those that were missing have been downloaded.
#[cfg(feature = "download")]
fn complete(
    folder: &Path,
    files: [Remote<'_>; 4],
    on_progress: &mut dyn FnMut(Progress<'_>),
) -> Result<[PathBuf; 4]> {
    let mirrors = match std::env::var(MIRROR_VARIABLE) {
        Ok(mirror) if !mirror.is_empty() => vec![mirror],
        Err(std::env::VarError::NotUnicode(given)) => {
            let given = given.to_string_lossy();
            return Err(Error::setting(MIRROR_VARIABLE, given, "an http(s) address is needed"));
        }
        _ => MIRRORS.map(String::from).to_vec(),
    };
    complete_from(&super::fetch::Fetcher::new(mirrors), folder, files, on_progress)
}

#[cfg(feature = "download")]
fn complete_from(
    fetcher: &super::fetch::Fetcher,
    folder: &Path,
    files: [Remote<'_>; 4],
    on_progress: &mut dyn FnMut(Progress<'_>),
) -> Result<[PathBuf; 4]> {
    super::fetch::clean(folder);
    let mut paths: [PathBuf; 4] = Default::default();
    for (path, file) in paths.iter_mut().zip(&files) {
        *path = match locate(folder, file.name) {
            Some(path) => path,
            None => fetcher.fetch(file, folder, on_progress)?,
        };
    }
    Ok(paths)
}

/// The files in the cache folder; this build cannot add any.
#[cfg(not(feature = "download"))]
fn complete(
    folder: &Path,
    files: [Remote<'_>; 4],
    _on_progress: &mut dyn FnMut(Progress<'_>),
) -> Result<[PathBuf; 4]> {
    all_in(folder, files).ok_or_else(|| Error::NotFound {
        what: "MNIST".into(),
        help: format!(
            "it is not complete in {}, and this build cannot download it. Put {} there (each may \
             end in .gz), name a folder that holds them with --data-dir or {DATA_VARIABLE}, or \
             build with the feature `download`.",
            folder.display(),
            files.map(|file| file.name).join(", ")
        ),
    })
}

fn read(paths: &[PathBuf; 4]) -> Result<Dataset> {
    let [train_images, train_labels, test_images, test_labels] = paths;
    Dataset::new(
        DatasetInfo {
            name: "mnist".into(),
            class_names: (0..CLASSES).map(|digit| digit.to_string()).collect(),
            channels: 1,
            size: SIZE,
            // The values that everyone uses, also for a subset.
            mean: vec![0.1307],
            std: vec![0.3081],
        },
        idx::read_split(train_images, train_labels, SIZE, CLASSES)?,
        idx::read_split(test_images, test_labels, SIZE, CLASSES)?,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::idx::tests::{gzip, idx};
    use std::fs;

    /// Contents of the four files of a tiny MNIST: one training image a class and three to test.
    /// Every pixel of an image is its label plus `tone`.
    fn tiny(tone: u8) -> [Vec<u8>; 4] {
        let images = |labels: &[u8]| {
            let pixels: Vec<u8> = labels.iter().flat_map(|label| [label + tone; 784]).collect();
            idx(0x803, &[labels.len() as u32, 28, 28], &pixels)
        };
        let labels = |labels: &[u8]| idx(0x801, &[labels.len() as u32], labels);
        let (train, test) = ([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], [7, 2, 1]);
        [images(&train), labels(&train), images(&test), labels(&test)]
    }

    fn put(folder: &Path, files: &[Vec<u8>; 4], name: impl Fn(&str) -> String) {
        fs::create_dir_all(folder).unwrap();
        for (file, content) in FILES.iter().zip(files) {
            fs::write(folder.join(name(file.name)), content).unwrap();
        }
    }

    fn from(folder: &Path) -> Result<Dataset> {
        let sources = Sources { data_dir: Some(folder.to_path_buf()) };
        mnist(&sources, &mut |_| panic!("a folder that was given is the only place"))
    }

    #[test]
    fn a_given_folder_is_read_in_every_naming() {
        let gzipped = tiny(5).map(|content| gzip(&content));
        let dotted = |name: &str| name.replace("-idx", ".idx");
        let plain = |name: &str| name.to_string();
        let gz = |name: &str| format!("{name}.gz");
        let dotted_gz = |name: &str| gz(&dotted(name));
        type Naming<'a> = &'a dyn Fn(&str) -> String;
        let namings: [(&str, Naming<'_>); 4] =
            [("mnist", &plain), ("", &dotted), ("mnist", &dotted_gz), ("", &gz)];
        for (k, (below, name)) in namings.into_iter().enumerate() {
            let files = if k < 2 { tiny(5) } else { gzipped.clone() };
            let folder = tempfile::tempdir().unwrap();
            put(&folder.path().join(below), &files, name);
            let set = from(folder.path()).unwrap();
            assert_eq!((set.name(), set.size(), set.channels()), ("mnist", 28, 1));
            assert_eq!((set.mean(), set.std()), (&[0.1307][..], &[0.3081][..]));
            assert_eq!(set.class_names()[9], "9");
            assert_eq!((set.train().len(), set.test().labels()), (10, &[7, 2, 1][..]));
            assert_eq!(set.train().image(3), [8; 784]);
        }
    }

    #[test]
    fn two_copies_are_not_mixed() {
        let folder = tempfile::tempdir().unwrap();
        put(folder.path(), &tiny(5), |name| name.into());
        let below = folder.path().join("mnist");
        put(&below, &tiny(50), |name| name.into());
        assert_eq!(from(folder.path()).unwrap().train().image(0)[0], 50);
        fs::remove_file(below.join("t10k-labels-idx1-ubyte")).unwrap();
        assert_eq!(from(folder.path()).unwrap().train().image(0)[0], 5);
    }

    #[test]
    fn a_given_folder_without_files_is_an_error_that_helps() {
        let folder = tempfile::tempdir().unwrap();
        let below = folder.path().join("mnist");
        put(&below, &tiny(5), |name| name.into());
        fs::remove_file(below.join("t10k-labels-idx1-ubyte")).unwrap();
        for (given, expected) in [
            (folder.path().to_path_buf(), "mnist lacks t10k-labels-idx1-ubyte\n"),
            (folder.path().join("nowhere"), "does not exist"),
        ] {
            let error = from(&given).unwrap_err();
            assert!(matches!(error, Error::NotFound { .. }), "{error:?}");
            let message = error.to_string();
            let names = FILES.map(|file| file.name);
            for part in names.into_iter().chain([expected, "--data-dir", &given.to_string_lossy()])
            {
                assert!(message.contains(part), "{part} is missing in: {message}");
            }
        }
        let message = find(folder.path(), DATA_VARIABLE).unwrap_err().to_string();
        assert!(message.contains("DM_WGPU_DATA names"), "{message}");
    }

    #[test]
    fn a_damaged_cache_says_what_to_delete() {
        let folder = tempfile::tempdir().unwrap();
        let mut files = tiny(5);
        files[2].pop();
        put(folder.path(), &files, |name| name.into());
        let message = from_cache(folder.path(), &mut |_| {}).unwrap_err().to_string();
        assert!(message.contains("t10k-images-idx3-ubyte: truncated"), "{message}");
        assert!(message.contains("Delete this file"), "{message}");
    }

    #[cfg(feature = "download")]
    #[test]
    fn the_cache_is_filled_once() {
        use crate::data::fetch::tests::{quick, serve, sha256};
        use std::sync::atomic::Ordering;

        let hashes = tiny(5).map(|content| sha256(&content));
        let mut files = FILES;
        let remote: Vec<Remote<'_>> = (files.iter_mut().zip(&hashes))
            .map(|(file, sha256)| Remote { sha256, ..*file })
            .collect();
        let remote: [Remote<'_>; 4] = remote.try_into().unwrap();
        let (mirror, requests) = serve(|path| {
            let named = |file: &Remote<'_>| path.ends_with(&format!("/{}.gz", file.name));
            let body = gzip(&tiny(5)[FILES.iter().position(named).unwrap()]);
            (200, body.len(), body)
        });
        let folder = tempfile::tempdir().unwrap();
        let cache = folder.path().join("not/yet/there");
        let mut heard = std::collections::BTreeSet::new();
        for _ in 0..2 {
            let paths = complete_from(&quick(&[&mirror]), &cache, remote, &mut |progress| {
                heard.insert(progress.file.to_string());
            })
            .unwrap();
            assert_eq!(read(&paths).unwrap().train().image(9), [14; 784]);
        }
        assert_eq!(requests.load(Ordering::SeqCst), 4);
        assert_eq!(heard.len(), 4);
        // A file that was deleted is all that is fetched again.
        fs::remove_file(cache.join("t10k-images-idx3-ubyte.gz")).unwrap();
        complete_from(&quick(&[&mirror]), &cache, remote, &mut |_| {}).unwrap();
        assert_eq!(requests.load(Ordering::SeqCst), 5);
    }

    #[cfg(feature = "download")]
    #[test]
    #[ignore = "asks the real mirrors for their smallest file"]
    fn every_mirror_has_the_file() {
        for mirror in MIRRORS {
            let folder = tempfile::tempdir().unwrap();
            crate::data::fetch::Fetcher::new(vec![mirror.into()])
                .fetch(&FILES[3], folder.path(), &mut |_| {})
                .unwrap();
        }
    }

    #[cfg(not(feature = "download"))]
    #[test]
    fn without_downloads_the_error_says_how_to_get_the_files() {
        let folder = tempfile::tempdir().unwrap();
        let message = from_cache(folder.path(), &mut |_| {}).unwrap_err().to_string();
        for part in ["train-images-idx3-ubyte", "cannot download", "--data-dir", "`download`"] {
            assert!(message.contains(part), "{part} is missing in: {message}");
        }
    }

    /// The original, where there is one: needs DM_WGPU_DATA.
    #[test]
    fn the_original_has_its_known_counts_and_hashes() {
        use sha2::{Digest, Sha256};
        let Some(folder) = std::env::var_os(DATA_VARIABLE) else {
            println!("SKIPPED: {DATA_VARIABLE} is not set, so there is no MNIST to check");
            return;
        };
        let paths = find(Path::new(&folder), DATA_VARIABLE).unwrap();
        let set = read(&paths).unwrap();
        assert_eq!((set.train().len(), set.test().len()), (60_000, 10_000));
        let sizes: Vec<usize> = (0..10).map(|class| set.train().of_class(class).len()).collect();
        assert_eq!(sizes, [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]);
        let mean = set.train().pixels().iter().map(|&pixel| f64::from(pixel)).sum::<f64>()
            / (255.0 * set.train().pixels().len() as f64);
        assert!((mean - 0.1307).abs() < 5e-5, "{mean}");
        for (split, images, labels) in [(set.train(), 0, 1), (set.test(), 2, 3)] {
            let bytes: Vec<u8> = split.labels().iter().map(|&label| label as u8).collect();
            let count = split.len() as u32;
            for (file, content) in [
                (images, idx(0x803, &[count, 28, 28], split.pixels())),
                (labels, idx(0x801, &[count], &bytes)),
            ] {
                assert_eq!(content.len() as u64, FILES[file].len);
                let hash: String =
                    Sha256::digest(&content).iter().map(|byte| format!("{byte:02x}")).collect();
                assert_eq!(hash, FILES[file].sha256, "{}", FILES[file].name);
            }
        }
    }
}
