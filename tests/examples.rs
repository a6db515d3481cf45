//! Every example runs to its end and says what its readme promises.

use std::{
    collections::HashSet,
    fs,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

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
    let colors: HashSet<_> = frame.pixels().map(|pixel| pixel.0).collect();
    assert!(colors.len() > 50, "a grid of images has more than {} shades", colors.len());
}

#[test]
fn async_tokio() {
    let (said, _) = run("async_tokio");
    assert!(said.contains("iteration 20: loss") && said.contains("10 images of glyphs"), "{said}");
}

/// A display without a screen.
struct Display {
    server: Child,
    name: String,
}

impl Display {
    /// None where there is no Xvfb.
    fn open() -> Option<Self> {
        let mut command = Command::new("Xvfb");
        command.args(["-displayfd", "1", "-screen", "0", "1280x900x24", "-nolisten", "tcp"]);
        let mut server = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
        // It picks a number that is free, and says it once it is ready.
        let mut number = String::new();
        let mut said = BufReader::new(server.stdout.take().unwrap());
        said.read_line(&mut number).unwrap();
        Some(Self { server, name: format!(":{}", number.trim()) })
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        // Only this one, which the test started.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// The numbers of a line, in order.
fn numbers(line: &str) -> Vec<f64> {
    let parts = line.split(|c: char| !(c.is_ascii_digit() || c == '.'));
    parts.filter_map(|part| part.trim_matches('.').parse().ok()).collect()
}

#[test]
fn live_viewer() {
    let package = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples/live_viewer");
    let program = package.join("target/debug/live_viewer");
    if !program.is_file() {
        println!(
            "SKIPPED: {} is not there: `cargo build --manifest-path \
             examples/live_viewer/Cargo.toml` builds it",
            program.display()
        );
        return;
    }
    let Some(display) = Display::open() else {
        println!("SKIPPED: there is no Xvfb to open a window on (Debian: xvfb)");
        return;
    };
    let place = tempfile::tempdir().unwrap();
    let output = Command::new(program)
        .args(["--exit-after", "200", "--screenshot", "shot.png"])
        .current_dir(place.path())
        .env("DISPLAY", &display.name)
        .env_remove("WAYLAND_DISPLAY")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{errors}");
    let [iteration, ipc, rate, first, last, left, top, right, bottom, ..] = numbers(&said)[..]
    else {
        panic!("{said}")
    };
    assert!(iteration > 10.0 && last < first, "{said}");
    assert_eq!((ipc, rate), (10.0, 1.0), "{said}");

    // Ten rows of ten images of 28 texels, one apart: each texel a square of as many screen pixels.
    let shot = image::open(place.path().join("shot.png")).unwrap().into_rgb8();
    let (width, height) = (right - left, bottom - top);
    let texel = (width / (10.0 * 29.0 - 1.0)).round();
    assert!(texel >= 2.0 && (height / (10.0 * 29.0 - 1.0) - texel).abs() < 1e-3, "{said}");
    let at = |x: f64, y: f64| shot.get_pixel((left + x * texel) as u32, (top + y * texel) as u32).0;
    let background = at(28.25, 28.25);
    for between in (1..10).map(|row| f64::from(row) * 29.0 - 0.75) {
        assert!((0..289).all(|x| at(f64::from(x) + 0.25, between) == background), "{between}");
    }
    for (column, row) in [(0, 0), (9, 0), (4, 5), (0, 9), (9, 9)] {
        let (x, y) = (f64::from(column) * 29.0, f64::from(row) * 29.0);
        let image: Vec<_> = (0..28 * 28)
            .map(|i| at(x + f64::from(i % 28) + 0.25, y + f64::from(i / 28) + 0.25))
            .collect();
        let shades: HashSet<_> = image.iter().collect();
        assert!(shades.len() > 20, "image {column}, {row} has {} shades", shades.len());
        // No filter: a texel is one colour to its edges.
        let right = at(x + 10.0, y + 10.0);
        assert_eq!(right, at(x + 10.99, y + 10.99), "image {column}, {row}");
    }
    // The curve of the loss, in a colour of its own, among the controls.
    let curve = shot.enumerate_pixels().filter(|(_, _, pixel)| pixel.0 == [94, 194, 176]);
    let (mut curve, mut found) = (curve.peekable(), 0);
    assert!(curve.peek().is_some(), "no curve");
    for (x, _, _) in curve {
        assert!(x < 304, "at {x}");
        found += 1;
    }
    assert!(found > 20, "{found}");
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
