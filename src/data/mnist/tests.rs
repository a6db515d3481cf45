//! Finding, reading and fetching MNIST and its siblings, on tiny files of the same form.

use super::*;
use crate::data::{
    Sources,
    idx::tests::{gzip, idx},
    mnist,
    store::{self, DATA_VARIABLE, Place},
};
use std::{fs, path::Path};

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
    let sources = Sources { data_dir: Some(folder.to_path_buf()), ..Default::default() };
    mnist(&sources, &mut |_| panic!("a folder that was given is the only place"))
}

fn from_place(place: &Place) -> Result<Dataset> {
    let Origin::Published(published) = &MNIST.origin else { panic!("it has files") };
    let sources = Sources::default();
    store::load(&MNIST, published, place, &sources, &mut |_| panic!("nothing is to be downloaded"))
}

fn named_by_variable(folder: &Path) -> Result<Dataset> {
    from_place(&Place::Named(folder.to_path_buf(), DATA_VARIABLE))
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
fn fashion_mnist_and_kmnist_are_read_likewise() {
    for (known, third) in [(&FASHION_MNIST, "Pullover"), (&KMNIST, "su")] {
        let folder = tempfile::tempdir().unwrap();
        put(&folder.path().join(known.name), &tiny(5), |name| format!("{name}.gz"));
        let sources = Sources { data_dir: Some(folder.path().to_path_buf()), ..Default::default() };
        let set = crate::data::load(known.name, &sources, &mut |_| panic!()).unwrap();
        assert_eq!((set.name(), set.class_names()[2].as_str()), (known.name, third));
        assert_eq!((set.mean(), set.std()), (known.mean, known.std));
        assert_eq!(set.train().image(3), [8; 784]);
        // MNIST is not to be found in the folders of others.
        assert!(matches!(from(folder.path()), Err(Error::NotFound { .. })));
        assert_eq!(known.on_disk(&sources).unwrap(), Some(folder.path().join(known.name)));
        assert_eq!(MNIST.on_disk(&sources).unwrap(), None);
    }
}

#[test]
fn the_folders_of_torchvision_are_found() {
    for (known, folder) in
        [(&MNIST, "MNIST"), (&FASHION_MNIST, "FashionMNIST"), (&KMNIST, "KMNIST")]
    {
        let root = tempfile::tempdir().unwrap();
        let raw = root.path().join(folder).join("raw");
        for name in [|name: &str| name.to_owned(), |name: &str| format!("{name}.gz")] {
            put(&raw, &tiny(5), name);
            for given in [root.path(), &root.path().join(folder), &raw] {
                let data_dir = Some(given.to_path_buf());
                let sources = Sources { data_dir, ..Default::default() };
                let set = crate::data::load(known.name, &sources, &mut |_| panic!()).unwrap();
                assert_eq!((set.name(), set.train().image(3)), (known.name, &[8; 784][..]));
                assert_eq!(known.on_disk(&sources).unwrap(), Some(raw.clone()));
            }
            fs::remove_dir_all(&raw).unwrap();
        }
    }
}

#[test]
fn caches_need_no_home_where_a_folder_is_named_for_them() {
    let root = std::env::temp_dir();
    assert_eq!(store::cache_in(Some(root.clone().into())), Some(root.join("dm-wgpu")));
    for none in [None, Some("".into()), Some("relative/caches".into())] {
        assert_eq!(store::cache_in(none), None);
    }
}

#[cfg(unix)]
#[test]
fn a_pipe_is_refused_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), &tiny(5), |name| name.into());
    let labels = folder.path().join("train-labels-idx1-ubyte");
    fs::remove_file(&labels).unwrap();
    crate::listing::tests::pipe(&labels);
    let message = from(folder.path()).unwrap_err().to_string();
    assert!(message.contains("train-labels-idx1-ubyte: a file is needed here"), "{message}");
}

#[test]
fn labels_of_fashion_mnist_and_kmnist_are_recognised_by_hash() {
    let folder = tempfile::tempdir().unwrap();
    let [_, labels, ..] = tiny(0);
    let hash = |bytes: &[u8]| {
        Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let (content, zipped) = (hash(&labels), hash(&gzip(&labels)));
    let pin = |pinned, len: usize, sha256| {
        let len = len as u64;
        move |path: &Path| is(path.into(), &Remote { name: "labels", pinned, len, sha256 }).unwrap()
    };
    let of_content = pin(Pinned::Content, labels.len(), content.as_str());
    let of_gzip = pin(Pinned::Gzip, gzip(&labels).len(), zipped.as_str());
    let other = [&labels[..], &[0]].concat();
    for (bytes, content, zipped) in
        [(labels.clone(), true, false), (gzip(&labels), true, true), (other, false, false)]
    {
        let path = folder.path().join("labels");
        fs::write(&path, bytes).unwrap();
        assert_eq!((of_content(&path), of_gzip(&path)), (content, zipped));
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
        for part in names.into_iter().chain([expected, "--data-dir", &given.to_string_lossy()]) {
            assert!(message.contains(part), "{part} is missing in: {message}");
        }
    }
    let message = named_by_variable(folder.path()).unwrap_err().to_string();
    assert!(message.contains("DM_WGPU_DATA names"), "{message}");
}

#[test]
fn a_damaged_cache_says_what_to_delete() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = tiny(5);
    files[2].pop();
    put(&folder.path().join("mnist"), &files, |name| name.into());
    let cache = Place::Cache(folder.path().to_path_buf());
    let message = from_place(&cache).unwrap_err().to_string();
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
    let remote: Vec<Remote<'_>> =
        (files.iter_mut().zip(&hashes)).map(|(file, sha256)| Remote { sha256, ..*file }).collect();
    let (mirror, requests) = serve(|path| {
        let named = |file: &Remote<'_>| path.ends_with(&format!("/{}.gz", file.name));
        let body = gzip(&tiny(5)[FILES.iter().position(named).unwrap()]);
        (200, body.len(), body)
    });
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("not/yet/there");
    let mut heard = std::collections::BTreeSet::new();
    for _ in 0..2 {
        let paths = store::complete_from(&quick(&[&mirror]), &cache, &remote, &mut |progress| {
            heard.insert(progress.file.to_string());
        })
        .unwrap();
        assert_eq!(read(&MNIST, &on_disk(&paths), [""; 10]).unwrap().train().image(9), [14; 784]);
    }
    assert_eq!(requests.load(Ordering::SeqCst), 4);
    assert_eq!(heard.len(), 4);
    // A file that was deleted is all that is fetched again.
    fs::remove_file(cache.join("t10k-images-idx3-ubyte.gz")).unwrap();
    store::complete_from(&quick(&[&mirror]), &cache, &remote, &mut |_| {}).unwrap();
    assert_eq!(requests.load(Ordering::SeqCst), 5);
}

#[cfg(feature = "download")]
#[test]
#[ignore = "asks the real mirrors for their smallest file"]
fn every_mirror_has_the_file() {
    for known in &crate::data::KNOWN {
        let Origin::Published(published) = &known.origin else { continue };
        let smallest = published.files.iter().min_by_key(|file| file.len).unwrap();
        for mirror in published.mirrors {
            let folder = tempfile::tempdir().unwrap();
            crate::data::fetch::Fetcher::new(vec![mirror.to_string()])
                .fetch(smallest, folder.path(), &mut |_| {})
                .unwrap();
        }
    }
}

#[cfg(not(feature = "download"))]
#[test]
fn without_downloads_the_error_says_how_to_get_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Place::Cache(folder.path().to_path_buf());
    let message = from_place(&cache).unwrap_err().to_string();
    for part in ["train-images-idx3-ubyte", "cannot download", "--data-dir", "`download`"] {
        assert!(message.contains(part), "{part} is missing in: {message}");
    }
}

/// The original, where there is one: needs DM_WGPU_DATA.
#[test]
fn the_original_has_its_known_counts_and_hashes() {
    let Some(folder) = std::env::var_os(DATA_VARIABLE) else {
        println!("SKIPPED: {DATA_VARIABLE} is not set, so there is no MNIST to check");
        return;
    };
    let set = named_by_variable(Path::new(&folder)).unwrap();
    let data_dir = MNIST.on_disk(&Sources::default()).unwrap();
    let sources = Sources { data_dir, ..Default::default() };
    let error = crate::data::load("fashion-mnist", &sources, &mut |_| panic!()).unwrap_err();
    assert!(error.to_string().contains("belongs to MNIST, not Fashion-MNIST"), "{error}");
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
