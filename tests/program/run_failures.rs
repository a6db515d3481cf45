//! The program from outside where something goes wrong under a run: broken checkpoints, other data,
//! numbers that are none, folders that vanish. Needs an adapter, a CPU one will do.

use std::{
    fs,
    process::{Command, Output},
};

use dm_wgpu::Checkpoint;
use tempfile::TempDir;

use crate::helpers::{mnist, program, set, start, succeed, text, wait_for, words};

/// With a checkpoint after every iteration.
const TINY: &str = "--ipc 1 --width 8 --depth 1 --no-eval --checkpoint-every 0.000001";

fn glyphs(place: &TempDir, more: &str) -> Command {
    let mut command = program(place);
    command.args(words("--dataset glyphs --batch-real 8")).args(words(TINY)).args(words(more));
    command
}

fn finish(place: &TempDir, more: &str) -> String {
    text(&succeed(program(place).arg("--resume").args(words(more))).stderr)
}

/// The one error that it ends with.
fn refused(place: &TempDir, more: &str) -> String {
    let output = program(place).arg("--resume").args(words(more)).output().unwrap();
    failure(&output)
}

fn failure(output: &Output) -> String {
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert_eq!(told.matches("error: ").count(), 1, "{told}");
    assert!(!told.contains("panicked"), "{told}");
    told.lines().find(|line| line.starts_with("error: ")).unwrap().to_owned()
}

/// A run that is finished and one that ended before, of as many iterations.
fn whole_and_part(place: &TempDir) {
    succeed(&mut glyphs(place, "--iterations 6 --out whole --quiet"));
    succeed(&mut glyphs(place, "--iterations 2 --out run --quiet"));
}

#[test]
fn broken_checkpoints_and_those_of_other_runs_are_refused() {
    let place = tempfile::tempdir().unwrap();
    whole_and_part(&place);
    succeed(&mut glyphs(&place, "--iterations 2 --lr-img 0.5 --out other --quiet"));
    let path = place.path().join("run/checkpoint.safetensors");
    let file = fs::read(&path).unwrap();
    let of = |run: &str| fs::read(place.path().join(run).join("checkpoint.safetensors")).unwrap();
    let text_in = |from: &str, to: &str| {
        let mut bytes = file.clone();
        let at = bytes.windows(from.len()).rposition(|part| part == from.as_bytes()).unwrap();
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
        bytes
    };
    let anew = "remove it to start the run again from the beginning";
    for (bytes, said) in [
        (Vec::new(), anew),
        (b"something else".to_vec(), anew),
        (file[..file.len() - 1].to_vec(), anew),
        (set(&place, "run"), "the format is \"dm-wgpu synthetic set\""),
        (text_in("losses", "lasses"), "its notes are not those of a run here"),
        (of("other"), "checkpoint: it was made with --lr-img = 0.5, not 1.0"),
    ] {
        fs::write(&path, &bytes).unwrap();
        let told = refused(&place, "run --iterations 6");
        assert!(told.contains(said), "{said}: {told}");
        assert!(fs::read(&path).unwrap() == bytes, "a checkpoint that was refused stays");
        // What was there stays what it was.
        assert!(finish(&place, "run").starts_with("run is finished: 2 iterations"));
    }
    fs::remove_file(&path).unwrap();
    let told = finish(&place, "run --iterations 6");
    assert!(!told.contains("resumed   after"), "{told}");
    assert!(set(&place, "run") == set(&place, "whole"));
}

#[test]
fn a_broken_record_is_named() {
    let place = tempfile::tempdir().unwrap();
    whole_and_part(&place);
    let path = place.path().join("run/run.toml");
    let record = fs::read_to_string(&path).unwrap();
    for (from, to, said) in [
        ("\nmethod", "\nmeth", "error: run/run.toml: no record of a run: "),
        ("name = \"glyphs\"", "name = \"stones\"", "error: run.toml describes an impossible run: "),
    ] {
        fs::write(&path, record.replacen(from, to, 1)).unwrap();
        let output = program(&place).args(words("--resume run --iterations 3")).output().unwrap();
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.contains(said), "{said}: {told}");
    }
}

#[test]
fn moved_data_are_asked_for_and_changed_data_refused() {
    let place = tempfile::tempdir().unwrap();
    let data = place.path().join("data");
    mnist::write(&data, |_| {});
    let run = |more: &str| {
        let mut command = program(&place);
        command.args(words("--dataset mnist --batch-real 2 --data-dir data")).args(words(TINY));
        succeed(command.args(words(more)).arg("--quiet"));
    };
    run("--iterations 4 --out whole");
    run("--iterations 2 --out run");
    fs::rename(&data, place.path().join("elsewhere")).unwrap();
    let told = refused(&place, "run --iterations 4");
    assert!(told.contains("data"), "{told}");

    // One pixel of 20 images.
    let images = place.path().join("elsewhere/train-images-idx3-ubyte");
    let mut bytes = fs::read(&images).unwrap();
    bytes[2000] ^= 1;
    fs::write(&images, &bytes).unwrap();
    let told = refused(&place, "run --iterations 4 --data-dir elsewhere");
    assert_eq!(
        told,
        "error: checkpoint: it was made with other images or labels than mnist has now"
    );
    bytes[2000] ^= 1;
    fs::write(&images, &bytes).unwrap();
    finish(&place, "run --iterations 4 --data-dir elsewhere");
    assert!(set(&place, "run") == set(&place, "whole"));
}

#[test]
fn diverging_ends_the_run_and_keeps_the_last_good_checkpoint() {
    let place = tempfile::tempdir().unwrap();
    whole_and_part(&place);
    let path = place.path().join("run/checkpoint.safetensors");
    // A velocity that the next step throws the last pixel of class 9 out of its range with.
    let mut file = fs::read(&path).unwrap();
    let header = 8 + u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
    let last = header + 2 * 10 * 784 * 4 - 4;
    file[last..last + 4].copy_from_slice(&1e30f32.to_le_bytes());
    fs::write(&path, &file).unwrap();

    let told = refused(&place, "run --iterations 6 --checkpoint-every 0.000001");
    assert!(told.starts_with("error: a pixel of class 9 is -"), "{told}");
    for part in [
        " after iteration 3: lower --lr-img, or change the seed (class 9 is \"9\"); ",
        "the last good checkpoint, after 2 iterations, stays in run/checkpoint.safetensors",
        "dm-wgpu --resume run --iterations 2 makes results of it",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert_eq!(Checkpoint::load(&path).unwrap().iteration(), 2);
    let before = set(&place, "run");
    finish(&place, "run --iterations 2");
    assert!(set(&place, "run") == before);
}

#[test]
fn a_run_folder_deleted_under_the_run_is_made_again() {
    let place = tempfile::tempdir().unwrap();
    succeed(&mut glyphs(&place, "--iterations 150 --out whole --quiet"));
    let child = start(&mut glyphs(&place, "--iterations 150 --out run"));
    let run = place.path().join("run");
    wait_for(&run.join("checkpoint.safetensors"));
    // Whatever it writes in the middle of this comes again.
    while run.exists() && fs::remove_dir_all(&run).is_err() {}
    let output = child.wait_with_output().unwrap();
    let told = text(&output.stderr);
    assert!(output.status.success(), "{told}");
    assert!(told.contains("run was gone and is made again"), "{told}");
    assert!(set(&place, "run") == set(&place, "whole"));
    assert!(finish(&place, "run").starts_with("run is finished: 150 iterations"));
}

#[test]
fn results_that_cannot_be_written_go_to_a_temporary_folder() {
    let place = tempfile::tempdir().unwrap();
    succeed(&mut glyphs(&place, "--iterations 150 --out whole --quiet"));
    let temporary = place.path().join("temporary");
    fs::create_dir(&temporary).unwrap();
    let child = start(glyphs(&place, "--iterations 150 --out run").env("TMPDIR", &temporary));
    let run = place.path().join("run");
    wait_for(&run.join("checkpoint.safetensors"));
    // From here on nothing can be written there.
    fs::rename(&run, place.path().join("away")).unwrap();
    fs::write(&run, "in the way").unwrap();
    let output = child.wait_with_output().unwrap();
    let told = text(&output.stderr);
    assert!(told.contains("\nwarning: no checkpoint: "), "{told}");
    let told = failure(&output);
    let (_, refuge) = told.rsplit_once("dm-wgpu --resume ").unwrap();
    assert!(refuge.starts_with(temporary.to_str().unwrap()), "{told}");
    finish(&place, refuge);
    assert!(set(&place, refuge) == set(&place, "whole"));
    // And the checkpoint that was written before is still good.
    finish(&place, "away");
    assert!(set(&place, "away") == set(&place, "whole"));
}
