//! The program from outside, with dataset distillation. Needs an adapter, a CPU one will do.

use std::fs;

use tempfile::tempdir;

use crate::helpers::{json, program, set, succeed, text, words};

const TINY: &str =
    "--dataset glyphs --method dd --ipc 2 --net mlp --batch-real 4 --dd-epochs 2 --lr-net 0.1";

/// Every setting is in the record, whose command and file repeat the run; a set is judged by its own course and beside that
/// by the ordinary protocol, by the run as by `evaluate`.
#[test]
fn a_run_and_what_its_set_is_worth() {
    let place = tempdir().unwrap();
    let run = |more: &str| text(&succeed(program(&place).args(words(more))).stdout);
    let judged = "--eval-nets 2 --eval-epochs 1 --eval-net convnet --eval-width 4 --eval-depth 1";
    let told = run(&format!("{TINY} --iterations 2 {judged} --out a"));
    let accuracy = "in its order at its rates, 4 steps; 2 fresh networks, mlp)";
    let ordinary = "by the ordinary protocol: 2 networks of width 4, 1 epoch, ";
    let falls = "at one rate as in the ordinary protocol, what they teach falls apart.";
    for part in [accuracy, ordinary, falls] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let record = fs::read_to_string(place.path().join("a/run.toml")).unwrap();
    let command = record.lines().nth(1).unwrap().strip_prefix("# dm-wgpu ").unwrap().to_owned();
    for setting in [
        "--method dd",
        "--dd-init random",
        "--dd-steps 2",
        "--dd-epochs 2",
        "--lr-net 0.1",
        "--lr-img 0.01",
        "--init noise",
    ] {
        assert!(command.contains(setting), "{setting}: {command}");
    }
    run(&format!("{command} --out b"));
    run("--config a/run.toml --no-eval --out c");
    assert!(set(&place, "a") == set(&place, "b") && set(&place, "a") == set(&place, "c"));

    let report = json(&place.path().join("a/report.json"));
    assert_eq!(report["settings"]["dd_init"], "random");
    let (own, shuffled) = (&report["accuracy"], &report["ordinary_accuracy"]);
    assert_eq!(
        (own["runs"].as_array().unwrap().len(), shuffled["runs"].as_array().unwrap().len()),
        (2, 2)
    );
    let page = fs::read_to_string(place.path().join("a/report.html")).unwrap();
    for part in ["dataset distillation", "Shuffled", "in its order at its rates", "falls apart"] {
        assert!(page.contains(part), "{part}");
    }
    let told = run("evaluate a --json --quiet --eval-nets 2 --eval-epochs 1");
    let answer: serde_json::Value = serde_json::from_str(told.lines().last().unwrap()).unwrap();
    assert_eq!((&answer["accuracy"], &answer["ordinary_accuracy"]), (own, shuffled));
    let gain = answer["baseline"]["improvement"].as_f64().unwrap();
    let told = run("evaluate a/synthetic.safetensors --eval-nets 2 --eval-epochs 1");
    let gain = format!(": {gain:+.2} points (shuffled: ");
    for part in [accuracy.trim_end_matches(')'), ordinary, falls, &gain] {
        assert!(told.contains(part), "{part}: {told}");
    }
    run(
        "--dataset glyphs --method random --ipc 2 --eval-net mlp --eval-nets 1 --eval-epochs 1 --out r",
    );
    let told = run("compare a r --out beside");
    let page = fs::read_to_string(place.path().join("beside/report.html")).unwrap();
    for part in ["judged by", "mlp, in order (shuffled "] {
        assert!(told.contains(part) && page.contains(part), "{part}: {told}");
    }
    // Random images are trained on as the shuffled ones are, by networks that need not be of the set's kind.
    let told = run("evaluate a --eval-net lenet --eval-nets 1 --eval-epochs 1 --json");
    let answer: serde_json::Value = serde_json::from_str(told.lines().last().unwrap()).unwrap();
    let [shuffled, random] =
        ["ordinary_accuracy", "baseline"].map(|key| answer[key]["mean"].as_f64().unwrap());
    assert_eq!(answer["baseline"]["improvement"].as_f64().unwrap(), shuffled - random);
    let told = run("evaluate a --eval-net lenet --eval-nets 1 --eval-epochs 1");
    assert!(told.contains(" points (shuffled)"), "{told}");
    let told = run("export a --format npz");
    assert!(told.contains("; their order and rates are left out"), "{told}");
    // By several kinds, the course is its own kind's business.
    let told = run("evaluate a --eval-net mlp,convnet --eval-nets 2 --eval-epochs 1");
    assert!(
        told.contains("by the ordinary protocol:") && told.contains(accuracy.trim_end_matches(')')),
        "{told}"
    );
}

#[cfg(unix)]
#[test]
fn a_killed_run_ends_with_the_same_bytes() {
    use crate::helpers::{start, wait_for};

    let place = tempdir().unwrap();
    let whole = format!("{TINY} --dd-init fixed --iterations 8 --no-eval");
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
fn it_stands_beside_others() {
    let place = tempdir().unwrap();
    let compare = "compare --dataset glyphs --methods dm,dd --ipc 1 --iterations 2 --width 8 --depth 1 \
                   --batch-real 4 --dd-init fixed --eval-nets 2 --eval-epochs 1 --out c";
    let told = text(&succeed(program(&place).args(words(compare))).stdout);
    let table = json(&place.path().join("c/compare.json"));
    let methods = table["methods"].as_array().unwrap();
    assert!(methods[0].get("ordinary_accuracy").is_none());
    assert_eq!(methods[1]["accuracy"]["runs"].as_array().unwrap().len(), 1, "the known network");
    assert_eq!(methods[1]["ordinary_accuracy"]["runs"].as_array().unwrap().len(), 2);
    let note = "Networks are trained on the images of dd in their order at their rates; by the ordinary protocol they reach";
    assert!(told.contains(note), "{told}");
    assert!(fs::read_to_string(place.path().join("c/compare.md")).unwrap().contains(note));
    let settings = |method: &str| {
        json(&place.path().join("c").join(method).join("report.json"))["settings"].clone()
    };
    assert!(settings("dm").get("dd_init").is_none());
    assert_eq!(settings("dd")["augment"], "none");
}

#[test]
fn what_makes_no_sense_is_refused() {
    let place = tempdir().unwrap();
    for (asked, told) in [
        ("--dd-init fixed", "--dd-init does nothing with --method dm; leave it out"),
        ("--method dsa --dd-steps 2", "--dd-steps does nothing with --method dsa"),
        ("--method dd --outer 2", "--outer does nothing with --method dd"),
        ("--method dd --augment color", "--augment does nothing with --method dd"),
        ("--method dd --dd-init known", "possible values: random, fixed"),
        ("--method dd --dd-epochs 0", "1 to 10000"),
        (
            "--method dd --ipc 6 --dd-steps 4",
            "--dd-steps 4: each step takes equally many of the 6 images per class: 1, 2, 3, 6 is possible",
        ),
        ("--method dd --net alexnet-bn", "dd needs a network without batch norm"),
    ] {
        let output =
            program(&place).args(words(&format!("--dataset glyphs {asked}"))).output().unwrap();
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{asked}: {error}");
        assert!(error.contains(told) && !error.contains("panicked"), "{asked}: {error}");
    }
    assert_eq!(fs::read_dir(&place).unwrap().count(), 0, "nothing was made");
}
