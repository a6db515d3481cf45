//! What programs hear: `--json` from outside. Needs an adapter (a CPU one will do).

use std::process::Output;

use serde_json::Value;
use tempfile::TempDir;

use crate::helpers::{GLYPHS, program, text, words};

fn run(place: &TempDir, line: &str) -> Output {
    program(place).args(words(line)).output().unwrap()
}

/// The events, each one a line of its own.
fn events(output: &Output) -> Vec<Value> {
    text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn heard(place: &TempDir, line: &str) -> Vec<Value> {
    let output = run(place, line);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(text(&output.stderr), "", "people are not spoken to");
    events(&output)
}

fn of<'a>(events: &'a [Value], name: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["event"] == name).collect()
}

const TINY: &str = "--dataset glyphs --ipc 1 --iterations 4 --width 8 --depth 1 --batch-real 8 \
                    --eval-nets 2 --eval-epochs 3";

#[test]
fn a_run_reports_every_event() {
    let place = tempfile::tempdir().unwrap();
    let events = heard(&place, &format!("{TINY} --eval-every 2 --json --out run"));
    let (first, last) = (&events[0], events.last().unwrap());
    assert_eq!((&first["event"], &first["dataset"]["name"]), (&"start".into(), &"glyphs".into()));
    assert_eq!(
        (&first["dataset"]["images"], &first["dataset"]["classes"]),
        (&GLYPHS.into(), &10.into())
    );
    assert!(first["adapter"]["kernels"].is_string() && first["version"].is_string(), "{first}");
    let [method] = of(&events, "method")[..] else { panic!("{events:?}") };
    assert_eq!((&method["method"], &method["folder"]), (&"dm".into(), &"run".into()));
    assert_eq!(
        (&method["settings"]["width"], &method["evaluation"]["nets"]),
        (&8.into(), &2.into())
    );

    let iterations = of(&events, "iteration");
    assert_eq!((&iterations[0]["iteration"], &iterations[0]["total"]), (&1.into(), &4.into()));
    let end = iterations.last().unwrap();
    assert_eq!(end["iteration"], 4);
    for number in ["loss", "mean_loss", "seconds"] {
        assert!(end[number].as_f64().unwrap() > 0.0, "{end}");
    }
    let accuracies: Vec<_> =
        of(&events, "accuracy").iter().map(|e| e["iteration"].clone()).collect();
    assert_eq!(accuracies, [0, 2]);
    let evaluating = of(&events, "progress");
    let done = evaluating.iter().filter(|event| event["done"] == event["total"]);
    assert_eq!(done.count(), 4, "on the way, at the end, and random images: {evaluating:?}");

    // Measured beforehand: known from the first one on, and the same number of the same things throughout.
    for event in &iterations {
        assert!(
            event["seconds_left"].is_f64() && event["evaluation_seconds_left"].is_f64(),
            "{event}"
        );
    }
    for event in &evaluating {
        assert_eq!((&event["total"], &event["unit"]), (&4.into(), &"epochs and tests".into()));
    }

    assert_eq!((&last["event"], &last["folder"]), (&"result".into(), &"run".into()));
    assert_eq!(of(&events, "result").len(), 1);
    let mut figures = last.clone();
    for beside in ["event", "folder"] {
        figures.as_object_mut().unwrap().remove(beside).unwrap();
    }
    let report = std::fs::read_to_string(place.path().join("run/report.json")).unwrap();
    assert_eq!(figures, serde_json::from_str::<Value>(&report).unwrap());

    // The set by itself, and nothing but the result.
    let quiet = heard(&place, "evaluate run --eval-epochs 2 --json --quiet");
    assert_eq!(
        (quiet.len(), &quiet[0]["event"], &quiet[0]["images"]),
        (1, &"result".into(), &10.into())
    );
    let talkative = heard(&place, "evaluate run --eval-epochs 2 --json");
    let [set] = of(&talkative, "set")[..] else { panic!("{talkative:?}") };
    assert_eq!((&set["path"], &set["images"]), (&"run".into(), &10.into()));
    assert_eq!(talkative.last().unwrap()["accuracy"], quiet[0]["accuracy"]);
}

#[test]
fn a_comparison_reports_each_method() {
    let place = tempfile::tempdir().unwrap();
    let events = heard(&place, &format!("compare {TINY} --methods dm,random --json --out both"));
    let names: Vec<_> = of(&events, "method").iter().map(|event| event["method"].clone()).collect();
    assert_eq!(names, ["dm", "random"]);
    let last = events.last().unwrap();
    assert_eq!(
        (&last["event"], &last["methods"][1]["method"]),
        (&"result".into(), &"random".into())
    );
    assert_eq!(of(&events, "start").len(), 1);
    assert!(of(&events, "message").is_empty(), "{events:?}");
}

#[test]
fn a_failure_is_the_last_event() {
    let place = tempfile::tempdir().unwrap();
    std::fs::write(place.path().join("broken.npz"), "x").unwrap();
    for (line, code, word) in [
        ("evaluate broken.npz --dataset glyphs --json", 1, "npz"),
        ("--dataset glyphs --memory-budget 1MiB --json --quiet", 2, "--memory-budget"),
        ("bench --batch-real 60000 --json", 2, "--batch-real"),
    ] {
        let output = run(&place, line);
        assert_eq!(output.status.code(), Some(code), "{line}");
        let events = events(&output);
        let last = events.last().unwrap();
        assert_eq!((&last["event"], &last["exit_code"]), (&"error".into(), &code.into()));
        let message = last["message"].as_str().unwrap();
        assert!(message.contains(word), "{message}");
        assert_eq!(text(&output.stderr), format!("error: {message}\n"), "people read it too");
    }
}

#[test]
fn a_benchmark_ends_with_its_result() {
    let place = tempfile::tempdir().unwrap();
    let bench = "bench --ipc 1 --width 8 --batch-real 4 --iterations 1 --json";
    let events = heard(&place, bench);
    assert_eq!((&events[0]["event"], &events[0]["dataset"]), (&"start".into(), &Value::Null));
    let last = events.last().unwrap();
    assert!(last["event"] == "result" && last["kernels"].is_array(), "{last}");
    assert!(of(&events, "progress").iter().any(|event| event["what"] == "timing epochs"));
}
