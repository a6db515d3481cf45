//! The program several times at once: on one adapter, and on one folder. Needs an adapter, a CPU one will
//! do.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Child, Output},
};

use tempfile::TempDir;

use crate::helpers::{self, program, set, text};

fn start(place: &TempDir, out: &str) -> Child {
    let mut command = program(place);
    command.args(["--dataset", "glyphs", "--ipc", "1", "--iterations", "3", "--snapshots", "0"]);
    command.args(["--width", "8", "--depth", "1", "--batch-real", "8", "--no-eval", "--out", out]);
    helpers::start(&mut command)
}

fn all(children: Vec<Child>) -> Vec<Output> {
    children.into_iter().map(|child| child.wait_with_output().unwrap()).collect()
}

/// Names of the files directly in a folder, with their contents.
fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.is_file());
    files.map(|path| (path.display().to_string(), fs::read(&path).unwrap())).collect()
}

#[test]
fn ten_runs_at_once_on_one_adapter_make_the_same_images() {
    let place = tempfile::tempdir().unwrap();
    let names: Vec<_> = (0..10).map(|k| format!("run-{k}")).collect();
    let outputs = all(names.iter().map(|name| start(&place, name)).collect());
    for output in outputs {
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
    let first = set(&place, &names[0]);
    assert!(names.iter().all(|name| set(&place, name) == first), "not all have the same bits");
}

#[test]
fn of_five_runs_at_once_in_one_folder_one_wins_and_the_others_say_so() {
    let place = tempfile::tempdir().unwrap();
    let outputs = all((0..5).map(|_| start(&place, "new/run")).collect());
    let (won, lost): (Vec<_>, Vec<_>) = outputs.iter().partition(|output| output.status.success());
    assert_eq!(won.len(), 1, "{outputs:?}");
    for output in lost {
        let told = text(&output.stderr);
        assert_eq!(told.matches("error: ").count(), 1, "{told}");
        // At work still, or done already.
        let (busy, done) = (told.contains("another process"), told.contains("is not empty"));
        let code = if busy { 1 } else { 2 };
        assert!((busy || done) && output.status.code() == Some(code), "{told}");
        assert!(told.contains("new/run"), "{told}");
    }

    // The winner's work is what it would be alone.
    let alone = start(&place, "alone").wait_with_output().unwrap();
    assert!(alone.status.success(), "{}", text(&alone.stderr));
    assert_eq!(set(&place, "new/run"), set(&place, "alone"));
    let names = |run: &str| {
        let folder = place.path().join(run);
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(names("new/run"), names("alone"));

    // Who comes later is refused as well, and touches nothing.
    let before = contents(&place.path().join("new/run"));
    let late = start(&place, "new/run").wait_with_output().unwrap();
    assert_eq!(late.status.code(), Some(2), "{}", text(&late.stderr));
    assert_eq!(contents(&place.path().join("new/run")), before);
}
