//! The program's manners: completions, manual pages, logs, lines of usage. Without an adapter but where said.
#![cfg(feature = "cli")]

use std::{
    fs,
    io::Write,
    process::{Command, Output, Stdio},
};

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("dm-wgpu"));
    command.args(arguments).env_remove("RUST_LOG").env_remove("DM_WGPU_DATA");
    // Without it, in bare environments, Mesa's libraries write to stderr.
    command.env("XDG_RUNTIME_DIR", std::env::temp_dir());
    command
}

fn answer(arguments: &[&str]) -> Output {
    program(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn stdout(arguments: &[&str]) -> String {
    let output = answer(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    assert_eq!(text(&output.stderr), "");
    text(&output.stdout)
}

/// All subcommands, as the help lists them.
fn subcommands() -> Vec<String> {
    let help = stdout(&["--help"]);
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    // What goes on below a name is further in.
    let names = listed.take_while(|line| !line.is_empty()).filter(|line| !line.starts_with("   "));
    let names: Vec<_> =
        names.filter_map(|line| line.split_whitespace().next().map(String::from)).collect();
    assert!(names.len() > 6 && names.iter().any(|name| name == "export"), "{names:?}");
    names
}

/// A tool of this machine, if it has it; else says so.
fn tool(name: &str) -> bool {
    let there = Command::new(name).arg("--version").output().is_ok_and(|o| o.status.success());
    if !there {
        eprintln!("skipped: there is no {name}");
    }
    there
}

#[test]
fn every_shell_has_completions() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = stdout(&["completions", shell]);
        for word in subcommands().iter().map(String::as_str).chain(["ipc", "format"]) {
            assert!(script.contains(word), "{word} is missing for {shell}");
        }
    }
    assert_eq!(answer(&["completions", "cmd"]).status.code(), Some(2));
}

#[test]
fn bash_completes_after_subcommands_too() {
    if !tool("bash") {
        return;
    }
    let script = stdout(&["completions", "bash"]);
    for (words, expected) in [
        (&["ex"][..], "export"),
        (&["--data"], "--data-dir --dataset"),
        (&["--init", ""], "noise real"),
        (&["export", "--fo"], "--format"),
        (&["export", "x", "--format", "s"], "safetensors"),
        (&["compare", "--methods", "ran"], "random"),
        (&["completions", "po"], "powershell"),
        (&["bench", "--shape", "m"], "mnist"),
        (&["show-config", "--ip"], "--ipc"),
    ] {
        let line = [&["dm-wgpu"], words].concat();
        let quoted: String = line.iter().map(|word| format!("'{word}' ")).collect();
        let ask = format!(
            "{script}\nCOMP_WORDS=({quoted})\nCOMP_CWORD={}\n\
             function=$(complete -p dm-wgpu | sed 's/.*-F \\([^ ]*\\).*/\\1/')\n\
             $function dm-wgpu '{}' '{}'\necho \"${{COMPREPLY[*]}}\"\n",
            line.len() - 1,
            line[line.len() - 1],
            line[line.len() - 2],
        );
        let mut bash = Command::new("bash");
        bash.arg("--norc").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut bash = bash.spawn().unwrap();
        bash.stdin.take().unwrap().write_all(ask.as_bytes()).unwrap();
        let output = bash.wait_with_output().unwrap();
        assert_eq!(text(&output.stderr), "");
        let found = text(&output.stdout);
        let mut found: Vec<_> = found.split_whitespace().collect();
        found.sort();
        assert_eq!(found.join(" "), expected, "{words:?}");
    }
}

#[test]
fn there_is_a_page_for_each_subcommand() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("new/man1");
    assert_eq!(stdout(&["man", folder.to_str().unwrap()]), "");
    let page = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    let subcommands = subcommands();
    for name in &subcommands {
        // Hyphens are escaped there.
        let usage = format!("dm\\-wgpu {}", name.replace('-', "\\-"));
        assert!(page(&format!("dm-wgpu-{name}.1")).contains(&usage), "{name}");
    }
    assert_eq!(fs::read_dir(&folder).unwrap().count(), subcommands.len() + 1);
    assert_eq!(page("dm-wgpu.1").trim_end(), stdout(&["man"]).trim_end());
    if !tool("man") {
        return;
    }
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let output = Command::new("man").args(["-l", "--warnings"]).arg(&path).output().unwrap();
        let warnings = text(&output.stderr);
        assert!(output.status.success() && warnings.is_empty(), "{}: {warnings}", path.display());
    }
}

#[test]
#[cfg(unix)]
fn usage_names_the_program_whatever_its_file_is_called() {
    let place = tempfile::tempdir().unwrap();
    let other = place.path().join("renamed");
    std::os::unix::fs::symlink(assert_cmd::cargo::cargo_bin!("dm-wgpu"), &other).unwrap();
    for subcommand in subcommands() {
        let said = |option: &str| {
            let output = Command::new(&other).args([&subcommand, option]).output().unwrap();
            text(&output.stdout) + &text(&output.stderr)
        };
        let help = said("--help");
        let usage = help.lines().find_map(|line| line.strip_prefix("Usage: ")).unwrap();
        assert!(usage.starts_with(&format!("dm-wgpu {subcommand}")), "{usage}");
        assert!(!help.contains("renamed"), "{help}");
        let refused = said("--nonsense");
        assert!(!refused.contains("renamed") && !refused.contains("Usage"), "{refused}");
    }
}

#[test]
fn long_lines_of_a_page_go_on_below_their_beginning() {
    if !tool("man") {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let page = place.path().join("dm-wgpu.1");
    fs::write(&page, stdout(&["man"])).unwrap();
    let mut man = Command::new("man");
    let output = man
        .arg("-l")
        .arg(&page)
        .envs([("MANWIDTH", "80"), ("LC_ALL", "C.UTF-8")])
        .output()
        .unwrap();
    let shown = text(&output.stdout);
    let lines = shown.lines().skip_while(|line| !line.contains("A run leaves")).skip(1);
    let lines: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
    assert!(lines.len() > 10, "{shown}");
    for line in lines {
        // Names two further in than the text, or what they are, all in one column.
        let first = line.len() - line.trim_start().len();
        assert!(first == 9 || first == 33, "{line:?}");
        assert!(
            first == 33 || line[..33].ends_with("  ") && !line[33..].starts_with(' '),
            "{line:?}"
        );
    }
}

#[test]
fn warnings_are_for_people_unless_logs_are_asked_for() {
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

/// Needs an adapter.
#[test]
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn nobody_need_have_logged_in() {
    // Elsewhere it isn't started again, and the driver's complaint is its own.
    if !std::arch::is_x86_feature_detected!("avx512f") {
        return;
    }
    let mut command = program(&["adapters"]);
    for name in ["XDG_RUNTIME_DIR", "WAYLAND_DISPLAY", "LP_NATIVE_VECTOR_WIDTH"] {
        command.env_remove(name);
    }
    assert_eq!(text(&command.output().unwrap().stderr), "");
}

/// Needs an adapter.
#[test]
fn logs_are_as_talkative_as_asked() {
    let place = tempfile::tempdir().unwrap();
    let mut runs = 0..;
    let mut run = |more: &[&str], environment: &[(&str, &str)]| {
        let tiny = "--dataset glyphs --ipc 1 --iterations 1 --width 8 --batch-real 4 --no-eval";
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
fn colours_and_bars_are_for_terminals_that_want_them() {
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
        let tiny = "--dataset glyphs --ipc 1 --iterations 3 --width 8 --batch-real 4 --no-eval -v";
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
