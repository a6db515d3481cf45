//! A folder of pictures whose classes readers such as torchvision's `ImageFolder` number as the set does.

use std::path::Path;

use crate::{
    Error, Result, SyntheticSet,
    names::printable,
    report::{class_folders, write_pictures},
};

/// Writes `folder/<class>/<000>.png` for each image, 8 bits per value, and `folder/classes.txt`: the classes' names in
/// the order of their labels, one per line. A packed set is decoded.
///
/// Readers number classes by the sorted names of their folders. If that would give other labels than the set's, each
/// name gets its label in front: `0-T-shirt_top`, `1-Trouser`. Characters that a file system could not take are
/// changed.
///
/// Returns how many values lay outside of 0…255 and were clamped.
///
/// # Errors
/// [`Error::Shape`] when the set's fields contradict each other or a class has no image (readers would skip
/// it and number the others anew), [`Error::Io`] when writing fails or `folder` exists and is not empty.
pub fn image_folder(set: &SyntheticSet, folder: &Path) -> Result<usize> {
    set.check_loosely()?;
    // Pictures cannot say that they are packed.
    let set = &set.clone().decoded()?;
    let empty = |class: &usize| !set.labels.contains(&(*class as i64));
    if let Some(class) = (0..set.classes()).find(empty) {
        return Err(Error::shape(
            "folder of pictures",
            format!(
                "class {class}, {:?}, has no image, so that readers would number the others anew; \
                 another format will do",
                set.class_names[class]
            ),
        ));
    }
    let names = set.class_names.iter().map(|name| printable(name) + "\n").collect();
    let notes = [("classes.txt", names)];
    write_pictures(set, &folder_names(&set.class_names), &notes, folder)?;
    Ok(clamped(set))
}

/// One name per class; the names sort in the order of the labels.
fn folder_names(classes: &[String]) -> Vec<String> {
    let names = class_folders(classes);
    // Bytes of UTF-8 sort as code points do, which is how Python sorts.
    if names.is_sorted() {
        return names;
    }
    let digits = (names.len() - 1).to_string().len();
    let numbered = |(class, name)| format!("{class:0digits$}-{name}");
    names.into_iter().enumerate().map(numbered).collect()
}

/// The number of values that 8 bits can't show.
fn clamped(set: &SyntheticSet) -> usize {
    let plane = set.size * set.size;
    let outside = |(at, value): (usize, &f32)| {
        let channel = at / plane % set.channels;
        let pixel = ((value * set.std[channel] + set.mean[channel]) * 255.0).round();
        !(0.0..=255.0).contains(&pixel)
    };
    set.images.iter().enumerate().filter(|&value| outside(value)).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::tests::set;
    use std::fs;

    fn names(classes: &[&str]) -> Vec<String> {
        folder_names(&classes.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn names_sort_as_classes_are_numbered() {
        assert_eq!(names(&["airplane", "cat"]), ["airplane", "cat"]);
        assert_eq!(names(&["T-shirt/top", "Bag"]), ["0-T-shirt_top", "1-Bag"]);
        let twelve: Vec<_> = (0..12).map(|i| i.to_string()).collect();
        let folders = folder_names(&twelve);
        assert_eq!((folders[2].as_str(), folders[11].as_str()), ("02-2", "11-11"));
        assert!(folders.is_sorted());
    }

    #[test]
    fn pictures_and_their_names() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("set");
        let mut set = set(&["b", "a\nx"], &[1, 2], 3, 4);
        set.std = vec![0.5; 3];
        // Values from -2 to 2: half of them, but for what is rounded to 0 or 255.
        let (outside, total) = (image_folder(&set, &folder).unwrap(), set.images.len());
        assert!((total * 2 / 5..=total / 2).contains(&outside), "{outside} of {total}");
        assert_eq!(fs::read_to_string(folder.join("classes.txt")).unwrap(), "b\na\\nx\n");
        let folders = ["0-b/000.png", "1-a_x/000.png", "1-a_x/001.png"];
        for (index, name) in [0, 1, 2].into_iter().zip(folders) {
            let picture = image::open(folder.join(name)).unwrap().into_rgb8();
            assert_eq!(picture.into_raw(), set.image_u8(index));
        }
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 3);
    }

    #[test]
    fn a_class_without_images_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let set = set(&["a", "b"], &[0, 2], 1, 4);
        let message = image_folder(&set, &place.path().join("set")).unwrap_err().to_string();
        assert!(message.contains("\"a\""), "{message}");
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
    }
}
