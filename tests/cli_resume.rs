//! The program from outside, stopped in every way and gone on with: the results must be those of a run
//! that nobody stopped. Needs an adapter, a CPU one will do.
#![cfg(feature = "cli")]
#![cfg(unix)]

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

fn program(place: &TempDir) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("dm-wgpu"));
    command.current_dir(place.path()).env_remove("RUST_LOG").env_remove("DM_WGPU_DATA");
    // Without it, in bare environments, Mesa's libraries write to stderr.
    command.env("XDG_RUNTIME_DIR", std::env::temp_dir());
    command
}

/// A run of seconds, even on a CPU, with a checkpoint after every iteration.
const TINY: &str = "--dataset glyphs --ipc 1 --width 8 --batch-real 8 --checkpoint-every 0.000001";
/// How it is judged, where it is.
const JUDGED: &str = "--eval-nets 1 --eval-epochs 3";

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split_whitespace()
}

fn tiny(place: &TempDir, more: &str) -> Command {
    let mut command = program(place);
    command.args(words(TINY)).args(words(more));
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn succeed(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{:?}: {}", output.status, text(&output.stderr));
    output
}

fn resume(place: &TempDir, more: &str) -> Output {
    program(place).arg("--resume").args(words(more)).output().unwrap()
}

/// What it says that goes on to its end.
fn finish(place: &TempDir, more: &str) -> String {
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

fn start(mut command: Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn wait_for(path: &Path) {
    let begun = Instant::now();
    while !path.exists() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{} never came", path.display());
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Starts it and ends it, with no time to do anything, as soon as a file is there.
fn killed(command: Command, file: &Path) {
    let mut child = start(command);
    wait_for(file);
    child.kill().unwrap();
    let code = child.wait().unwrap().code();
    assert_eq!(code, None, "it ended before it was killed");
}

fn set(place: &TempDir, run: &str) -> Vec<u8> {
    fs::read(place.path().join(run).join("synthetic.safetensors")).unwrap()
}

/// Without the seconds, which no two runs have in common.
fn metrics(place: &TempDir, run: &str) -> Vec<String> {
    let table = fs::read_to_string(place.path().join(run).join("metrics.csv")).unwrap();
    let cells = |row: &str| row.split(',').map(str::to_owned).collect::<Vec<_>>();
    let without = |row: Vec<String>| [&row[..2], &row[3..]].concat().join(",");
    table.lines().map(|row| without(cells(row))).collect()
}

fn report(place: &TempDir, run: &str) -> Value {
    let text = fs::read_to_string(place.path().join(run).join("report.json")).unwrap();
    serde_json::from_str(&text).unwrap()
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
fn a_killed_run_goes_on_to_the_same_bytes() {
    let place = tempfile::tempdir().unwrap();
    let asked = format!("--iterations 40 --eval-every 15 {JUDGED}");
    succeed(tiny(&place, &asked).args(["--out", "whole"]));
    assert_eq!(metrics(&place, "whole").len(), 42, "a header, the start, and 40 iterations");

    let mut killed_one = tiny(&place, &asked);
    killed_one.args(["--out", "run"]);
    killed(killed_one, &place.path().join("run/checkpoint.safetensors"));
    assert!(!place.path().join("run/synthetic.safetensors").exists());
    // And again, some iterations later.
    let mut again = program(&place);
    again.args(words("--resume run --checkpoint-every 0.000001"));
    let mut child = start(again);
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.starts_with("accuracy after 15 iterations")));
    child.kill().unwrap();
    child.wait().unwrap();

    let told = finish(&place, "run");
    assert!(told.contains("going on  after "), "{told}");
    assert!(!told.contains("accuracy after 0 "), "measured again: {told}");
    assert_same(&place, "run", "whole");
}

#[test]
fn killed_while_it_is_judged() {
    let place = tempfile::tempdir().unwrap();
    let asked = "--iterations 3 --eval-nets 1 --eval-epochs 200";
    succeed(tiny(&place, asked).args(["--out", "whole"]));
    let mut command = tiny(&place, asked);
    command.args(["--out", "run"]);
    // The last that is written before the evaluation.
    killed(command, &place.path().join("run/images/9/000.png"));
    assert_eq!(report(&place, "run")["interrupted"], true);
    let told = finish(&place, "run");
    assert!(told.contains("going on  after 3 iterations"), "{told}");
    assert!(!told.contains("iteration 1/3"), "condensed again: {told}");
    assert_same(&place, "run", "whole");
}

#[test]
fn killed_before_the_first_checkpoint() {
    let place = tempfile::tempdir().unwrap();
    let asked = "--dataset glyphs --ipc 1 --width 8 --batch-real 8 --no-eval --iterations 30";
    succeed(program(&place).args(words(asked)).args(["--out", "whole"]));
    let mut command = program(&place);
    command.args(words(asked)).args(words("--checkpoint-every 0 --out run"));
    killed(command, &place.path().join("run/run.toml"));
    let told = finish(&place, "run");
    assert!(!told.contains("going on"), "{told}");
    assert_same(&place, "run", "whole");
}

#[test]
fn interrupted_and_told_how_to_go_on() {
    let place = tempfile::tempdir().unwrap();
    let mut child = start(tiny(&place, "--iterations 300 --no-eval --out run"));
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.starts_with("iteration ")), "it never began");
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
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
fn a_finished_run_says_so_and_can_be_longer() {
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
fn selections_and_upper_bounds_begin_again() {
    let place = tempfile::tempdir().unwrap();
    let asked =
        "--dataset glyphs --method random --ipc 1 --width 8 --eval-nets 1 --eval-epochs 200";
    let mut command = program(&place);
    command.args(words(asked)).args(["--out", "run"]);
    killed(command, &place.path().join("run/images/9/000.png"));
    finish(&place, "run");
    assert_eq!(report(&place, "run")["interrupted"], false);
    let told = refused(&place, "run --iterations 5", 2);
    assert!(told.contains("--iterations 5: random has no iterations"), "{told}");
}

#[test]
fn one_process_at_a_time() {
    let place = tempfile::tempdir().unwrap();
    let mut child = start(tiny(&place, "--iterations 3000 --no-eval --out run"));
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
fn what_a_run_was_asked_is_settled() {
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
        assert!(told.starts_with(&format!("error: {name} can't stand beside --resume")), "{told}");
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
fn repeats_go_on_with_the_first_that_is_missing() {
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
    killed(command, &place.path().join("runs/seed6/checkpoint.safetensors"));
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

fn signal(child: &Child, name: &str) {
    let id = child.id().to_string();
    assert!(Command::new("kill").args([&format!("-{name}"), &id]).status().unwrap().success());
}

/// Whether SIGHUP is ignored here, and hence by every program that is started, where that can be told.
fn ignores_hangups() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & 1 == 1)
}

/// What batch systems and `docker stop` send, and what a closed terminal does, perhaps twice.
#[test]
fn requests_to_end_save_like_ctrl_c() {
    let place = tempfile::tempdir().unwrap();
    // Iterations of many submissions each, so that most signals meet one in the middle.
    let asked = "--dataset glyphs --ipc 1 --width 16 --batch-real 64 --iterations 6 --no-eval";
    let asked = format!("{asked} --submit-target 1 --checkpoint-every 0.000001");
    let run = |out: &str| {
        let mut command = program(&place);
        command.args(words(&asked)).args(["--out", out]);
        command
    };
    succeed(&mut run("whole"));
    for name in ["TERM", "HUP"] {
        if name == "HUP" && ignores_hangups() {
            eprintln!("skipped: these tests run under nohup, and so does what they start");
            continue;
        }
        let child = start(run(name));
        wait_for(&place.path().join(name).join("checkpoint.safetensors"));
        signal(&child, name);
        if name == "HUP" {
            signal(&child, name);
        }
        let output = child.wait_with_output().unwrap();
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(130), "{name}: {told}");
        assert!(told.contains("stopping and saving what there is"), "{name}: {told}");
        assert!(place.path().join(name).join("synthetic.safetensors").exists(), "{name}: {told}");
        assert_eq!(report(&place, name)["interrupted"], true);
        finish(&place, name);
        assert!(set(&place, name) == set(&place, "whole"), "{name}");
    }
}

#[test]
fn a_request_to_end_while_it_is_judged() {
    let place = tempfile::tempdir().unwrap();
    let asked = "--iterations 3 --eval-nets 1 --eval-epochs 2000";
    let mut command = tiny(&place, asked);
    command.args(["--out", "run"]);
    let mut child = start(command);
    let mut stderr = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(stderr.any(|line| line.starts_with("evaluating: ")));
    signal(&child, "TERM");
    assert!(stderr.any(|line| line == "stopping the evaluation; Ctrl-C again leaves at once"));
    let output = child.wait_with_output().unwrap();
    let told = text(&output.stdout);
    assert_eq!(output.status.code(), Some(130), "{told}");
    assert!(told.contains("go on     dm-wgpu --resume run"), "{told}");
    assert_eq!(report(&place, "run")["accuracy"], Value::Null);
}

#[test]
fn a_request_to_end_while_pictures_are_decoded_leaves_nothing() {
    let place = tempfile::tempdir().unwrap();
    let picture = place.path().join("picture.png");
    image::RgbImage::from_fn(256, 256, |x, y| image::Rgb([x as u8, y as u8, (x * y) as u8]))
        .save(&picture)
        .unwrap();
    for class in ["cat", "dog"] {
        let folder = place.path().join("pets").join(class);
        fs::create_dir_all(&folder).unwrap();
        for i in 0..2000 {
            fs::hard_link(&picture, folder.join(format!("{i:04}.png"))).unwrap();
        }
    }
    let mut command = program(&place);
    command.args(words("--dataset folder:pets --resize 32 --iterations 1 --no-eval --out run"));
    command.env("XDG_CACHE_HOME", place.path().join("cache"));
    let mut child = start(command);
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.starts_with("decoding ")));
    signal(&child, "TERM");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let cache = place.path().join("cache/dm-wgpu/pictures");
    let left: Vec<_> = fs::read_dir(&cache).map(|entries| entries.collect()).unwrap_or_default();
    assert!(left.is_empty(), "{left:?}");
    assert!(!place.path().join("run").exists());
}

/// The program as a shell starts it that did something first.
fn in_shell(place: &TempDir, first: &str, more: &str) -> Command {
    let mut command = Command::new("sh");
    command.current_dir(place.path()).env("XDG_RUNTIME_DIR", std::env::temp_dir());
    let script = format!("{first}; exec \"$0\" {TINY} {more}");
    command.args(["-c", &script]).arg(assert_cmd::cargo::cargo_bin!("dm-wgpu"));
    command
}

/// As `nohup` does it.
#[test]
fn a_signal_that_was_ignored_stays_so() {
    let place = tempfile::tempdir().unwrap();
    let child = start(in_shell(&place, "trap '' HUP", "--iterations 100000 --no-eval --out run"));
    let checkpoint = place.path().join("run/checkpoint.safetensors");
    wait_for(&checkpoint);
    signal(&child, "HUP");
    // It goes on: another checkpoint comes.
    let _ = fs::remove_file(&checkpoint);
    wait_for(&checkpoint);
    signal(&child, "TERM");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", text(&output.stderr));
    assert_eq!(text(&output.stderr).matches("stopping and saving").count(), 1);
}

#[test]
fn a_limit_on_the_size_of_files_is_as_a_full_disk() {
    let place = tempfile::tempdir().unwrap();
    let mut command = in_shell(&place, "ulimit -f 8", "--iterations 3 --no-eval --out run");
    let output = command.env("TMPDIR", place.path()).output().unwrap();
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("no checkpoint: "), "{told}");
    assert_eq!(told.matches("error: ").count(), 1, "{told}");
}
