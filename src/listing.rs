//! Folders of people's files: which entries are ignored, and which can be read as files.

use std::{
    fs::{self, File, Metadata},
    io::{Read, Seek},
    path::Path,
};

use crate::{
    Error, Result,
    impostors::{START, refuse_impostor},
    names::some_of,
};

/// Names of files and folders that systems and programs keep for themselves, in lower case.
const OF_SYSTEMS: [&str; 12] = [
    // Synology, QNAP.
    "@eadir",
    "@recycle",
    "#recycle",
    "#snapshot",
    // Windows.
    "$recycle.bin",
    "system volume information",
    "thumbs.db",
    "ehthumbs.db",
    "desktop.ini",
    // Unix, macOS.
    "lost+found",
    "__macosx",
    "icon\r",
];

/// Whether a file or folder of this name is ignored: a hidden one, or one that a system or a program keeps there for
/// itself.
pub(crate) fn is_hidden(name: &str) -> bool {
    name.starts_with('.') || OF_SYSTEMS.contains(&name.to_lowercase().as_str())
}

/// The kind of an entry that is neither a file nor a folder; reading it might never end.
pub(crate) fn special(about: &Metadata) -> Option<&'static str> {
    if about.is_file() || about.is_dir() {
        return None;
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        let kind = about.file_type();
        if kind.is_fifo() {
            return Some("a named pipe");
        }
        if kind.is_socket() {
            return Some("a socket");
        }
    }
    Some("a device")
}

/// Warns that these entries were ignored because they are not files.
pub(crate) fn warn_special(folder: &Path, ignored: &[String]) {
    const NAMED: usize = 3;
    if !ignored.is_empty() {
        log::warn!(
            "{}: ignored, as no file but a pipe, socket or device: {} ({} in all)",
            folder.display(),
            some_of(ignored, NAMED),
            ignored.len()
        );
    }
}

/// Opens a file to read it. A folder, a pipe or a device is refused before anything waits for it.
pub(crate) fn open(path: &Path) -> Result<File> {
    let about = fs::metadata(path).map_err(Error::io("open", path))?;
    let refused = |what| Error::format(path, format!("a file is needed here; this is {what}"));
    if about.is_dir() {
        return Err(refused("a folder"));
    }
    if let Some(what) = special(&about) {
        return Err(refused(what));
    }
    File::open(path).map_err(Error::io("open", path))
}

/// The same for a data file. If other content was saved under its name, the error says what it is.
pub(crate) fn open_data(path: &Path) -> Result<File> {
    let mut file = open(path)?;
    let mut start = Vec::new();
    file.by_ref().take(START).read_to_end(&mut start).map_err(Error::io("read", path))?;
    refuse_impostor(&start, path)?;
    file.rewind().map_err(Error::io("read", path))?;
    Ok(file)
}

/// The bytes of a file of data.
pub(crate) fn read_data(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_data(path)?.read_to_end(&mut bytes).map_err(Error::io("read", path))?;
    Ok(bytes)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A named pipe that nobody writes to: opening it waits for ever.
    #[cfg(unix)]
    pub(crate) fn pipe(path: &Path) {
        assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
    }

    #[test]
    fn files_of_operating_systems_are_passed_over_in_any_case() {
        for name in [
            ".DS_Store",
            ".git",
            "@eaDir",
            "@EADIR",
            "$RECYCLE.BIN",
            "$Recycle.Bin",
            "System Volume Information",
            "lost+found",
            "__MACOSX",
            "Thumbs.db",
            "THUMBS.DB",
            "Desktop.ini",
            "#recycle",
        ] {
            assert!(is_hidden(name), "{name}");
        }
        for name in ["cat", "eaDir", "recycle", "lost", "1.png", "Thumbs.db.png"] {
            assert!(!is_hidden(name), "{name}");
        }
    }

    #[test]
    fn only_files_are_opened() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("x.npz");
        let message = |path: &Path| read_data(path).unwrap_err().to_string();
        assert!(message(place.path()).contains("this is a folder"));
        assert!(matches!(open(&path), Err(Error::Io { .. })));
        #[cfg(unix)]
        {
            pipe(&path);
            assert!(message(&path).contains("x.npz: a file is needed here; this is a named pipe"));
            let link = place.path().join("link");
            std::os::unix::fs::symlink(&path, &link).unwrap();
            assert!(message(&link).contains("a named pipe"));
            assert!(message(Path::new("/dev/zero")).contains("a device"));
            let socket = place.path().join("socket");
            let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
            assert!(message(&socket).contains("a socket"));
        }
    }

    #[test]
    fn web_pages_saved_instead_of_data_are_recognised() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("data.mat");
        let message = |content: &[u8]| {
            fs::write(&path, content).unwrap();
            read_data(&path).err().map(|error| error.to_string())
        };
        for page in [
            "<!DOCTYPE html>\n<html><head><title>404 Not Found</title>",
            "\u{feff}\r\n <HTML lang=\"en\"><title>404 Not Found</title>",
            "<?xml version=\"1.0\"?>\n<!DOCTYPE html><html><title>404 Not Found</title>",
            "<!-- x --><html><title>404 Not Found</title>",
        ] {
            let message = message(page.as_bytes()).unwrap();
            assert!(message.contains("web page (404 Not Found)"), "{message}");
        }
        let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n";
        let said = message(pointer.as_bytes()).unwrap();
        assert!(said.contains("data.mat: it is a pointer of Git LFS"), "{said}");
        assert!(said.contains("git lfs pull"), "{said}");
        for other in [&b""[..], b"PK\x03\x04 <html>", b"<?xml version=\"1.0\"?><svg/>", &[0; 600]] {
            assert_eq!(message(other), None);
        }
        assert_eq!(read_data(&path).unwrap(), [0; 600]);
    }
}
