//! The program from outside, matching along trajectories. Needs an adapter, a CPU one will do.

use std::{fs, path::Path, process::Command};

use dm_wgpu::SyntheticSet;
use tempfile::tempdir;

use crate::helpers::{json, program, set, succeed, text, words};

const TINY: &str =
    "--dataset glyphs --method trajectory --ipc 1 --factor 2 --width 4 --depth 1 --batch-real 4";

/// With a cache of its own.
fn own(place: &Path, cache: &str) -> Command {
    let mut command = program(place);
    command.env("XDG_CACHE_HOME", place.join(cache));
    command
}

fn trajectory(place: &Path, cache: &str) -> std::path::PathBuf {
    let folder = place.join(cache).join("dm-wgpu/trajectories");
    let found: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    found[0].clone()
}

#[test]
fn training_needs_its_memory_beforehand_unless_it_is_done() {
    let place = tempdir().unwrap();
    let run = |more: &str| {
        let wanted = format!("{TINY} --no-eval --expert-epochs 1 --iterations 1 {more}");
        own(place.path(), "cache").args(words(&wanted)).output().unwrap()
    };
    let refused = run("--memory-budget 2MiB --out small");
    assert_eq!(refused.status.code(), Some(2));
    let told = text(&refused.stderr);
    assert!(told.contains("training networks on the whole data set needs at least "), "{told}");
    assert!(!told.contains("folder"), "{told}");
    assert!(!place.path().join("small").exists());
    assert!(run("--out large").status.success());
    let made = run("--memory-budget 2MiB --out small");
    assert!(made.status.success(), "{}", text(&made.stderr));
    assert!(set(&place, "small") == set(&place, "large"));
}

#[test]
fn runs_share_a_trajectory_and_end_with_the_same_bytes() {
    let place = tempdir().unwrap();
    let run = |more: &str| {
        let told =
            succeed(own(place.path(), "cache").args(words(&format!("{TINY} --no-eval {more}"))));
        text(&told.stderr) + &text(&told.stdout)
    };
    let told = run("--expert-epochs 1 --iterations 3 --out a");
    assert!(told.contains("1 network trained on the real images ("), "{told}");
    assert!(told.contains("40 images packed into 10 after 3 iterations"), "{told}");
    let trained = trajectory(place.path(), "cache");
    // Where nobody wants times, none are measured, and the network is the same.
    let quiet = format!("{TINY} --no-eval --quiet --expert-epochs 1 --iterations 3 --out quiet");
    succeed(own(place.path(), "quiet").args(words(&quiet)));
    for file in ["epoch0000.safetensors", "epoch0001.safetensors", "velocity.safetensors"] {
        let of = |folder: &Path| fs::read(folder.join(file)).unwrap();
        assert!(of(&trained) == of(&trajectory(place.path(), "quiet")), "{file}");
    }
    let epoch = trained.join("epoch0001.safetensors");
    let before = fs::metadata(&epoch).unwrap().modified().unwrap();

    let record = fs::read_to_string(place.path().join("a/run.toml")).unwrap();
    let command = record.lines().nth(1).unwrap().strip_prefix("# dm-wgpu ").unwrap().to_owned();
    for setting in ["--method trajectory", "--alpha 2.5", "--expert-epochs 1", "--shown 200"] {
        assert!(command.contains(setting), "{command}");
    }
    succeed(own(place.path(), "cache").args(words(&format!("{command} --out b"))));
    assert!(set(&place, "a") == set(&place, "b"));
    assert_eq!(fs::metadata(&epoch).unwrap().modified().unwrap(), before, "it was trained again");
    run("--expert-epochs 1 --iterations 5 --out five");
    succeed(own(place.path(), "cache").args(words("--resume a --iterations 5")));
    assert!(set(&place, "five") == set(&place, "a"));

    // Pixels stay in what a picture can show.
    let made = SyntheticSet::load(&place.path().join("a/synthetic.safetensors")).unwrap();
    let pixels = made.images.iter().map(|x| x * made.std[0] + made.mean[0]);
    assert!(pixels.clone().all(|p| (-1e-5..=1.0 + 1e-5).contains(&p)));
    // Each ingredient has its switch.
    let without = |name: &str, switch: &str| {
        run(&format!("--expert-epochs 1 --iterations 3 {switch} --out {name}"));
        assert!(set(&place, name) != set(&place, "b"), "{switch}");
    };
    without("no-class", "--alpha 0");
    without("few", "--shown 2");
    let cache = trained.parent().unwrap();
    assert_eq!(fs::read_dir(cache).unwrap().count(), 1, "all went along the same network");
    let report = json(&place.path().join("few/report.json"));
    assert_eq!(
        (&report["settings"]["shown"], &report["method"]),
        (&2.into(), &"trajectory".into())
    );
}

#[cfg(unix)]
#[test]
fn a_training_that_is_killed_goes_on_after_its_last_epoch() {
    use crate::helpers::{start, wait_for};

    let place = tempdir().unwrap();
    let asked = format!("{TINY} --expert-epochs 3 --iterations 2 --no-eval");
    let mut child = start(own(place.path(), "killed").args(words(&format!("{asked} --out a"))));
    let folder = place.path().join("killed/dm-wgpu/trajectories");
    wait_for(&folder);
    // The network's own folder comes a little later.
    while fs::read_dir(&folder).unwrap().next().is_none() {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    let first = trajectory(place.path(), "killed").join("epoch0001.safetensors");
    // Then at least the velocities after the first epoch are there, too.
    wait_for(&first.with_file_name("epoch0002.safetensors"));
    child.kill().unwrap();
    child.wait().unwrap();
    let begun = fs::metadata(&first).unwrap().modified().unwrap();
    succeed(own(place.path(), "killed").args(words(&format!("{asked} --out b"))));
    assert_eq!(fs::metadata(&first).unwrap().modified().unwrap(), begun, "it began anew");
    succeed(own(place.path(), "whole").args(words(&format!("{asked} --out c"))));
    assert!(set(&place, "b") == set(&place, "c"));
    let last = |cache: &str| {
        fs::read(trajectory(place.path(), cache).join("epoch0003.safetensors")).unwrap()
    };
    assert!(last("killed") == last("whole"));
}

#[test]
fn what_trajectories_cannot_have_is_refused() {
    let place = tempdir().unwrap();
    for (asked, told) in [
        ("--method dm --alpha 1", "--alpha does nothing with --method dm; leave it out"),
        ("--method trajectory --alpha -1", "a number from 0 on is needed"),
        ("--method trajectory --shown 0", "1 to 1000000"),
        ("--method trajectory --expert-epochs 1001", "1 to 1000"),
        ("--method trajectory --net alexnet-bn", "without batch norm"),
        ("--method trajectory --outer 2", "--outer does nothing with --method trajectory"),
    ] {
        let output = own(place.path(), "cache")
            .args(words(&format!("--dataset glyphs {asked}")))
            .output()
            .unwrap();
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{asked}: {error}");
        assert!(error.contains(told) && !error.contains("panicked"), "{asked}: {error}");
    }
}

#[test]
fn the_cache_is_listed_counted_and_removed() {
    let place = tempdir().unwrap();
    let ask = |line: &str| own(place.path(), "cache").args(words(line)).output().unwrap();
    let say = |line: &str| {
        let output = ask(line);
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    assert!(say("trajectories").starts_with("No trajectories: "));
    assert_eq!(say("trajectories --json"), "[]\n");
    // Their seconds count in each run along them, also in runs that found them in the cache.
    let asked = format!("{TINY} --expert-epochs 2 --iterations 2 --no-eval");
    for out in ["a", "b"] {
        let told = say(&format!("{asked} --seed 5 --out {out}"));
        assert!(told.contains(" of them training networks), loss "), "{told}");
    }
    let seconds = |run: &str| json(&place.path().join(run).join("report.json"))["seconds"].clone();
    let (a, b) = (seconds("a"), seconds("b"));
    assert!(a["training"].as_f64().unwrap() > 0.0 && a["training"] == b["training"], "{a} {b}");
    assert!(b["condensing"].as_f64() > b["training"].as_f64(), "{b}");

    say(&format!("{asked} --trajectories 2 --out c"));
    let listed: serde_json::Value = serde_json::from_str(&say("trajectories --json")).unwrap();
    let listed = listed.as_array().unwrap();
    assert_eq!(listed.len(), 2, "the first is shared: {listed:?}");
    assert_eq!(listed[0]["about"]["seconds"], a["training"]);
    assert_eq!(
        (&listed[0]["snapshots"], &listed[1]["about"]["settings"]["seed"]),
        (&3.into(), &1.into())
    );
    let table = say("trajectories");
    let rows: Vec<_> = table.lines().collect();
    assert!(rows[0].starts_with("NAME ") && rows[0].contains("EPOCHS"), "{table}");
    assert!(
        rows[1].starts_with("glyphs-0-") && rows[1].contains("  width 4, depth 1  "),
        "{table}"
    );
    assert!(table.contains("--remove all") && table.contains("dm-wgpu/trajectories."), "{table}");

    let refused = ask("trajectories --remove glyphs");
    let told = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{told}");
    let name = listed[1]["name"].as_str().unwrap();
    assert!(told.contains("there is no such trajectory") && told.contains(name), "{told}");
    assert!(
        say(&format!("trajectories --remove {name}"))
            .starts_with("removed   the trajectories of 1 network, ")
    );
    assert_eq!(
        trajectory(place.path(), "cache").file_name().unwrap(),
        listed[0]["name"].as_str().unwrap()
    );
    say("trajectories --remove all");
    assert!(say("trajectories").starts_with("No trajectories: "));
}

#[test]
fn the_best_preset_says_what_it_chose_and_takes_other_wishes() {
    let place = tempdir().unwrap();
    let shown = |line: &str| {
        let mut command = own(place.path(), "cache");
        let line = format!("show-config --dataset {line} --preset best");
        text(&succeed(command.args(words(&line))).stdout)
    };
    let best = shown("cifar10 --ipc 10");
    assert!(best.contains("method = \"trajectory\"  # preset best: matching along"), "{best}");
    assert!(
        best.contains("\nfactor = 2 ") && best.contains("# recipe: trajectory from ipc 10"),
        "{best}"
    );
    assert!(!shown("fashion-mnist --ipc 50").contains("\nfactor = "), "packed");
    let asked = shown("cifar10 --method dm");
    assert!(asked.contains("method = \"dm\"") && asked.contains("# flag --method"), "{asked}");

    let tiny = "--dataset glyphs --preset best --ipc 1 --iterations 2 --width 4 --depth 1 --batch-real 4 --no-eval";
    let told = |more: &str| {
        let mut command = own(place.path(), "cache");
        text(&succeed(command.args(words(&format!("{tiny} {more}")))).stderr)
    };
    let best = told("--expert-epochs 1 --out best");
    let line = "best      --method trajectory, each image packed with 4 (matching along trajectories: TGDD";
    assert!(best.starts_with(line), "{best}");
    assert_eq!(json(&place.path().join("best/report.json"))["method"], "trajectory");
    assert!(!told("--method dm --out dm").contains("best      "), "nothing was chosen");
}
