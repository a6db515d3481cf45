//! Completions, manual pages and lines of usage. No adapter is needed.

use std::{
    fs,
    io::Write,
    process::{Command, Output, Stdio},
};

use crate::helpers::{self, text, tool};

pub fn program(arguments: &[&str]) -> Command {
    let mut command = helpers::program(".");
    command.args(arguments);
    command
}

pub fn answer(arguments: &[&str]) -> Output {
    program(arguments).output().unwrap()
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
        (&["show-config", "--ip"], "--ipc --ipc-file"),
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
fn each_subcommand_has_a_manual_page() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("new/man1");
    let told = stdout(&["man", folder.to_str().unwrap()]);
    let page = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    let subcommands = subcommands();
    for name in &subcommands {
        // Hyphens are escaped there.
        let usage = format!("dm\\-wgpu {}", name.replace('-', "\\-"));
        assert!(page(&format!("dm-wgpu-{name}.1")).contains(&usage), "{name}");
    }
    let pages = fs::read_dir(&folder).unwrap().count();
    assert_eq!(pages, subcommands.len() + 1);
    assert_eq!(told, format!("{pages} pages in {}\n", folder.display()));
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
fn long_lines_of_a_manual_page_are_indented_alike() {
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
