//! Every synthetic image as a file of its own.

use std::{fs, path::Path};

use super::{names, png};
use crate::{Error, Result, SyntheticSet, files};

/// Writes a folder `folder/<class>/<000>.png`, in each image's own size. Class names are changed if
/// a file system could not store them. A packed set is [decoded](SyntheticSet::decoded).
///
/// # Errors
/// [`Error::Shape`] when the set's fields contradict each other, [`Error::Io`] when writing fails, also when `folder` exists and is not empty.
pub fn write_images(set: &SyntheticSet, folder: &Path) -> Result<()> {
    set.check()?;
    // Pictures cannot say that they are packed.
    let set = &set.clone().decoded()?;
    write_pictures(set, &names::folders(&set.class_names), &[], folder)
}

/// Writes `folder/<name>/<000>.png`, with a name for each class and the images of each class counted from
/// 0, and beside them the notes: file names with their text.
pub(crate) fn write_pictures(
    set: &SyntheticSet,
    names: &[String],
    notes: &[(&str, String)],
    folder: &Path,
) -> Result<()> {
    // Built beside its place: a folder under its final name is complete.
    let beside = files::folder_of(folder);
    let building = tempfile::Builder::new()
        .prefix(".images-")
        .tempdir_in(&beside)
        .map_err(Error::io("create a folder in", &beside))?;
    for (class, name) in names.iter().enumerate() {
        let of_class = building.path().join(name);
        fs::create_dir(&of_class).map_err(Error::io("create", &of_class))?;
        let own = |&index: &usize| set.labels[index] == class as i64;
        let images: Vec<_> = (0..set.labels.len()).filter(own).collect();
        let digits = images.len().saturating_sub(1).to_string().len().max(3);
        for (count, index) in images.into_iter().enumerate() {
            let path = of_class.join(format!("{count:0digits$}.png"));
            let pixels = set.image_u8(index);
            let png = png::encode(&pixels, (set.size, set.size), set.channels, &path)?;
            // Only the folder must appear at once; its files need not.
            fs::write(&path, png).map_err(Error::io("write", &path))?;
        }
    }
    for (name, text) in notes {
        let path = building.path().join(name);
        fs::write(&path, text).map_err(Error::io("write", &path))?;
    }
    fs::rename(building.path(), folder).map_err(Error::io("create", folder))?;
    // It was renamed, so dropping the temporary folder must not remove anything.
    let _ = building.keep();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::grid::tests::plain;

    #[test]
    fn one_file_an_image_under_safe_names() {
        let folder = tempfile::tempdir().unwrap();
        let images = folder.path().join("images");
        let mut set = plain(3, 2, 3, 8);
        set.class_names = vec!["../up".into(), "cat".into(), "Cat".into()];
        write_images(&set, &images).unwrap();
        for (class, name) in names::folders(&set.class_names).iter().enumerate() {
            let picture = image::open(images.join(name).join("001.png")).unwrap().into_rgb8();
            assert_eq!(picture.into_raw(), set.image_u8(class * 2 + 1));
        }
        assert_eq!(fs::read_dir(&images).unwrap().count(), 3);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing temporary is left");

        assert!(write_images(&set, &images).is_err(), "a full folder is not replaced");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn the_folder_has_the_rights_of_ordinary_ones() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (ours, plain_one) = (folder.path().join("images"), folder.path().join("plain"));
        write_images(&plain(1, 1, 1, 2), &ours).unwrap();
        fs::create_dir(&plain_one).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&ours), mode(&plain_one));
    }
}
