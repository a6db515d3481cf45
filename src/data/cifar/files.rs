//! CIFAR's records in a folder or in their archive.

use std::path::{Path, PathBuf};

use super::{Form, Part, Python, assemble, from_files};
use crate::{
    Dataset, Error, Result,
    data::{
        Known, archive,
        bytes::{File, on_disk},
    },
};

pub(super) fn from_folder(known: &Known, form: &Form, paths: &[PathBuf]) -> Result<Dataset> {
    // Beside the records, and like them plain or gzipped.
    let names = paths[0].with_file_name(form.names_in);
    let names = names.is_file().then_some(File::OnDisk(&names));
    from_files(known, form, &on_disk(paths), names)
}

pub(super) fn from_archive(known: &Known, form: &Form, path: &Path) -> Result<Dataset> {
    let wanted: Vec<_> = form.files.iter().copied().chain([form.names_in]).collect();
    let mut files = archive::read_files(path, form.folder, &wanted)?;
    let mut take = |name| Some(Part { path, name: Some(name), content: files.remove(name)? });
    let mut parts = Vec::new();
    for name in form.files {
        let Some(part) = take(name) else { return Err(lacking(form, name, path)) };
        parts.push(part);
    }
    let names = take(form.names_in);
    assemble(known, form, parts, names)
}

/// The error for an archive without a file of this name.
fn lacking(form: &Form, name: &str, path: &Path) -> Error {
    let Python { folder, file, what } = form.python;
    let python = archive::read_files(path, folder, &[file]);
    match python.is_ok_and(|files| !files.is_empty()) {
        true => Error::format(path, what),
        false => Error::format(path, format!("there is no {}/{name} in it", form.folder)),
    }
}
