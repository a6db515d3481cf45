//! Methods beside each other by `compare`, on glyphs and with tiny networks.

use std::{fs, path::Path};

use serde_json::Value;

use super::evaluate::EVALUATION;
use crate::helpers::{json, program, succeed, text, words};

#[test]
fn a_comparison_has_every_method_and_is_reproducible() {
    let place = tempfile::tempdir().unwrap();
    let compare = |out: &str, methods: &str, how: &[&str]| {
        let mut command = program(&place);
        command.args(["compare", "--dataset", "glyphs", "--ipc", "1", "--iterations", "2"]);
        command
            .args(words(&format!("--width 8 --depth 1 --batch-real 8 --out {out}")))
            .args(EVALUATION);
        command.args(["--methods", methods]).args(how);
        let output = succeed(&mut command);
        (output, json(&place.path().join(out).join("compare.json")))
    };
    let (output, table) = compare("a", "dm,random,herding,k-center", &["--quiet"]);
    assert_eq!(text(&output.stderr), "");
    assert!(text(&output.stdout).starts_with("method "), "{}", text(&output.stdout));
    let methods = table["methods"].as_array().unwrap();
    let names: Vec<_> = methods.iter().map(|row| row["method"].as_str().unwrap()).collect();
    assert_eq!(names, ["dm", "random", "herding", "k-center"]);
    let markdown = fs::read_to_string(place.path().join("a/compare.md")).unwrap();
    let note = "herding and k-center choose the same image";
    assert!(text(&output.stdout).contains(note) && markdown.contains(note), "{markdown}");
    assert_eq!(methods[2]["accuracy"], methods[3]["accuracy"], "the note is not true");
    for row in methods {
        let method = row["method"].as_str().unwrap();
        let mean = format!("{:.2} ± ", row["accuracy"]["mean"].as_f64().unwrap());
        assert!(markdown.contains(&format!("| {method} |")) && markdown.contains(&mean));
        assert!(text(&output.stdout).contains(&mean));
        let own = json(&place.path().join("a").join(method).join("report.json"));
        assert_eq!(own["accuracy"], row["accuracy"]);
        assert!(place.path().join("a").join(method).join("synthetic.safetensors").is_file());
    }
    let accuracies = |table: &Value| {
        let rows = table["methods"].as_array().unwrap().iter();
        rows.map(|row| row["accuracy"].clone()).collect::<Vec<_>>()
    };
    let (output, again) = compare("b", "k-center,dm", &["--json"]);
    let mut printed: Value =
        serde_json::from_str(text(&output.stdout).lines().last().unwrap()).unwrap();
    assert_eq!(printed.as_object_mut().unwrap().remove("event"), Some("result".into()));
    assert_eq!(printed, again);
    let first = accuracies(&table);
    assert_eq!(accuracies(&again), [first[3].clone(), first[0].clone()]);

    // A comparison is no set, but holds some.
    let output = program(&place).args(["evaluate", "a", "--dataset", "glyphs"]).output().unwrap();
    let err = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{err}");
    for method in ["dm", "random", "herding", "k-center"] {
        let own = Path::new("a").join(method).display().to_string();
        assert!(err.contains(&own), "{err}");
    }
}

#[test]
fn one_method_that_fails_leaves_the_others_their_results() {
    let place = tempfile::tempdir().unwrap();
    let mut command = program(&place);
    command.args(["compare", "--dataset", "glyphs", "--methods", "dm,random", "--ipc", "1"]);
    command.args(words("--iterations 3 --width 8 --depth 1 --batch-real 8 --out out"));
    // The pixels leave all numbers behind.
    command.args(["--lr-img", "1e38", "--eval-nets", "1", "--eval-epochs", "2"]);
    let output = command.output().unwrap();
    let err = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{err}");
    assert!(err.contains("error: 1 of 2 methods failed"), "{err}");
    let table = json(&place.path().join("out/compare.json"));
    assert!(table["methods"][0]["error"].as_str().unwrap().contains("--lr-img"), "{table}");
    assert!(table["methods"][1]["accuracy"]["mean"].is_f64(), "{table}");
}

/// Ctrl-C in a comparison: the table says what was stopped and what never began.
#[cfg(unix)]
#[test]
fn ctrl_c_leaves_a_table_that_says_what_was_not_run() {
    use crate::helpers::{signal, start};
    use std::io::{BufRead, BufReader};

    let place = tempfile::tempdir().unwrap();
    let mut command = program(&place);
    command.args(["compare", "--dataset", "glyphs", "--methods", "dm,random", "--ipc", "1"]);
    command.args(words("--iterations 1000000 --width 8 --depth 1 --batch-real 8 --out out"));
    let mut child = start(&mut command);
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.starts_with("iteration ")), "it never began");
    signal(&child, "INT");
    let rest: Vec<_> = lines.collect();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{rest:?}");
    let out = text(&output.stdout);
    let rows: Vec<Vec<_>> = out.lines().skip(1).map(|l| l.split_whitespace().collect()).collect();
    // Method, images, accuracy, seconds to make; nothing that was not done has seconds.
    assert_eq!((&rows[0][..3], rows[0].len()), (&["dm", "10", "interrupted"][..], 4), "{out}");
    assert_eq!(rows[1], ["random", "not", "run"]);
    let go_on = "go on     dm-wgpu --resume out/dm\n          dm-wgpu compare --dataset glyphs --ipc 1 \
                 --iterations 1000000 --width 8 --depth 1 --batch-real 8 --methods random";
    assert!(rest.join("\n").ends_with(go_on), "{rest:?}");
    let table = json(&place.path().join("out/compare.json"));
    assert_eq!(table["interrupted"], true);
    assert_eq!(table["methods"][1]["error"], "not run");
    assert!(table["methods"][1]["folder"].is_null() && table["methods"][0]["folder"] == "dm");
}

/// A column for each kind of network, in the terminal, the files and on the page.
#[test]
fn methods_are_compared_by_several_kinds_of_network() {
    let place = tempfile::tempdir().unwrap();
    let mut command = program(&place);
    command.args(["compare", "--dataset", "glyphs", "--ipc", "1", "--iterations", "2"]);
    command.args(words("--width 8 --depth 1 --batch-real 8 --out out")).args(EVALUATION);
    command.args(["--methods", "random,dm", "--eval-net", "convnet,mlp", "--quiet"]);
    let output = succeed(&mut command);
    let told = text(&output.stdout);
    let lines: Vec<_> = told.lines().collect();
    let header: Vec<_> = lines[0].split_whitespace().take(4).collect();
    assert_eq!(header, ["method", "images", "convnet", "mlp"]);
    let table = json(&place.path().join("out/compare.json"));
    assert_eq!(table["networks"], serde_json::json!(["convnet", "mlp"]));
    for (row, line) in table["methods"].as_array().unwrap().iter().zip(&lines[1..]) {
        let by = &row["architectures"];
        assert_eq!(by["convnet"]["runs"], row["accuracy"]["runs"]);
        let mean = format!("{:.2} ± ", by["mlp"]["mean"].as_f64().unwrap());
        let markdown = fs::read_to_string(place.path().join("out/compare.md")).unwrap();
        assert!(line.contains(&mean) && markdown.contains(&mean), "{line}");
        let own = place.path().join("out").join(row["method"].as_str().unwrap());
        assert_eq!(&json(&own.join("architectures.json")), by);
        // As `evaluate` has it.
        if row["method"] == "dm" {
            let mut command = program(&place);
            command.arg("evaluate").arg(&own).args(["--eval-net", "mlp", "--json", "--quiet"]);
            let output = succeed(command.args(EVALUATION));
            let alone: Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!(alone["accuracy"]["runs"], by["mlp"]["runs"]);
        }
    }
    let page = fs::read_to_string(place.path().join("out/report.html")).unwrap();
    assert!(page.contains("By kind of network"));
}
