//! Caches of decoded pictures, and those that must not be believed.

use super::*;

#[test]
fn pictures_are_decoded_once_in_order() {
    // More than are decoded at a time.
    let colours: Vec<_> = (0..200).map(|k| [k as u8, 255 - k as u8, 7]).collect();
    let folder = Folder::new(&colours);
    let (first, decoded) = folder.load().unwrap();
    assert!(decoded);
    assert_eq!((first.train().len(), first.test().len(), first.channels()), (199, 1, 3));
    for (k, [r, g, b]) in colours.iter().enumerate() {
        let image = if k < 199 { first.train().image(k) } else { first.test().image(0) };
        assert_eq!(image, [*r, *r, *r, *r, *g, *g, *g, *g, *b, *b, *b, *b]);
    }
    let (second, decoded) = folder.load().unwrap();
    assert!(!decoded);
    assert_eq!(second.train().pixels(), first.train().pixels());
    assert_eq!((second.mean(), second.std()), (first.mean(), first.std()));
}

#[test]
fn a_changed_picture_is_decoded_again_and_the_old_cache_removed() {
    let folder = Folder::new(&[[0; 3], [100; 3], [200; 3], [50; 3]]);
    let (before, _) = folder.load().unwrap();
    let file = folder.root.path().join(&folder.files[1]);
    // The same length, so that the time alone tells; and a time alone.
    folder.put(1, [101; 3]);
    let later = SystemTime::now() + Duration::from_secs(5);
    fs::File::options().write(true).open(&file).unwrap().set_modified(later).unwrap();
    let (after, decoded) = folder.load().unwrap();
    assert!(decoded);
    assert_eq!((before.train().image(1)[0], after.train().image(1)[0]), (100, 101));
    assert_eq!(folder.cached().len(), 1);
    fs::remove_file(file).unwrap();
    let (after, decoded) = folder.load().unwrap();
    assert!(decoded && after.train().len() == 2);
    assert_eq!(before.train().image(1)[0], 100, "what is mapped stays");
}

/// Names, lengths and times stay as they were, and yet other pictures have the names.
#[cfg(unix)]
#[test]
fn pictures_that_swapped_names_are_decoded_again() {
    let same_time = |path: &Path, time| {
        fs::File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
    };
    let time = SystemTime::now() - Duration::from_secs(100);
    let three = || {
        let mut folder = Folder::new(&[[0; 3], [100; 3], [200; 3]]);
        for (class, name) in [("cat", "000.png"), ("dog", "001.png")] {
            let to = folder.root.path().join(class);
            fs::create_dir(&to).unwrap();
            fs::rename(folder.root.path().join(name), to.join("0.png")).unwrap();
        }
        folder.files = ["cat/0.png", "dog/0.png", "002.png"].map(String::from).to_vec();
        folder.files.iter().for_each(|name| same_time(&folder.root.path().join(name), time));
        folder
    };
    let first_two = |folder: &Folder| {
        let (set, decoded) = folder.load().unwrap();
        (
            decoded,
            ["002.png", "cat/0.png", "dog/0.png"].map(|name| {
                let shelf = Shelf::Folder(folder.root.path().to_path_buf());
                let at =
                    shelf.files("").unwrap().iter().position(|file| file.name == name).unwrap();
                match at {
                    2 => set.test().image(0)[0],
                    at => set.train().image(at)[0],
                }
            }),
        )
    };
    type Change = fn(&dyn Fn(&str) -> PathBuf, SystemTime);
    let exchange: [(&str, Change, [u8; 3]); 4] = [
        (
            "folders",
            |at, _| {
                fs::rename(at("cat"), at("aside")).unwrap();
                fs::rename(at("dog"), at("cat")).unwrap();
                fs::rename(at("aside"), at("dog")).unwrap();
            },
            [200, 100, 0],
        ),
        (
            "files",
            |at, _| {
                fs::rename(at("cat/0.png"), at("aside")).unwrap();
                fs::rename(at("dog/0.png"), at("cat/0.png")).unwrap();
                fs::rename(at("aside"), at("dog/0.png")).unwrap();
            },
            [200, 100, 0],
        ),
        (
            "copies",
            |at, time| {
                let [cat, dog] = ["cat/0.png", "dog/0.png"].map(|name| fs::read(at(name)).unwrap());
                for (name, bytes) in [("cat", dog), ("dog", cat)] {
                    fs::rename(at(name), at(&format!(".{name}"))).unwrap();
                    fs::create_dir(at(name)).unwrap();
                    let file = at(name).join("0.png");
                    fs::write(&file, bytes).unwrap();
                    fs::File::options().write(true).open(file).unwrap().set_modified(time).unwrap();
                }
            },
            [200, 100, 0],
        ),
        (
            "content",
            |at, time| {
                let bytes = fs::read(at("dog/0.png")).unwrap();
                fs::write(at("cat/0.png"), bytes).unwrap();
                let file = fs::File::options().write(true).open(at("cat/0.png")).unwrap();
                file.set_modified(time).unwrap();
            },
            [200, 100, 100],
        ),
    ];
    for (what, change, expected) in exchange {
        let folder = three();
        assert_eq!(first_two(&folder), (true, [200, 0, 100]), "{what}");
        assert_eq!(first_two(&folder), (false, [200, 0, 100]), "{what}");
        let root = folder.root.path().to_path_buf();
        change(&|name| root.join(name), time);
        assert_eq!(first_two(&folder), (true, expected), "{what}");
        assert_eq!(first_two(&folder), (false, expected), "{what}");
    }
}

/// Where the system does not say which file is which.
#[test]
fn without_inode_numbers_contents_tell_changes() {
    let folder = Folder::new(&[[0; 3], [100; 3], [200; 3]]);
    let state = || {
        let mut pictures = folder.pictures();
        let Pictures { train, test, .. } = &mut pictures;
        train.iter_mut().chain(test).for_each(|picture| picture.file.modified = Stamp::none());
        Place::of(folder.cache.path(), &mut pictures).unwrap().path()
    };
    let before = state();
    folder.put(0, [0; 3]);
    assert_eq!(state(), before);
    folder.put(0, [1; 3]);
    assert_ne!(state(), before);
}

#[cfg(unix)]
#[test]
fn a_file_system_without_permissions_still_gets_a_cache() {
    use crate::files::tests::REFUSED;
    for code in [1, 22, 95] {
        let folder = Folder::new(&[[0; 3], [100; 3], [200; 3]]);
        REFUSED.set(Some(code));
        let loaded = folder.load();
        REFUSED.set(None);
        assert!(loaded.is_ok_and(|(_, decoded)| decoded) && !folder.load().unwrap().1, "{code}");
    }
    let folder = Folder::new(&[[0; 3], [100; 3], [200; 3]]);
    // A disk that is full.
    REFUSED.set(Some(28));
    let message = folder.load().unwrap_err().to_string();
    REFUSED.set(None);
    assert!(message.contains("write to") && folder.cached().is_empty(), "{message}");
}

#[test]
fn a_damaged_cache_is_decoded_again() {
    let folder = Folder::new(&[[0; 3], [100; 3], [200; 3]]);
    let (right, _) = folder.load().unwrap();
    let path = folder.cached().remove(0);
    let whole = fs::read(&path).unwrap();
    // Beside what it was, not in its place: it is still mapped.
    for damaged in [&whole[..0], &whole[..20], &whole[..whole.len() - 1], &whole[1..]] {
        fs::remove_file(&path).unwrap();
        fs::write(&path, damaged).unwrap();
        let (set, decoded) = folder.load().unwrap();
        assert!(decoded, "{} bytes", damaged.len());
        assert_eq!(set.train().pixels(), right.train().pixels());
        assert_eq!(fs::read(&path).unwrap(), whole);
    }
}

#[cfg(unix)]
#[test]
fn the_cache_is_read_only() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new(&[[0; 3], [100; 3]]);
    folder.pictures().load(folder.cache.path(), &mut |_| {}).unwrap_err();
    let folder = Folder::new(&[[0; 3], [100; 3], [1; 3]]);
    folder.load().unwrap();
    let mode = fs::metadata(&folder.cached()[0]).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o444);
}

#[test]
fn old_unfinished_caches_are_removed() {
    let folder = Folder::new(&[[0; 3], [100; 3], [200; 3]]);
    let left = |name: &str, age: u64| {
        let path = folder.cache.path().join(name);
        let file = fs::File::create(&path).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(age)).unwrap();
        path
    };
    let (old, new) = (left(".decoding-old", 10_000), left(".decoding-new", 1));
    folder.load().unwrap();
    assert!(!old.exists() && new.exists());
}
