//! Layouts of folders, and what people have in them.

use super::*;
use crate::data::{
    class_folders::*,
    pictures::{Picture, is_picture},
};
use image::{GrayImage, RgbImage};
use std::{collections::BTreeSet, path::PathBuf};

/// A folder with these files: pictures of 2×2 pixels by their ending, else text.
fn place(files: &[&str]) -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    for (tone, name) in files.iter().enumerate() {
        let path = place.path().join(name);
        if name.ends_with('/') {
            fs::create_dir_all(path).unwrap();
            continue;
        }
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        match is_picture(name) {
            true => RgbImage::from_pixel(2, 2, [tone as u8; 3].into()).save(path).unwrap(),
            false => fs::write(path, "a note").unwrap(),
        }
    }
    place
}

fn arranged(place: &tempfile::TempDir, fraction: Option<f64>) -> Result<Arranged> {
    arrange(&Shelf::Folder(place.path().to_path_buf()), fraction)
}

fn names(pictures: &[Picture]) -> Vec<(&str, u32)> {
    pictures.iter().map(|picture| (picture.file.name.as_str(), picture.label)).collect()
}

fn message<T>(result: Result<T>) -> String {
    result.map(drop).unwrap_err().to_string()
}

#[test]
fn train_and_test_have_a_folder_a_class() {
    let place = place(&[
        "train/dog/1.png",
        "train/cat/b/2.JPG",
        "train/cat/1.png",
        "train/.cache/x/1.png",
        "test/dog/9.bmp",
        "test/empty/",
        "notes.txt",
        "train/dog/Thumbs.db",
        "train/dog/about.txt",
    ]);
    let set = arranged(&place, None).unwrap();
    assert_eq!(set.classes, ["cat", "dog"]);
    let train = [("train/cat/1.png", 0), ("train/cat/b/2.JPG", 0), ("train/dog/1.png", 1)];
    assert_eq!(names(&set.train), train);
    assert_eq!(names(&set.test), [("test/dog/9.bmp", 1)]);
    let message = message(arranged(&place, Some(0.5)));
    assert!(message.contains("test_fraction") && message.contains("leave it out"), "{message}");
}

#[test]
fn val_counts_as_test_and_classes_may_be_named_train() {
    let val = place(&["train/a/1.png", "val/a/1.png"]);
    assert_eq!(names(&arranged(&val, None).unwrap().test), [("val/a/1.png", 0)]);
    let vehicles = place(&["train/1.png", "test/1.png", "bus/1.png"]);
    assert_eq!(arranged(&vehicles, None).unwrap().classes, ["bus", "test", "train"]);
    let capitals = place(&["Train/a/1.png", "VALIDATION/a/1.png"]);
    let set = arranged(&capitals, None).unwrap();
    assert_eq!((set.classes.len(), names(&set.test)), (1, vec![("VALIDATION/a/1.png", 0)]));
    let alone = place(&["train/a/1.png", "train/a/2.png", "train/b/1.png"]);
    let set = arranged(&alone, Some(0.5)).unwrap();
    assert_eq!((set.classes.len(), set.train.len(), set.test.len()), (2, 2, 1));
}

#[test]
fn results_of_runs_are_no_classes() {
    let place = place(&[
        "a/1.png",
        "b/1.png",
        "runs/x-ipc1/run.toml",
        "runs/x-ipc1/images/0/0.png",
        "out/report.json",
        "out/grid.png",
    ]);
    let set = arranged(&place, None).unwrap();
    assert_eq!(set.classes, ["a", "b"]);
    assert_eq!(names(&set.train), [("a/1.png", 0), ("b/1.png", 1)]);
}

#[test]
fn a_set_is_named_after_its_folder_but_not_like_a_published_one() {
    for (dataset, name) in [
        ("mnist", "mnist"),
        ("folder:/a/pets", "pets"),
        ("folder:/a/pets/", "pets"),
        ("folder:/a/cifar10", "folder:cifar10"),
        ("folder:cifar10", "folder:cifar10"),
        ("folder:/", "folder:/"),
    ] {
        assert_eq!(name_of(dataset), name);
    }
}

#[test]
fn a_single_tree_is_divided_class_by_class_and_always_alike() {
    let mut files: Vec<_> = (0..40).map(|k| format!("many/{k}.png")).collect();
    files.extend((0..5).map(|k| format!("few/{k}.png")));
    files.push("one/0.png".into());
    let forward: Vec<_> = files.iter().map(String::as_str).collect();
    let backward: Vec<_> = forward.iter().rev().copied().collect();
    let tests = |files: &[&str], fraction| {
        let set = arranged(&place(files), fraction).unwrap();
        let both: BTreeSet<_> = names(&set.train).into_iter().chain(names(&set.test)).collect();
        assert_eq!(both.len(), files.len());
        names(&set.test).iter().map(|(name, _)| name.to_string()).collect::<Vec<_>>()
    };
    let drawn = tests(&forward, None);
    let of = |class: &str| drawn.iter().filter(|name| name.starts_with(class)).count();
    assert_eq!((of("many"), of("few"), of("one")), (8, 1, 0));
    assert_eq!(tests(&backward, None), drawn);
    let mut sorted = files[..40].to_vec();
    sorted.sort();
    assert_ne!(drawn[1..], sorted[..8], "not simply the first");
    // Without another class, and below train, the same of these.
    let below: Vec<_> = files[..40].iter().map(|name| format!("train/{name}")).collect();
    let below = tests(&below.iter().map(String::as_str).collect::<Vec<_>>(), None);
    assert_eq!(below, drawn[1..].iter().map(|n| format!("train/{n}")).collect::<Vec<_>>());
    // More are these and others.
    let half = tests(&forward, Some(0.5));
    assert!(half.len() == 23 && drawn.iter().all(|name| half.contains(name)));
    assert_eq!(tests(&forward, Some(0.0)).len(), 0);
    assert!(message(arranged(&place(&forward), Some(1.0))).contains("below 1"));
}

#[test]
fn wrong_folders_are_refused_with_the_reason() {
    for (files, expected) in [
        (&["readme.txt"][..], "one for each class is needed"),
        (&["1.png"], "one for each class is needed"),
        (&["a/1.gif"], "one for each class is needed"),
        (&["deep/x/1.png", "b/1.png"], "deep: its pictures are all in sub-folders (x …)"),
        (&["train/a/x/1.png", "test/a/1.png"], "PATH/train/<class>/"),
        (&["train/a/1.png", "test/a/images/1.png"], "a: its pictures are all in sub-folders"),
        (&["a/1.png", "b/"], "b: a class without pictures"),
        (&["train/a/1.png", "test/b/1.png"], "b: a class without training pictures"),
        (&["train/a/1.png", "train/b/x.txt", "test/b/1.png"], "b: a class without pictures"),
    ] {
        let message = message(arranged(&place(files), None));
        assert!(message.contains(expected), "{files:?}: {message}");
    }
    let file = place(&["a.txt"]);
    let sources = Sources::default();
    for (path, expected) in [
        (file.path().join("a.txt"), "this is a file"),
        (file.path().join("none"), "there is no such folder"),
        (PathBuf::new(), "after the colon"),
    ] {
        let message = message(pictures(&path, &sources));
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn a_whole_set_has_its_classes_and_pixels() {
    // On a file system that tells them apart, names that differ in case are two classes.
    let root = place(&["b/1.png", "B/1.png", "B/2.png", "a/1.png"]);
    let cache = tempfile::tempdir().unwrap();
    let two = fs::read_dir(root.path()).unwrap().count() == 3;
    let sources = Sources { test_fraction: Some(0.0), ..Default::default() };
    let load = || pictures(root.path(), &sources)?.load(cache.path(), &mut |_| {});
    let set = load().unwrap();
    assert_eq!(set.name(), root.path().file_name().unwrap().to_string_lossy());
    assert_eq!((set.channels(), set.size(), set.test().len()), (3, 2, 0));
    if two {
        assert_eq!(set.class_names(), ["B", "a", "b"]);
        assert_eq!(set.train().labels(), [0, 0, 1, 2]);
        let tones: Vec<_> = (0..4).map(|k| set.train().image(k)[0]).collect();
        assert_eq!(tones, [1, 2, 3, 0]);
    }
    // One class alone is a set as well.
    for class in ["a", "b"] {
        let _ = fs::remove_dir_all(root.path().join(class));
    }
    if two {
        assert_eq!(load().unwrap().class_names(), ["B"]);
    }
    // Nothing is ever written among the pictures.
    assert!(subfolders(root.path()).unwrap().len() <= 1);
}

#[test]
fn names_that_look_alike_are_told_apart() {
    let (one, two) = ("caf\u{e9}", "cafe\u{301}");
    let twice = place(&[&format!("{one}/1.png"), &format!("{two}/1.png")]);
    // Some file systems hold them for one.
    if fs::read_dir(twice.path()).unwrap().count() == 2 {
        let message = message(arranged(&twice, None));
        assert!(message.contains("is there twice, in different Unicode forms"), "{message}");
    }
    for (train, test, expected) in [
        (one, two, "the same name in another Unicode form"),
        ("Cat", "cat", "has Cat, which is the same name in another case"),
        ("Caf\u{e9}", two, "the same name in another case"),
        ("cat", "cats", "lacks it"),
    ] {
        let files = [format!("train/{train}/1.png"), format!("test/{test}/1.png")];
        let message = message(arranged(&place(&[&files[0], &files[1]]), None));
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn files_of_operating_systems_are_ignored() {
    let place = place(&[
        "train/cat/1.png",
        "train/cat/@eaDir/1.png/thumb.jpg",
        "train/@eaDir/cat/1.png",
        "train/._1.png",
        "test/cat/1.png",
        "test/$RECYCLE.BIN/1.png",
        "System Volume Information/1.png",
        "lost+found/",
    ]);
    #[cfg(unix)]
    crate::listing::tests::pipe(&place.path().join("train/cat/2.png"));
    let set = arranged(&place, None).unwrap();
    assert_eq!(set.classes, ["cat"]);
    assert_eq!(
        (names(&set.train), names(&set.test)),
        (vec![("train/cat/1.png", 0)], vec![("test/cat/1.png", 0)])
    );
}

#[cfg(unix)]
#[test]
fn escape_sequences_in_names_are_replaced() {
    let place = place(&["a\u{1b}[31m\n/1.png", "b/1.png"]);
    assert_eq!(arranged(&place, None).unwrap().classes, [r"a\u{1b}[31m\n", "b"]);
    assert_eq!(name_of("folder:/x/a\u{7}"), r"a\u{7}");
}

#[test]
fn resizing_is_asked_for() {
    let root = place(&["a/1.png", "a/2.png", "b/1.png"]);
    GrayImage::new(9, 5).save(root.path().join("a/2.png")).unwrap();
    let cache = tempfile::tempdir().unwrap();
    let load = |resize| {
        let sources = Sources { resize, ..Default::default() };
        pictures(root.path(), &sources)?.load(cache.path(), &mut |_| {})
    };
    let message = message(load(None));
    assert!(message.contains("9×5") && message.contains("set resize"), "{message}");
    assert_eq!(load(Some(4)).unwrap().size(), 4);
}

#[test]
fn a_published_set_as_pictures_keeps_its_own_order() {
    let known = Known::of("cifar10").unwrap();
    let root = tempfile::tempdir().unwrap();
    for (tone, class) in ["x", "b"].into_iter().enumerate() {
        for split in ["train", "test"] {
            let folder = root.path().join(split).join(class);
            fs::create_dir_all(&folder).unwrap();
            let picture = RgbImage::from_pixel(32, 32, [tone as u8 * 9; 3].into());
            picture.save(folder.join("1.png")).unwrap();
        }
    }
    let cache = tempfile::tempdir().unwrap();
    let set = relabelled(known, &["x", "b"], root.path()).unwrap();
    let set = set.load(cache.path(), &mut |_| {}).unwrap();
    assert_eq!((set.name(), set.class_names()[0].as_str()), ("cifar10", "x"));
    assert_eq!(set.mean(), known.mean);
    assert_eq!((set.train().image(0)[0], set.train().labels()), (9, &[1, 0][..]));
    let message = message(relabelled(known, &["x", "y"], root.path()));
    assert!(message.contains("classes of CIFAR-10 are x, y"), "{message}");
}
