//! The program from outside with data that is missing, broken or hostile, and places that cannot be
//! written to: one clear line, no panic, nothing left behind. Needs an adapter, a CPU one will do.
#![cfg(feature = "cli")]

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Output},
};

use flate2::{Compression, write::GzEncoder};
use tempfile::TempDir;

const IMAGES: u32 = 0x803;
const LABELS: u32 = 0x801;
/// Training images, training labels, test images, test labels.
const NAMES: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];

fn idx(magic: u32, dims: &[u32], content: &[u8]) -> Vec<u8> {
    let header = std::iter::once(&magic).chain(dims).flat_map(|word| word.to_be_bytes());
    header.chain(content.iter().copied()).collect()
}

fn images(count: u32) -> Vec<u8> {
    let pixels: Vec<u8> = (0..count * 784).map(|i| (i * 7 % 251) as u8).collect();
    idx(IMAGES, &[count, 28, 28], &pixels)
}

fn labels(count: u32) -> Vec<u8> {
    idx(LABELS, &[count], &(0..count).map(|i| (i % 10) as u8).collect::<Vec<_>>())
}

/// A MNIST of 20 training and 10 test images, of which `change` may spoil something.
fn data(change: impl FnOnce(&mut [Vec<u8>; 4])) -> TempDir {
    let mut files = [images(20), labels(20), images(10), labels(10)];
    change(&mut files);
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in NAMES.iter().zip(files) {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

fn run(place: &Path, data: &Path) -> Output {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("dm-wgpu"));
    command.current_dir(place).env_remove("RUST_LOG").env_remove("DM_WGPU_DATA");
    // Without it, in bare environments, Mesa's libraries write to stderr.
    command.env("XDG_RUNTIME_DIR", std::env::temp_dir());
    command.args(["--dataset", "mnist", "--ipc", "1", "--iterations", "1", "--width", "8"]);
    command.args(["--batch-real", "2", "--data-dir"]).arg(data).output().unwrap()
}

/// What a failed run says, which begins with its one error; it leaves nothing in its folder.
fn failure(data: &Path) -> String {
    let place = tempfile::tempdir().unwrap();
    let output = run(place.path(), data);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(output.stdout.is_empty());
    assert!(stderr.starts_with("error: ") && stderr.matches("error:").count() == 1, "{stderr}");
    assert!(stderr.lines().all(|line| line.chars().count() < 200), "{stderr}");
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0, "something was left behind");
    stderr
}

#[test]
fn a_small_folder_of_ones_own_will_do() {
    let place = tempfile::tempdir().unwrap();
    let output = run(place.path(), data(|_| {}).path());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(place.path().join("runs/mnist-ipc1-seed0/synthetic.safetensors").is_file());
}

#[test]
fn missing_files() {
    let empty = tempfile::tempdir().unwrap();
    let message = failure(empty.path());
    assert!(NAMES.iter().all(|name| message.contains(name)), "{message}");
    assert!(failure(&empty.path().join("nowhere")).contains("does not exist"));
    let three = data(|_| {});
    fs::remove_file(three.path().join(NAMES[3])).unwrap();
    assert!(failure(three.path()).contains("lacks t10k-labels-idx1-ubyte\n"));
    let file = empty.path().join("file");
    fs::write(&file, "no folder").unwrap();
    assert!(failure(&file).contains("--data-dir"));
}

#[test]
fn truncated_files() {
    for (which, keep) in [(0, 5000), (0, 16), (0, 7), (0, 0), (1, 20), (1, 3), (2, 100), (3, 9)] {
        let message = failure(data(|files| files[which].truncate(keep)).path());
        assert!(message.contains(NAMES[which]) && message.contains("truncated"), "{message}");
    }
}

#[test]
fn files_of_something_else() {
    let swapped = failure(data(|files| files.swap(0, 1)).path());
    assert!(swapped.contains(NAMES[0]) && swapped.contains("swapped"), "{swapped}");
    let page = b"<html><body>Not Found</body></html>".to_vec();
    let page = failure(data(|files| files[0] = page).path());
    assert!(page.contains(NAMES[0]) && page.contains("it is a web page, not the file"), "{page}");
    let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n".to_vec();
    let pointer = failure(data(|files| files[2] = pointer).path());
    assert!(pointer.contains(NAMES[2]) && pointer.contains("git lfs pull"), "{pointer}");
    let other = failure(data(|files| files[0] = b"something else".to_vec()).path());
    assert!(other.contains("is not an IDX file"), "{other}");
    let wide = idx(IMAGES, &[20, 28, 29], &[0; 20 * 28 * 29]);
    assert!(failure(data(|files| files[0] = wide).path()).contains("28×29"));
    let fewer = failure(data(|files| files[1] = labels(19)).path());
    assert!(fewer.contains("19 labels") && fewer.contains("20 images"), "{fewer}");
}

#[test]
fn labels_that_are_no_digits() {
    let spoilt = failure(data(|files| files[1][8 + 13] = 10).path());
    assert!(spoilt.contains("label 13 is 10") && spoilt.contains(NAMES[1]), "{spoilt}");
    // Every class must have an image.
    let gap = failure(data(|files| files[1][8..].iter_mut().for_each(|l| *l %= 9)).path());
    assert!(gap.contains("class 9"), "{gap}");
}

#[test]
fn sizes_that_no_file_has() {
    let huge = idx(IMAGES, &[u32::MAX, 28, 28], &[]);
    assert!(failure(data(|files| files[0] = huge).path()).contains("promises more than"));
    let longer = failure(data(|files| files[0].push(0)).path());
    assert!(longer.contains("goes on after"), "{longer}");
}

/// A few kilobytes that would become gigabytes: only what the header promises is ever unpacked.
#[test]
fn a_gzip_bomb() {
    let mut bomb = GzEncoder::new(Vec::new(), Compression::fast());
    bomb.write_all(&images(20)).unwrap();
    for _ in 0..256 {
        bomb.write_all(&vec![0; 1 << 20]).unwrap();
    }
    let bomb = bomb.finish().unwrap();
    assert!(bomb.len() < 4 << 20);
    let message = failure(data(|files| files[0] = bomb).path());
    assert!(message.contains("goes on after"), "{message}");

    let mut cut = GzEncoder::new(Vec::new(), Compression::fast());
    cut.write_all(&images(20)).unwrap();
    let mut cut = cut.finish().unwrap();
    cut.truncate(cut.len() / 2);
    let message = failure(data(|files| files[0] = cut).path());
    assert!(message.contains(NAMES[0]), "{message}");
}

#[cfg(unix)]
#[test]
fn places_that_cannot_be_written_to() {
    use std::os::unix::fs::PermissionsExt;

    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("locked");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o555)).unwrap();
    // Root may write anywhere but in /proc.
    let locked = match fs::write(folder.join("probe"), "") {
        Err(_) => folder,
        Ok(()) => Path::new("/proc").to_path_buf(),
    };
    for out in [locked.clone(), locked.join("run")] {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("dm-wgpu"));
        command.current_dir(place.path()).args(["--dataset", "glyphs", "--out"]).arg(&out);
        let output = command.env("XDG_RUNTIME_DIR", std::env::temp_dir()).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.starts_with("error: --out ") && stderr.lines().count() == 1, "{stderr}");
    }
}
