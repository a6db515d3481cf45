//! The program from outside, as far as neither a GPU nor a data set is needed: help, wrong requests,
//! folders that are refused.

use std::{
    fs,
    path::Path,
    process::{Output, Stdio},
};

use crate::helpers::program;

fn answer(arguments: &[&str]) -> Output {
    let place = tempfile::tempdir().unwrap();
    let output = program(&place).args(arguments).output().unwrap();
    assert_eq!(entries(place.path()), 0, "{arguments:?} left something behind");
    output
}

fn entries(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// What a refused request says: one line that begins with `error:`, and nothing on stdout.
fn refusal(arguments: &[&str]) -> String {
    let output = answer(arguments);
    let stderr = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
    assert_eq!(stdout(&output), "");
    assert_eq!(stderr.matches("error:").count(), 1, "{stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
    let line = stderr.lines().next().unwrap().to_owned();
    assert!(line.starts_with("error: "), "{stderr}");
    // What clap knows of possible values stands below.
    stderr
}

const FLAGS: [&str; 29] = [
    "--dataset",
    "--ipc",
    "--iterations",
    "--init",
    "--width",
    "--depth",
    "--batch-real",
    "--lr-img",
    "--augment",
    "--seed",
    "--out",
    "--data-dir",
    "--adapter",
    "--backend",
    "--kernels",
    "--memory-budget",
    "--quiet",
    "--method",
    "--eval-nets",
    "--eval-epochs",
    "--eval-width",
    "--eval-every",
    "--eval-depth",
    "--eval-batch",
    "--eval-lr",
    "--eval-augment",
    "--preset",
    "--config",
    "--no-eval",
];

#[test]
fn help_names_every_flag_and_subcommand() {
    for help in ["--help", "-h"] {
        let output = answer(&[help]);
        assert!(output.status.success());
        let help = stdout(&output);
        for flag in FLAGS {
            assert!(help.contains(flag), "{flag} is missing");
        }
        for word in [
            "adapters",
            "evaluate",
            "compare",
            "bench",
            "show-config",
            "report.json",
            "k-center",
            "Examples:",
            "[default: 10]",
            "[default: 1000]",
            "[default: 128]",
            "[default: 256; ",
            "[default: 512MiB]",
            "doctor",
            "DM_WGPU_DATA",
            "DM_WGPU_LIMITS",
            "DM_WGPU_MIRROR",
            "RUST_LOG",
            "NO_COLOR",
            "Exit codes",
            "mnist",
            "glyphs",
        ] {
            assert!(help.contains(word), "{word} is missing");
        }
        assert!(!help.contains('\u{1b}'), "colours in a pipe");
    }
}

#[test]
fn show_config_needs_no_adapter_and_prints_a_config_file() {
    let place = tempfile::tempdir().unwrap();
    // Nothing that could compute, and no data.
    let show = |arguments: &[&str]| {
        let mut command = program(&place);
        command.env("VK_ICD_FILENAMES", "/nowhere").env("DM_WGPU_DATA", "/nowhere");
        let output = command.arg("show-config").args(arguments).output().unwrap();
        let stderr = String::from_utf8(output.stderr.clone()).unwrap();
        assert!(output.status.success() && stderr.is_empty(), "{arguments:?}: {stderr}");
        stdout(&output)
    };
    let first = show(&["--dataset", "mnist", "--preset", "paper", "--ipc", "50", "--width", "64"]);
    fs::write(place.path().join("a.toml"), &first).unwrap();
    let second = show(&["--config", "a.toml"]);
    let tables = [&first, &second].map(|text| text.parse::<toml::Table>().unwrap());
    assert_eq!(tables[0], tables[1]);
    assert_eq!(tables[0]["settings"]["iterations"].as_integer(), Some(20_000));
    assert_eq!(tables[0]["settings"]["width"].as_integer(), Some(64));
    assert_eq!(tables[0]["data"]["name"].as_str(), Some("mnist"));
    assert!(first.contains("# preset paper\n") && first.contains("# flag --width\n"), "{first}");
    assert!(second.contains("# a.toml\n") && !second.contains("# flag"), "{second}");

    fs::write(place.path().join("a.toml"), "[settings]\nwidth = 64\nlr_image = 1\n").unwrap();
    let output = program(&place).args(["--config", "a.toml"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let expected =
        "error: a.toml:3: unknown key settings.lr_image; the nearest is settings.lr_img\n";
    assert_eq!(String::from_utf8(output.stderr).unwrap(), expected);
}

#[test]
fn show_config_refuses_what_a_run_would_refuse() {
    for (arguments, word) in [
        (&["--dataset", "glyphs", "--resize", "32"][..], "--resize 32"),
        (&["--dataset", "mnist", "--test-fraction", "0.5"], "--test-fraction 0.5"),
        (&["--dataset", "glyphs", "--ipc", "1001"], "--ipc 1001"),
        (&["--dataset", "glyphs", "--method", "random", "--ipc", "1001"], "--ipc 1001"),
        (&["--dataset", "folder:"], "after the colon"),
        (&["--dataset", "folder:/no/such"], "there is no such folder"),
    ] {
        let message = refusal(&[&["show-config"], arguments].concat());
        assert!(message.contains(word), "{message}");
    }
    let help = stdout(&answer(&["show-config", "--help"]));
    assert!(!help.contains("--json") && help.contains("--runs"), "{help}");
}

#[test]
fn version_is_the_crates() {
    let output = answer(&["--version"]);
    assert!(output.status.success());
    assert_eq!(stdout(&output).trim(), concat!("dm-wgpu ", env!("CARGO_PKG_VERSION")));
}

#[test]
fn no_arguments_give_a_short_help() {
    let output = answer(&[]);
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.lines().count() < 12, "{text}");
    for word in ["--dataset mnist", "--help", "evaluate", "compare", "adapters"] {
        assert!(text.contains(word), "{word} is missing in {text}");
    }
}

#[test]
fn wrong_values_name_their_flag() {
    for (flag, values) in [
        ("--ipc", &["0", "-1", "ten", "1.5", "99999999999999999999", ""][..]),
        ("--iterations", &["0", "-3", "4294967296"]),
        ("--width", &["0", "4097", "-8"]),
        ("--depth", &["0", "6", "9"]),
        ("--batch-real", &["0", "-1"]),
        ("--lr-img", &["0", "-1", "-0.5", "nan", "inf", "fast"]),
        ("--seed", &["-1", "0x10", "18446744073709551616"]),
        ("--init", &["zeros", ""]),
        ("--augment", &["swirl", "color,swirl", "color-crop", ""]),
        ("--memory-budget", &["lots", "0", "-1", "-5MiB", "1 parsec", "1.5", "99999999999GiB", ""]),
        ("--backend", &["cuda"]),
        ("--method", &["best", "DM", ""]),
        ("--eval-nets", &["0", "-1", "1001", "many"]),
        ("--eval-epochs", &["0", "-1", "100001"]),
        ("--eval-width", &["0", "4097"]),
        ("--eval-every", &["0", "-1", "1.5"]),
    ] {
        for value in values {
            let message = refusal(&["--dataset", "mnist", flag, value]);
            let line = message.lines().next().unwrap();
            assert!(line.contains(flag) && line.contains(value), "{message}");
            // Not the parser's.
            assert!(!line.contains("digit") && !line.contains("integer"), "{message}");
        }
    }
    let seed = refusal(&["evaluate", "x", "--seed", "-1"]);
    assert!(seed.contains("a whole number from 0 to 9223372036854775807"), "{seed}");
    assert!(refusal(&["--dataset", "mnist", "--depth", "9"]).contains("from 1 to 5 is needed"));
}

#[test]
fn wrong_requests_say_what_is_possible() {
    let message = refusal(&["--dataset", "cats"]);
    assert!(message.contains("mnist") && message.contains("glyphs"), "{message}");
    assert!(refusal(&["--ipc", "1"]).contains("--dataset"));
    assert!(refusal(&["--dataset", "mnist", "--ipcs", "1"]).contains("--ipc"));
    assert!(refusal(&["--dataset", "mnist", "--augment", "swirl"]).contains("cutout"));
    assert!(refusal(&["--dataset", "mnist", "--memory-budget", "1GIG"]).contains("256MiB"));
    refusal(&["--dataset", "mnist", "more"]);
    refusal(&["adapters", "--dataset", "mnist"]);
    refusal(&["--dataset", "mnist", "--dataset", "glyphs"]);
}

#[test]
fn flags_that_contradict_each_other_are_refused() {
    for (arguments, word) in [
        (&["--no-eval", "--eval-nets", "2"][..], "--no-eval"),
        (&["--no-eval", "--eval-every", "2"], "--no-eval"),
        (&["--method", "herding", "--eval-every", "2"], "--eval-every"),
        (&["--method", "whole", "--no-eval"], "--no-eval"),
        (
            &["--method", "random", "--iterations", "1000"],
            "--iterations does nothing with --method",
        ),
        (&["--method", "k-center", "--lr-img", "1", "--init", "real"], "--init and --lr-img do"),
        (&["--method", "whole", "--ipc", "10"], "--ipc does nothing with --method whole"),
    ] {
        let message = refusal(&[&["--dataset", "glyphs"], arguments].concat());
        assert!(message.contains(word), "{message}");
    }
}

#[test]
fn subcommands_refuse_what_is_wrong() {
    for (arguments, word) in [
        (&["evaluate"][..], "PATH"),
        (&["evaluate", "x", "--eval-nets", "0"], "--eval-nets"),
        (&["evaluate", "x", "--dataset", "cats"], "mnist"),
        (&["evaluate", "x", "--ipc", "1"], "--ipc"),
        (&["compare"], "--dataset"),
        (&["compare", "--dataset", "glyphs", "--methods", "dm,best"], "k-center"),
        (&["compare", "--dataset", "glyphs", "--no-eval"], "--no-eval"),
        (&["compare", "--dataset", "glyphs", "--methods", "random", "--init", "noise"], "--init"),
    ] {
        let message = refusal(arguments);
        assert!(message.contains(word), "{message}");
    }
    for (subcommand, words) in [
        ("evaluate", &["--json", "--eval-nets", ".npz", "[default: 3]", "--data-dir"][..]),
        (
            "compare",
            &[
                "--methods",
                "--ipc",
                "--eval-epochs",
                "dm,random,herding,k-center",
                "--json",
                "runs/compare-mnist",
            ],
        ),
    ] {
        let help = stdout(&answer(&[subcommand, "--help"]));
        let words = words.iter().chain(&["Examples:", "Exit codes"]);
        words.for_each(|word| assert!(help.contains(word), "{word} is missing in {help}"));
        assert!(!help.contains("[default: as --width]") || subcommand == "compare", "{help}");
    }
}

#[test]
fn out_in_a_folder_with_files_is_refused() {
    let place = tempfile::tempdir().unwrap();
    fs::create_dir(place.path().join("full")).unwrap();
    fs::write(place.path().join("full/mine.txt"), "mine").unwrap();
    for out in ["full", "full/mine.txt", "full/mine.txt/below/it", "."] {
        let output = program(&place).args(["--dataset", "glyphs", "--out", out]).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert!(stderr.starts_with(&format!("error: --out {out}: ")), "{stderr}");
    }
    assert_eq!(fs::read(place.path().join("full/mine.txt")).unwrap(), b"mine");
    assert_eq!((entries(place.path()), entries(&place.path().join("full"))), (1, 1));
}

#[test]
fn out_below_a_file_is_refused() {
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("runs"), "mine").unwrap();
    let output = program(&place).args(["--dataset", "glyphs"]).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("--out"), "{stderr}");
    assert_eq!(fs::read(place.path().join("runs")).unwrap(), b"mine");
}

/// `dm-wgpu --help | head -0`: nobody reads, nobody minds.
#[test]
fn a_closed_pipe_is_no_panic() {
    for arguments in [&["--help"][..], &[], &["--dataset", "cats"]] {
        let place = tempfile::tempdir().unwrap();
        let mut child = program(&place)
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop((child.stdout.take(), child.stderr.take()));
        // A panic would be 101, a signal no code at all.
        assert!(matches!(child.wait().unwrap().code(), Some(0 | 2)), "{arguments:?}");
    }
}
