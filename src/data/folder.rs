//! `folder:PATH`: people's own pictures, with a sub-folder for each class.

use std::{fs, io, path::Path};

use super::{
    Known, Progress, Sources,
    class_folders::{Arranged, arrange},
    pictures::{Pictures, Shelf, Size, Wanted, cache_folder},
};
use crate::{Dataset, Error, Result, names::printable};

#[cfg(test)]
mod tests;

/// Prefix of a data set's name that means a folder of pictures; the path follows.
pub const FOLDER: &str = "folder:";
/// The name of the data set that [`load`](super::load) makes from `dataset`. For a `folder:PATH` it
/// is the folder's own name, with `folder:` in front only if a published set has the same name.
///
/// ```
/// use dm_wgpu::data::name_of;
/// assert_eq!(name_of("mnist"), "mnist");
/// assert_eq!(name_of("folder:/pictures/pets"), "pets");
/// assert_eq!(name_of("folder:/pictures/mnist"), "folder:mnist");
/// ```
pub fn name_of(dataset: &str) -> String {
    let Some(path) = dataset.strip_prefix(FOLDER) else { return dataset.to_owned() };
    match Path::new(path).file_name().map(|name| printable(&name.to_string_lossy()).into_owned()) {
        Some(name) if Known::of(&name).is_none() => name,
        Some(name) => format!("{FOLDER}{name}"),
        None => dataset.to_owned(),
    }
}

/// A folder of pictures as a data set whose classes are the names of its sub-folders, sorted.
///
/// Either it has `train` and `test` (or `val`, `valid`, `validation`; in any case), each with a
/// sub-folder per class, or it is one such tree, of which `sources` say [how
/// much](Sources::test_fraction) is for the test. Which pictures those are follows from their
/// names. A class has pictures in its own folder and may have more in folders below it. Hidden
/// files, files that are not pictures, and folders with the results of runs are ignored. The set
/// has [the folder's name](name_of).
///
/// PNG, JPEG, WebP and BMP are read. The set is grey only if all pictures are; transparent pixels
/// are put on white, and 16 bits become 8. Pictures must be square and of one size. With
/// [`Sources::resize`] they are cut to the largest square in their middle and resampled to that
/// size. Mean and standard deviation are those of the training images.
///
/// They are decoded on all cores into a file of the user's cache folder, which is then mapped into
/// memory; the next time it is used again if no picture has changed. `on_progress` is called with
/// the progress.
///
/// # Errors
/// [`Error::Format`] naming the folder or the picture that is not as it should be,
/// [`Error::Setting`] if there is no such folder, if pictures have different sizes and `sources` has no `resize`, or if
/// `test_fraction` has nothing to split; [`Error::Io`] if the system refused to read or write something.
pub fn folder(
    path: &Path,
    sources: &Sources,
    on_progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Dataset> {
    let pictures = pictures(path, sources)?;
    pictures.load_chosen(sources.classes.as_ref(), &cache_folder()?, on_progress)
}

/// The pictures, before they are decoded.
fn pictures(path: &Path, sources: &Sources) -> Result<Pictures> {
    check(path)?;
    let shelf = Shelf::Folder(path.to_path_buf());
    let Arranged { classes, train, test } = arrange(&shelf, sources.test_fraction)?;
    let absolute = std::path::absolute(path).map_err(Error::io("find", path))?;
    Ok(Pictures {
        name: name_of(&format!("{FOLDER}{}", absolute.display())),
        class_names: classes,
        shelf,
        train,
        test,
        wanted: Wanted { channels: None, size: sources.resize.map_or(Size::Own, Size::Resized) },
        normalisation: None,
        part: None,
    })
}

/// Whether it is a folder, whatever is in it.
pub(super) fn check(path: &Path) -> Result<()> {
    if path.as_os_str().is_empty() {
        return Err(Error::setting(
            "dataset",
            FOLDER,
            "the path of a folder comes after the colon",
        ));
    }
    let given = || format!("{FOLDER}{}", path.display());
    match fs::metadata(path) {
        Ok(about) if about.is_dir() => {}
        Ok(_) => {
            let why = "a folder of pictures is needed, this is a file";
            return Err(Error::setting("dataset", given(), why));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(Error::setting("dataset", given(), "there is no such folder"));
        }
        Err(error) => return Err(Error::io("read", path)(error)),
    }
    Ok(())
}
