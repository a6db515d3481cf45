//! Requests to end: SIGTERM from batch systems and `docker stop`, SIGHUP from a terminal that closes. And what a
//! shell may set up before it starts the program.

use std::{
    fs,
    io::{BufRead, BufReader},
    process::Command,
};

use serde_json::Value;
use tempfile::TempDir;

use super::resume::{TINY, finish, report, tiny};
use crate::helpers::{program, set, signal, start, succeed, text, wait_for, words};

/// Whether SIGHUP is ignored here, and hence by every program that is started, where that can be told.
fn ignores_hangups() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & 1 == 1)
}

/// What batch systems and `docker stop` send, and what a closed terminal does, perhaps twice.
#[test]
fn sigterm_and_sighup_save_like_ctrl_c() {
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
        let child = start(&mut run(name));
        wait_for(&place.path().join(name).join("checkpoint.safetensors"));
        signal(&child, name);
        if name == "HUP" {
            signal(&child, name);
        }
        let output = child.wait_with_output().unwrap();
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(130), "{name}: {told}");
        assert!(told.contains("stopping and saving the finished iterations"), "{name}: {told}");
        assert!(place.path().join(name).join("synthetic.safetensors").exists(), "{name}: {told}");
        assert_eq!(report(&place, name)["interrupted"], true);
        finish(&place, name);
        assert!(set(&place, name) == set(&place, "whole"), "{name}");
    }
}

#[test]
fn sigterm_stops_the_evaluation() {
    let place = tempfile::tempdir().unwrap();
    let asked = "--iterations 3 --eval-nets 1 --eval-epochs 2000";
    let mut command = tiny(&place, asked);
    command.args(["--out", "run"]);
    let mut child = start(&mut command);
    let mut stderr = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(stderr.any(|line| line.starts_with("evaluating: ")));
    signal(&child, "TERM");
    assert!(
        stderr.any(|line| line == "stopping the evaluation; Ctrl-C again ends the program at once")
    );
    let output = child.wait_with_output().unwrap();
    let told = text(&output.stdout);
    assert_eq!(output.status.code(), Some(130), "{told}");
    assert!(told.contains("go on     dm-wgpu --resume run"), "{told}");
    assert_eq!(report(&place, "run")["accuracy"], Value::Null);
}

/// As long as kernels are compiled and measured there is nothing to save, but the program still says how to go on.
#[test]
fn a_signal_before_the_first_iteration_has_a_last_word() {
    let place = tempfile::tempdir().unwrap();
    // Iterations of seconds, so that the measuring takes some as well.
    let asked = "--dataset glyphs --width 128 --batch-real 256 --no-eval --out run";
    let lock = place.path().join("run/.lock");
    let ended = |command: &mut Command, ready: &dyn Fn(&mut std::process::Child)| {
        let mut child = start(command.env("MESA_SHADER_CACHE_DISABLE", "true"));
        ready(&mut child);
        signal(&child, "TERM");
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130));
        (text(&output.stdout), text(&output.stderr))
    };
    let begun = |_: &mut std::process::Child| wait_for(&lock);
    let (_, told) = ended(program(&place).args(words(asked)), &begun);
    let last = format!("interrupted before there were results\ngo on     dm-wgpu {asked}\n");
    assert!(told.ends_with(&last), "{told}");
    assert!(!place.path().join("run").exists());

    let json = format!("{asked} --json");
    let (said, _) = ended(program(&place).args(words(&json)), &begun);
    let events: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ends = ["result", "error"];
    let ends: Vec<_> =
        events.iter().filter(|e| ends.iter().any(|end| e["event"] == *end)).collect();
    assert_eq!(ends, [events.last().unwrap()]);
    assert_eq!((&ends[0]["event"], &ends[0]["exit_code"]), (&"error".into(), &130.into()));
    assert!(ends[0]["message"].as_str().unwrap().contains("go on     dm-wgpu"), "{said}");

    // A run that can be resumed is not to be begun again.
    succeed(&mut tiny(&place, "--iterations 3 --no-eval --out tiny"));
    let lines = |child: &mut std::process::Child| {
        let mut told = BufReader::new(child.stderr.as_mut().unwrap());
        let mut line = String::new();
        while !line.starts_with("adapter") {
            line.clear();
            assert!(told.read_line(&mut line).unwrap() > 0, "it ended");
        }
    };
    let more = words("--resume tiny --iterations 1000000000");
    let (_, told) = ended(program(&place).args(more), &lines);
    assert!(told.ends_with("go on     dm-wgpu --resume tiny\n"), "{told}");
}

/// What is expected counts all runs, and the command that is quicker does as many.
#[test]
fn a_long_series_says_beforehand_how_long_it_takes() {
    let place = tempfile::tempdir().unwrap();
    let asked = "--dataset glyphs --ipc 1 --width 8 --depth 1 --batch-real 8 \
                 --iterations 100000000 --no-eval";
    let expected = |more: &str| {
        let mut child = start(program(&place).args(words(&format!("{more} {asked}"))));
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
        let told = lines.find(|line| line.starts_with("expected  ")).unwrap();
        let quicker = lines.next().unwrap();
        signal(&child, "INT");
        drop(lines.collect::<Vec<_>>());
        child.wait().unwrap();
        let days = told.split_once(" days").unwrap().0.rsplit_once(' ').unwrap().1;
        (days.parse::<f64>().unwrap(), told, quicker)
    };
    let (one, told, quicker) = expected("--out one");
    assert!(told.ends_with(" days on this device"), "{told}");
    assert!(
        quicker.contains("quicker: dm-wgpu --dataset glyphs --ipc 1 --preset small"),
        "{quicker}"
    );
    let (three, told, quicker) = expected("--runs 3 --out three");
    assert!(told.ends_with(" on this device for 3 runs"), "{told}");
    assert!(quicker.contains(" --preset small --runs 3 --no-eval"), "{quicker}");
    assert!((1.5..6.0).contains(&(three / one)), "{one} and {three} days");
}

#[test]
fn sigterm_while_pictures_are_decoded_leaves_nothing() {
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
    let mut child = start(&mut command);
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.starts_with("decoding ")));
    signal(&child, "TERM");
    assert!(lines.last().unwrap().starts_with("go on     dm-wgpu --dataset folder:pets "));
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
fn sighup_stays_ignored_under_nohup() {
    let place = tempfile::tempdir().unwrap();
    let child =
        start(&mut in_shell(&place, "trap '' HUP", "--iterations 100000 --no-eval --out run"));
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
fn a_limit_on_file_sizes_fails_like_a_full_disk() {
    let place = tempfile::tempdir().unwrap();
    let mut command = in_shell(&place, "ulimit -f 8", "--iterations 3 --no-eval --out run");
    let output = command.env("TMPDIR", place.path()).output().unwrap();
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("warning: no checkpoint: "), "{told}");
    assert_eq!(told.matches("error: ").count(), 1, "{told}");
}
