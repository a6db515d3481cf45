//! Accuracies beside those of random images of equal storage, on glyphs and with tiny networks.

use std::fs;

use serde_json::Value;
use tempfile::{TempDir, tempdir};

use crate::helpers::{json, program, succeed, text, words};

const TINY: &str = "--dataset glyphs --ipc 1 --width 8 --depth 1 --batch-real 8 --iterations 2 \
                    --seed 3 --eval-nets 2 --eval-epochs 3";

fn run(place: &TempDir, more: &str) -> String {
    text(&succeed(program(place).args(words(&format!("{TINY} {more}")))).stdout)
}

fn report(place: &TempDir, run: &str) -> Value {
    json(&place.path().join(run).join("report.json"))
}

/// The mean of the accuracy in this object.
fn mean(object: &Value) -> f64 {
    object["mean"].as_f64().unwrap()
}

#[test]
fn an_accuracy_stands_beside_that_of_random_images_of_equal_storage() {
    let place = tempdir().unwrap();
    let told = run(&place, "--out a");
    let random = words(
        "--dataset glyphs --ipc 1 --width 8 --depth 1 --seed 3 --eval-nets 2 --eval-epochs 3",
    );
    succeed(program(&place).args(random).args(words("--method random --out random")));
    let (a, random) = (report(&place, "a"), report(&place, "random"));
    for part in ["mean", "std", "runs"] {
        assert_eq!(a["baseline"][part], random["accuracy"][part], "{part}");
    }
    assert_eq!(a["baseline"]["images"], 10);
    let points = a["baseline"]["improvement"].as_f64().unwrap();
    assert_eq!(points, mean(&a["accuracy"]) - mean(&random["accuracy"]));
    assert!(points != 0.0 && random["baseline"].is_null());
    let said = format!("by 10 real images drawn at random: {points:+.2} points\n");
    assert!(told.contains("\nrandom    ") && told.contains(&said), "{told}");
    let page = fs::read_to_string(place.path().join("a/report.html")).unwrap();
    assert!(page.contains("Over random images") && page.contains(&format!("{points:+.2}")));
    let record = fs::read_to_string(place.path().join("a/run.toml")).unwrap();
    assert!(record.contains("[outcome.baseline]") && !record.contains("no-baseline"), "{record}");

    // The same set gives the same accuracy by either command.
    let args = words("evaluate a --eval-nets 2 --eval-epochs 3 --seed 3 --json --quiet");
    let evaluated = text(&succeed(program(&place).args(args)).stdout);
    let evaluated: Value = serde_json::from_str(&evaluated).unwrap();
    assert_eq!(evaluated["baseline"], a["baseline"]);
    let args = words("evaluate a --eval-net mlp,lenet --eval-nets 1 --eval-epochs 1");
    let table = text(&succeed(program(&place).args(args)).stdout);
    let cells: Vec<Vec<_>> = table.lines().map(|l| l.split_whitespace().collect()).collect();
    assert!(cells[0].join(" ").contains("accuracy over random nets × epochs seconds"), "{table}");
    assert!(cells[1][4].starts_with(['+', '-']) && cells[2][4].starts_with(['+', '-']), "{table}");
    let args = words("evaluate random --eval-nets 1 --eval-epochs 1");
    assert!(!text(&succeed(program(&place).args(args)).stdout).contains("random    "));

    // Packed images take the storage of as many real ones.
    let told = run(&place, "--factor 2 --out packed");
    let packed = report(&place, "packed");
    assert_eq!((&packed["images"], &packed["baseline"]["images"]), (&40.into(), &10.into()));
    assert_eq!(mean(&packed["baseline"]), mean(&random["accuracy"]), "{told}");
}

#[test]
fn random_images_are_left_out_where_they_are_not_wanted() {
    let place = tempdir().unwrap();
    let told = run(&place, "--no-baseline --out without");
    assert!(!told.contains("random"), "{told}");
    assert!(report(&place, "without")["baseline"].is_null());
    let record = fs::read_to_string(place.path().join("without/run.toml")).unwrap();
    let command = record.lines().nth(1).unwrap();
    assert!(record.contains("\nno_baseline = true\n") && command.contains("--no-baseline"));
    let args = words("evaluate without --eval-nets 1 --eval-epochs 1 --no-baseline");
    assert!(!text(&succeed(program(&place).args(args)).stdout).contains("random"));
    for method in ["random", "whole"] {
        let asked = format!("--dataset glyphs --method {method} --no-baseline");
        let output = program(&place).args(words(&asked)).output().unwrap();
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains("--no-baseline does nothing with --method"), "{told}");
    }
}

#[test]
fn seeds_and_comparisons_have_them_too() {
    let place = tempdir().unwrap();
    let told = run(&place, "--runs 2 --out both");
    let both = report(&place, "both");
    let own: Vec<_> = both["runs"].as_array().unwrap().iter().map(|run| &run["baseline"]).collect();
    assert_eq!(mean(&both["baseline"]), (mean(own[0]) + mean(own[1])) / 2.0, "{both}");
    assert_eq!(both["baseline"]["runs"].as_array().unwrap().len(), 4);
    assert!(told.contains("over random images, ") && told.contains("\nrandom    "), "{told}");

    let compare = |methods: &str, more: &str| {
        let _ = fs::remove_dir_all(place.path().join("out"));
        let asked = format!("compare {TINY} --methods {methods} --out out {more}");
        let output = succeed(program(&place).args(words(&asked)));
        let page = fs::read_to_string(place.path().join("out/report.html")).unwrap();
        assert_eq!(page.contains("over random"), !more.contains("--no-baseline"));
        assert!(report(&place, "out/dm")["baseline"].is_null(), "measured twice");
        (text(&output.stdout), json(&place.path().join("out/compare.json"))["methods"].clone())
    };
    let (told, with) = compare("dm,random", "");
    assert_eq!(mean(&with[0]["baseline"]), mean(&with[1]["accuracy"]));
    assert!(with[1]["baseline"].is_null() && told.contains("In brackets: points above 10"));
    // The same where it is no row, by each kind of network.
    let (told, alone) = compare("dm,herding", "");
    assert_eq!(alone[0]["baseline"], with[0]["baseline"], "{told}");
    let nets = "--eval-net convnet,mlp";
    let (told, several) = compare("dm,herding", nets);
    let (_, rows) = compare("dm,random", nets);
    for net in ["convnet", "mlp"] {
        let of = |rows: &Value| rows[0]["architectures"][net]["baseline"].clone();
        assert!(of(&several).is_object(), "{told}");
        assert_eq!(of(&several), of(&rows), "{net}");
    }
    let (told, without) = compare("dm,random", "--no-baseline");
    assert!(without[0]["baseline"].is_null() && !told.contains("In brackets"), "{told}");
}

/// Ctrl-C while random images are evaluated: the accuracy stays, and resuming measures only what is missing.
#[cfg(unix)]
#[test]
fn what_is_missing_is_measured_on_resuming() {
    use crate::helpers::{signal, start};
    use std::io::{BufRead, BufReader};

    let place = tempdir().unwrap();
    let asked = "--dataset glyphs --ipc 1 --width 8 --depth 1 --batch-real 8 --iterations 2 \
                 --eval-nets 1 --eval-epochs 400";
    succeed(program(&place).args(words(asked)).args(["--out", "whole", "--quiet"]));
    let mut child = start(program(&place).args(words(asked)).args(["--out", "run"]));
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.starts_with("evaluating random images")), "it never began");
    signal(&child, "INT");
    drop(lines.collect::<Vec<_>>());
    let output = child.wait_with_output().unwrap();
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(
        said.contains("accuracy  ") && said.contains("further   evaluations were not measured"),
        "{said}"
    );
    assert!(said.ends_with("go on     dm-wgpu --resume run\n"), "{said}");
    let stopped = report(&place, "run");
    assert!(stopped["accuracy"].is_object() && stopped["interrupted"] == true, "{stopped}");
    let resumed = succeed(program(&place).args(["--resume", "run"]));
    let told = text(&resumed.stderr);
    assert!(!told.contains("\nevaluating: "), "evaluated again: {told}");
    let figures = |run: &str| {
        let mut report = report(&place, run);
        report.as_object_mut().unwrap().remove("seconds");
        report
    };
    assert_eq!(figures("run"), figures("whole"));
}
