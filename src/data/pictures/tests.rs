//! Pictures of every kind that people have, and caches that must not be believed.

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

#[test]
fn every_format_and_depth_becomes_planes() {
    let picture = RgbImage::from_raw(2, 2, (0..12).map(|v| v * 20).collect()).unwrap();
    let planes: Vec<u8> = [0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11].map(|v| v * 20).into();
    for format in [ImageFormat::Png, ImageFormat::WebP, ImageFormat::Bmp] {
        assert_eq!(RGB.fitted(&encoded(picture.clone(), format)).unwrap(), planes, "{format:?}");
    }
    let deep = ImageBuffer::<Rgb<u16>, _>::from_raw(2, 2, (0..12).map(|v| v * 20 * 257).collect());
    assert_eq!(RGB.fitted(&png(deep.unwrap())).unwrap(), planes);
    let deep = ImageBuffer::<Luma<u16>, _>::from_raw(2, 2, vec![0, 257, 25_700, 65_535]).unwrap();
    assert_eq!(GREY.fitted(&png(deep)).unwrap(), [0, 1, 100, 255]);
}

#[test]
fn what_is_transparent_is_on_white() {
    let picture = ImageBuffer::<Rgba<u8>, _>::from_raw(
        2,
        2,
        vec![9, 9, 9, 0, 100, 0, 200, 255, 0, 0, 0, 128, 200, 100, 0, 51],
    );
    let planes = [255, 100, 127, 244, 255, 0, 127, 224, 255, 200, 127, 204];
    assert_eq!(RGB.fitted(&png(picture.unwrap())).unwrap(), planes);
    let picture =
        ImageBuffer::<LumaA<u8>, _>::from_raw(2, 2, vec![9, 0, 100, 255, 0, 128, 200, 51]);
    assert_eq!(GREY.fitted(&png(picture.unwrap())).unwrap(), [255, 100, 127, 244]);
}

#[test]
fn grey_ones_fit_among_colours_but_not_the_other_way_round() {
    let grey = GrayImage::from_raw(2, 2, vec![0, 90, 180, 255]).unwrap();
    assert_eq!(RGB.fitted(&png(grey.clone())).unwrap(), [0, 90, 180, 255].repeat(3));
    assert_eq!(GREY.fitted(&png(grey)).unwrap(), [0, 90, 180, 255]);
    assert_eq!(GREY.fitted(&png(RgbImage::new(2, 2))), Err(Refused::Coloured));
    let jpeg = encoded(GrayImage::from_pixel(2, 2, [77].into()), ImageFormat::Jpeg);
    assert_eq!(RGB.fitted(&jpeg).unwrap(), [77; 12]);
    assert_eq!(GREY.fitted(&jpeg).unwrap(), [77; 4]);
}

/// 16×16 in ink: cyan 0, magenta 255, yellow 255, key 0, of which printers make red.
#[test]
fn jpegs_for_printers_are_read() {
    let form = Form { size: 16, ..RGB };
    let planes = form.fitted(include_bytes!("cmyk.jpg")).unwrap();
    let (red, rest) = planes.split_at(256);
    assert!(red.iter().all(|&value| value > 225) && rest.iter().all(|&value| value < 60));
}

#[test]
fn cameras_say_how_they_were_held() {
    let mut jpeg = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut jpeg, 100);
    // To be turned by 90 degrees clockwise.
    let exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    image::ImageEncoder::set_exif_metadata(&mut encoder, exif.to_vec()).unwrap();
    let lower = |y| if y < 8 { 0 } else { 255 };
    let pixels: Vec<u8> = (0..256).map(|at| lower(at / 16)).collect();
    encoder.encode(&pixels, 16, 16, ExtendedColorType::L8).unwrap();
    let turned = Form { channels: 1, size: 16, resize: false }.fitted(&jpeg).unwrap();
    for row in turned.chunks(16) {
        assert!(row[..8].iter().all(|&v| v > 200) && row[8..].iter().all(|&v| v < 55), "{row:?}");
    }
}

#[test]
fn damaged_ones_are_refused() {
    let noise = RgbImage::from_fn(64, 64, |x, y| [(x * y * 37 % 251) as u8, 3, y as u8].into());
    let form = Form { channels: 3, size: 64, resize: false };
    for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP, ImageFormat::Bmp] {
        let bytes = encoded(noise.clone(), format);
        assert!(form.fitted(&bytes).is_ok());
        for end in [0, 10, bytes.len() / 3, bytes.len() / 2, bytes.len() - 20] {
            let refused = form.fitted(&bytes[..end]);
            let told = matches!(&refused, Err(Refused::Unreadable(why)) if why.contains("picture"));
            assert!(told, "{format:?} {end}: {:?}", refused.map(drop));
        }
    }
    assert!(form.fitted(b"GIF89a and more").is_err());
    // More after the end is another matter.
    let longer = [&encoded(noise, ImageFormat::Jpeg)[..], &[0xff, 0xda, 1, 2]].concat();
    assert!(form.fitted(&longer).is_ok());
}

/// As above, but with lengths and checksums made right for what is left.
#[test]
fn what_was_cut_and_closed_again_is_refused() {
    let noise = RgbImage::from_fn(64, 64, |x, y| [(x * y * 37 % 251) as u8, 3, y as u8].into());
    let form = Form { channels: 3, size: 64, resize: false };
    let told = |bytes: &[u8], what: &str| {
        let refused = form.fitted(bytes);
        let told = matches!(&refused, Err(Refused::Unreadable(why)) if why.contains("picture"));
        assert!(told, "{what}: {:?}", refused.map(drop));
    };
    // One chunk of data, of some length.
    let whole = png(noise.clone());
    let at = whole.windows(4).position(|name| name == b"IDAT").unwrap();
    let length = u32::from_be_bytes(whole[at - 4..at].try_into().unwrap()) as usize;
    for part in [0, length / 3, length - 20] {
        let data = &whole[at..at + 4 + part];
        let mut crc = flate2::Crc::new();
        crc.update(data);
        let end = b"\0\0\0\0IEND\xae\x42\x60\x82";
        let length = (part as u32).to_be_bytes();
        let cut = [&whole[..at - 4], &length, data, &crc.sum().to_be_bytes(), end].concat();
        told(&cut, &format!("PNG with {part} bytes"));
    }
    let whole = encoded(noise.clone(), ImageFormat::WebP);
    for part in [20, whole.len() / 3, whole.len() - 40] {
        let mut cut = whole[..20 + part / 2 * 2].to_vec();
        let (file, chunk) = (cut.len() as u32 - 8, cut.len() as u32 - 20);
        cut[4..8].copy_from_slice(&file.to_le_bytes());
        cut[16..20].copy_from_slice(&chunk.to_le_bytes());
        told(&cut, &format!("WebP with {part} bytes"));
    }
    let whole = encoded(noise, ImageFormat::Bmp);
    for part in [60, whole.len() / 3, whole.len() - 3] {
        let mut cut = whole[..part].to_vec();
        cut[2..6].copy_from_slice(&(part as u32).to_le_bytes());
        told(&cut, &format!("BMP with {part} bytes"));
    }
}

/// Of 2×2 pixels, each of four bytes: blue, green, red, alpha, from the lowest row up.
fn bmp(header: u32, compression: u32, alpha: u32, pixels: [[u8; 4]; 4]) -> Vec<u8> {
    let mut bytes =
        [&b"BM"[..], &[0; 8], &(14 + header).to_le_bytes(), &header.to_le_bytes()].concat();
    bytes.extend([2u32, 2, 32 << 16 | 1, compression].iter().flat_map(|n| n.to_le_bytes()));
    bytes.extend([0; 20]);
    bytes.extend([0xff_0000u32, 0xff00, 0xff, alpha].iter().flat_map(|n| n.to_le_bytes()));
    bytes.resize(14 + header as usize, 0);
    bytes.extend(pixels.as_flattened());
    bytes
}

#[test]
fn bmps_with_an_alpha_channel_are_on_white() {
    let alpha = 0xff00_0000;
    let hidden = [[9, 8, 7, 0], [10, 20, 30, 255], [1, 2, 3, 0], [60, 50, 40, 255]];
    let seen = [255, 40, 255, 30, 255, 50, 255, 20, 255, 60, 255, 10];
    let as_it_is = [3, 40, 7, 30, 2, 50, 8, 20, 1, 60, 9, 10];
    for header in [108, 124] {
        for compression in [0, 3] {
            // Behind these headers, masks are expected only in them.
            let planes = RGB.fitted(&bmp(header, compression, alpha, hidden)).unwrap();
            assert_eq!(planes, seen, "{header} {compression}");
        }
        assert_eq!(RGB.fitted(&bmp(header, 0, 0, hidden)).unwrap(), as_it_is, "{header}");
        // A channel that was never written hides nothing.
        let plain = hidden.map(|[b, g, r, _]| [b, g, r, 0]);
        assert_eq!(RGB.fitted(&bmp(header, 0, alpha, plain)).unwrap(), as_it_is, "{header}");
        for end in 0..14 + header as usize + 15 {
            let whole = bmp(header, 0, alpha, hidden);
            assert!(RGB.fitted(&whole[..end]).is_err(), "{end}");
        }
    }
}

#[test]
fn endings_are_those_of_pictures() {
    for name in ["a.JPG", "a.jpeg", "a.jpe", "a.Jfif", "a.png", "a.webp", "a.bmp", "a.dib"] {
        assert!(is_picture(name), "{name}");
    }
    for name in ["jpg", "a.gif", "a.tiff", "a.jpg.txt", "a.jp2", ".jfi"] {
        assert!(!is_picture(name), "{name}");
    }
    assert!(endings().starts_with(".png, .jpg, .jpeg, .jpe, .jfif"));
}

/// Decoders make room for what the first bytes promise.
#[test]
fn sizes_are_not_believed() {
    let mut promising = png(GrayImage::new(3, 3));
    // Width and height, behind the signature and the head of the first chunk, and its checksum.
    for (side, promised) in [(3u32, false), (3000, true), (60_000, true)] {
        for at in [16, 20] {
            promising[at..at + 4].copy_from_slice(&side.to_be_bytes());
        }
        let mut crc = flate2::Crc::new();
        crc.update(&promising[12..29]);
        promising[29..33].copy_from_slice(&crc.sum().to_be_bytes());
        match read(&promising) {
            Ok(_) => assert!(!promised),
            Err(reason) => {
                assert!(promised && reason.contains("too large, or damaged"), "{reason}")
            }
        }
    }
    // What cameras add, behind the picture.
    for (length, whole) in [(4u32, true), (u32::MAX, false)] {
        let picture = encoded(RgbImage::new(3, 3), ImageFormat::WebP);
        let head =
            [b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\x08\0\0\0\x02\0\0\x02\0\0", &picture[12..]].concat();
        let mut bytes = [&head[..], b"EXIF", &length.to_le_bytes(), b"II*\0"].concat();
        let size = bytes.len() as u32 - 8;
        bytes[4..8].copy_from_slice(&size.to_le_bytes());
        assert_eq!(read(&bytes).map(drop).is_ok(), whole, "{:?}", read(&bytes).map(drop));
    }
    // An even surface, which packs as tight as it gets.
    for format in [ImageFormat::Png, ImageFormat::WebP, ImageFormat::Jpeg] {
        let bytes = encoded(RgbImage::new(2000, 2000), format);
        assert_eq!(read(&bytes).unwrap().width(), 2000, "{format:?}");
    }
}

#[test]
fn others_are_cut_to_their_middle_and_resampled() {
    let form = Form { channels: 1, size: 4, resize: true };
    // Wide: 12×8, whose middle is grey between white; high: its like.
    for turned in [false, true] {
        let across = |x: u32, y: u32| if turned { y } else { x };
        let (width, height) = if turned { (8, 12) } else { (12, 8) };
        let picture = GrayImage::from_fn(width, height, |x, y| {
            [if (2..10).contains(&across(x, y)) { 100 } else { 255 }].into()
        });
        assert_eq!(form.fitted(&png(picture.clone())).unwrap(), [100; 16]);
        let strict = Form { resize: false, ..form };
        assert_eq!(strict.fitted(&png(picture)), Err(Refused::Size(width, height)));
    }
    // A finer pattern than the result can show becomes its mean, in every channel.
    let checks =
        |x: u32, y: u32| if (x + y).is_multiple_of(2) { [200, 0, 40] } else { [100, 60, 20] };
    let picture = RgbImage::from_fn(64, 64, |x, y| checks(x, y).into());
    let planes = Form { channels: 3, ..form }.fitted(&png(picture)).unwrap();
    for (plane, mean) in planes.chunks(16).zip([150, 30, 30]) {
        assert!(plane.iter().all(|value| value.abs_diff(mean) <= 2), "{plane:?}");
    }
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
fn one_that_changed_is_decoded_again_and_the_old_ones_go() {
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
fn pictures_that_were_exchanged_are_decoded_again() {
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
fn without_stamps_content_tells_states_apart() {
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
fn a_cache_that_cannot_be_protected_will_do() {
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
fn a_cache_that_is_damaged_is_not_believed() {
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
fn nobody_writes_to_what_is_mapped() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new(&[[0; 3], [100; 3]]);
    folder.pictures().load(folder.cache.path(), &mut |_| {}).unwrap_err();
    let folder = Folder::new(&[[0; 3], [100; 3], [1; 3]]);
    folder.load().unwrap();
    let mode = fs::metadata(&folder.cached()[0]).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o444);
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
fn what_was_left_behind_is_taken_away_in_time() {
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

#[test]
fn grey_first_and_colours_later_are_a_set_in_colour() {
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
fn sizes_that_differ_are_told_with_what_to_do() {
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
