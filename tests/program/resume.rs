//! The program from outside, stopped in every way and gone on with: the results must be those of a run
//! that nobody stopped. Needs an adapter, a CPU one will do.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Output},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::helpers::{json, program, set, signal, start, succeed, text, wait_for, words};

/// A run of seconds, even on a CPU, with a checkpoint after every iteration.
pub const TINY: &str =
    "--dataset glyphs --ipc 1 --width 8 --depth 1 --batch-real 8 --checkpoint-every 0.000001";
/// How it is judged, where it is.
const JUDGED: &str = "--eval-nets 1 --eval-epochs 3";

pub fn tiny(place: &TempDir, more: &str) -> Command {
    let mut command = program(place);
    command.args(words(TINY)).args(words(more));
    command
}

fn resume(place: &TempDir, more: &str) -> Output {
    program(place).arg("--resume").args(words(more)).output().unwrap()
}

/// What it says that goes on to its end.
pub fn finish(place: &TempDir, more: &str) -> String {
    let output = resume(place, more);
    let told = text(&output.stderr);
    assert!(output.status.success(), "{:?}: {told}", output.status);
    told
}

fn refused(place: &TempDir, more: &str, code: i32) -> String {
    let output = resume(place, more);
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{told}");
    assert!(told.contains("error: ") && !told.contains("panicked"), "{told}");
    told
}

/// Starts it and ends it, with no time to do anything, as soon as a file is there.
fn killed(command: &mut Command, file: &Path) {
    let mut child = start(command);
    wait_for(file);
    child.kill().unwrap();
    let code = child.wait().unwrap().code();
    assert_eq!(code, None, "it ended before it was killed");
}

/// Without the seconds, which no two runs have in common.
fn metrics(place: &TempDir, run: &str) -> Vec<String> {
    let table = fs::read_to_string(place.path().join(run).join("metrics.csv")).unwrap();
    let cells = |row: &str| row.split(',').map(str::to_owned).collect::<Vec<_>>();
    let without = |row: Vec<String>| [&row[..2], &row[3..]].concat().join(",");
    table.lines().map(|row| without(cells(row))).collect()
}

pub fn report(place: &TempDir, run: &str) -> Value {
    json(&place.path().join(run).join("report.json"))
}

/// What a report says that no stop may change.
fn figures(place: &TempDir, run: &str) -> Value {
    let mut report = report(place, run);
    report.as_object_mut().unwrap().remove("seconds");
    report
}

fn assert_same(place: &TempDir, run: &str, whole: &str) {
    assert!(set(place, run) == set(place, whole), "{run}: other images than {whole}");
    assert_eq!(metrics(place, run), metrics(place, whole));
    assert_eq!(figures(place, run), figures(place, whole));
}

#[test]
fn a_killed_run_resumes_to_the_same_bytes() {
    let place = tempfile::tempdir().unwrap();
    let asked = format!("--iterations 40 --eval-every 15 {JUDGED}");
    succeed(tiny(&place, &asked).args(["--out", "whole"]));
    assert_eq!(metrics(&place, "whole").len(), 42, "a header, the start, and 40 iterations");

    let mut killed_one = tiny(&place, &asked);
    killed_one.args(["--out", "run"]);
    killed(&mut killed_one, &place.path().join("run/checkpoint.safetensors"));
    assert!(!place.path().join("run/synthetic.safetensors").exists());
    // And again, some iterations later.
    let mut again = program(&place);
    again.args(words("--resume run --checkpoint-every 0.000001"));
    let mut child = start(&mut again);
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.starts_with("accuracy after 15 iterations")));
    child.kill().unwrap();
    child.wait().unwrap();

    let told = finish(&place, "run");
    assert!(told.contains("resumed   after "), "{told}");
    assert!(!told.contains("accuracy after 0 "), "measured again: {told}");
    assert_same(&place, "run", "whole");
}

#[test]
fn a_run_killed_during_its_evaluation_repeats_only_that() {
    let place = tempfile::tempdir().unwrap();
    let asked = "--iterations 3 --eval-nets 1 --eval-epochs 200";
    succeed(tiny(&place, asked).args(["--out", "whole"]));
    let mut command = tiny(&place, asked);
    command.args(["--out", "run"]);
    // The last that is written before the evaluation.
    killed(&mut command, &place.path().join("run/images/9/000.png"));
    assert_eq!(report(&place, "run")["interrupted"], true);
    let told = finish(&place, "run");
    assert!(told.contains("resumed   after 3 iterations"), "{told}");
    assert!(!told.contains("iteration 1/3"), "condensed again: {told}");
    assert_same(&place, "run", "whole");
}

#[test]
fn a_run_killed_before_its_first_checkpoint_begins_again() {
    let place = tempfile::tempdir().unwrap();
    let asked =
        "--dataset glyphs --ipc 1 --width 8 --depth 1 --batch-real 8 --no-eval --iterations 30";
    succeed(program(&place).args(words(asked)).args(["--out", "whole"]));
    let mut command = program(&place);
    command.args(words(asked)).args(words("--checkpoint-every 0 --out run"));
    killed(&mut command, &place.path().join("run/run.toml"));
    let told = finish(&place, "run");
    assert!(!told.contains("resumed   after"), "{told}");
    assert_same(&place, "run", "whole");
}

#[test]
fn ctrl_c_saves_a_checkpoint_and_says_how_to_resume() {
    let place = tempfile::tempdir().unwrap();
    let mut child = start(&mut tiny(&place, "--iterations 300 --no-eval --out run"));
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.starts_with("iteration ")), "it never began");
    signal(&child, "INT");
    drop(lines.collect::<Vec<_>>());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let said = text(&output.stdout);
    assert!(said.ends_with("go on     dm-wgpu --resume run\n"), "{said}");

    finish(&place, "run --quiet");
    succeed(&mut tiny(&place, "--iterations 300 --no-eval --out whole --quiet"));
    assert_same(&place, "run", "whole");
}

#[test]
fn a_finished_run_says_so_and_can_be_extended() {
    let place = tempfile::tempdir().unwrap();
    succeed(&mut tiny(&place, &format!("--iterations 4 {JUDGED} --out run")));
    let before = fs::read(place.path().join("run/run.toml")).unwrap();
    for more in ["run", "run --iterations 4"] {
        let told = finish(&place, more);
        assert!(told.starts_with("run is finished: 4 iterations, accuracy "), "{told}");
    }
    let told = refused(&place, "run --iterations 3", 2);
    assert_eq!(told, "error: --iterations 3: 4 iterations are done already\n");
    assert_eq!(fs::read(place.path().join("run/run.toml")).unwrap(), before);

    // As earlier versions wrote it, where the machine's memory was among the settings.
    let earlier = String::from_utf8(before).unwrap();
    let earlier = earlier.replace("[settings]\n", "[settings]\nmemory_budget = 33554432\n");
    let earlier = earlier.replace("[evaluation]\n", "[evaluation]\nmemory_budget = 33554432\n");
    fs::write(place.path().join("run/run.toml"), earlier).unwrap();
    finish(&place, "run --iterations 5");
    let record = || fs::read_to_string(place.path().join("run/run.toml")).unwrap();
    assert!(record().contains("[machine]\nmemory_budget = 33554432\n"), "{}", record());
    assert_eq!(record().matches("memory_budget").count(), 1, "{}", record());
    finish(&place, "run --iterations 6 --memory-budget 12MiB");
    assert!(record().contains("memory_budget = 12582912"), "{}", record());
    succeed(&mut tiny(&place, &format!("--iterations 6 {JUDGED} --out whole")));
    assert!(set(&place, "run") == set(&place, "whole"));
    assert_eq!(report(&place, "run")["accuracy"], report(&place, "whole")["accuracy"]);
    // What the four were worth is still told.
    let points = |run| report(&place, run)["curve"].as_array().unwrap().len();
    assert_eq!((points("run"), points("whole")), (3, 1));
}

#[test]
fn a_killed_selection_begins_again() {
    let place = tempfile::tempdir().unwrap();
    let asked = "--dataset glyphs --method random --ipc 1 --width 8 --depth 1 --eval-nets 1 \
                 --eval-epochs 200";
    let mut command = program(&place);
    command.args(words(asked)).args(["--out", "run"]);
    killed(&mut command, &place.path().join("run/images/9/000.png"));
    finish(&place, "run");
    assert_eq!(report(&place, "run")["interrupted"], false);
    let told = refused(&place, "run --iterations 5", 2);
    assert!(told.contains("--iterations 5: random has no iterations"), "{told}");
}

#[test]
fn a_run_at_work_in_another_process_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let mut child = start(&mut tiny(&place, "--iterations 3000 --no-eval --out run"));
    wait_for(&place.path().join("run/checkpoint.safetensors"));
    let told = refused(&place, "run", 1);
    assert_eq!(told, "error: another process is at work on run; wait for its end, or stop it\n");
    child.kill().unwrap();
    child.wait().unwrap();
    // The dead hold no lock: it is another reason now, or none.
    let told = text(&resume(&place, "run --iterations 1").stderr);
    assert!(!told.contains("another process"), "{told}");
}

#[test]
fn flags_that_would_change_the_run_are_refused() {
    let place = tempfile::tempdir().unwrap();
    succeed(&mut tiny(&place, "--iterations 1 --no-eval --out a/run --quiet"));
    for (flag, name) in [
        ("--ipc 1", "--ipc"),
        ("--dataset glyphs", "--dataset"),
        ("--seed 3", "--seed"),
        ("--no-eval", "--no-eval"),
        ("--eval-nets 2", "--eval-nets"),
        ("--method random", "--method"),
        ("--kernels plain", "--kernels"),
        ("--out b", "--out"),
        ("--runs 2", "--runs"),
    ] {
        let told = refused(&place, &format!("a/run {flag}"), 2);
        assert!(told.starts_with(&format!("error: {name} can't be given with --resume")), "{told}");
    }
    for (folder, why) in [
        ("nowhere", "--resume nowhere: there is no such folder"),
        ("a/run/images", "--resume a/run/images: no run began there, it has no run.toml"),
        ("a", "--resume a: no run itself, but there are a/run"),
    ] {
        let told = refused(&place, folder, 2);
        assert_eq!(told, format!("error: {why}\n"));
    }
}

#[test]
fn repeats_resume_with_the_first_unfinished_seed() {
    let place = tempfile::tempdir().unwrap();
    let asked = format!("--iterations 12 --seed 5 --runs 2 {JUDGED}");
    let output = succeed(tiny(&place, &asked).args(["--out", "whole"]));
    let said = text(&output.stdout);
    assert!(
        said.contains("\naccuracy  ") && said.contains("(all 2 networks of 2 runs; "),
        "{said}"
    );
    let mut command = tiny(&place, &asked);
    command.args(["--out", "runs"]);
    killed(&mut command, &place.path().join("runs/seed6/checkpoint.safetensors"));
    let partly = report(&place, "runs");
    assert_eq!(
        (partly["runs"].as_array().unwrap().len(), &partly["interrupted"]),
        (1, &true.into())
    );

    let told = finish(&place, "runs");
    assert!(
        told.contains("run       seed5 (1 of 2)\nfinished  12 iterations, accuracy "),
        "{told}"
    );
    for run in ["seed5", "seed6"] {
        assert_same(&place, &format!("runs/{run}"), &format!("whole/{run}"));
    }
    let (whole, resumed) = (report(&place, "whole"), report(&place, "runs"));
    for name in ["accuracy", "means", "interrupted"] {
        assert_eq!(whole[name], resumed[name], "{name}");
    }
    assert_eq!(whole["accuracy"]["runs"].as_array().unwrap().len(), 2);
    // Each is what it would be by itself.
    succeed(&mut tiny(&place, &format!("--iterations 12 --seed 6 {JUDGED} --out alone")));
    assert_same(&place, "runs/seed6", "alone");
    let told = finish(&place, "runs");
    assert_eq!(told.matches("\nfinished  12 iterations").count(), 2, "{told}");
    let told = refused(&place, "runs --iterations 11", 2);
    assert_eq!(told, "error: --iterations 11: 12 iterations are done already\n");
}
