//! CIFAR's forms on tiny files: folders, archives, names, and what is said of broken ones.

use super::*;
use crate::data::{
    Sources,
    archive::tests::{entry, tar},
    idx::tests::gzip,
};
use std::fs;
use tar::EntryType;

/// A record whose pixels tell which it is: the label, and `tone` more per channel.
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
    let sources = Sources { data_dir: Some(folder.to_path_buf()), ..Default::default() };
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
fn class_names_are_read_from_the_copy() {
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
fn missing_files_are_named() {
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

#[test]
fn the_version_for_python_is_recognised_and_refused() {
    for (known, form, archive_name) in BOTH {
        let Python { folder, file, .. } = form.python;
        let root = tempfile::tempdir().unwrap();
        let message = || load(known.name, root.path()).unwrap_err().to_string();
        let expected = format!("the binary version, {archive_name}.tar.gz, from https://");
        // In its folder, beside that, as its archive, and as its archive under the other's name.
        put(&root.path().join(folder), &[(file, vec![0x80, 2])]);
        let there = format!("{folder} is there, but it is the version for Python");
        assert!(message().contains(&there) && message().contains(&expected), "{}", message());
        let inside = root.path().join(folder);
        let message_inside = load(known.name, &inside).unwrap_err().to_string();
        assert!(message_inside.contains(&expected), "{message_inside}");
        fs::remove_dir_all(inside).unwrap();
        let python = archive_name.replace("binary", "python.tar.gz");
        put(&root.path().join(known.name), &[(&python, vec![])]);
        assert!(message().contains(&format!("{python} is there")), "{}", message());
        let pickled = tar(&[entry(&format!("{folder}/{file}"), EntryType::Regular, b"x")]);
        put(root.path(), &[(&format!("{archive_name}.tar.gz"), gzip(&pickled))]);
        assert!(message().contains(&expected), "{}", message());
    }
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
