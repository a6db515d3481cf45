//! The program from outside, with methods that match gradients. Needs an adapter, a CPU one will do.

use std::fs;

use tempfile::tempdir;

use crate::helpers::{json, program, set, succeed, text, words};

const TINY: &str =
    "--dataset glyphs --ipc 2 --width 8 --depth 1 --batch-real 4 --outer 2 --inner 1";

/// Every setting is in the record, whose command and file repeat the run.
#[test]
fn its_record_repeats_a_run() {
    let place = tempdir().unwrap();
    let run = |more: &str| succeed(program(&place).args(words(more)));
    run(&format!("{TINY} --method dsa --distance cos --iterations 2 --no-eval --out a"));
    let record = fs::read_to_string(place.path().join("a/run.toml")).unwrap();
    let command = record.lines().nth(1).unwrap().strip_prefix("# dm-wgpu ").unwrap().to_owned();
    for setting in ["--method dsa", "--distance cos", "--outer 2", "--inner 1", "--lr-net 0.01"] {
        assert!(command.contains(setting), "{command}");
    }
    run(&format!("{command} --out b"));
    run("--config a/run.toml --out c");
    assert!(set(&place, "a") == set(&place, "b") && set(&place, "a") == set(&place, "c"));
    let report = json(&place.path().join("a/report.json"));
    assert_eq!((&report["method"], &report["settings"]["method"]), (&"dsa".into(), &"dsa".into()));
    // Augmentations are no business of dc, from a file neither.
    run("--config a/run.toml --method dc --iterations 1 --out d");
    let report = json(&place.path().join("d/report.json"));
    assert_eq!(report["settings"]["augment"], "none");
}

#[cfg(unix)]
#[test]
fn a_killed_run_ends_with_the_same_bytes() {
    use crate::helpers::{start, wait_for};

    let place = tempdir().unwrap();
    let whole = format!("{TINY} --method dsa --iterations 6 --no-eval");
    succeed(program(&place).args(words(&format!("{whole} --out whole"))));
    let killed = format!("{whole} --checkpoint-every 0.000001 --out killed");
    let mut child = start(program(&place).args(words(&killed)));
    wait_for(&place.path().join("killed/checkpoint.safetensors"));
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().code(), None, "it ended before it was killed");
    succeed(program(&place).args(words("--resume killed")));
    assert!(set(&place, "whole") == set(&place, "killed"));
}

#[test]
fn all_that_condense_stand_side_by_side() {
    let place = tempdir().unwrap();
    let compare = "compare --dataset glyphs --methods dm,dc,dsa --ipc 1 --iterations 2 --width 8 --depth 1 \
                   --batch-real 4 --eval-nets 1 --eval-epochs 1 --out c";
    succeed(program(&place).args(words(compare)));
    let table = json(&place.path().join("c/compare.json"));
    let names: Vec<_> = table["methods"].as_array().unwrap().iter().map(|m| &m["method"]).collect();
    assert_eq!(names, ["dm", "dc", "dsa"]);
    let settings = |method: &str| {
        json(&place.path().join("c").join(method).join("report.json"))["settings"].clone()
    };
    assert!(settings("dm").get("outer").is_none());
    assert_eq!(
        (settings("dc")["init"].clone(), settings("dsa")["init"].clone()),
        ("noise".into(), "real".into())
    );
    // They are judged alike.
    let judged = |method: &str| {
        json(&place.path().join("c").join(method).join("report.json"))["evaluation"].clone()
    };
    assert!(judged("dm") == judged("dc") && judged("dm") == judged("dsa"));
}

#[test]
fn what_a_method_has_not_is_refused() {
    let place = tempdir().unwrap();
    for (asked, told) in [
        ("--method dm --outer 2", "--outer does nothing with --method dm; leave it out"),
        ("--method dc --augment color", "--augment does nothing with --method dc; leave it out"),
        ("--method herding --distance cos", "--distance does nothing with --method herding"),
        ("--method dsa --outer 0", "1 to 10000"),
        ("--method dsa --inner 10001", "0 to 10000"),
        ("--method dsa --distance l2", "possible values: ours, mse, cos"),
        ("--method dsa --lr-net 0", "a number above 0 is needed"),
    ] {
        let output =
            program(&place).args(words(&format!("--dataset glyphs {asked}"))).output().unwrap();
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{asked}: {error}");
        assert!(error.contains(told) && !error.contains("panicked"), "{asked}: {error}");
    }
    assert_eq!(fs::read_dir(&place).unwrap().count(), 0, "nothing was made");
}
