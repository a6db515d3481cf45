//! Downloads from a server on this machine: what arrives, what is refused, what is left behind.

use super::*;
use crate::data::idx::tests::gzip;
use std::{
    io::{BufRead, BufReader, Write},
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
    serve_parts(move |path, _| (answer(path), None))
}

/// The same with `answer(path, first byte asked for)`, which may add a `Content-Range`.
fn serve_parts(
    answer: impl Fn(&str, Option<usize>) -> (Answer, Option<String>) + Send + 'static,
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
            let mut from = None;
            while let Some(Ok(line)) = lines.next() {
                if line.is_empty() {
                    break;
                }
                if let Some(range) = line.to_lowercase().strip_prefix("range: bytes=") {
                    from = Some(range.strip_suffix('-').unwrap().parse().unwrap());
                }
            }
            counter.fetch_add(1, Ordering::SeqCst);
            let ((status, length, body), range) = answer(first.split(' ').nth(1).unwrap(), from);
            let range = range.map(|range| format!("Content-Range: {range}\r\n"));
            // The client may hang up early, which is part of some tests.
            let _ = write!(
                stream,
                "HTTP/1.1 {status} x\r\nContent-Length: {length}\r\n{}Connection: close\r\n\r\n",
                range.unwrap_or_default()
            );
            let _ = stream.write_all(&body);
        }
    });
    (address, requests)
}

/// What a server that knows of ranges answers for this file.
fn part(file: &[u8], from: Option<usize>) -> (Answer, Option<String>) {
    match from {
        None => (whole(file.to_vec()), None),
        Some(from) if from >= file.len() => {
            ((416, 0, Vec::new()), Some(format!("bytes */{}", file.len())))
        }
        Some(from) => {
            let rest = file[from..].to_vec();
            let range = format!("bytes {from}-{}/{}", file.len() - 1, file.len());
            ((206, rest.len(), rest), Some(range))
        }
    }
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

/// The name of what there is of the tests' file.
const PARTIAL: &str = ".partial-data.gz";

struct Case {
    folder: tempfile::TempDir,
    hash: String,
}

impl Case {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), hash: sha256(&content()) }
    }
    fn file(&self) -> Remote<'_> {
        let len = content().len() as u64;
        Remote { name: "data", pinned: Pinned::Content, len, sha256: &self.hash }
    }
    fn fetch(&self, fetcher: &Fetcher) -> Result<PathBuf> {
        fetcher.fetch(&self.file(), self.folder.path(), &mut |_| {})
    }
    /// The message of a download that must fail, leaving nothing.
    fn failure(&self, fetcher: &Fetcher) -> String {
        let message = self.message(fetcher);
        assert_eq!(self.left(), Vec::<String>::new());
        message
    }
    /// The message of a download that must fail.
    fn message(&self, fetcher: &Fetcher) -> String {
        let error = self.fetch(fetcher).unwrap_err();
        assert!(matches!(error, Error::Download { .. }), "{error:?}");
        let message = error.to_string();
        for part in fetcher.mirrors.iter().map(String::as_str).chain(["data.gz", "--data-dir"]) {
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

#[cfg(unix)]
#[test]
fn a_downloaded_file_has_ordinary_permissions() {
    use std::os::unix::fs::PermissionsExt;
    let case = Case::new();
    let (mirror, _) = serve(|_| whole(gzip(&content())));
    let ours = case.fetch(&quick(&[&mirror])).unwrap();
    let plain = case.folder.path().join("plain");
    fs::write(&plain, b"").unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&ours), mode(&plain));
}

#[test]
fn parts_of_killed_downloads_are_removed() {
    let case = Case::new();
    let left = |name: &str, ago: Duration| {
        let file = fs::File::create(case.folder.path().join(name)).unwrap();
        file.set_modified(std::time::SystemTime::now() - ago).unwrap();
    };
    left(".download-old", ABANDONED * 2);
    left(".download-of-another", ABANDONED / 2);
    left("mine", FORGOTTEN * 2);
    left(".partial-old", FORGOTTEN * 2);
    left(".partial-to-go-on-with", FORGOTTEN / 2);
    clean(case.folder.path());
    let mut left = case.left();
    left.sort();
    assert_eq!(left, [".download-of-another", ".partial-to-go-on-with", "mine"]);
    clean(&case.folder.path().join("nowhere"));
}

#[test]
fn a_mirror_may_send_the_file_unpacked() {
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
fn temporary_failures_are_retried_and_final_ones_are_not() {
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
fn a_file_with_another_hash_is_refused() {
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
    let message = case.message(&quick(&[&mirror]));
    assert!(message.contains("broke off"), "{message}");
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    // What came of it is for the next try, and not under the file's name.
    let half = gzip(&content()).len() / 2;
    assert!(message.contains(&format!("{half} bytes of it are kept")), "{message}");
    assert_eq!(case.left(), [PARTIAL]);
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
fn a_silent_server_times_out() {
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
fn unreachable_and_malformed_mirrors_are_named() {
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

/// The file's first bytes, as a download that broke off leaves them.
fn left_by_another(case: &Case, bytes: &[u8]) {
    fs::write(case.folder.path().join(PARTIAL), bytes).unwrap();
}

fn assert_whole(case: &Case, file: &[u8]) {
    assert_eq!(case.left(), ["data.gz"]);
    assert!(fs::read(case.folder.path().join("data.gz")).unwrap() == file, "another content");
}

#[test]
fn a_broken_download_resumes_where_it_stopped() {
    let case = Case::new();
    let file = gzip(&content());
    let half = file.len() / 2;
    let (sent, first) = (file.clone(), AtomicUsize::new(0));
    let (mirror, asked) = serve_parts(move |_, from| {
        let (mut answer, range) = part(&sent, from);
        match first.fetch_add(1, Ordering::SeqCst) {
            0 => answer.2.truncate(half),
            _ => assert_eq!(from, Some(half)),
        }
        (answer, range)
    });
    // Two programs, of which the first one tries only once.
    let mut hasty = quick(&[&mirror]);
    hasty.retries = 0;
    case.message(&hasty);
    assert_eq!(fs::read(case.folder.path().join(PARTIAL)).unwrap(), file[..half]);
    let mut seen = Vec::new();
    let fetched = quick(&[&mirror]).fetch(&case.file(), case.folder.path(), &mut |progress| {
        // Whoever ends the program here leaves the part.
        assert_eq!(progress.unfinished, None);
        seen.push((progress.done, progress.total));
    });
    fetched.unwrap();
    let total = Some(file.len() as u64);
    assert_eq!((seen[0], seen[seen.len() - 1].0), ((half as u64, total), file.len() as u64));
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    assert_whole(&case, &file);
}

#[test]
fn retries_resume_what_earlier_ones_received() {
    let case = Case::new();
    let file = gzip(&content());
    let (sent, quarter) = (file.clone(), file.len() / 4);
    let (mirror, asked) = serve_parts(move |_, from| {
        let (mut answer, range) = part(&sent, from);
        // A line that breaks after each quarter.
        answer.2.truncate(quarter + 3);
        (answer, range)
    });
    let mut patient = quick(&[&mirror]);
    patient.retries = 3;
    case.fetch(&patient).unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 4);
    assert_whole(&case, &file);
}

#[test]
fn a_server_without_ranges_sends_it_all_again() {
    let case = Case::new();
    let file = gzip(&content());
    left_by_another(&case, &file[..1000]);
    let sent = file.clone();
    let (mirror, asked) = serve(move |_| whole(sent.clone()));
    case.fetch(&quick(&[&mirror])).unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    assert_whole(&case, &file);
}

#[test]
fn a_part_of_another_file_is_downloaded_anew() {
    let file = gzip(&content());
    for beginning in [vec![7; 1000], file[1..1000].to_vec(), vec![7; file.len()], vec![7; 1 << 20]]
    {
        let case = Case::new();
        left_by_another(&case, &beginning);
        let sent = file.clone();
        let (mirror, asked) = serve_parts(move |_, from| part(&sent, from));
        case.fetch(&quick(&[&mirror])).unwrap();
        // One that is too long is not even tried.
        let expected = if beginning.len() == 1 << 20 { 1 } else { 2 };
        assert_eq!(asked.load(Ordering::SeqCst), expected);
        assert_whole(&case, &file);
    }
}

#[test]
fn a_complete_part_is_only_checked() {
    let case = Case::new();
    let file = gzip(&content());
    left_by_another(&case, &file);
    let sent = file.clone();
    let (mirror, _) = serve_parts(move |_, from| part(&sent, Some(from.unwrap())));
    case.fetch(&quick(&[&mirror])).unwrap();
    assert_whole(&case, &file);
}

#[test]
fn a_range_that_was_not_asked_for_is_refused() {
    for range in [Some("bytes 10-20/30".to_owned()), Some("nonsense".into()), None] {
        let case = Case::new();
        let file = gzip(&content());
        left_by_another(&case, &file[..1000]);
        let sent = file.clone();
        let (mirror, asked) = serve_parts(move |_, from| match from {
            Some(from) => ((206, sent.len() - from, sent[from..].to_vec()), range.clone()),
            None => part(&sent, None),
        });
        case.fetch(&quick(&[&mirror])).unwrap();
        assert_eq!(asked.load(Ordering::SeqCst), 2);
        assert_whole(&case, &file);
    }
}

#[test]
fn two_downloads_at_once_leave_each_other_alone() {
    let case = Case::new();
    let file = gzip(&content());
    let other = Partial::open(case.folder.path(), "data.gz").unwrap();
    assert!(other.to_remove().is_none());
    let sent = file.clone();
    let (mirror, _) = serve_parts(move |_, from| part(&sent, from));
    let fetched = quick(&[&mirror]).fetch(&case.file(), case.folder.path(), &mut |progress| {
        let name = progress.unfinished.unwrap().file_name().unwrap().to_str().unwrap();
        assert!(name.starts_with(UNFINISHED), "{name}");
    });
    fetched.unwrap();
    let mut left = case.left();
    left.sort();
    assert_eq!(left, [PARTIAL, "data.gz"]);
    drop(other);
    assert_whole(&case, &file);
}

#[test]
fn hashes_are_those_of_the_published_form() {
    let file = gzip(&content());
    let (hash, len) = (sha256(&file), file.len() as u64);
    for (pinned, name) in [(Pinned::Gzip, "data.gz"), (Pinned::Plain, "data")] {
        let case = Case::new();
        let remote = Remote { name: "data", pinned, len, sha256: &hash };
        let fetch = |sent: Vec<u8>| {
            let (mirror, _) = serve(move |path| {
                assert!(path.ends_with(&format!("/{name}")), "{path}");
                whole(sent.clone())
            });
            quick(&[&mirror]).fetch(&remote, case.folder.path(), &mut |_| {})
        };
        // The same content, compressed by another program.
        let mut other = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
        other.write_all(&content()).unwrap();
        let mut other = other.finish().unwrap();
        other.truncate(file.len());
        for wrong in [other, file[..file.len() - 1].to_vec(), [&file[..], b"x"].concat()] {
            let message = fetch(wrong).unwrap_err().to_string();
            assert!(message.contains("another file") || message.contains("not this"), "{message}");
            assert!(case.left().is_empty());
        }
        assert_eq!(fetch(file.clone()).unwrap(), case.folder.path().join(name));
        assert_eq!(fs::read(case.folder.path().join(name)).unwrap(), file);
    }
}
