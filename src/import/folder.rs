//! A folder of pictures: one sub-folder per class.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::classes;
use crate::{
    Dataset, Error, Result,
    condense::MAX_FILE,
    data::{endings, is_picture, planes, read_picture},
    listing::{is_hidden, read_data, special, warn_special},
};

/// Pictures by class, not yet decoded.
#[derive(Debug)]
pub(super) struct Pictures {
    folder: PathBuf,
    /// Each class's name and its pictures, both sorted.
    classes: Vec<(String, Vec<PathBuf>)>,
}

/// Refuses a folder that holds runs rather than pictures, such as a comparison's folder, and names the runs.
pub(super) fn refuse_runs(folder: &Path) -> Result<()> {
    const NAMED: usize = 8;
    let runs: Vec<_> = entries(folder)?
        .into_iter()
        .filter(|path| path.join("synthetic.safetensors").is_file())
        .map(|path| path.display().to_string())
        .collect();
    if runs.is_empty() {
        return Ok(());
    }
    let more = if runs.len() > NAMED { ", …" } else { "" };
    let some = runs.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    Err(Error::format(
        folder,
        format!("there is a set in each of its runs; name one of them: {some}{more}"),
    ))
}

pub(super) fn read(folder: &Path) -> Result<Pictures> {
    let mut classes = Vec::new();
    for path in entries(folder)? {
        // Other files beside the classes' folders are ignored.
        if !path.is_dir() {
            continue;
        }
        let pictures = files(&path)?;
        let other = |path: &&PathBuf| !is_picture(&path.to_string_lossy());
        if let Some(other) = pictures.iter().find(other) {
            let why = format!("it is no picture ({}); take it away", endings());
            return Err(Error::format(other, why));
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        classes.push((name, pictures));
    }
    if classes.iter().all(|(_, pictures)| pictures.is_empty()) {
        return Err(Error::format(
            folder,
            "no set is in it: neither a run's synthetic.safetensors nor a sub-folder of pictures \
             for each class",
        ));
    }
    Ok(Pictures { folder: folder.to_path_buf(), classes })
}

/// The files of a class, and other entries that must be reported.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let (odd, files): (Vec<_>, Vec<_>) = entries(folder)?
        .into_iter()
        .partition(|path| fs::metadata(path).is_ok_and(|about| special(&about).is_some()));
    let name = |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    warn_special(folder, &odd.iter().map(name).collect::<Vec<_>>());
    Ok(files)
}

/// The entries of a folder, sorted, without files that systems and programs keep there.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = |error| Error::io("read", folder)(error);
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if !is_hidden(&entry.file_name().to_string_lossy()) {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}

impl Pictures {
    /// Each class's name and its pictures, both sorted.
    pub fn classes(&self) -> &[(String, Vec<PathBuf>)] {
        &self.classes
    }

    /// All pixels, (N, C, H, W), and their labels.
    pub fn fitted(self, dataset: &Dataset) -> Result<(Vec<u8>, Vec<i64>)> {
        let classes = self.labelled(dataset)?;
        let count: usize = classes.iter().map(|(_, pictures)| pictures.len()).sum();
        if (count * dataset.image_len()) as u64 > MAX_FILE / 4 {
            return Err(Error::format(&self.folder, format!("{count} pictures are too many")));
        }
        let (mut pixels, mut labels) = (Vec::new(), Vec::new());
        let mut wrong = Vec::new();
        for (label, pictures) in classes {
            for path in pictures {
                match decode(path, dataset) {
                    Ok(picture) => pixels.extend(picture),
                    Err(error) => wrong.push(error),
                }
                labels.push(label);
            }
        }
        match wrong.len() {
            0 => Ok((pixels, labels)),
            1 => Err(wrong.remove(0)),
            count => {
                // All of them at once, rather than one per attempt.
                let named: Vec<_> = wrong.iter().take(5).map(Error::to_string).collect();
                let more = if count > named.len() { "; …" } else { "" };
                let why = format!("{count} pictures can't be used: {}{more}", named.join("; "));
                Err(Error::format(&self.folder, why))
            }
        }
    }

    /// Sub-folders with pictures, and their labels. If the labels could be wrong, a warning says how they were found.
    fn labelled(&self, dataset: &Dataset) -> Result<Vec<(i64, &[PathBuf])>> {
        let full = || self.classes.iter().filter(|(_, pictures)| !pictures.is_empty());
        let names: Vec<_> = full().map(|(name, _)| name.as_str()).collect();
        let (labels, note) = classes::labels(&names, dataset)
            .map_err(|reason| Error::format(&self.folder, reason))?;
        if let Some(note) = note {
            log::warn!("{}: {note}", self.folder.display());
        }
        let pictures = full().map(|(_, pictures)| pictures.as_slice());
        Ok(labels.into_iter().map(|label| label as i64).zip(pictures).collect())
    }
}

/// A picture, decoded.
pub(super) fn picture(path: &Path) -> Result<image::DynamicImage> {
    read_picture(&read_data(path)?).map_err(|reason| Error::format(path, reason))
}

/// A picture's C·H·W bytes.
fn decode(path: &Path, dataset: &Dataset) -> Result<Vec<u8>> {
    let picture = picture(path)?;
    let size = dataset.size();
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    if (width, height) != (size, size) {
        return Err(Error::format(
            path,
            format!("{width}×{height} pixels; pictures for {} have {size}×{size}", dataset.name()),
        ));
    }
    Ok(planes(&picture, dataset.channels()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Dataset, DatasetInfo};
    use image::{GrayImage, RgbImage};

    fn dataset(channels: usize, names: &[&str]) -> Dataset {
        let info = DatasetInfo {
            name: "tiny".into(),
            class_names: names.iter().map(|name| name.to_string()).collect(),
            channels,
            size: 2,
            mean: vec![0.5; channels],
            std: vec![0.25; channels],
        };
        let n = names.len();
        let train = (vec![0; n * channels * 4], (0..n as u32).collect());
        Dataset::new(info, train, (vec![], vec![])).unwrap()
    }

    fn place(classes: &[&str]) -> tempfile::TempDir {
        let place = tempfile::tempdir().unwrap();
        for (i, class) in classes.iter().enumerate() {
            let folder = place.path().join(class);
            fs::create_dir(&folder).unwrap();
            let value = i as u8;
            GrayImage::from_raw(2, 2, vec![value; 4]).unwrap().save(folder.join("0.png")).unwrap();
        }
        place
    }

    #[test]
    fn all_broken_pictures_are_named_at_once() {
        let place = place(&["cat", "dog", "fox"]);
        for class in ["cat", "fox"] {
            fs::write(place.path().join(class).join("0.png"), "no picture").unwrap();
        }
        let tiny = dataset(1, &["cat", "dog", "fox"]);
        let error = read(place.path()).unwrap().fitted(&tiny).unwrap_err().to_string();
        assert!(error.contains("2 pictures can't be used: "), "{error}");
        for name in ["cat", "fox"] {
            let path = place.path().join(name).join("0.png").display().to_string();
            assert!(error.contains(&path), "{path}: {error}");
        }
    }

    #[test]
    fn classes_go_by_name_or_else_by_order() {
        let named = place(&["T-shirt_top", "cat"]);
        let tiny = dataset(1, &["cat", "dog", "T-shirt/top"]);
        let (pixels, labels) = read(named.path()).unwrap().fitted(&tiny).unwrap();
        assert_eq!((pixels, labels), (vec![0, 0, 0, 0, 1, 1, 1, 1], vec![2, 0]));

        let sorted = place(&["b", "a"]);
        let (pixels, labels) =
            read(sorted.path()).unwrap().fitted(&dataset(1, &["x", "y"])).unwrap();
        assert_eq!((pixels, labels), (vec![1, 1, 1, 1, 0, 0, 0, 0], vec![0, 1]));

        let error = read(sorted.path()).unwrap().fitted(&tiny).unwrap_err().to_string();
        assert!(error.contains("cat, dog"), "{error}");
    }

    #[test]
    fn files_of_operating_systems_are_passed_over() {
        let tiny = dataset(1, &["a", "b"]);
        let set = place(&["a", "b"]);
        for folder in ["@eaDir", "$RECYCLE.BIN", "a/@eaDir", "a/__macosx", "lost+found"] {
            let folder = set.path().join(folder);
            fs::create_dir(&folder).unwrap();
            GrayImage::new(2, 2).save(folder.join("0.png")).unwrap();
        }
        for file in ["a/Thumbs.db", "b/DESKTOP.INI", "b/._0.png", "notes.txt"] {
            fs::write(set.path().join(file), "none of theirs").unwrap();
        }
        #[cfg(unix)]
        crate::listing::tests::pipe(&set.path().join("b/1.png"));
        let (pixels, labels) = read(set.path()).unwrap().fitted(&tiny).unwrap();
        assert_eq!((pixels, labels), (vec![0, 0, 0, 0, 1, 1, 1, 1], vec![0, 1]));
        // A folder that the user made is not ignored.
        fs::create_dir(set.path().join("a/more")).unwrap();
        let message = read(set.path()).unwrap_err().to_string();
        assert!(message.contains("a/more: it is no picture"), "{message}");
    }

    #[test]
    fn colours_become_planes() {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir(place.path().join("a")).unwrap();
        let picture = RgbImage::from_raw(2, 2, (0..12).collect()).unwrap();
        picture.save(place.path().join("a/0.png")).unwrap();
        let (pixels, _) = read(place.path()).unwrap().fitted(&dataset(3, &["a"])).unwrap();
        assert_eq!(pixels, [0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11]);
    }

    #[test]
    fn wrong_folders_are_refused_with_the_reason() {
        let tiny = dataset(1, &["a"]);
        let message = |place: &tempfile::TempDir| {
            read(place.path()).and_then(|p| p.fitted(&tiny)).unwrap_err().to_string()
        };
        let empty = tempfile::tempdir().unwrap();
        assert!(message(&empty).contains("sub-folder"));
        fs::create_dir(empty.path().join("a")).unwrap();
        assert!(message(&empty).contains("sub-folder"));

        let mixed = place(&["a"]);
        GrayImage::new(3, 2).save(mixed.path().join("a/1.png")).unwrap();
        assert!(message(&mixed).contains("3×2 pixels"));
        fs::write(mixed.path().join("a/1.png"), "no picture").unwrap();
        assert!(message(&mixed).contains("no readable picture"));
        fs::rename(mixed.path().join("a/1.png"), mixed.path().join("a/1.txt")).unwrap();
        assert!(message(&mixed).contains("1.txt"));
    }
}
