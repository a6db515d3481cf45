//! The program from outside with data that is missing, broken or hostile, and places that cannot be
//! written to: one clear line, no panic, nothing left behind. Needs an adapter, a CPU one will do.

use std::{fs, io::Write, path::Path, process::Output};

use flate2::{Compression, write::GzEncoder};
use tempfile::TempDir;

use crate::helpers::{
    mnist::{self, IMAGES, NAMES, idx, images, labels},
    program, words,
};

/// A MNIST of 20 training and 10 test images, of which `change` may spoil something.
fn data(change: impl FnOnce(&mut [Vec<u8>; 4])) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    mnist::write(folder.path(), change);
    folder
}

fn run(place: &Path, data: &Path) -> Output {
    let mut command = program(place);
    command.args(words("--dataset mnist --ipc 1 --iterations 1 --width 8 --depth 1"));
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
fn an_mnist_of_twenty_images_is_taken() {
    let place = tempfile::tempdir().unwrap();
    let output = run(place.path(), data(|_| {}).path());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(place.path().join("runs/mnist-ipc1-seed0/synthetic.safetensors").is_file());
}

#[test]
fn missing_files_are_named() {
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
fn truncated_files_are_named() {
    for (which, keep) in [(0, 5000), (0, 16), (0, 7), (0, 0), (1, 20), (1, 3), (2, 100), (3, 9)] {
        let message = failure(data(|files| files[which].truncate(keep)).path());
        assert!(message.contains(NAMES[which]) && message.contains("truncated"), "{message}");
    }
}

#[test]
fn files_of_another_format_or_size_are_refused() {
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
fn labels_above_nine_and_classes_without_images_are_refused() {
    let spoilt = failure(data(|files| files[1][8 + 13] = 10).path());
    assert!(spoilt.contains("label 13 is 10") && spoilt.contains(NAMES[1]), "{spoilt}");
    // Every class must have an image.
    let gap = failure(data(|files| files[1][8..].iter_mut().for_each(|l| *l %= 9)).path());
    assert!(gap.contains("class 9"), "{gap}");
}

#[test]
fn a_header_that_promises_more_or_less_than_the_file_is_refused() {
    let huge = idx(IMAGES, &[u32::MAX, 28, 28], &[]);
    assert!(failure(data(|files| files[0] = huge).path()).contains("promises more than"));
    let longer = failure(data(|files| files[0].push(0)).path());
    assert!(longer.contains("goes on after"), "{longer}");
}

/// A few kilobytes that would become gigabytes: only what the header promises is ever unpacked.
#[test]
fn a_gzip_bomb_is_refused() {
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
fn an_out_folder_without_write_permission_is_refused() {
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
        let mut command = program(&place);
        let output = command.args(["--dataset", "glyphs", "--out"]).arg(&out).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.starts_with("error: --out ") && stderr.lines().count() == 1, "{stderr}");
    }
}
