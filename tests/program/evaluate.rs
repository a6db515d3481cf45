//! Evaluating from outside, on glyphs and with tiny networks: needs an adapter (a CPU one will do).

use std::{fs, io::Write, path::Path, process::Command};

use dm_wgpu::{SelectionSettings, Selector, SyntheticSet, data};
use serde_json::Value;
use tempfile::TempDir;
use zip::{ZipWriter, write::SimpleFileOptions};

use crate::helpers::{GLYPHS, json, program, succeed, text, words};

pub const EVALUATION: [&str; 7] =
    ["--no-baseline", "--eval-nets", "2", "--eval-epochs", "3", "--memory-budget", "256MiB"];

/// A run with an evaluation of seconds.
fn tiny(place: &TempDir) -> Command {
    let mut command = program(place);
    command.args(words("--dataset glyphs --ipc 1 --iterations 4 --width 8 --depth 1"));
    command.args(["--batch-real", "8"]).args(EVALUATION);
    command
}

/// What `evaluate --json` says of a set.
fn evaluated(place: &TempDir, arguments: &[&str]) -> Value {
    let mut command = program(place);
    command.arg("evaluate").args(arguments).args(EVALUATION).args(["--quiet", "--json"]);
    let output = succeed(&mut command);
    assert_eq!(text(&output.stderr), "");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// An `.npz` with the arrays of these names: NumPy's kind, shape and bytes of each.
fn npz(path: &Path, arrays: &[(&str, &str, &[usize], Vec<u8>)]) {
    let mut zip = ZipWriter::new(fs::File::create(path).unwrap());
    for (name, descr, shape, data) in arrays {
        zip.start_file(format!("{name}.npy"), SimpleFileOptions::default()).unwrap();
        let sides: String = shape.iter().map(|side| format!("{side}, ")).collect();
        let header =
            format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({sides}), }}\n");
        zip.write_all(b"\x93NUMPY\x01\x00").unwrap();
        zip.write_all(&(header.len() as u16).to_le_bytes()).unwrap();
        zip.write_all(header.as_bytes()).unwrap();
        zip.write_all(data).unwrap();
    }
    zip.finish().unwrap();
}

fn shape(set: &SyntheticSet) -> [usize; 4] {
    [set.labels.len(), set.channels, set.size, set.size]
}

fn labels(set: &SyntheticSet) -> Vec<u8> {
    set.labels.iter().flat_map(|label| label.to_le_bytes()).collect()
}

#[test]
fn every_format_of_a_set_gives_the_accuracy_of_its_run() {
    let place = tempfile::tempdir().unwrap();
    let output =
        succeed(tiny(&place).args(["--eval-every", "2", "--eval-width", "6", "--out", "run"]));
    let run = place.path().join("run");
    let report = json(&run.join("report.json"));
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    let mean = report["accuracy"]["mean"].as_f64().unwrap();
    assert!(out.contains(&format!("accuracy  {mean:.2} ± ")), "{out}");
    assert!(err.contains("\nevaluating: ") && !err.contains('\u{1b}'), "{err}");

    assert_eq!(report["accuracy"]["runs"].as_array().unwrap().len(), 2);
    assert_eq!((&report["dataset"], &report["method"]), (&"glyphs".into(), &"dm".into()));
    assert_eq!(report["settings"]["iterations"], 4);
    assert_eq!(
        (&report["evaluation"]["epochs"], &report["evaluation"]["width"]),
        (&3.into(), &6.into())
    );
    assert_eq!((&report["seeds"]["run"], &report["seeds"]["evaluation"]), (&0.into(), &0.into()));
    assert_eq!(report["interrupted"], false);
    assert_eq!(report["version"], env!("CARGO_PKG_VERSION"));
    for part in ["condensing", "evaluating"] {
        assert!(report["seconds"][part].as_f64().unwrap() > 0.0, "{report}");
    }
    assert!(report["loss"]["first"].is_f64() && report["adapter"]["name"].is_string());

    let record: toml::Table = fs::read_to_string(run.join("run.toml")).unwrap().parse().unwrap();
    let stored = record["outcome"]["accuracy"]["mean"].as_float().unwrap();
    assert!((stored - mean).abs() < 1e-9, "{stored} is not {mean}");
    assert_eq!(record["outcome"]["interrupted"].as_bool(), Some(false));

    // The curve: before the first, where there is no loss yet, in the middle, and at the end.
    let metrics = fs::read_to_string(run.join("metrics.csv")).unwrap();
    let rows: Vec<Vec<&str>> = metrics.lines().map(|row| row.split(',').collect()).collect();
    assert_eq!(rows[0], ["iteration", "loss", "seconds", "accuracy_mean", "accuracy_std"]);
    let measured: Vec<_> = rows[1..].iter().filter(|row| !row[3].is_empty()).collect();
    assert_eq!(measured.iter().map(|row| row[0]).collect::<Vec<_>>(), ["0", "2", "4"]);
    assert_eq!((rows.len(), rows[1][1], rows[5][3]), (6, "", format!("{mean:.4}").as_str()));
    assert!(rows[2..].iter().all(|row| row[1].parse::<f64>().is_ok()), "{metrics}");
    assert_eq!(report["curve"].as_array().unwrap().len(), 3);
    assert_eq!(report["curve"][2]["mean"], report["accuracy"]["mean"]);

    // Everything that holds these floats is worth the same to the last digit.
    let set = SyntheticSet::load(&run.join("synthetic.safetensors")).unwrap();
    let floats = set.images.iter().flat_map(|value| value.to_le_bytes()).collect();
    let doubles = set.images.iter().flat_map(|&value| f64::from(value).to_le_bytes()).collect();
    let shape = shape(&set);
    let arrays = |descr, images| {
        [("images", descr, &shape[..], images), ("labels", "<i8", &shape[..1], labels(&set))]
    };
    npz(&place.path().join("floats.npz"), &arrays("<f4", floats));
    npz(&place.path().join("doubles.npz"), &arrays("<f8", doubles));
    let foreign = ["--dataset", "glyphs", "--eval-width", "6", "--eval-depth", "1"];
    for arguments in [
        vec!["run"],
        vec!["run/synthetic.safetensors"],
        [&["floats.npz"], &foreign[..]].concat(),
        [&["doubles.npz"], &foreign[..]].concat(),
    ] {
        let answer = evaluated(&place, &arguments);
        assert_eq!(answer["accuracy"], report["accuracy"], "{arguments:?}");
        assert_eq!(
            (&answer["dataset"], &answer["images"]),
            (&"glyphs".into(), &set.labels.len().into())
        );
        assert!(answer["seconds"].is_f64() && answer["settings"]["nets"] == 2);
    }
    let other = evaluated(&place, &["run", "--seed", "1"]);
    assert_ne!(other["accuracy"], report["accuracy"]);

    // Pictures are 8-bit: the same as pixels, whichever way they come.
    let pixels = (0..set.labels.len()).flat_map(|i| set.image_u8(i)).collect();
    npz(&place.path().join("pixels.npz"), &arrays("|u1", pixels));
    let pictures = evaluated(&place, &[&["run/images"], &foreign[..]].concat());
    let pixels = evaluated(&place, &[&["pixels.npz"], &foreign[..]].concat());
    assert_eq!(pictures["accuracy"], pixels["accuracy"]);
    // A run's own pictures need not be told what it knows.
    assert_eq!(evaluated(&place, &["run/images"])["accuracy"], pictures["accuracy"]);

    // For people, and for those who contradict what the file says.
    let mut command = program(&place);
    let output = succeed(command.args(["evaluate", "run"]).args(EVALUATION));
    assert!(text(&output.stdout).contains(&format!("accuracy  {mean:.2} ± ")));
    assert!(
        text(&output.stderr)
            .contains("width 6, 3 epochs, DM's protocol (width as the run's own evaluation)")
    );
    let refused = program(&place).args(["evaluate", "run", "--dataset", "mnist"]).output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("glyphs"));
}

#[test]
fn malformed_sets_are_refused_with_what_is_wrong() {
    let place = tempfile::tempdir().unwrap();
    let path = |name: &str| place.path().join(name);
    let glyphs = data::glyphs(0).unwrap();
    let (size, classes) = (glyphs.size(), glyphs.classes());
    let one = [1, 1, size, size];
    let image = vec![0; size * size * 4];
    npz(&path("no-labels.npz"), &[("images", "<f4", &one, image.clone())]);
    let labelled = |name: &str, shape: &[usize], data: Vec<u8>, label: u8| {
        npz(&path(name), &[("images", "<f4", shape, data), ("labels", "|u1", &[1], vec![label])]);
    };
    labelled("flat.npz", &[1, size * size], image.clone(), 0);
    labelled("label.npz", &one, image.clone(), classes as u8);
    labelled("nan.npz", &one, vec![255; size * size * 4], 0);
    labelled("good.npz", &one, image, 0);
    let good = fs::read(path("good.npz")).unwrap();
    fs::write(path("cut.npz"), &good[..good.len() / 2]).unwrap();
    fs::write(path("cut.safetensors"), [200, 0, 0, 0, 0, 0, 0, 0, b'{']).unwrap();
    fs::write(path("set.txt"), "").unwrap();
    fs::create_dir_all(path("mixed/0")).unwrap();
    fs::create_dir(path("empty")).unwrap();
    image::GrayImage::new(3, 5).save(path("mixed/0/a.png")).unwrap();

    for (set, word) in [
        ("no-labels.npz", "\"labels\""),
        ("flat.npz", "shape [1,"),
        ("label.npz", "has label"),
        ("nan.npz", "NaN"),
        ("cut.npz", "cut.npz: it is not an npz file"),
        ("cut.safetensors", "ends before its header"),
        ("set.txt", ".npz"),
        ("mixed", "mixed"),
        ("empty", "sub-folder"),
    ] {
        let mut command = program(&place);
        let output = command
            .args(["evaluate", set, "--dataset", "glyphs"])
            .args(EVALUATION)
            .output()
            .unwrap();
        let err = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{set}: {err}");
        let error = err.lines().find(|line| line.starts_with("error: "));
        assert!(error.is_some_and(|line| line.contains(word)), "{set}: {err}");
        assert_eq!(text(&output.stdout), "");
    }
    let unsaid = program(&place).args(["evaluate", "good.npz"]).output().unwrap();
    assert_eq!(unsaid.status.code(), Some(2));
    assert!(text(&unsaid.stderr).contains("--dataset"), "{}", text(&unsaid.stderr));
}

#[test]
fn no_eval_leaves_the_accuracy_out() {
    let place = tempfile::tempdir().unwrap();
    let mut command = program(&place);
    command.args(["--dataset", "glyphs", "--ipc", "1", "--method", "random", "--out", "run"]);
    let output = succeed(command.args(words("--no-eval --width 8 --depth 1")));
    assert!(!text(&output.stdout).contains("accuracy"));
    let report = json(&place.path().join("run/report.json"));
    assert_eq!((&report["accuracy"], &report["evaluation"]), (&Value::Null, &Value::Null));
    assert_eq!((&report["method"], &report["loss"]), (&"random".into(), &Value::Null));
    let set = SyntheticSet::load(&place.path().join("run/synthetic.safetensors")).unwrap();
    let settings: SelectionSettings = serde_json::from_str(&set.settings).unwrap();
    assert_eq!(settings.selection, Selector::Random);
    assert!(place.path().join("run/grid.png").is_file());
}

#[test]
fn method_whole_measures_all_training_images_and_leaves_no_set() {
    let place = tempfile::tempdir().unwrap();
    let mut command = program(&place);
    command.args(["--dataset", "glyphs", "--method", "whole", "--out", "run"]);
    command.args(words("--width 2 --depth 1 --eval-nets 1 --eval-epochs 1"));
    let out = text(&succeed(&mut command).stdout);
    assert!(
        out.contains(" % (1 network of width 2, 1 epoch, DM's protocol, ") && !out.contains('±'),
        "{out}"
    );
    let names = fs::read_dir(place.path().join("run")).unwrap();
    let mut names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, [".lock", "report.html", "report.json", "run.toml"]);
    let report = json(&place.path().join("run/report.json"));
    assert!(report["accuracy"]["mean"].is_f64() && report["settings"].is_null());
    assert_eq!(report["images"], GLYPHS);
}

/// Ctrl-C while measuring: what was made is there, and only its accuracy is missing.
#[cfg(unix)]
#[test]
fn ctrl_c_during_the_evaluation_keeps_the_set() {
    use crate::helpers::{signal, start};
    use std::io::{BufRead, BufReader};

    let place = tempfile::tempdir().unwrap();
    let mut command = program(&place);
    command.args(words("--dataset glyphs --ipc 1 --iterations 1 --width 8 --depth 1"));
    command.args(["--batch-real", "8", "--eval-epochs", "100000", "--out", "run"]);
    let mut child = start(&mut command);
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.starts_with("evaluating: ")), "it never began");
    signal(&child, "INT");
    let rest: Vec<_> = lines.collect();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{rest:?}");
    assert!(rest.iter().any(|line| line.contains("stopping the evaluation")), "{rest:?}");
    assert!(text(&output.stdout).contains("not measured"), "{}", text(&output.stdout));

    let run = place.path().join("run");
    SyntheticSet::load(&run.join("synthetic.safetensors")).unwrap();
    assert!(run.join("grid.png").is_file() && run.join("run.toml").is_file());
    let report = json(&run.join("report.json"));
    assert_eq!((&report["accuracy"], &report["interrupted"]), (&Value::Null, &true.into()));
}

#[test]
fn several_kinds_of_network_make_a_table() {
    let place = tempfile::tempdir().unwrap();
    succeed(tiny(&place).args(["--eval-net", "mlp", "--out", "run"]));
    let report = json(&place.path().join("run/report.json"));
    assert_eq!(report["evaluation"]["net"], "mlp");

    // As the run was evaluated, unless another is asked for.
    let same = evaluated(&place, &["run"]);
    assert_eq!((&same["accuracy"], &same["settings"]["net"]), (&report["accuracy"], &"mlp".into()));

    let kinds = "mlp,convnet:norm=batch:pool=max";
    let small = ["--eval-width", "4", "--eval-depth", "1"];
    let several = evaluated(&place, &[&["run", "--eval-net", kinds][..], &small].concat());
    assert!(several["accuracy"].is_null());
    let (mlp, convnet) = (
        &several["architectures"]["mlp"],
        &several["architectures"]["convnet:norm=batch:pool=max"],
    );
    assert_eq!((&mlp["mean"], &mlp["parameters"]), (&same["accuracy"]["mean"], &118_282.into()));
    assert_eq!(convnet["runs"].as_array().unwrap().len(), 2);

    // The run's folder keeps it, and its page shows it.
    let kept = || json(&place.path().join("run/architectures.json"));
    assert_eq!(kept(), several["architectures"]);
    let page = std::fs::read_to_string(place.path().join("run/report.html")).unwrap();
    let (_, by_kind) = page.split_once("By kind of network").unwrap();
    let place_of = |name: &str| by_kind.find(name).unwrap_or_else(|| panic!("no {name}"));
    assert!(place_of("mlp") < place_of("convnet:norm=batch:pool=max"), "in the order asked for");
    let swept = evaluated(&place, &[&["run", "--sweep", "depths"][..], &small[..2]].concat());
    let depths: Vec<_> = swept["architectures"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(depths, [1, 2, 3, 4].map(|depth| format!("convnet:depth={depth}")));
    assert_eq!(kept().as_object().unwrap().len(), 6, "those of before as well");

    let mut command = program(&place);
    command.args(["evaluate", "run", "--quiet", "--eval-net", kinds]).args(small);
    let output = succeed(command.args(EVALUATION));
    let lines: Vec<_> = text(&output.stdout).lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines[0].starts_with("network ") && lines[1].starts_with("mlp "), "{lines:?}");

    // What cannot be kept is still told.
    std::fs::remove_file(place.path().join("run/architectures.json")).unwrap();
    std::fs::create_dir(place.path().join("run/architectures.json")).unwrap();
    let mut command = program(&place);
    command.args(["evaluate", "run", "--eval-net", "mlp"]).args(EVALUATION);
    let output = succeed(&mut command);
    assert!(text(&output.stdout).contains("accuracy  "), "{}", text(&output.stdout));
    let told = text(&output.stderr);
    assert!(told.contains("warning: the run's folder does not keep these results: "), "{told}");
    assert!(told.contains("architectures.json"), "{told}");
}

/// A list of layers of the user's own condenses and judges; the run needs the file no more.
#[test]
fn a_network_of_ones_own_is_a_file() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("small.toml");
    let layers = |out: usize| {
        format!(
            "layers = [{{ op = \"conv\", out = 4, kernel = 5, stride = 3 }}, {{ op = \"norm\", kind = \"batch\" }},
             {{ op = \"act\", kind = \"swish\" }}, {{ op = \"flatten\" }}, {{ op = \"linear\", out = {out} }}]"
        )
    };
    let with = |text: String| {
        std::fs::write(&file, text).unwrap();
        let mut command = tiny(&place);
        command.args(["--net", "file:small.toml", "--out", "run"]);
        command
    };
    for (wrong, expected) in [
        (layers(9), "9 outputs; 10 are needed"),
        (layers(10).replace("stride = 3", "stride = 0"), "layer 0 (conv 5×5)"),
        (layers(10).replace("swish", "gelu"), "unknown variant `gelu`"),
        ("layers = []".to_owned(), "the last layer must be linear"),
    ] {
        let output = with(wrong).output().unwrap();
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains(expected), "{told}");
        assert!(!place.path().join("run").exists());
    }
    succeed(&mut with(layers(10)));
    std::fs::remove_file(&file).unwrap();
    let report = json(&place.path().join("run/report.json"));
    let net = report["settings"]["net"].as_str().unwrap().to_owned();
    assert!(net.starts_with("layers:small=[{\"op\":\"conv\",\"out\":4"), "{net}");
    // The command in the record does the same again.
    let record = std::fs::read_to_string(place.path().join("run/run.toml")).unwrap();
    let command = record.lines().find_map(|line| line.strip_prefix("# dm-wgpu ")).unwrap();
    assert!(command.contains(&format!("--net '{net}'")), "{command}");
    succeed(tiny(&place).args(["--net", &net, "--out", "again"]));
    let images = |run: &str| {
        SyntheticSet::load(&place.path().join(run).join("synthetic.safetensors")).unwrap().images
    };
    assert_eq!(images("run"), images("again"));
    let judged = evaluated(&place, &["run", "--eval-net", &format!("{net},mlp")]);
    let names: Vec<_> = judged["architectures"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["mlp", "small"]);
    let gone = program(&place).args(["evaluate", "run", "--eval-net", "file:small.toml"]).output();
    let told = text(&gone.unwrap().stderr);
    assert!(told.contains("small.toml") && told.contains("a list of layers is needed"), "{told}");
    // Another set in its place has not been judged.
    succeed(program(&place).args(["--resume", "run", "--iterations", "7"]));
    assert!(!place.path().join("run/architectures.json").exists());
}
