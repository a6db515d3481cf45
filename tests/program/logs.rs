//! What is said on stderr: warnings, logs, colours, progress bars; and that drivers add nothing. Needs an adapter.

use std::{
    fs,
    process::{Command, Stdio},
};

use super::usage::{answer, program};
use crate::helpers::{text, tool};

#[test]
fn warnings_are_plain_text_unless_logs_are_asked_for() {
    let place = tempfile::tempdir().unwrap();
    for class in ["pets/cats", "pets/dogs", "set/cats", "set/dogs"] {
        let folder = place.path().join(class);
        fs::create_dir_all(&folder).unwrap();
        for shade in [10, 200, 90] {
            let picture = image::GrayImage::from_pixel(8, 8, image::Luma([shade]));
            picture.save(folder.join(format!("{shade}.png"))).unwrap();
        }
    }
    fs::write(place.path().join("pets/cats/notes.txt"), "mine").unwrap();
    let warned = |out: &str, log: Option<&str>| {
        let mut command = program(&["export", "set", "--dataset", "folder:pets", "--out", out]);
        command.current_dir(place.path()).env("XDG_CACHE_HOME", place.path().join("cache"));
        let output = command.envs(log.map(|log| ("RUST_LOG", log))).output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stderr)
    };
    let plain = warned("a.npz", None);
    assert!(plain.starts_with("warning: ") && plain.contains("notes.txt"), "{plain}");
    assert!(!plain.contains("dm_wgpu"), "{plain}");
    let logged = warned("b.npz", Some("dm_wgpu=warn"));
    assert!(logged.contains("WARN  dm_wgpu::data") && !logged.contains("warning: "), "{logged}");
}

#[test]
#[cfg(target_os = "linux")]
fn drivers_are_silent_without_a_runtime_folder() {
    let mut command = program(&["adapters"]);
    for name in ["XDG_RUNTIME_DIR", "WAYLAND_DISPLAY"] {
        command.env_remove(name);
    }
    assert_eq!(text(&command.output().unwrap().stderr), "");
}

#[test]
fn verbose_and_rust_log_choose_what_is_logged() {
    let place = tempfile::tempdir().unwrap();
    let mut runs = 0..;
    let mut run = |more: &[&str], environment: &[(&str, &str)]| {
        let tiny =
            "--dataset glyphs --ipc 1 --iterations 1 --width 8 --depth 1 --batch-real 4 --no-eval";
        let out = place.path().join(runs.next().unwrap_or(0).to_string());
        let mut command = program(&tiny.split(' ').chain(more.iter().copied()).collect::<Vec<_>>());
        let output = command.arg("--out").arg(out).envs(environment.iter().copied());
        let output = output.output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert!(!text(&output.stdout).contains("dm_wgpu"), "logs are not on stdout");
        text(&output.stderr)
    };
    let (info, debug) = ("INFO  dm_wgpu", "DEBUG dm_wgpu");
    let plain = run(&[], &[]);
    assert!(!plain.contains(info), "{plain}");
    let talkative = run(&["-v"], &[]);
    for word in [info, " kernels", "pipelines compiled in", "real images"] {
        assert!(talkative.contains(word), "{word} is missing in {talkative}");
    }
    assert!(!talkative.contains(debug) && !talkative.contains("wgpu_core"), "{talkative}");
    let more = run(&["-vv"], &[("RUST_LOG", "wgpu_core=error")]);
    assert!(more.contains(debug) && more.contains(info) && !more.contains("wgpu_core"), "{more}");
    assert!(run(&[], &[("RUST_LOG", "dm_wgpu=info")]).contains(info));
    assert_eq!(run(&["--quiet"], &[]), "");
    let output = answer(&["--dataset", "glyphs", "-q", "-v"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("--quiet and --verbose"));
    // Before the subcommand and after it.
    for arguments in [["-v", "adapters"], ["adapters", "-v"]] {
        assert!(answer(&arguments).status.success());
    }
}

/// On a terminal that `script` makes.
#[test]
#[cfg(target_os = "linux")]
fn colours_and_progress_bars_are_for_terminals_that_want_them() {
    if !tool("script") {
        return;
    }
    let program = assert_cmd::cargo::cargo_bin!("dm-wgpu");
    let on_terminal = |arguments: &str, environment: &[(&str, &str)]| {
        let line = format!("{} {arguments}", program.display());
        let mut command = Command::new("script");
        command.args(["-qec", &line, "/dev/null"]).env("TERM", "xterm");
        for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "CI"] {
            command.env_remove(name);
        }
        command.env("XDG_RUNTIME_DIR", std::env::temp_dir()).env_remove("RUST_LOG");
        let command = command.envs(environment.iter().copied()).stdin(Stdio::null());
        text(&command.output().unwrap().stdout)
    };
    let place = tempfile::tempdir().unwrap();
    let mut runs = 0..;
    let mut run = || {
        let out = place.path().join(runs.next().unwrap_or(0).to_string());
        let tiny = "--dataset glyphs --ipc 1 --iterations 3 --width 8 --depth 1 --batch-real 4 \
                    --no-eval -v";
        format!("{tiny} --out {}", out.display())
    };
    let coloured = |text: &str| text.contains("\u{1b}[1m") || text.contains("\u{1b}[32m");
    let moves = |text: &str| text.contains("\u{1b}[2K") || text.contains("\u{1b}[1A");
    assert!(coloured(&on_terminal("--help", &[])));
    let talk = on_terminal(&run(), &[]);
    assert!(coloured(&talk) && moves(&talk), "{talk:?}");
    // A line of the log never stands behind a bar.
    for line in talk.split(['\r', '\n']).filter(|line| line.contains("dm_wgpu")) {
        assert!(!line.contains("[=") && !line.contains("[ "), "{line:?}");
    }
    let no_color = [("NO_COLOR", "1")];
    let plain = on_terminal(&run(), &no_color);
    assert!(!coloured(&plain) && !coloured(&on_terminal("--help", &no_color)), "{plain:?}");
    // Continuous integration is taken to show colours, but not by a terminal that says it can't.
    for environment in [&[("TERM", "dumb")][..], &[("TERM", "dumb"), ("CI", "true")]] {
        for arguments in [run(), "--help".to_owned(), "--nonsense".to_owned()] {
            let dumb = on_terminal(&arguments, environment);
            assert!(!dumb.contains('\u{1b}'), "{environment:?}: {dumb:?}");
        }
    }
}

/// Where nobody has logged in, libraries below the drivers would complain before every command.
#[test]
fn drivers_are_silent_in_a_bare_environment() {
    let mut command = program(&["adapters"]);
    command.env_remove("XDG_RUNTIME_DIR").env_remove("WAYLAND_DISPLAY").env_remove("DISPLAY");
    let output = command.output().unwrap();
    assert!(output.status.success());
    assert_eq!(text(&output.stderr), "");
}
