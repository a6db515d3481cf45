//! Classes with different numbers of images, on glyphs and with tiny networks. Needs an adapter, a CPU one will do.

use std::fs;

use dm_wgpu::SyntheticSet;
use tempfile::{TempDir, tempdir};

use crate::helpers::{json, program, set, succeed, text, words};

const NUMBERS: &str = "2,2,1,3,3,3,1,2,1,1";
const COUNTS: [usize; 10] = [2, 2, 1, 3, 3, 3, 1, 2, 1, 1];
const TINY: &str = "--dataset glyphs --width 8 --depth 1 --batch-real 8 --iterations 3 --lr-img 1";

fn run(place: &TempDir, line: &str) -> String {
    let mut command = program(place);
    // Trajectories are kept there.
    command.env("XDG_CACHE_HOME", place.path().join("cache"));
    let output = succeed(command.args(words(line)));
    text(&output.stderr) + &text(&output.stdout)
}

fn load(place: &TempDir, run: &str) -> SyntheticSet {
    SyntheticSet::load(&place.path().join(run).join("synthetic.safetensors")).unwrap()
}

/// The pixels of a class.
fn class(set: &SyntheticSet, class: i64) -> Vec<f32> {
    let images = set.images.chunks(set.image_len());
    images
        .zip(&set.labels)
        .filter(|(_, label)| **label == class)
        .flat_map(|(i, _)| i.to_vec())
        .collect()
}

/// Classes know nothing of each other: each is, bit for bit, what it is in a run with its number for all.
#[test]
fn each_class_is_as_in_a_run_with_its_number_for_all() {
    let place = tempdir().unwrap();
    let small = "--dataset glyphs --width 8 --depth 1";
    for (name, how) in [
        ("dm", TINY.to_owned()),
        ("packed", format!("{TINY} --factor 2")),
        ("along", format!("{TINY} --method trajectory --expert-epochs 1 --factor 3 --shown 10")),
        ("one", format!("{TINY} --method trajectory --expert-epochs 1 --factor 1")),
        ("herding", format!("{small} --method herding")),
        ("random", "--dataset glyphs --method random".to_owned()),
    ] {
        let asked = format!("{how} --no-eval");
        run(&place, &format!("{asked} --ipc {NUMBERS} --out {name}"));
        let uneven = load(&place, name);
        assert_eq!((uneven.ipc, uneven.labels.len()), (3, 19));
        // One of them has all numbers, for the others two are enough.
        let numbers = if name == "dm" { vec![1, 2, 3] } else { vec![1, 3] };
        for ipc in numbers {
            let out = format!("{name}{ipc}");
            run(&place, &format!("{asked} --ipc {ipc} --out {out}"));
            let even = load(&place, &out);
            for at in (0..10).filter(|&at| COUNTS[at] == ipc) {
                assert!(class(&uneven, at as i64) == class(&even, at as i64), "{name}, class {at}");
            }
        }
    }
    // In chunks of few images, and stopped on the way.
    let asked = format!("{TINY} --no-eval --ipc {NUMBERS}");
    run(&place, &format!("{asked} --memory-budget 4MiB --out chunks"));
    assert!(set(&place, "chunks") == set(&place, "dm"));
    run(&place, &format!("{asked} --factor 2 --memory-budget 4MiB --out some-packed"));
    assert!(set(&place, "some-packed") == set(&place, "packed"));
    run(
        &place,
        &format!("{} --no-eval --ipc {NUMBERS} --out some", TINY.replace("ions 3", "ions 2")),
    );
    run(&place, "--resume some --iterations 3");
    assert!(load(&place, "some").images == load(&place, "dm").images);
    // One number for all is the same as that number.
    run(&place, &format!("{TINY} --no-eval --ipc 2,2,2,2,2,2,2,2,2,2 --out alike"));
    assert!(set(&place, "alike") == set(&place, "dm2"));
}

#[test]
fn everything_takes_them() {
    let place = tempdir().unwrap();
    let judged = "--eval-nets 1 --eval-epochs 2";
    let told = run(&place, &format!("{TINY} --ipc {NUMBERS} {judged} --eval-every 2 --out a"));
    assert!(
        told.contains(&format!("ipc {NUMBERS}")) && told.contains("19 images after 3"),
        "{told}"
    );
    let report = json(&place.path().join("a/report.json"));
    assert_eq!((&report["images"], &report["baseline"]["images"]), (&19.into(), &19.into()));
    assert_eq!(report["settings"]["per_class"], serde_json::json!(COUNTS));
    let page = fs::read_to_string(place.path().join("a/report.html")).unwrap();
    assert!(page.contains("glyphs, 1 to 3 images per class") && page.contains("1 to 3 per class"));
    for image in ["images/3/002.png", "images/2/000.png", "grid.png", "progress.png"] {
        assert!(place.path().join("a").join(image).is_file(), "{image}");
    }
    assert!(!place.path().join("a/images/2/001.png").exists());

    // The record repeats it, as a command and as a file.
    let record = fs::read_to_string(place.path().join("a/run.toml")).unwrap();
    let command = record.lines().nth(1).unwrap().strip_prefix("# dm-wgpu ").unwrap().to_owned();
    assert!(command.contains(&format!("--ipc {NUMBERS}")), "{command}");
    run(&place, &format!("{command} --out again"));
    run(&place, "--config a/run.toml --out file");
    let names = |at: usize| ["A", "B", "C", "D", "E", "F", "G", "H", "I", "J"][at].to_owned();
    let known = load(&place, "a").class_names;
    let lines: Vec<_> = COUNTS
        .iter()
        .enumerate()
        .map(|(at, n)| {
            let name = known.get(at).cloned().unwrap_or_else(|| names(at));
            format!("{name},{n}")
        })
        .collect();
    fs::write(place.path().join("numbers.csv"), lines.join("\n")).unwrap();
    run(&place, &format!("{TINY} --ipc-file numbers.csv {judged} --eval-every 2 --out listed"));
    for again in ["again", "file", "listed"] {
        assert!(set(&place, again) == set(&place, "a"), "{again}");
    }

    // Every format gives the accuracy of the run.
    let accuracy = |path: &str| {
        let line =
            format!("evaluate {path} --dataset glyphs {judged} --eval-width 8 --json --quiet");
        let output = succeed(program(&place).args(words(&line)));
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()["accuracy"].clone()
    };
    assert_eq!(accuracy("a"), report["accuracy"]);
    for (format, out) in [("npz", "a.npz"), ("safetensors", "b.safetensors"), ("pt", "a.pt")] {
        run(&place, &format!("export a --format {format} --out {out}"));
        if format != "pt" {
            assert_eq!(accuracy(out), report["accuracy"], "{format}");
        }
    }
    assert!(run(&place, "view a --as blocks").len() > 100);
    // Packed ones as well, in every format; their images are decoded class by class.
    let packed = format!("{TINY} --factor 2 --ipc {NUMBERS} {judged} --out p");
    assert!(run(&place, &packed).contains("76 images packed into 19"));
    let report = json(&place.path().join("p/report.json"));
    assert_eq!((&report["images"], &report["packed_into"]), (&76.into(), &19.into()));
    assert!(place.path().join("p/decoded.png").is_file());
    assert_eq!(accuracy("p"), report["accuracy"]);
    for (format, out) in [("npz", "p.npz"), ("safetensors", "p.safetensors")] {
        run(&place, &format!("export p --format {format} --out {out}"));
        assert_eq!(accuracy(out), report["accuracy"], "{format}");
        run(&place, &format!("export p --format {format} --decoded --out whole-{out}"));
        assert_eq!(accuracy(&format!("whole-{out}")), report["accuracy"], "{format}, decoded");
    }
    assert!(run(&place, "view p --decoded --as blocks").len() > 100);

    let compared =
        format!("compare {TINY} --ipc {NUMBERS} --methods dm,random,k-center {judged} --out c");
    run(&place, &compared);
    let table = fs::read_to_string(place.path().join("c/compare.md")).unwrap();
    assert!(table.starts_with("glyphs, 1 to 3 images per class, seed 0"), "{table}");
    assert!(
        fs::read_to_string(place.path().join("c/report.html"))
            .unwrap()
            .contains("1 to 3 images per class")
    );
    run(&place, &format!("--dataset glyphs --method random --ipc {NUMBERS} --no-eval"));
    assert!(place.path().join("runs/glyphs-random-ipc1to3-seed0").is_dir());
}

/// Gradient matching and distillation train networks on the decoded images of all classes.
#[test]
fn methods_that_train_take_packed_ones() {
    let place = tempdir().unwrap();
    let judged = "--eval-nets 1 --eval-epochs 2 --no-baseline";
    for (name, how) in [
        ("dc", "--method dc --outer 2 --inner 1"),
        ("dd", "--method dd --dd-epochs 2 --dd-steps 4 --net mlp --eval-net mlp"),
    ] {
        let asked = format!("{TINY} --ipc {NUMBERS} {how} --factor 2 {judged} --out {name}");
        let told = run(&place, &asked);
        assert!(told.contains("76 images packed into 19 after 3 iterations"), "{told}");
        let labels = load(&place, name).labels;
        let of_class = |class: i64| labels.iter().filter(|&&label| label == class).count();
        assert_eq!((0..10).map(of_class).collect::<Vec<_>>(), COUNTS, "{name}");
        // Packed and decoded files give the accuracy of the run, in order as well.
        let report = json(&place.path().join(name).join("report.json"));
        for (out, more) in [("p", ""), ("d", "--decoded")] {
            let file = format!("{name}-{out}.safetensors");
            run(&place, &format!("export {name} --format safetensors {more} --out {file}"));
            let line = format!("evaluate {file} --dataset glyphs {judged} --eval-width 8");
            let mut command = program(&place);
            let kind = if name == "dd" { &["--eval-net", "mlp"][..] } else { &[] };
            let output = succeed(command.args(words(&line)).args(kind).args(["--json", "--quiet"]));
            let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
            for accuracy in ["accuracy", "ordinary_accuracy"] {
                assert_eq!(answer.get(accuracy), report.get(accuracy), "{file}");
            }
        }
    }
    // As many steps as each class's images can be cut into.
    let steps = |ipc: &str| {
        let line = format!("show-config --dataset glyphs --method dd --ipc {ipc}");
        let told = run(&place, &line);
        told.lines().find(|line| line.contains("dd_steps")).unwrap().to_owned()
    };
    assert!(steps("2,4,6,2,2,2,2,2,2,2").contains("dd_steps = 2"));
}

#[test]
fn what_cannot_take_them_says_why() {
    let place = tempdir().unwrap();
    fs::write(place.path().join("short"), "0,1").unwrap();
    let all = "--dataset glyphs --ipc 2,2,1,3,3,3,1,2,1,1";
    for (asked, told) in [
        (
            format!("{all} --method dd --dd-steps 2"),
            "--dd-steps 2: each step takes equally many of each class's images: 1 is possible",
        ),
        (
            "--dataset glyphs --factor 4 --ipc 2,2,1,3,3,3,1,2,1,19".into(),
            "has only 300 training images, 304 are needed",
        ),
        (
            "--dataset glyphs --ipc 1,2".into(),
            "these are 2 numbers; one for all classes is needed, or one for each of 10",
        ),
        ("--dataset glyphs --ipc 1,0".into(), "or one for each class, joined by comma"),
        ("--dataset glyphs --ipc 2,2,1,3,3,3,1,2,1,5000".into(), "has only "),
        ("--dataset glyphs --ipc-file short".into(), "has no line; each class needs one"),
        ("--dataset glyphs --ipc-file short --ipc 2".into(), "cannot be used with"),
        ("--dataset glyphs --ipc-file none".into(), "--ipc-file none: "),
        ("show-config --dataset glyphs --ipc-file short".into(), "--ipc-file names classes"),
    ] {
        let output = program(&place).args(words(&asked)).output().unwrap();
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{asked}: {error}");
        assert!(error.contains(told) && !error.contains("panicked"), "{asked}: {error}");
    }
    assert!(!place.path().join("runs").exists());
}
