//! Folders of pictures as data sets.

use super::*;

#[test]
fn mean_and_deviation_are_those_of_the_training_images() {
    let folder = Folder::new(&[[0, 10, 255], [100, 30, 0], [250, 250, 250]]);
    let (set, _) = folder.load().unwrap();
    for (channel, (mean, std)) in [(50.0, 50.0), (20.0, 10.0), (127.5, 127.5)].iter().enumerate() {
        assert!((set.mean()[channel] - mean / 255.0).abs() < 1e-6);
        assert!((set.std()[channel] - std / 255.0).abs() < 1e-6);
    }
    // A channel that says nothing is left as it is.
    let (set, _) = Folder::new(&[[0, 7, 0], [100, 7, 0], [0; 3]]).load().unwrap();
    assert_eq!((set.std()[1], set.std()[2], set.mean()[2]), (1.0, 1.0, 0.0));
    let message = Folder::new(&[[3; 3]; 3]).load().unwrap_err().to_string();
    assert!(message.contains("same colour"), "{message}");
}

#[test]
fn an_unreadable_picture_is_named_and_leaves_nothing() {
    let folder = Folder::new(&[[0; 3], [100; 3], [200; 3]]);
    fs::write(folder.root.path().join("001.png"), "no picture").unwrap();
    let message = folder.load().unwrap_err().to_string();
    assert!(message.contains("001.png: no readable picture"), "{message}");
    assert_eq!(folder.cached().len(), 0);
}

#[test]
fn one_coloured_picture_makes_the_set_coloured() {
    let folder = Folder::new(&[[0; 3], [100; 3], [200; 3]]);
    let grey = |k: usize| {
        let picture = png(GrayImage::from_pixel(2, 2, [k as u8 * 50].into()));
        fs::write(folder.root.path().join(&folder.files[k]), picture).unwrap();
    };
    grey(0);
    let (set, _) = folder.load().unwrap();
    assert_eq!((set.channels(), set.train().pixels().len()), (3, 24));
    assert_eq!((set.train().image(0), set.train().image(1)), (&[0; 12][..], &[100; 12][..]));
    assert_eq!(set.test().image(0), [200; 12]);
    grey(1);
    grey(2);
    let (set, _) = folder.load().unwrap();
    assert_eq!((set.channels(), set.test().image(0)), (1, &[100; 4][..]));
}

#[test]
fn pictures_of_different_sizes_are_refused_unless_resized() {
    let folder = Folder::new(&[[0; 3], [100; 3], [200; 3]]);
    for (size, file, expected) in [
        ((3, 3), "002.png", "002.png 3×3; set resize"),
        ((3, 2), "000.png", "000.png has 3×2 pixels: set resize"),
    ] {
        let picture = png(RgbImage::new(size.0, size.1));
        fs::write(folder.root.path().join(file), picture).unwrap();
        let error = folder.load().unwrap_err();
        assert!(error.is_usage());
        let message = error.to_string();
        assert!(message.contains(expected) && message.contains("resize"), "{message}");
    }
    let mut pictures = folder.pictures();
    pictures.wanted.size = Size::Resized(5);
    assert_eq!(pictures.load(folder.cache.path(), &mut |_| {}).unwrap().size(), 5);
}

#[test]
fn pictures_in_both_splits_are_counted() {
    for (last, expected) in [(100, 1), (101, 0)] {
        let folder = Folder::new(&[[0; 3], [100; 3], [last; 3]]);
        folder.load().unwrap();
        let place = Place::of(folder.cache.path(), &mut folder.pictures()).unwrap();
        assert_eq!(place.open((2, 1)).unwrap().1.in_both, expected);
    }
}

/// All are named at once, so that one attempt mends them.
#[test]
fn all_unreadable_pictures_are_named_at_once() {
    let folder = Folder::new(&[[9, 99, 200]; 10]);
    for k in [0, 2, 3, 9] {
        fs::write(folder.root.path().join(&folder.files[k]), "no picture").unwrap();
    }
    let error = folder.load().unwrap_err().to_string();
    for name in ["000.png: ", "; ", "002.png: ", "003.png: ", "009.png: ", "mend them"] {
        assert!(error.contains(name), "{name}: {error}");
    }
    assert!(!error.contains("more"), "{error}");
    for k in 0..10 {
        fs::write(folder.root.path().join(&folder.files[k]), "no picture").unwrap();
    }
    let error = folder.load().unwrap_err().to_string();
    assert!(error.contains("000.png: ") && error.contains("mend it"), "the first alone: {error}");
}
