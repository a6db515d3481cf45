//! Tiny ImageNet in the layout in which it is published, unpacked or as its archive.

use std::collections::{BTreeMap, HashMap};
#[cfg(feature = "testing")]
use std::path::Path;

#[cfg(any(test, feature = "testing"))]
use super::TINY_IMAGENET;
use crate::{
    Dataset, Error, Result,
    data::{
        Known, Progress, Sources,
        pictures::{Entry, Picture, Pictures, Shelf, Size, Wanted, cache_folder, is_picture},
    },
    names::natural,
};

/// The folder in the archive.
pub(super) const FOLDER: &str = "tiny-imagenet-200";

pub(super) fn load(
    known: &Known,
    shelf: Shelf,
    sources: &Sources,
    on_progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Dataset> {
    let pictures = arrange(known, shelf, sources.resize)?;
    pictures.load_chosen(sources.classes.as_ref(), &cache_folder()?, on_progress)
}

/// The data set in an archive of this layout, its pictures made `size` wide and decoded into `cache`.
#[cfg(feature = "testing")]
pub(crate) fn zipped_pictures(archive: &Path, size: usize, cache: &Path) -> Result<Dataset> {
    let shelf = Shelf::zip(archive, FOLDER)?;
    arrange(&TINY_IMAGENET, shelf, Some(size))?.load(cache, &mut |_| {})
}

/// Its pictures by class. Classes are sorted by their WordNet numbers and have the names of those;
/// copies with fewer classes are accepted.
fn arrange(known: &Known, mut shelf: Shelf, resize: Option<usize>) -> Result<Pictures> {
    let numbers = shelf.text("wnids.txt")?;
    let mut classes: BTreeMap<&str, Vec<_>> =
        numbers.split_whitespace().map(|number| (number, Vec::new())).collect();
    for file in shelf.files("train")? {
        // train/<number>/images/<picture>
        let mut parts = file.name.split('/').skip(1);
        let class = parts.next().and_then(|number| classes.get_mut(number));
        if let Some(class) = class.filter(|_| is_picture(&file.name)) {
            class.push(file);
        }
    }
    classes.retain(|_, pictures| !pictures.is_empty());
    if classes.is_empty() {
        let why = "none of the classes in wnids.txt has pictures in train/<class>/images";
        return Err(Error::format(shelf.path(), why));
    }
    let numbers: Vec<_> = classes.keys().copied().collect();
    let class_names = names(&numbers, &shelf.text("words.txt")?);
    let test = validation(&mut shelf, &numbers)?;
    let labelled = |(label, pictures): (u32, Vec<_>)| {
        pictures.into_iter().map(move |file| Picture { file, label })
    };
    let train = (0..).zip(classes.into_values()).flat_map(labelled).collect();
    Ok(Pictures {
        name: known.name.into(),
        class_names,
        shelf,
        train,
        test,
        wanted: Wanted {
            channels: Some(known.channels),
            size: resize.map_or(Size::Exactly(known.size), Size::Resized),
        },
        normalisation: Some((known.mean.to_vec(), known.std.to_vec())),
        part: None,
    })
}

/// The list of the pictures for validation.
const LIST: &str = "val/val_annotations.txt";

/// The pictures for validation, in the order of their list, which says their classes. If somebody has sorted them into
/// a folder per class, the folders say the classes, and the numbers in the pictures' names give the original order.
fn validation(shelf: &mut Shelf, numbers: &[&str]) -> Result<Vec<Picture>> {
    let files = shelf.files("val")?;
    let (list, pictures): (Vec<_>, Vec<_>) = files.into_iter().partition(|file| file.name == LIST);
    let pictures: Vec<_> = pictures.into_iter().filter(|file| is_picture(&file.name)).collect();
    match list.is_empty() {
        false => listed(shelf, numbers, pictures),
        true if pictures.is_empty() => {
            let why = format!("there are neither pictures in it nor {LIST}");
            Err(Error::format(shelf.shown("val"), why))
        }
        true => sorted(shelf, numbers, pictures),
    }
}

/// With the labels of the list, wherever the pictures are.
fn listed(shelf: &mut Shelf, numbers: &[&str], pictures: Vec<Entry>) -> Result<Vec<Picture>> {
    let list = shelf.text(LIST)?;
    let mut files: HashMap<_, _> = pictures
        .into_iter()
        .map(|file| (file.name.rsplit('/').next().unwrap_or_default().to_owned(), file))
        .collect();
    let mut pictures = Vec::new();
    for (at, line) in (1..).zip(list.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        // The rest of the line says where in the picture the object is.
        let mut fields = line.split('\t');
        let (Some(name), Some(number)) = (fields.next(), fields.next()) else {
            let why = format!("line {at} has no picture and class, separated by a tabulator");
            return Err(Error::format(shelf.shown(LIST), why));
        };
        let number = number.trim();
        let Ok(label) = numbers.binary_search(&number) else { continue };
        let missing = || {
            let name = shelf.shown(&format!("val/images/{name}"));
            let why = format!(
                "{LIST} names it in line {at}, but it is neither there nor in a folder of its class"
            );
            Error::format(name, why)
        };
        let file = files.remove(name).ok_or_else(missing)?;
        match folder(&file) {
            Some(other) if other != number && other != "images" => {
                let why = format!("{LIST} says in line {at} that it is of class {number}");
                return Err(Error::format(shelf.shown(&file.name), why));
            }
            _ => pictures.push(Picture { file, label: label as u32 }),
        }
    }
    Ok(pictures)
}

/// With the labels of their folders.
fn sorted(shelf: &Shelf, numbers: &[&str], pictures: Vec<Entry>) -> Result<Vec<Picture>> {
    let mut labelled = Vec::new();
    for file in pictures {
        match folder(&file) {
            Some("images") | None => {
                let why = format!(
                    "nothing tells its class: there is no {LIST}, and it is in no folder of a class"
                );
                return Err(Error::format(shelf.shown(&file.name), why));
            }
            Some(number) => {
                // A copy with fewer classes may still have all pictures.
                if let Ok(label) = numbers.binary_search(&number) {
                    labelled.push(Picture { file, label: label as u32 });
                }
            }
        }
    }
    let name =
        |picture: &Picture| picture.file.name.rsplit('/').next().unwrap_or_default().to_owned();
    labelled.sort_by(|a, b| natural(&name(a), &name(b)));
    Ok(labelled)
}

/// The folder in `val` that a picture is in.
fn folder(file: &Entry) -> Option<&str> {
    file.name.strip_prefix("val/")?.split_once('/').map(|(folder, _)| folder)
}

/// The names of classes: the first of a number's words or, if two numbers share it, all words.
fn names(numbers: &[&str], words: &str) -> Vec<String> {
    let words: HashMap<_, _> = words.lines().filter_map(|line| line.split_once('\t')).collect();
    let all = |number: &str| words.get(number).map_or(number, |words| words.trim()).to_owned();
    let first = |number: &str| all(number).split(',').next().unwrap_or_default().trim().to_owned();
    let firsts: Vec<_> = numbers.iter().map(|number| first(number)).collect();
    let one = |(number, name): (&&str, &String)| match firsts
        .iter()
        .filter(|other| *other == name)
        .count()
    {
        1 => name.clone(),
        _ => all(number),
    };
    numbers.iter().zip(&firsts).map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{DynamicImage, ImageFormat, RgbImage};
    use std::{
        fs,
        io::{Cursor, Write},
    };

    /// A copy with two classes, as names of files and their contents.
    fn copy() -> Vec<(String, Vec<u8>)> {
        let picture = |tone: u8, grey: bool| {
            let image = DynamicImage::from(RgbImage::from_pixel(64, 64, [tone, tone, tone].into()));
            let image = if grey { image.to_luma8().into() } else { image };
            let mut bytes = Cursor::new(Vec::new());
            image.write_to(&mut bytes, ImageFormat::Jpeg).unwrap();
            bytes.into_inner()
        };
        let text = |text: &str| text.as_bytes().to_vec();
        [
            // Not sorted, as in the original, and one that this copy lacks.
            ("wnids.txt", text("n2\nn1\nn3\n")),
            ("words.txt", text("n1\tcrane\nn2\tcrane, machine\nn4\tx\n")),
            ("train/n1/n1_boxes.txt", text("n1_0.JPEG\t0\t0\t1\t1\n")),
            ("train/n1/images/n1_0.JPEG", picture(10, false)),
            ("train/n2/images/n2_0.JPEG", picture(200, true)),
            ("train/n2/images/n2_1.JPEG", picture(210, false)),
            ("val/val_annotations.txt", text("b.JPEG\tn2\t0\t0\t1\t1\na.JPEG\tn1\nc.JPEG\tn9\n")),
            ("val/images/a.JPEG", picture(12, false)),
            ("val/images/b.JPEG", picture(220, false)),
            ("test/images/t.JPEG", picture(0, false)),
        ]
        .map(|(name, content)| (name.to_owned(), content))
        .into()
    }

    fn unpacked(files: &[(String, Vec<u8>)]) -> tempfile::TempDir {
        let place = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let path = place.path().join(FOLDER).join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        place
    }

    fn zipped(files: &[(String, Vec<u8>)]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let mut zip = zip::ZipWriter::new(&mut file);
        let options = zip::write::SimpleFileOptions::default();
        zip.add_directory(format!("{FOLDER}/train/"), options).unwrap();
        for (name, content) in files {
            zip.start_file(format!("{FOLDER}/{name}"), options).unwrap();
            zip.write_all(content).unwrap();
        }
        zip.start_file("../../escaped", options).unwrap();
        zip.finish().unwrap();
        file
    }

    fn load(shelf: Shelf, resize: Option<usize>) -> Result<Dataset> {
        let cache = tempfile::tempdir().unwrap();
        arrange(&TINY_IMAGENET, shelf, resize)?.load(cache.path(), &mut |_| {})
    }

    #[test]
    fn folder_and_archive_are_the_same_set() {
        let place = unpacked(&copy());
        let zip = zipped(&copy());
        let folder = || Shelf::Folder(place.path().join(FOLDER));
        for shelf in [folder(), Shelf::zip(zip.path(), FOLDER).unwrap()] {
            let set = load(shelf, None).unwrap();
            assert_eq!((set.name(), set.size(), set.channels()), ("tiny-imagenet", 64, 3));
            assert_eq!(set.class_names(), ["crane", "crane, machine"]);
            assert_eq!(set.train().labels(), [0, 1, 1]);
            assert_eq!(set.test().labels(), [1, 0]);
            assert_eq!(set.train().image(1), [200; 3 * 64 * 64], "grey becomes colour");
            assert_eq!(set.test().image(0), [220; 3 * 64 * 64]);
            assert_eq!(set.mean(), [0.485, 0.456, 0.406]);
        }
        let small = load(folder(), Some(16)).unwrap();
        assert_eq!((small.size(), small.test().image(1)), (16, &[12; 3 * 256][..]));
        let cut = tempfile::NamedTempFile::new().unwrap();
        fs::write(cut.path(), &fs::read(zip.path()).unwrap()[..1000]).unwrap();
        let message = Shelf::zip(cut.path(), FOLDER).unwrap_err().to_string();
        assert!(message.contains("no readable zip archive"), "{message}");
    }

    #[test]
    fn sorted_pictures_for_validation_are_the_same() {
        let mut files = copy();
        // In the order of the numbers, as the original has them, and more than ten.
        let list = (0..12).map(|k| format!("val_{k}.JPEG\tn{}\t0\t0\t1\t1\n", k % 2 + 1));
        let list = list.collect::<String>() + "val_12.JPEG\tn9\t0\t0\t1\t1\n";
        files.retain(|(name, _)| !name.starts_with("val/"));
        let picture = |k: u8| {
            let mut bytes = Cursor::new(Vec::new());
            let image = RgbImage::from_pixel(64, 64, [k * 15; 3].into());
            image.write_to(&mut bytes, ImageFormat::Png).unwrap();
            bytes.into_inner()
        };
        let with = |place: &dyn Fn(u8, &str) -> String, listed: bool| {
            let number = |k: u8| if k == 12 { "n9".to_owned() } else { format!("n{}", k % 2 + 1) };
            let pictures = (0..13).map(|k| (format!("val/{}", place(k, &number(k))), picture(k)));
            let mut files: Vec<_> = files.iter().cloned().chain(pictures).collect();
            if listed {
                files.push((LIST.to_owned(), list.clone().into_bytes()));
            }
            files.push(("val/@eaDir/val_1.JPEG".into(), b"a thumbnail".to_vec()));
            files
        };
        let original: &dyn Fn(u8, &str) -> String = &|k, _| format!("images/val_{k}.JPEG");
        let expected =
            load(Shelf::Folder(unpacked(&with(original, true)).path().join(FOLDER)), None);
        let expected = expected.unwrap();
        assert_eq!(expected.test().labels(), [0, 1].repeat(6));
        for place in [&|k, n: &str| format!("{n}/images/val_{k}.JPEG"), &|k, n: &str| {
            format!("{n}/val_{k}.JPEG")
        }] as [&dyn Fn(u8, &str) -> String; 2]
        {
            for listed in [true, false] {
                let files = with(place, listed);
                let (folder, zip) = (unpacked(&files), zipped(&files));
                let shelves = [
                    Shelf::Folder(folder.path().join(FOLDER)),
                    Shelf::zip(zip.path(), FOLDER).unwrap(),
                ];
                for shelf in shelves {
                    let set = load(shelf, None).unwrap();
                    assert_eq!(set.test().labels(), expected.test().labels());
                    assert_eq!(set.test().pixels(), expected.test().pixels());
                }
                // From outside, by its name.
                let data_dir = Some(folder.path().to_path_buf());
                let sources = Sources { data_dir, ..Default::default() };
                assert!(TINY_IMAGENET.on_disk(&sources).unwrap().is_some());
            }
        }
        let message = |files: &[(String, Vec<u8>)]| {
            let place = unpacked(files);
            load(Shelf::Folder(place.path().join(FOLDER)), None).unwrap_err().to_string()
        };
        assert!(message(&with(original, false)).contains("nothing tells its class"));
        let wrong = message(&with(&|k, _| format!("n1/val_{k}.JPEG"), true));
        assert!(wrong.contains("val_1.JPEG: val/val_annotations.txt says in line 2"), "{wrong}");
        files.push(("val/note.txt".into(), vec![]));
        assert!(message(&files).contains("neither pictures in it nor"));
    }

    #[test]
    fn missing_files_are_named() {
        for (without, expected) in [
            ("val/images/b.JPEG", "b.JPEG: val/val_annotations.txt names it in line 1"),
            ("words.txt", "words.txt"),
            ("train", "none of the classes"),
        ] {
            let files: Vec<_> =
                copy().into_iter().filter(|(name, _)| !name.starts_with(without)).collect();
            let place = unpacked(&files);
            let _ = fs::create_dir(place.path().join(FOLDER).join("train"));
            let zip = zipped(&files);
            for shelf in
                [Shelf::Folder(place.path().join(FOLDER)), Shelf::zip(zip.path(), FOLDER).unwrap()]
            {
                let message = load(shelf, None).unwrap_err().to_string();
                assert!(message.contains(expected), "{message}");
            }
        }
        let mut files = copy();
        files[6].1 = b"a.JPEG n1\n".to_vec();
        let message = load(Shelf::Folder(unpacked(&files).path().join(FOLDER)), None);
        assert!(message.unwrap_err().to_string().contains("tabulator"));
    }
}
