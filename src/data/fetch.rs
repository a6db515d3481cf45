//! Downloads a file into a folder: several mirrors, a pinned SHA-256, and nothing left behind
//! unless the whole file is there and right.

use std::{
    fs,
    io::{self, Read, Seek, Write},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use sha2::{Digest, Sha256};

use super::{
    Progress, bytes,
    store::{Pinned, Remote},
};
use crate::{Error, Result, files};

#[cfg(test)]
pub(super) mod tests;

/// What the names of files begin with that are not whole yet.
const UNFINISHED: &str = ".download-";
/// Without a new piece for so long, whoever downloads a file is gone: longer than any timeout.
const ABANDONED: Duration = Duration::from_secs(120);

/// Where and how patiently to ask.
#[derive(Debug)]
pub(super) struct Fetcher {
    /// Base addresses, asked in turn: `<mirror>/<file>.gz`.
    pub(super) mirrors: Vec<String>,
    /// For finding the host and connecting to it.
    pub(super) connect: Duration,
    /// For each answer and each further piece of it.
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
    /// Something on this machine, e.g. a full disk: no other mirror would help.
    Here(Error),
    /// The mirror may do better next time.
    Passing(String),
    /// The mirror will say the same again.
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

    /// Downloads `file` to `folder` as the mirror has it (gzipped, as a rule) and returns its path.
    ///
    /// # Errors
    /// [`Error::Download`] with every mirror's answer; [`Error::Io`] if it cannot be stored.
    pub(super) fn fetch(
        &self,
        file: &Remote<'_>,
        folder: &Path,
        on_progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<PathBuf> {
        fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        let agent = self.agent();
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
                match fetch_from(&agent, mirror, file, folder, on_progress) {
                    Ok(path) => return Ok(path),
                    Err(Failure::Here(error)) => return Err(error),
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
                "Get {} by other means and put it into {},\nor all files into a folder that you \
                 name with --data-dir or DM_WGPU_DATA.\nDM_WGPU_MIRROR=<address> asks another \
                 server.",
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
            // Bounds each piece, not the whole: a slow line may take as long as it needs.
            .timeout_per_read(Some(self.read))
            .proxy(self.proxy.clone())
            .user_agent(concat!("dm-wgpu/", env!("CARGO_PKG_VERSION")))
            // The file is wanted as it lies there.
            .accept_encoding("identity")
            .build()
            .new_agent()
    }
}

/// Removes what downloads left that were killed. Those that go on beside this one write all the time
/// and are left alone.
pub(super) fn clean(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let abandoned = || {
            let changed = entry.metadata()?.modified()?;
            Ok::<_, io::Error>(changed.elapsed().is_ok_and(|since| since > ABANDONED))
        };
        let ours = entry.file_name().to_string_lossy().starts_with(UNFINISHED);
        if ours && abandoned().unwrap_or(false) {
            log::info!("removing {}, left by a download that was killed", entry.path().display());
            // Whoever can't be removed is in nobody's way.
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn fetch_from(
    agent: &ureq::Agent,
    mirror: &str,
    file: &Remote<'_>,
    folder: &Path,
    on_progress: &mut dyn FnMut(Progress<'_>),
) -> Result<PathBuf, Failure> {
    let address = format!("{}/{}", mirror.trim_end_matches('/'), file.published());
    log::info!("downloading {address}");
    let response = agent.get(&address).call().map_err(|error| match error {
        ureq::Error::StatusCode(status @ (408 | 429 | 500..)) => {
            Failure::Passing(format!("HTTP status {status}"))
        }
        ureq::Error::StatusCode(status) => Failure::Final(format!("HTTP status {status}")),
        ureq::Error::BadUri(reason) => Failure::Final(format!("not an address: {reason}")),
        other => Failure::Passing(other.to_string()),
    })?;
    let total = response.body().content_length();
    let limit = match file.pinned {
        // Compression never makes a file longer by more than a trifle.
        Pinned::Content => file.len.saturating_add(1 << 16),
        Pinned::Gzip | Pinned::Plain => file.len,
    };
    let too_long = || Failure::Final(format!("more than {limit} bytes: not this file"));
    if total.is_some_and(|total| total > limit) {
        return Err(too_long());
    }

    // In the same folder, so that the rename is one step; removed when dropped before that.
    let mut temp = files::temporary(UNFINISHED, folder)
        .map_err(|error| Failure::Here(Error::io("write to", folder)(error)))?;
    let unwritten = |error| Failure::Here(Error::io("write to", folder)(error));
    let mut body = response.into_body().into_reader();
    let mut piece = vec![0; 1 << 16];
    let mut done = 0;
    on_progress(Progress::downloading(file.name, temp.path(), done, total));
    loop {
        let read = match body.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => {
                return Err(Failure::Passing(format!("broke off after {done} bytes: {error}")));
            }
        };
        done += read as u64;
        if done > limit {
            return Err(too_long());
        }
        temp.write_all(&piece[..read]).map_err(unwritten)?;
        on_progress(Progress::downloading(file.name, temp.path(), done, total));
    }

    temp.as_file().sync_all().map_err(unwritten)?;
    let gzip = check(temp.as_file(), file)?;
    let path = folder.join(if gzip { format!("{}.gz", file.name) } else { file.name.into() });
    temp.persist(&path).map_err(|error| Failure::Here(Error::io("write", &path)(error.error)))?;
    Ok(path)
}

/// Whether the file is gzip, once the bytes that are pinned have their hash.
fn check(stored: &fs::File, file: &Remote<'_>) -> Result<bool, Failure> {
    let unreadable = |error| Failure::Passing(format!("sent an unreadable file: {error}"));
    let mut stored = stored.try_clone().map_err(unreadable)?;
    stored.rewind().map_err(unreadable)?;
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
