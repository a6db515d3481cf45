//! Recognises other content under a data file's name, such as a web page or a Git LFS pointer.

use std::path::Path;

use crate::{Error, Result, names::printable};

/// How many bytes of a file are enough to recognise other content.
pub(crate) const START: u64 = 512;

/// Refuses other content that a download or a clone has left under a file's name.
pub(crate) fn refuse_impostor(start: &[u8], path: &Path) -> Result<()> {
    let start = String::from_utf8_lossy(&start[..start.len().min(START as usize)]);
    let start = start.trim_start_matches('\u{feff}').trim_start();
    let text = start.to_ascii_lowercase();
    // A comment or the head of XML may precede it.
    let page = text.starts_with("<!doctype html")
        || text.starts_with("<html")
        || (text.starts_with("<?xml") || text.starts_with("<!--")) && text.contains("<html");
    let what = if page {
        let title = text.find("<title>").map(|at| &start[at + "<title>".len()..]);
        let title = title.and_then(|title| title.split('<').next());
        let title = title.map(|title| format!(" ({})", printable(title.trim())));
        format!(
            "it is a web page{}, not the file that its name promises: probably what a server \
             answered in place of a download; delete it and get the file again",
            title.unwrap_or_default()
        )
    } else if text.starts_with("version https://git-lfs.github.com/spec/") {
        "it is a pointer of Git LFS, not the file itself: fetch the content with `git lfs pull`, or \
         get the file elsewhere"
            .to_owned()
    } else {
        return Ok(());
    };
    Err(Error::format(path, what))
}
