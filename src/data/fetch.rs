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

use super::{Progress, Remote, idx};
use crate::{Error, Result};

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
                format!("{mirror}: {reason}")
            }
            _ => format!("{mirror}: not asked"),
        });
        let answers: Vec<String> = answers.collect();
        Err(Error::Download {
            what: format!("{}.gz", file.name),
            reason: if answers.is_empty() { "no mirror given".into() } else { answers.join("; ") },
            help: format!(
                "Get {0}.gz (or {0}) by other means and put it into {1}, or into a folder of your \
                 own that you name with --data-dir or DM_WGPU_DATA. DM_WGPU_MIRROR=<address> asks \
                 another server.",
                file.name,
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

fn fetch_from(
    agent: &ureq::Agent,
    mirror: &str,
    file: &Remote<'_>,
    folder: &Path,
    on_progress: &mut dyn FnMut(Progress<'_>),
) -> Result<PathBuf, Failure> {
    let address = format!("{}/{}.gz", mirror.trim_end_matches('/'), file.name);
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
    // Compression never makes a file longer by more than a trifle.
    let limit = file.len.saturating_add(1 << 16);
    let too_long = || Failure::Final(format!("more than {limit} bytes: not this file"));
    if total.is_some_and(|total| total > limit) {
        return Err(too_long());
    }

    // In the same folder, so that the rename is one step; removed when dropped before that.
    let mut temp = tempfile::Builder::new()
        .prefix(".download-")
        .tempfile_in(folder)
        .map_err(|error| Failure::Here(Error::io("write to", folder)(error)))?;
    let unwritten = |error| Failure::Here(Error::io("write to", folder)(error));
    let mut body = response.into_body().into_reader();
    let mut piece = vec![0; 1 << 16];
    let mut done = 0;
    on_progress(Progress { file: file.name, done, total });
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
        on_progress(Progress { file: file.name, done, total });
    }

    temp.as_file().sync_all().map_err(unwritten)?;
    let gzip = check(temp.as_file(), file)?;
    let path = folder.join(if gzip { format!("{}.gz", file.name) } else { file.name.into() });
    temp.persist(&path).map_err(|error| Failure::Here(Error::io("write", &path)(error.error)))?;
    Ok(path)
}

/// Whether the file is gzip, once its plain bytes have the pinned hash.
fn check(stored: &fs::File, file: &Remote<'_>) -> Result<bool, Failure> {
    let unreadable = |error| Failure::Passing(format!("sent an unreadable file: {error}"));
    let mut stored = stored.try_clone().map_err(unreadable)?;
    stored.rewind().map_err(unreadable)?;
    let (gzip, plain) = idx::decompressed(stored).map_err(unreadable)?;
    let mut plain = plain.take(file.len.saturating_add(1));
    let mut hash = Sha256::new();
    let mut piece = vec![0; 1 << 16];
    loop {
        match plain.read(&mut piece) {
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
    Err(Failure::Final(format!(
        "sent another file: its content's SHA-256 is {found}, not {}",
        file.sha256
    )))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::data::idx::tests::gzip;
    use std::{
        io::{BufRead, BufReader},
        net::TcpListener,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
    };

    /// What the test's server says: status, the length it claims, the bytes it sends.
    pub(crate) type Answer = (u16, usize, Vec<u8>);

    /// A server on this machine that gives `answer(path)` to every request, and how many came.
    pub(crate) fn serve(
        answer: impl Fn(&str) -> Answer + Send + 'static,
    ) -> (String, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/some/folder/", listener.local_addr().unwrap());
        let requests = Arc::new(AtomicUsize::new(0));
        let counter = requests.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                let Some(Ok(first)) = lines.next() else { continue };
                while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
                counter.fetch_add(1, Ordering::SeqCst);
                let (status, length, body) = answer(first.split(' ').nth(1).unwrap());
                // The client may hang up early, which is part of some tests.
                let _ = write!(
                    stream,
                    "HTTP/1.1 {status} x\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
                );
                let _ = stream.write_all(&body);
            }
        });
        (address, requests)
    }

    pub(crate) fn sha256(bytes: &[u8]) -> String {
        Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    pub(crate) fn quick(mirrors: &[&str]) -> Fetcher {
        Fetcher {
            mirrors: mirrors.iter().map(|mirror| mirror.to_string()).collect(),
            connect: Duration::from_secs(2),
            read: Duration::from_secs(2),
            retries: 1,
            pause: Duration::from_millis(1),
            proxy: None,
        }
    }

    fn whole(body: Vec<u8>) -> Answer {
        (200, body.len(), body)
    }

    /// Compresses badly, so that its gzip form spans several pieces.
    fn content() -> Vec<u8> {
        let mut random = crate::rng::Stream::new(0, crate::rng::Purpose::Glyphs, 0, 0);
        (0..200_000).map(|_| random.next_u32() as u8).collect()
    }

    struct Case {
        folder: tempfile::TempDir,
        hash: String,
    }

    impl Case {
        fn new() -> Self {
            Self { folder: tempfile::tempdir().unwrap(), hash: sha256(&content()) }
        }
        fn file(&self) -> Remote<'_> {
            Remote { name: "data", len: content().len() as u64, sha256: &self.hash }
        }
        fn fetch(&self, fetcher: &Fetcher) -> Result<PathBuf> {
            fetcher.fetch(&self.file(), self.folder.path(), &mut |_| {})
        }
        /// The message of a download that must fail, leaving nothing.
        fn failure(&self, fetcher: &Fetcher) -> String {
            let error = self.fetch(fetcher).unwrap_err();
            assert!(matches!(error, Error::Download { .. }), "{error:?}");
            assert_eq!(self.left(), Vec::<String>::new());
            let message = error.to_string();
            for part in fetcher.mirrors.iter().map(String::as_str).chain(["data.gz", "--data-dir"])
            {
                assert!(message.contains(part), "{part} is missing in: {message}");
            }
            message
        }
        fn left(&self) -> Vec<String> {
            let entries = fs::read_dir(self.folder.path()).unwrap();
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
        }
    }

    #[test]
    fn a_file_arrives_whole_and_is_kept_as_it_came() {
        let case = Case::new();
        let (mirror, _) = serve(|path| {
            assert_eq!(path, "/some/folder/data.gz");
            whole(gzip(&content()))
        });
        let mut seen = Vec::new();
        let path = quick(&[&mirror])
            .fetch(&case.file(), case.folder.path(), &mut |progress| {
                assert_eq!(progress.file, "data");
                seen.push((progress.done, progress.total));
            })
            .unwrap();
        assert_eq!(path, case.folder.path().join("data.gz"));
        assert_eq!(fs::read(&path).unwrap(), gzip(&content()));
        assert_eq!(case.left(), ["data.gz"]);
        let total = gzip(&content()).len() as u64;
        assert_eq!((seen[0], seen[seen.len() - 1]), ((0, Some(total)), (total, Some(total))));
        assert!(seen.len() > 3 && seen.is_sorted(), "{seen:?}");
    }

    #[test]
    fn a_mirror_that_unpacks_is_welcome() {
        let case = Case::new();
        let (mirror, _) = serve(|_| whole(content()));
        case.fetch(&quick(&[mirror.trim_end_matches('/')])).unwrap();
        assert_eq!(case.left(), ["data"]);
    }

    #[test]
    fn the_next_mirror_is_asked_when_one_lacks_the_file() {
        let case = Case::new();
        let (poor, asked) = serve(|_| (404, 0, Vec::new()));
        let (rich, _) = serve(|_| whole(gzip(&content())));
        case.fetch(&quick(&[&poor, &rich])).unwrap();
        assert_eq!(case.left(), ["data.gz"]);
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn a_passing_failure_is_tried_again_and_a_final_one_is_not() {
        let case = Case::new();
        let tries = AtomicUsize::new(0);
        let (mirror, asked) = serve(move |_| match tries.fetch_add(1, Ordering::SeqCst) {
            0 => (503, 0, Vec::new()),
            _ => whole(gzip(&content())),
        });
        case.fetch(&quick(&[&mirror])).unwrap();
        assert_eq!(asked.load(Ordering::SeqCst), 2);

        let case = Case::new();
        let (mirror, asked) = serve(|_| (404, 0, Vec::new()));
        assert!(case.failure(&quick(&[&mirror])).contains("HTTP status 404"));
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn another_file_is_refused() {
        let case = Case::new();
        let (first, _) = serve(|_| whole(gzip(b"something else")));
        let (second, _) = serve(|_| whole(b"<html>please log in</html>".to_vec()));
        let message = case.failure(&quick(&[&first, &second]));
        assert!(message.contains(&sha256(b"something else")), "{message}");
        assert!(message.contains(&case.hash), "{message}");
    }

    #[test]
    fn a_body_that_breaks_off_is_refused() {
        let case = Case::new();
        let (mirror, asked) = serve(|_| {
            let body = gzip(&content());
            (200, body.len(), body[..body.len() / 2].to_vec())
        });
        let message = case.failure(&quick(&[&mirror]));
        assert!(message.contains("broke off"), "{message}");
        assert_eq!(asked.load(Ordering::SeqCst), 2);
        // The same without a word about its length: gzip itself notices.
        let (mirror, _) = serve(|_| {
            let body = gzip(&content());
            whole(body[..body.len() / 2].to_vec())
        });
        assert!(case.failure(&quick(&[&mirror])).contains("unreadable"));
    }

    #[test]
    fn an_endless_answer_is_cut_off() {
        let case = Case::new();
        let (mirror, _) = serve(|_| whole(vec![7; content().len() + (1 << 17)]));
        assert!(case.failure(&quick(&[&mirror])).contains("not this file"));
        // Short on the line, long when unpacked.
        let (mirror, _) = serve(|_| whole(gzip(&vec![7; 1 << 22])));
        assert!(case.failure(&quick(&[&mirror])).contains("another file"));
    }

    #[test]
    fn a_silent_server_is_left_after_a_while() {
        let case = Case::new();
        let (mirror, _) = serve(|_| {
            thread::sleep(Duration::from_secs(20));
            whole(Vec::new())
        });
        let mut fetcher = quick(&[&mirror]);
        fetcher.read = Duration::from_millis(100);
        let message = case.failure(&fetcher);
        assert!(message.contains("timeout"), "{message}");
    }

    #[test]
    fn nobody_listening_and_nonsense_are_told() {
        let case = Case::new();
        // A port that was free a moment ago.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let message = case.failure(&quick(&[&address, "no address at all"]));
        assert!(message.to_lowercase().contains("refused"), "{message}");
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_named() {
        let case = Case::new();
        let file = case.folder.path().join("file");
        fs::write(&file, "in the way").unwrap();
        let error = quick(&[]).fetch(&case.file(), &file.join("folder"), &mut |_| {}).unwrap_err();
        assert!(matches!(error, Error::Io { .. }), "{error:?}");
    }
}
