//! How the tests start the program, wait for it, end it, and read what it leaves.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use serde_json::Value;

/// The glyphs to train with. People get more, but what tests ask of glyphs they ask of any images.
pub const GLYPHS: u32 = 3000;

/// `dm-wgpu` in this folder, where no variable tells it what a test doesn't.
pub fn program(place: impl AsRef<Path>) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("dm-wgpu"));
    command.current_dir(place);
    for name in ["RUST_LOG", "DM_WGPU_DATA", "NO_COLOR", "COLUMNS"] {
        command.env_remove(name);
    }
    command.env("DM_WGPU_GLYPHS", format!("{GLYPHS}+200"));
    // Without it, in bare environments, Mesa's libraries write to stderr.
    command.env("XDG_RUNTIME_DIR", std::env::temp_dir());
    // Where Mesa keeps compiled shaders in any case, so that a test which gives the program a cache of its own does not
    // make it compile them all again.
    let home = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache"));
    if let Some(cache) = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(home) {
        command.env("MESA_SHADER_CACHE_DIR", cache);
    }
    command
}

pub fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split_whitespace()
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[track_caller]
pub fn succeed(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{:?}: {}", output.status, text(&output.stderr));
    output
}

/// With pipes to hear it by.
pub fn start(command: &mut Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[cfg(unix)]
pub fn wait_for(path: &Path) {
    use std::time::{Duration, Instant};

    let begun = Instant::now();
    while !path.exists() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{} never came", path.display());
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// By its name: INT, which is Ctrl-C, TERM or HUP.
#[cfg(unix)]
pub fn signal(child: &Child, name: &str) {
    let id = child.id().to_string();
    assert!(Command::new("kill").args([&format!("-{name}"), &id]).status().unwrap().success());
}

/// A tool of this machine, if it has it; else says so.
pub fn tool(name: &str) -> bool {
    let there = Command::new(name).arg("--version").output().is_ok_and(|o| o.status.success());
    if !there {
        eprintln!("skipped: there is no {name}");
    }
    there
}

pub fn json(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// A run's set, byte for byte.
pub fn set(place: impl AsRef<Path>, run: &str) -> Vec<u8> {
    fs::read(place.as_ref().join(run).join("synthetic.safetensors")).unwrap()
}

/// MNIST's files: training images, training labels, test images, test labels.
pub mod mnist {
    use std::{fs, path::Path};

    pub const NAMES: [&str; 4] = [
        "train-images-idx3-ubyte",
        "train-labels-idx1-ubyte",
        "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte",
    ];
    pub const IMAGES: u32 = 0x803;
    const LABELS: u32 = 0x801;

    pub fn idx(magic: u32, dims: &[u32], content: &[u8]) -> Vec<u8> {
        let header = std::iter::once(&magic).chain(dims).flat_map(|word| word.to_be_bytes());
        header.chain(content.iter().copied()).collect()
    }

    pub fn images(count: u32) -> Vec<u8> {
        let pixels: Vec<u8> = (0..count * 784).map(|i| (i * 7 % 251) as u8).collect();
        idx(IMAGES, &[count, 28, 28], &pixels)
    }

    pub fn labels(count: u32) -> Vec<u8> {
        idx(LABELS, &[count], &(0..count).map(|i| (i % 10) as u8).collect::<Vec<_>>())
    }

    /// Those of 20 training and 10 test images, of which `change` may spoil something.
    pub fn write(folder: &Path, change: impl FnOnce(&mut [Vec<u8>; 4])) {
        let mut files = [images(20), labels(20), images(10), labels(10)];
        change(&mut files);
        fs::create_dir_all(folder).unwrap();
        for (name, bytes) in NAMES.iter().zip(files) {
            fs::write(folder.join(name), bytes).unwrap();
        }
    }
}
