//! Pictures, sets of them, and caches: what these tests share.

mod cache;
mod damaged;
mod formats;
mod sets;

use super::{shelf::Stamp, *};
use image::{
    DynamicImage, ExtendedColorType, GrayImage, ImageBuffer, ImageFormat, Luma, LumaA, Rgb,
    RgbImage, Rgba, codecs::jpeg::JpegEncoder,
};
use std::{
    fs,
    io::Cursor,
    time::{Duration, SystemTime},
};

const RGB: Form = Form { channels: 3, size: 2, resize: false };
const GREY: Form = Form { channels: 1, ..RGB };

pub(crate) fn encoded(picture: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.into().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn png(picture: impl Into<DynamicImage>) -> Vec<u8> {
    encoded(picture, ImageFormat::Png)
}

/// A folder with pictures of 2×2 pixels, each of the colour that is given.
struct Folder {
    root: tempfile::TempDir,
    cache: tempfile::TempDir,
    files: Vec<String>,
}

impl Folder {
    fn new(colours: &[[u8; 3]]) -> Self {
        let mut folder = Self {
            root: tempfile::tempdir().unwrap(),
            cache: tempfile::tempdir().unwrap(),
            files: Vec::new(),
        };
        for (k, colour) in colours.iter().enumerate() {
            folder.files.push(format!("{k:03}.png"));
            folder.put(k, *colour);
        }
        folder
    }

    fn put(&self, k: usize, colour: [u8; 3]) {
        let path = self.root.path().join(&self.files[k]);
        fs::write(path, png(RgbImage::from_pixel(2, 2, colour.into()))).unwrap();
    }

    /// The last one is for the test.
    fn pictures(&self) -> Pictures {
        let shelf = Shelf::Folder(self.root.path().to_path_buf());
        let files = shelf.files("").unwrap();
        let mut train: Vec<_> = files.into_iter().map(|file| Picture { file, label: 0 }).collect();
        let test = train.pop().into_iter().collect();
        Pictures {
            name: "tiny".into(),
            class_names: vec!["a".into()],
            shelf,
            train,
            test,
            wanted: Wanted { channels: None, size: Size::Own },
            normalisation: None,
            part: None,
        }
    }

    /// With whether they had to be decoded.
    fn load(&self) -> Result<(Dataset, bool)> {
        let mut decoded = false;
        let set = self.pictures().load(self.cache.path(), &mut |progress| {
            assert_eq!((progress.work, progress.file), (Work::Decoding, "tiny"));
            assert!(progress.unfinished.unwrap().starts_with(self.cache.path()));
            decoded = true;
        });
        set.map(|set| (set, decoded))
    }

    fn cached(&self) -> Vec<PathBuf> {
        fs::read_dir(self.cache.path()).unwrap().map(|entry| entry.unwrap().path()).collect()
    }
}
