//! Evaluations by DM's protocol, by IDC's, and by both. Needs an adapter, a CPU one will do.

use std::fs;

use serde_json::Value;
use tempfile::{TempDir, tempdir};

use crate::helpers::{json, program, succeed, text, words};

const TINY: &str = "--dataset glyphs --ipc 1 --width 8 --depth 1 --batch-real 8 --iterations 2 \
                    --eval-nets 1 --eval-epochs 2";
const IDC: &str = "convnet:protocol=idc";

fn file(place: &TempDir, path: &str) -> Value {
    json(&place.path().join(path))
}

#[test]
fn both_protocols_give_a_row_each() {
    let place = tempdir().unwrap();
    let tiny = "--dataset glyphs --ipc 1 --method random --eval-nets 1 --eval-epochs 2 --eval-width 8 --eval-depth 1";
    let told = succeed(program(&place).args(words(&format!("{tiny} --protocol idc --out a"))));
    let told = text(&told.stderr) + &text(&told.stdout);
    assert!(told.contains("1 network of width 8, 2 epochs, IDC's protocol"), "{told}");
    let report = json(&place.path().join("a/report.json"));
    let evaluation = &report["evaluation"];
    assert_eq!((&evaluation["protocol"], &evaluation["batch"]), (&"idc".into(), &64.into()));
    assert_eq!(evaluation["augment"], "color_crop_scale_rotate");
    let command = fs::read_to_string(place.path().join("a/run.toml")).unwrap();
    assert!(command.contains("--protocol idc"), "{command}");

    let both = "evaluate a --protocol both --eval-nets 1 --eval-epochs 2";
    let told = succeed(program(&place).args(words(both)));
    let told = text(&told.stderr) + &text(&told.stdout);
    assert!(told.contains("convnet:protocol=idc"), "{told}");
    let kept = json(&place.path().join("a/architectures.json"));
    assert_eq!(kept["convnet"]["settings"]["batch"], 256);
    assert_eq!(kept["convnet:protocol=idc"]["settings"]["batch"], 64);
}

#[test]
fn a_run_by_both_protocols_has_both_accuracies() {
    let place = tempdir().unwrap();
    let run = |line: &str| text(&succeed(program(&place).args(words(line))).stdout);
    let told = run(&format!("{TINY} --protocol both --out both"));
    run(&format!("{TINY} --out dm"));
    run(&format!("{TINY} --protocol idc --out idc"));
    let [both, dm, idc] =
        ["both", "dm", "idc"].map(|run| file(&place, &format!("{run}/report.json")));
    assert_eq!(both["accuracy"], dm["accuracy"]);
    assert_eq!(both["baseline"], dm["baseline"]);
    assert_eq!(both["interrupted"], false);
    let rows = &both["architectures"];
    for (name, own) in [("convnet", &dm), (IDC, &idc)] {
        assert_eq!(rows[name]["mean"], own["accuracy"]["mean"], "{told}");
        assert_eq!(rows[name]["baseline"], own["baseline"], "{name}");
        assert_eq!(rows[name]["settings"], own["evaluation"], "{name}");
    }
    assert_eq!(&file(&place, "both/architectures.json"), rows);
    assert!(told.contains("\nconvnet ") && told.contains(&format!("\n{IDC} ")), "{told}");
    assert!(fs::read_to_string(place.path().join("both/report.html")).unwrap().contains(IDC));

    // Its record repeats it, as a file and as a command.
    let record = fs::read_to_string(place.path().join("both/run.toml")).unwrap();
    let command = record.lines().nth(1).unwrap().strip_prefix("# dm-wgpu ").unwrap();
    assert!(command.contains("--protocol both") && !command.contains("--eval-batch"), "{command}");
    run(&format!("{command} --out again"));
    run("--config both/run.toml --out file");
    for again in ["again", "file"] {
        let report = file(&place, &format!("{again}/report.json"));
        for name in ["convnet", IDC] {
            assert_eq!(report["architectures"][name]["runs"], rows[name]["runs"], "{again}");
        }
    }
    let shown = run(&format!("show-config {TINY} --protocol both"));
    assert!(shown.contains("protocol = \"both\"") && !shown.contains("other_protocol"), "{shown}");
}

#[test]
fn seeds_comparisons_and_whole_training_sets_have_both() {
    let place = tempdir().unwrap();
    let run = |line: &str| text(&succeed(program(&place).args(words(line))).stdout);
    let told = run(&format!("{TINY} --protocol both --runs 2 --out seeds --no-baseline"));
    let seeds = file(&place, "seeds/report.json");
    let mean = |row: &Value| row["architectures"][IDC]["mean"].as_f64().unwrap();
    let runs = seeds["runs"].as_array().unwrap();
    assert_eq!(mean(&seeds), (mean(&runs[0]) + mean(&runs[1])) / 2.0, "{told}");
    assert_ne!(mean(&runs[0]), mean(&runs[1]), "the same seed");
    assert!(told.contains(&format!("\n{IDC} ")), "{told}");

    let told = run(&format!("compare {TINY} --protocol both --methods dm,random --out out"));
    let table = file(&place, "out/compare.json");
    assert_eq!(table["networks"], serde_json::json!(["convnet", IDC]));
    let alone = file(&place, "seeds/seed0/report.json");
    assert_eq!(
        table["methods"][0]["architectures"][IDC]["mean"],
        alone["architectures"][IDC]["mean"]
    );
    let beside = &table["methods"][0]["architectures"][IDC]["baseline"];
    assert_eq!(beside["mean"], table["methods"][1]["architectures"][IDC]["mean"], "{told}");

    let whole = "--dataset glyphs --method whole --eval-nets 1 --eval-epochs 1 --eval-width 4 --eval-depth 1";
    run(&format!("{whole} --protocol both --out whole"));
    run(&format!("{whole} --protocol idc --out whole-idc"));
    let (both, idc) = (file(&place, "whole/report.json"), file(&place, "whole-idc/report.json"));
    assert_eq!(both["architectures"][IDC]["mean"], idc["accuracy"]["mean"]);
}

/// Ctrl-C in the second evaluation: the first stays, and resuming measures only the second.
#[cfg(unix)]
#[test]
fn a_run_that_lacks_the_other_protocol_measures_it_on_resuming() {
    use crate::helpers::{signal, start};
    use std::io::{BufRead, BufReader};

    let place = tempdir().unwrap();
    let asked = TINY.replace("--eval-epochs 2", "--eval-epochs 200") + " --protocol both";
    succeed(program(&place).args(words(&asked)).args(["--out", "whole", "--quiet"]));
    let mut child = start(program(&place).args(words(&asked)).args(["--out", "run"]));
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.starts_with(&format!("evaluating by {IDC}"))), "it never began");
    signal(&child, "INT");
    drop(lines.collect::<Vec<_>>());
    let output = child.wait_with_output().unwrap();
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(
        said.contains("\naccuracy  ") && said.contains("by the other was not measured"),
        "{said}"
    );
    let told = text(&succeed(program(&place).args(["--resume", "run"])).stderr);
    let random = told.matches("evaluating random images: 0 %").count();
    assert!(!told.contains("\nevaluating: ") && random == 1, "{told}");
    let accuracies = |run: &str| {
        let report = file(&place, &format!("{run}/report.json"));
        let of = |name: &str| report["architectures"][name]["runs"].clone();
        (report["accuracy"].clone(), report["baseline"].clone(), of("convnet"), of(IDC))
    };
    assert_eq!(accuracies("run"), accuracies("whole"));
}
