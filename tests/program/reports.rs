//! Looking at finished runs from outside: pages, comparisons of runs, images in the terminal. Needs an
//! adapter (a CPU one will do) for the runs themselves.

use std::{fs, path::Path, process::Command};

use dm_wgpu::SyntheticSet;
use serde_json::Value;
use tempfile::TempDir;

use crate::helpers::{json, program, succeed, text, words};

/// Exit code and what is said on stderr.
fn refused(command: &mut Command) -> (Option<i32>, String) {
    let output = command.output().unwrap();
    assert_eq!(text(&output.stdout), "");
    (output.status.code(), text(&output.stderr))
}

/// A run of seconds, even on a CPU.
fn run(place: &TempDir, out: &str, more: &[&str]) {
    let mut command = program(place);
    command
        .args(words(&format!("--dataset glyphs --ipc 1 --width 8 --depth 1 --quiet --out {out}")));
    succeed(command.args(["--eval-nets", "2", "--eval-epochs", "2"]).args(more));
}

fn page(folder: &Path) -> String {
    let html = fs::read_to_string(folder.join("report.html")).unwrap();
    let options = roxmltree::ParsingOptions { allow_dtd: true, ..Default::default() };
    roxmltree::Document::parse_with_options(&html, options).unwrap();
    html
}

/// An accuracy as the page writes it.
fn accuracy(report: &Value) -> String {
    let number = |name: &str| report["accuracy"][name].as_f64().unwrap();
    format!("{:.2} ± {:.2} %", number("mean"), number("std"))
}

#[test]
fn the_page_of_a_run_shows_what_was_measured() {
    let place = tempfile::tempdir().unwrap();
    let dm = ["--iterations", "4", "--batch-real", "8", "--eval-every", "2"];
    run(&place, "run", &dm);
    let folder = place.path().join("run");
    let report = json(&folder.join("report.json"));
    let html = page(&folder);
    let adapter = report["adapter"]["name"].as_str().unwrap();
    for what in
        ["glyphs, 1 image per class", &accuracy(&report), "Real images, drawn at random", adapter]
    {
        assert!(html.contains(what), "{what}");
    }
    // The images at the start once, and all five stages of them beside it.
    assert_eq!(html.matches("<img ").count(), 10 * (1 + 5));
    assert!(html.contains(
        "data-labels=\"iteration 0\niteration 1\niteration 2\niteration 3\niteration 4\""
    ));
    for point in report["curve"].as_array().unwrap() {
        let mean = point["mean"].as_f64().unwrap();
        let after = format!("after {} iterations", point["iteration"]);
        let mut titles = html.split("<title>").filter_map(|rest| rest.split('<').next());
        let title = titles.find(|title| title.ends_with(&after)).unwrap();
        assert!(title.starts_with(&format!("{mean:.2} ")), "{title}");
    }
    let record = fs::read_to_string(folder.join("run.toml")).unwrap();
    let command = record.lines().nth(1).unwrap().trim_start_matches("# ");
    assert!(html.contains(&format!("<code>{command}</code>")), "{command}");

    // Again, and from what is left of it.
    fs::write(folder.join("report.html"), "old").unwrap();
    fs::remove_dir_all(folder.join("snapshots")).unwrap();
    let out = text(&succeed(program(&place).args(["report", "run"])).stdout);
    assert!(out.contains("report.html"), "{out}");
    assert_eq!(page(&folder).matches("<img ").count(), 10, "the images at the end");
    let (code, err) = refused(program(&place).args(["report", "nowhere"]));
    assert!(code == Some(2) && err.contains("error: nowhere: there is no such folder"), "{err}");
    let (code, err) = refused(program(&place).args(["report", "run/run.toml"]));
    assert!(code == Some(2) && err.contains("run/run.toml: not a folder; name one"), "{err}");
    for command in ["evaluate", "view", "export"] {
        let format: &[_] = if command == "export" { &["--format", "pt"] } else { &[] };
        let (code, err) = refused(program(&place).args([command, "nowhere.npz"]).args(format));
        let told =
            err.contains("error: nowhere.npz: there is no such file or folder; name a run's");
        assert!(code == Some(2) && told, "{command}: {err}");
    }
}

/// Files of a run that are missing or damaged: the error names them and what makes them again.
#[test]
fn what_is_gone_or_damaged_is_named() {
    let place = tempfile::tempdir().unwrap();
    let said = |command: &[&str]| {
        let (code, err) = refused(program(&place).args(command));
        assert_eq!(code, Some(1), "{err}");
        err
    };
    run(&place, "run", &["--method", "random"]);
    let at = |name: &str| place.path().join("run").join(name);
    fs::rename(at("synthetic.safetensors"), at("elsewhere")).unwrap();
    for command in ["report", "evaluate", "view"] {
        let err = said(&[command, "run"]);
        let expected = "synthetic.safetensors is missing; dm-wgpu --resume run writes it again";
        assert!(err.contains(expected), "{command}: {err}");
    }
    let again = |told: String| assert!(told.contains("results are not all there"), "{told}");
    again(text(&succeed(program(&place).args(["--resume", "run"])).stderr));
    assert_eq!(fs::read(at("synthetic.safetensors")).unwrap(), fs::read(at("elsewhere")).unwrap());

    let whole = fs::read(at("elsewhere")).unwrap();
    fs::write(at("synthetic.safetensors"), &whole[..whole.len() / 2]).unwrap();
    for (command, path) in
        [("evaluate", "run"), ("view", "run"), ("evaluate", "run/synthetic.safetensors")]
    {
        let err = said(&[command, path]);
        let expected = "beyond the file's end; dm-wgpu --resume run writes it again";
        assert!(err.contains(expected), "{command}: {err}");
    }
    again(text(&succeed(program(&place).args(["--resume", "run"])).stderr));
    assert!(fs::read(at("synthetic.safetensors")).unwrap() == whole);

    fs::write(at("architectures.json"), "{").unwrap();
    let err = said(&["report", "run"]);
    assert!(err.contains("architectures.json: EOF") && err.contains("remove it, and"), "{err}");
    let mut command = program(&place);
    command.args([
        "evaluate",
        "run",
        "--eval-net",
        "mlp",
        "--eval-nets",
        "1",
        "--eval-epochs",
        "1",
    ]);
    let told = text(&succeed(command.arg("--no-baseline")).stderr);
    assert!(told.contains("does not keep these results: ") && told.contains("EOF"), "{told}");
    assert_eq!(fs::read_to_string(at("architectures.json")).unwrap(), "{", "nothing is lost");

    fs::remove_file(at("architectures.json")).unwrap();
    fs::write(at("report.json"), "{").unwrap();
    let err = said(&["report", "run"]);
    assert!(err.contains("report.json is not a run's") && err.contains("--resume run"), "{err}");
    again(text(&succeed(program(&place).args(["--resume", "run"])).stderr));
    succeed(program(&place).args(["report", "run"]));

    // From the checkpoint, if there is one.
    run(&place, "dm", &["--iterations", "3", "--batch-real", "8"]);
    let at = |name: &str| place.path().join("dm").join(name);
    let set = fs::read(at("synthetic.safetensors")).unwrap();
    fs::remove_file(at("synthetic.safetensors")).unwrap();
    let told = text(&succeed(program(&place).args(["--resume", "dm"])).stderr);
    assert!(told.contains("resumed   after 3 iterations"), "{told}");
    again(told);
    assert!(set == fs::read(at("synthetic.safetensors")).unwrap());
}

#[test]
fn snapshots_0_leaves_none() {
    let place = tempfile::tempdir().unwrap();
    run(&place, "run", &["--iterations", "2", "--batch-real", "8", "--snapshots", "0"]);
    let folder = place.path().join("run");
    assert!(!folder.join("snapshots").exists() && !folder.join("progress.png").exists());
    assert!(page(&folder).contains("iteration 2"));
    let mut command = program(&place);
    command.args(["--dataset", "glyphs", "--method", "random", "--snapshots", "3"]);
    let (code, err) = refused(&mut command);
    assert!(code == Some(2) && err.contains("--snapshots does nothing"), "{err}");
}

#[test]
fn compare_puts_finished_runs_side_by_side() {
    let place = tempfile::tempdir().unwrap();
    run(&place, "a", &["--iterations", "3", "--batch-real", "8"]);
    run(&place, "deep/a", &["--method", "random"]);
    let out = text(&succeed(program(&place).args(["compare", "a", "deep/a", "--quiet"])).stdout);
    let folder = place.path().join("runs/compare");
    let html = page(&folder);
    for run in ["a", "deep/a"] {
        let expected = accuracy(&json(&place.path().join(run).join("report.json")));
        assert!(out.contains(&expected) && html.contains(&expected), "{run}: {out}");
    }
    // Names alike are told apart by their folders.
    assert!(out.lines().any(|line| line.starts_with("deep/a ")), "{out}");
    let line = |name: &str| out.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    assert!(line("method").ends_with("random"), "{out}");
    // What only one of the methods knows is on the page, but no difference.
    assert!(!out.contains("batch-real") && !out.contains("selection"), "{out}");
    assert!(html.contains("<h2>Only dm</h2>") && html.contains("<dt>batch-real</dt>"));
    assert!(!out.contains("\nwidth"), "what is the same does not differ: {out}");

    let answer = succeed(program(&place).args(["compare", "a", "deep/a", "--json", "--out", "c"]));
    let mut answer: Value = serde_json::from_slice(&answer.stdout).unwrap();
    assert_eq!(answer.as_object_mut().unwrap().remove("event"), Some("result".into()));
    assert_eq!(answer, json(&place.path().join("c/compare.json")));
    assert_eq!(
        answer["runs"][0]["accuracy"],
        json(&place.path().join("a/report.json"))["accuracy"]
    );
    assert_eq!(answer["different"]["method"], serde_json::json!(["dm", "random"]));
    assert_eq!(answer["of_methods"]["dm"]["batch-real"], "8");
    // Figures by different protocols say which it is.
    assert!(!out.contains("judged by"), "{out}");
    run(&place, "idc", &["--method", "random", "--protocol", "idc"]);
    let told = program(&place).args(["compare", "a", "idc", "--out", "both"]).output().unwrap();
    let (told, html) = (text(&told.stdout), page(&place.path().join("both")));
    for part in ["judged by", "convnet, idc"] {
        assert!(told.contains(part) && html.contains(part), "{part}: {told}");
    }
    let line = |name: &str| told.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    let protocols: Vec<_> =
        line("eval-protocol").split_whitespace().skip(1).map(str::to_owned).collect();
    assert_eq!(protocols, ["dm", "idc"], "{told}");
    // The page finds the runs again, wherever it is asked from.
    fs::remove_file(place.path().join("c/report.html")).unwrap();
    let mut command = program(&place);
    succeed(command.current_dir(place.path().join("c")).args(["report", "."]));
    assert!(page(&place.path().join("c")).contains("2 runs compared"));

    let record = fs::read_to_string(place.path().join("a/report.json")).unwrap();
    fs::create_dir(place.path().join("stopped")).unwrap();
    let stopped = record.replace("\"interrupted\": false", "\"interrupted\": true");
    fs::write(place.path().join("stopped/report.json"), stopped).unwrap();
    let set = |run: &str| place.path().join(run).join("synthetic.safetensors");
    fs::copy(set("a"), set("stopped")).unwrap();
    fs::create_dir(place.path().join("empty")).unwrap();
    for (arguments, code, words) in [
        (&["a"][..], 2, "two runs or more"),
        (&["a", "empty"], 1, "empty: no run is in it"),
        (&["a", "c"], 1, "c: a comparison, not a run"),
        (&["a", "stopped"], 1, "stopped: this run was interrupted"),
        (&["a", "deep/a", "--out", "a"], 2, "--out a: it is not empty"),
        (&["a", "deep/a", "--ipc", "3"], 2, "--ipc does nothing with finished runs"),
    ] {
        let (found, err) = refused(program(&place).arg("compare").args(arguments));
        assert!(found == Some(code) && err.contains(words), "{arguments:?}: {err}");
    }
    assert!(!place.path().join("runs/compare-2").exists(), "refused, and yet a folder");
}

#[test]
fn runs_of_several_seeds_share_a_page() {
    let place = tempfile::tempdir().unwrap();
    let dm = ["--iterations", "3", "--batch-real", "8", "--snapshots", "0"];
    run(&place, "two", &[&dm[..], &["--runs", "2", "--seed", "4"]].concat());
    let folder = place.path().join("two");
    let html = page(&folder);
    let own = |seed: &str| json(&folder.join(seed).join("report.json"));
    for report in [json(&folder.join("report.json")), own("seed4"), own("seed5")] {
        assert!(html.contains(&accuracy(&report)), "{report}");
    }
    for what in ["The same run with 2 seeds.", "all 4 networks of 2 runs", "<h2>Curves</h2>"] {
        assert!(html.contains(what), "{what}");
    }
    assert_eq!(html.matches("<img ").count(), 2 * 10);
    assert!(!html.contains("chosen from") && !html.contains("What differs"));
    fs::remove_file(folder.join("report.html")).unwrap();
    succeed(program(&place).args(["report", "two"]));
    assert_eq!(page(&folder), html);

    // They are no set, nor one run, nor is what was stopped before its images were saved.
    fs::create_dir(place.path().join("killed")).unwrap();
    fs::copy(folder.join("seed4/run.toml"), place.path().join("killed/run.toml")).unwrap();
    let several = "two: runs with several seeds, not one run; name the runs in it: two/seed4";
    let unfinished = "killed: this run has not ended; resume it with dm-wgpu --resume killed";
    for (given, why) in [("two", several), ("killed", unfinished)] {
        for arguments in
            [&["view", given][..], &["evaluate", given], &["compare", given, "two/seed4"]]
        {
            let (code, err) = refused(program(&place).args(arguments));
            let told = err.starts_with(&format!("error: {why}"));
            assert!(code == Some(1) && told, "{arguments:?}: {err}");
        }
    }
    let (code, err) = refused(program(&place).args(["export", "killed", "--format", "npz"]));
    assert!(code == Some(1) && err.contains(unfinished), "{err}");
}

#[test]
fn a_comparison_has_one_page_for_all_methods() {
    let place = tempfile::tempdir().unwrap();
    let mut command = program(&place);
    command.args([
        "compare",
        "--dataset",
        "glyphs",
        "--ipc",
        "1",
        "--iterations",
        "2",
        "--width",
        "8",
    ]);
    command.args(["--methods", "dm,herding,whole", "--batch-real", "8", "--out", "out", "--quiet"]);
    succeed(command.args(["--eval-nets", "2", "--eval-epochs", "1", "--eval-every", "2"]));
    let folder = place.path().join("out");
    let html = page(&folder);
    for method in ["dm", "herding", "whole"] {
        let own = folder.join(method);
        assert!(html.contains(&accuracy(&json(&own.join("report.json")))), "{method}");
        page(&own);
    }
    // Ten classes in three stages, and chosen ones in one; the whole training set is not shown.
    assert_eq!(html.matches("<img ").count(), 10 * 3 + 10);
    assert!(html.contains("glyphs, 1 image per class: methods compared"));
    // What repeats a method alone is an answer to its own flags only.
    for (method, follows) in [("dm", true), ("herding", false), ("whole", false)] {
        let record = fs::read_to_string(folder.join(method).join("run.toml")).unwrap();
        assert_eq!(record.contains("--eval-every 2 "), follows, "{record}");
    }
}

#[test]
fn view_shows_a_set_in_the_terminal() {
    let place = tempfile::tempdir().unwrap();
    let set = SyntheticSet {
        images: vec![1.0; 2 * 3 * 4],
        labels: vec![0, 1],
        channels: 3,
        size: 2,
        dataset: "mine".into(),
        class_names: vec!["cat".into(), "dog".into()],
        mean: vec![0.0; 3],
        std: vec![1.0; 3],
        ipc: 1,
        factor: 1,
        settings: "{}".into(),
        course: None,
    };
    fs::create_dir(place.path().join("run")).unwrap();
    set.save(&place.path().join("run/synthetic.safetensors")).unwrap();

    // No terminal is listening.
    let (code, err) = refused(program(&place).args(["view", "run"]));
    assert!(code == Some(1) && err.contains("stdout is not a terminal"), "{err}");
    fs::write(place.path().join("run/grid.png"), "").unwrap();
    let (_, err) = refused(program(&place).args(["view", "run"]));
    assert!(err.contains("open run") && err.contains("grid.png"), "{err}");

    let seen = |arguments: &[&str]| text(&succeed(program(&place).args(arguments)).stdout);
    let blocks = seen(&["view", "run", "--as", "blocks"]);
    assert!(blocks.contains("cat \u{1b}[38;2;255;255;255;48;2;255;255;255m▀"), "{blocks:?}");
    let dog = seen(&["view", "run/synthetic.safetensors", "--as", "blocks256", "--class", "dog"]);
    assert!(dog.contains("dog \u{1b}[38;5;231;48;5;231m▀") && !dog.contains("cat"), "{dog:?}");
    assert!(seen(&["view", "run", "--as", "kitty"]).starts_with("\u{1b}_Ga=T,f=100,"));
    assert!(seen(&["view", "run", "--as", "iterm"]).starts_with("\u{1b}]1337;File=inline=1;"));

    let (code, err) = refused(program(&place).args(["view", "run", "--class", "cow"]));
    assert!(
        code == Some(2) && err.contains("--class cow: there is no such class; there are cat, dog")
    );
}
