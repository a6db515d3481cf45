//! Exports from outside: what the program writes, opened by the real PyTorch and NumPy where there are such.
//! Needs no adapter. `DM_WGPU_PYTHON` names a Python that has them, if `python3` doesn't.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use dm_wgpu::SyntheticSet;
use serde_json::json;
use tempfile::TempDir;

use crate::helpers::{program, text, words};

/// `dm-wgpu export` in a folder.
fn export(place: &TempDir, arguments: &[&str]) -> Output {
    program(place).arg("export").args(arguments).output().unwrap()
}

#[track_caller]
fn succeeds(output: &Output) -> String {
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(text(&output.stderr), "");
    text(&output.stdout)
}

#[track_caller]
fn refused(output: &Output, word: &str) {
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.starts_with("error: ") && stderr.contains(word), "{stderr}");
}

/// Names whose order is not the alphabet's.
const NAMES: [&str; 3] = ["Trouser", "T-shirt/top", "čáp"];

/// Colour images of three classes, some of whose pixels are outside 0…1.
fn set(seed: u32) -> SyntheticSet {
    let values = 3 * 2 * 3 * 8 * 8;
    let value = |i: u32| ((i * 7919 + seed * 31) % 1009) as f32 / 200.0 - 2.5;
    SyntheticSet {
        images: (0..values).map(value).collect(),
        labels: vec![0, 0, 1, 1, 2, 2],
        channels: 3,
        size: 8,
        dataset: "made up".into(),
        class_names: NAMES.map(String::from).to_vec(),
        mean: vec![0.5, 0.4, 0.3],
        std: vec![0.25, 0.2, 0.3],
        ipc: 2,
        factor: 1,
        settings: "{}".into(),
        course: None,
    }
}

/// A folder as a run leaves it, as far as exports look at it.
fn run(folder: &Path, seed: u32, accuracies: &[f64]) -> SyntheticSet {
    let set = set(seed);
    fs::create_dir_all(folder).unwrap();
    set.save(&folder.join("synthetic.safetensors")).unwrap();
    let report = json!({
        "accuracy": { "mean": 0, "std": 0, "runs": accuracies },
        "evaluation": { "width": 32, "depth": 3 },
    });
    fs::write(folder.join("report.json"), report.to_string()).unwrap();
    set
}

/// A Python that has all of them; else says that there is none.
fn python() -> Option<String> {
    let named = std::env::var("DM_WGPU_PYTHON");
    let python = named.clone().unwrap_or_else(|_| "python3".into());
    let imports = ["-c", "import numpy, torch, PIL.Image"];
    let there = Command::new(&python).args(imports).output().is_ok_and(|o| o.status.success());
    assert!(there || named.is_err(), "DM_WGPU_PYTHON={python} has no torch, numpy and pillow");
    if !there {
        eprintln!(
            "skipped: {python} has no torch, numpy and pillow; DM_WGPU_PYTHON can name another"
        );
    }
    there.then_some(python)
}

#[test]
fn pytorch_and_numpy_find_every_value() {
    let Some(python) = python() else { return };
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name);
    for (seed, accuracies) in [(0, vec![87.5, 90.0]), (1, vec![25.0])] {
        let set = run(&at(&format!("runs/seed{seed}")), seed, &accuracies);
        let images: Vec<_> = set.images.iter().flat_map(|value| value.to_le_bytes()).collect();
        let labels: Vec<_> = set.labels.iter().flat_map(|label| label.to_le_bytes()).collect();
        fs::write(at(&format!("expected{seed}.f32")), images).unwrap();
        fs::write(at(&format!("expected{seed}.i64")), labels).unwrap();
    }
    let set = set(0);
    let expected = json!({
        "shape": [6, 3, 8, 8], "mean": set.mean, "std": set.std, "class_names": NAMES,
        "accuracies": { "ConvNetW32": [0.875, 0.9, 0.25] },
    });
    fs::write(at("expected.json"), expected.to_string()).unwrap();
    for arguments in [
        &["runs", "--format", "pt"][..],
        &["runs/seed0", "--out", "one.npz"],
        &["runs/seed0/synthetic.safetensors", "--format", "png", "--out", "pictures"],
    ] {
        succeeds(&export(&place, arguments));
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/program/export_check.py");
    let output = Command::new(python).arg(script).arg(place.path()).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), "as expected\n");
}

#[test]
fn existing_files_are_not_replaced_by_an_export() {
    let place = tempfile::tempdir().unwrap();
    run(&place.path().join("run"), 0, &[]);
    for (arguments, path) in [
        (&["run", "--format", "pt"][..], "run/synthetic.pt"),
        (&["run", "-f", "npz"], "run/synthetic.npz"),
        (&["run", "-f", "png"], "run/synthetic-png"),
        (&["run", "--out", "a.safetensors"], "a.safetensors"),
    ] {
        let said = succeeds(&export(&place, arguments));
        assert!(said.starts_with(&format!("6 images in {path}")), "{said}");
        assert_eq!(said.contains("outside 0…1"), path.ends_with("png"), "{said}");
        refused(&export(&place, arguments), &format!("{path} exists already"));
    }
    refused(
        &export(&place, &["run", "-f", "safetensors"]),
        "synthetic.safetensors is the set itself",
    );
    assert_eq!(succeeds(&export(&place, &["run", "--out", "b.npz", "--quiet"])), "");
    let bytes = |name: &str| fs::read(place.path().join(name)).unwrap();
    assert_eq!(bytes("a.safetensors"), bytes("run/synthetic.safetensors"));
    assert_eq!(bytes("b.npz"), bytes("run/synthetic.npz"), "the same set, the same bytes");
    // An npz says as much as the file that it is from.
    succeeds(&export(&place, &["b.npz", "--out", "c.safetensors"]));
    assert_eq!(bytes("c.safetensors"), bytes("run/synthetic.safetensors"));
}

#[test]
fn sets_from_elsewhere_are_normalised_as_their_data_set() {
    let place = tempfile::tempdir().unwrap();
    let glyphs = dm_wgpu::data::glyphs(0).unwrap();
    let folder = place.path().join("pictures");
    for (class, name) in glyphs.class_names().iter().enumerate() {
        let index = glyphs.train().of_class(class)[0] as usize;
        let pixels = glyphs.train().image(index).to_vec();
        let size = glyphs.size() as u32;
        fs::create_dir_all(folder.join(name)).unwrap();
        let picture = image::GrayImage::from_raw(size, size, pixels).unwrap();
        picture.save(folder.join(name).join("0.png")).unwrap();
    }
    refused(&export(&place, &["pictures", "-f", "npz"]), "add --dataset");
    let mut command = program(&place);
    command.args(words("export pictures -f safetensors --dataset glyphs"));
    succeeds(&command.env_remove("DM_WGPU_GLYPHS").output().unwrap());
    let set = SyntheticSet::load(&place.path().join("pictures.safetensors")).unwrap();
    let first = glyphs.train().of_class(3)[0] as usize;
    let (mean, std) = (glyphs.mean()[0], glyphs.std()[0]);
    let image = &set.images[3 * set.image_len()..][..set.image_len()];
    for (value, &pixel) in image.iter().zip(glyphs.train().image(first)) {
        assert!((value - (f32::from(pixel) / 255.0 - mean) / std).abs() < 1e-5, "{value}");
    }
    // And back: the same pixels again.
    succeeds(&export(&place, &["pictures.safetensors", "-f", "png", "--out", "again"]));
    let bytes = |folder: &str, name: &str| {
        image::open(place.path().join(folder).join("3").join(name)).unwrap().into_luma8().into_raw()
    };
    assert_eq!(bytes("again", "000.png"), bytes("pictures", "0.png"));
}

#[test]
fn wrong_requests_are_refused_with_the_reason() {
    let place = tempfile::tempdir().unwrap();
    for seed in [0, 1] {
        run(&place.path().join(format!("runs/seed{seed}")), seed, &[]);
    }
    for (arguments, word) in [
        (&["runs", "-f", "npz"][..], "holds 2 runs"),
        (
            &["runs/seed0"],
            "error: the format is missing: add --format npz, safetensors, png, pt, or --out with",
        ),
        (&["runs/seed0", "--out", "x.zip"], "add --format"),
        (&["runs/seed0", "-f", "onnx"], "safetensors"),
        (&["runs/seed0", "-f", "pt", "--out", "m.npz"], "has the ending of npz"),
        (&["runs/seed0", "-f", "pt", "--out", ""], "a value is required"),
        (&["runs/seed0", "-f", "npz", "--dataset", "glyphs"], "leave --dataset out"),
        (&["none", "--out", "none.npz"], "none: there is no such file or folder"),
        (&[], "PATH"),
    ] {
        refused(&export(&place, arguments), word);
    }
    let output = export(&place, &["runs/seed0", "--out", "no/such/x.npz"]);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.starts_with("error: ") && stderr.contains("no/such does not exist"), "{stderr}");
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1, "nothing was left");
}
