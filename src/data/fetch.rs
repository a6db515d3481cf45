//! Downloads a file into a folder, from several mirrors, with a pinned SHA-256. The file gets its
//! name only when it is complete and correct; a download that broke off continues the next time.

use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use sha2::{Digest, Sha256};
use ureq::http::{HeaderMap, StatusCode, header};

use super::{
    Progress, bytes,
    remote::{Pinned, Remote},
};
use crate::{Error, Result};
use partial::{KEPT, Partial};

mod partial;
#[cfg(test)]
pub(super) mod tests;

/// Prefix of unfinished files that no later download continues.
const UNFINISHED: &str = ".download-";
/// If no new piece arrived for this long, the downloading process is gone: longer than any timeout.
const ABANDONED: Duration = Duration::from_secs(120);
/// How long the beginning of a file is kept for another attempt.
const FORGOTTEN: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Where to download from, and how patiently.
#[derive(Debug)]
pub(super) struct Fetcher {
    /// Base addresses, asked in turn: `<mirror>/<file>.gz`.
    pub(super) mirrors: Vec<String>,
    /// Timeout for finding the host and connecting to it.
    pub(super) connect: Duration,
    /// Timeout for each answer and each further piece of it.
    pub(super) read: Duration,
    /// How often all mirrors are asked again.
    pub(super) retries: u32,
    /// Pause before the first such round; the k-th waits k times as long.
    pub(super) pause: Duration,
    /// The proxy to go through, if any.
    pub(super) proxy: Option<ureq::Proxy>,
}

/// Why there is no file from a mirror.
enum Failure {
    /// A problem on this machine, e.g. a full disk: no other mirror would help.
    Here(io::Error),
    /// The mirror may do better next time.
    Passing(String),
    /// The mirror will give the same answer again.
    Final(String),
}

impl Fetcher {
    /// Patience for people's networks, and the proxy that the environment names.
    pub(super) fn new(mirrors: Vec<String>) -> Self {
        Self {
            mirrors,
            connect: Duration::from_secs(10),
            read: Duration::from_secs(30),
            retries: 2,
            pause: Duration::from_secs(1),
            proxy: ureq::Proxy::try_from_env(),
        }
    }

    /// Downloads `file` to `folder` in the mirror's form (usually gzipped) and returns its path.
    ///
    /// # Errors
    /// [`Error::Download`] with every mirror's answer; [`Error::Io`] if the file cannot be stored.
    pub(super) fn fetch(
        &self,
        file: &Remote<'_>,
        folder: &Path,
        on_progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<PathBuf> {
        fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        let agent = self.agent();
        let unwritten = |error| Error::io("write to", folder)(error);
        let mut partial = Partial::open(folder, &file.published()).map_err(unwritten)?;
        let mut answers: Vec<(&str, Option<Failure>)> =
            self.mirrors.iter().map(|mirror| (mirror.as_str(), None)).collect();
        for round in 0..=self.retries {
            if answers.iter().all(|(_, answer)| matches!(answer, Some(Failure::Final(_)))) {
                break;
            }
            thread::sleep(self.pause * round);
            for (mirror, answer) in &mut answers {
                if matches!(answer, Some(Failure::Final(_))) {
                    continue;
                }
                match fetch_from(&agent, mirror, file, &mut partial, on_progress) {
                    Ok(gzip) => {
                        let ending = if gzip { ".gz" } else { "" };
                        let path = folder.join(format!("{}{ending}", file.name));
                        partial.finish(&path).map_err(Error::io("write", &path))?;
                        return Ok(path);
                    }
                    Err(Failure::Here(error)) => return Err(unwritten(error)),
                    Err(failure) => *answer = Some(failure),
                }
            }
        }
        let answers = answers.into_iter().map(|(mirror, answer)| match answer {
            Some(Failure::Passing(reason) | Failure::Final(reason)) => {
                format!("  {mirror}: {reason}")
            }
            _ => format!("  {mirror}: not asked"),
        });
        let answers: Vec<String> = answers.collect();
        Err(Error::Download {
            what: file.published(),
            reason: if answers.is_empty() {
                "  no mirror given".into()
            } else {
                answers.join("\n")
            },
            help: format!(
                "{}Get {} by other means and put it into {},\nor all files into a folder that you \
                 name with --data-dir or DM_WGPU_DATA.\nDM_WGPU_MIRROR=<address> asks another \
                 server.",
                match partial.len() {
                    0 => String::new(),
                    len if partial.to_remove().is_some() => format!("{len} bytes had arrived.\n"),
                    len => format!("{len} bytes of it are kept: the next try goes on there.\n"),
                },
                match file.pinned {
                    Pinned::Plain => file.name.to_owned(),
                    _ => format!("{0}.gz (or {0})", file.name),
                },
                folder.display()
            ),
        })
    }

    fn agent(&self) -> ureq::Agent {
        ureq::Agent::config_builder()
            .timeout_resolve(Some(self.connect))
            .timeout_connect(Some(self.connect))
            .timeout_send_request(Some(self.read))
            .timeout_recv_response(Some(self.read))
            // This limits each piece, not the whole download: a slow connection may take as long as it needs.
            .timeout_per_read(Some(self.read))
            .proxy(self.proxy.clone())
            .user_agent(concat!("dm-wgpu/", env!("CARGO_PKG_VERSION")))
            // No transfer compression: the bytes on the server are wanted.
            .accept_encoding("identity")
            .build()
            .new_agent()
    }
}

/// Removes the remains of downloads that were killed. Downloads in other processes write all the
/// time, and their files are left alone, as are beginnings that are not too old.
pub(super) fn clean(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let patience = match () {
            () if name.starts_with(UNFINISHED) => ABANDONED,
            () if name.starts_with(KEPT) => FORGOTTEN,
            () => continue,
        };
        let abandoned = || {
            let changed = entry.metadata()?.modified()?;
            Ok::<_, io::Error>(changed.elapsed().is_ok_and(|since| since > patience))
        };
        if abandoned().unwrap_or(false) {
            log::info!("removing {}, left by a download that was killed", entry.path().display());
            // A file that cannot be removed does no harm.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Completes `partial` from this mirror. Returns whether the file is gzip.
fn fetch_from(
    agent: &ureq::Agent,
    mirror: &str,
    file: &Remote<'_>,
    partial: &mut Partial,
    on_progress: &mut dyn FnMut(Progress<'_>),
) -> Result<bool, Failure> {
    let address = format!("{}/{}", mirror.trim_end_matches('/'), file.published());
    loop {
        let resumed = receive(agent, &address, file, partial, on_progress)?;
        let checked = check(partial.reader().map_err(Failure::Here)?, file);
        if checked.is_ok() {
            return checked;
        }
        partial.restart().map_err(Failure::Here)?;
        if !resumed {
            return checked;
        }
        // Its beginning is from another file, or the file has changed since: download all of it again.
        log::info!("what there was of {address} does not go with the rest");
    }
}

/// Appends the rest of the file to `partial`. Returns whether an earlier beginning is still in it.
fn receive(
    agent: &ureq::Agent,
    address: &str,
    file: &Remote<'_>,
    partial: &mut Partial,
    on_progress: &mut dyn FnMut(Progress<'_>),
) -> Result<bool, Failure> {
    let limit = match file.pinned {
        // Compression never makes a file much longer.
        Pinned::Content => file.len.saturating_add(1 << 16),
        Pinned::Gzip | Pinned::Plain => file.len,
    };
    let too_long = || Failure::Final(format!("more than {limit} bytes: not this file"));
    if partial.len() > limit {
        partial.restart().map_err(Failure::Here)?;
    }
    let there = partial.len();
    log::info!("downloading {address} from byte {there}");
    let mut request = agent.get(address);
    if there > 0 {
        request = request.header(header::RANGE, format!("bytes={there}-"));
    }
    let response = match request.call() {
        Ok(response) => response,
        // The server has nothing after these bytes, so they should be the whole file.
        Err(ureq::Error::StatusCode(416)) if there > 0 => return Ok(true),
        Err(error) => return Err(refusal(error)),
    };
    let resumes = response.status() == StatusCode::PARTIAL_CONTENT;
    if !resumes || begins_at(response.headers()) != Some(there) {
        // Servers that do not support ranges end up here too, and send everything.
        partial.restart().map_err(Failure::Here)?;
    }
    if resumes && partial.len() != there {
        return Err(Failure::Passing("sent another part of the file than was asked for".into()));
    }
    let total = response.body().content_length().map(|rest| partial.len().saturating_add(rest));
    if total.is_some_and(|total| total > limit) {
        return Err(too_long());
    }

    let mut body = response.into_body().into_reader();
    let mut piece = vec![0; 1 << 16];
    loop {
        on_progress(Progress::downloading(file.name, partial.to_remove(), partial.len(), total));
        let read = match body.read(&mut piece) {
            Ok(0) => return Ok(there > 0 && resumes),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => {
                let done = partial.len();
                return Err(Failure::Passing(format!("broke off after {done} bytes: {error}")));
            }
        };
        if partial.len() + read as u64 > limit {
            partial.restart().map_err(Failure::Here)?;
            return Err(too_long());
        }
        partial.append(&piece[..read]).map_err(Failure::Here)?;
    }
}

fn refusal(error: ureq::Error) -> Failure {
    match error {
        ureq::Error::StatusCode(status @ (408 | 429 | 500..)) => {
            Failure::Passing(format!("HTTP status {status}"))
        }
        ureq::Error::StatusCode(status) => Failure::Final(format!("HTTP status {status}")),
        ureq::Error::BadUri(reason) => Failure::Final(format!("not an address: {reason}")),
        other => Failure::Passing(other.to_string()),
    }
}

/// The first byte of a part: `Content-Range: bytes 100-199/200`.
fn begins_at(headers: &HeaderMap) -> Option<u64> {
    let range = headers.get(header::CONTENT_RANGE)?.to_str().ok()?;
    range.trim().strip_prefix("bytes")?.trim_start().split_once('-')?.0.parse().ok()
}

/// Checks the hash of the pinned bytes. Returns whether the file is gzip.
fn check(stored: fs::File, file: &Remote<'_>) -> Result<bool, Failure> {
    let unreadable = |error| Failure::Passing(format!("sent an unreadable file: {error}"));
    let (gzip, bytes): (bool, Box<dyn Read>) = match file.pinned {
        Pinned::Content => bytes::decompressed(stored).map_err(unreadable)?,
        Pinned::Gzip => (true, Box::new(stored)),
        Pinned::Plain => (false, Box::new(stored)),
    };
    let mut bytes = bytes.take(file.len.saturating_add(1));
    let mut hash = Sha256::new();
    let mut piece = vec![0; 1 << 16];
    loop {
        match bytes.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => hash.update(&piece[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(unreadable(error)),
        }
    }
    let found: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    if found == file.sha256 {
        return Ok(gzip);
    }
    let whose = if file.pinned == Pinned::Content { "its content's" } else { "its" };
    Err(Failure::Final(format!(
        "sent another file: {whose} SHA-256 is {found}, not {}",
        file.sha256
    )))
}
