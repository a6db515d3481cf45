//! Every example runs to its end and says what its readme promises.

use std::{fs, path::PathBuf, process::Command};

/// Runs an example in a folder of its own and returns what it printed.
fn run(name: &str) -> (String, tempfile::TempDir) {
    // Beside the folder that test programs are in.
    let here = std::env::current_exe().unwrap();
    let folder = here.parent().and_then(|deps| deps.parent()).unwrap().join("examples");
    let program = folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(
        program.is_file(),
        "{} is not there: `cargo test` builds it, `cargo test --test examples` needs `cargo build \
         --examples` before",
        program.display()
    );
    let place = tempfile::tempdir().unwrap();
    let output = Command::new(program).current_dir(place.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {said}\n{errors}");
    (said, place)
}

#[test]
fn condense_glyphs() {
    let (said, place) = run("condense_glyphs");
    assert!(said.contains("iteration  40: loss"), "{said}");
    let picture = image::open(place.path().join("condensed-glyphs.png")).unwrap();
    assert!(picture.width() > 50);
    assert!(place.path().join("condensed-glyphs.safetensors").is_file());
}

#[test]
fn custom_dataset() {
    let (said, _) = run("custom_dataset");
    let percent = said.split(": ").nth(1).and_then(|text| text.split_whitespace().next()).unwrap();
    assert!(percent.parse::<f64>().unwrap() > 90.0, "{said}");
}

#[test]
fn custom_loop() {
    let (said, place) = run("custom_loop");
    assert!(said.contains("the same images"), "{said}");
    let stopped = said.split_whitespace().nth(2).unwrap();
    assert!((40..300).contains(&stopped.parse().unwrap()), "{said}");
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0, "the checkpoint is gone");
}

#[test]
fn share_device() {
    let (said, place) = run("share_device");
    assert!(said.contains("iteration 0, loss"), "{said}");
    let frame = image::open(place.path().join("share-device.png")).unwrap().into_rgb8();
    let colors: std::collections::HashSet<_> = frame.pixels().map(|pixel| pixel.0).collect();
    assert!(colors.len() > 50, "a grid of images has more than {} shades", colors.len());
}

#[test]
fn async_tokio() {
    let (said, _) = run("async_tokio");
    assert!(said.contains("iteration 20: loss") && said.contains("10 images of glyphs"), "{said}");
}

#[test]
fn each_has_a_readme_and_a_line_in_the_list() {
    let examples = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples");
    let list = fs::read_to_string(examples.join("README.md")).unwrap();
    for entry in fs::read_dir(&examples).unwrap().map(|entry| entry.unwrap().path()) {
        let name = entry.file_name().unwrap().to_string_lossy().into_owned();
        if entry.is_dir() {
            let readme = fs::read_to_string(entry.join("README.md")).unwrap();
            assert!(readme.starts_with(&format!("# {name}\n")), "{name}");
            assert!(list.contains(&format!("[`{name}`]({name})")), "{name}");
        }
    }
}
