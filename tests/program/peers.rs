//! The comparison with other programs, where there are none of them: needs Python and an adapter (a CPU
//! one will do).

use std::process::{Command, Output};

use crate::helpers::{text, tool};

fn compare(settings: &[(&str, &str)]) -> Output {
    let mut command = Command::new("benches/peers/compare");
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command.env("DM_WGPU", assert_cmd::cargo::cargo_bin!("dm-wgpu"));
    command.env("XDG_RUNTIME_DIR", std::env::temp_dir());
    // No Python: nothing is imported, whatever is installed.
    command.env("PYTHON", "no-such-python");
    command.envs(settings.iter().copied()).output().unwrap()
}

#[test]
fn missing_peers_are_listed_beside_our_times() {
    if !tool("python3") {
        return;
    }
    let tiny = [
        ("SHAPES", "mnist"),
        ("PEERS", "pytorch"),
        ("IPC", "1"),
        ("WIDTH", "8"),
        ("BATCH_REAL", "4"),
        ("ITERATIONS", "1"),
    ];
    let output = compare(&tiny);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let table = text(&output.stdout);
    for work in ["DM iteration, mnist", "evaluation epoch, mnist, 10 images"] {
        let mut lines = table.lines().skip_while(|line| !line.starts_with(work));
        let (ours, peer) = (lines.next().unwrap(), lines.next().unwrap());
        assert!(ours.contains("dm-wgpu") && ours.trim_end().ends_with('s'), "{table}");
        assert!(peer.contains("PyTorch") && peer.contains("pip install torch"), "{table}");
    }
}

#[test]
fn wrong_settings_are_refused() {
    if !tool("python3") {
        return;
    }
    for (name, value) in [("SHAPES", "svhn"), ("WIDTH", "0"), ("PEERS", "jax"), ("LIMIT", "soon")] {
        let output = compare(&[(name, value)]);
        assert_eq!(output.status.code(), Some(2), "{name}={value}");
        assert!(text(&output.stderr).contains(value), "{}", text(&output.stderr));
    }
    let output = compare(&[("DM_WGPU", "/bin/true"), ("PEERS", "pytorch"), ("SHAPES", "")]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("is it dm-wgpu?"), "{}", text(&output.stderr));
}
