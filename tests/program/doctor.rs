//! `dm-wgpu doctor` from outside; that wrong kernels are found is in `tests/kernels/doctor.rs`.

use std::process::{Command, Output};

use serde_json::Value;

use crate::helpers::{program, text};

fn doctor(arguments: &[&str]) -> Command {
    let mut command = program(".");
    command.arg("doctor").args(arguments);
    command
}

fn answer(command: &mut Command) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    (status.code(), text(&stdout), text(&stderr))
}

#[test]
fn the_report_is_text_to_paste() {
    let (code, out, err) = answer(&mut doctor(&["--adapter", "0"]));
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(err.lines().all(|line| line.starts_with("checking ")), "{err}");
    assert!(out.starts_with(&format!("dm-wgpu {}, ", env!("CARGO_PKG_VERSION"))), "{out}");
    for row in ["driver", "storage binding", "plain", "lanes", "tiles", "f16", "speed"] {
        let begins = format!("   {row:<17}");
        assert_eq!(
            out.lines().filter(|line| line.starts_with(&begins)).count(),
            1 + usize::from(row == "f16"),
            "{row}: {out}"
        );
    }
    assert_eq!(out.matches("used by runs").count(), 1, "{out}");
    assert!(out.contains("\n\nverdict  sound: "), "{out}");
    assert!(out.lines().all(|line| line.chars().count() <= 80), "{out}");
}

#[test]
fn json_has_every_check() {
    let (code, out, err) = answer(&mut doctor(&["--json", "--quiet"]));
    assert_eq!((code, err.as_str()), (Some(0), ""));
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&report["event"], &report["sound"]), (&"result".into(), &true.into()));
    let found = &report["adapters"][0]["examined"];
    assert!(found["device"]["max_storage_buffers"].as_u64() >= Some(7), "{found}");
    assert!(found["speed"]["gflops"].as_f64() > Some(0.0), "{found}");
    let plain = &found["variants"][0];
    assert_eq!((&plain["name"], &plain["outcome"]), (&"plain".into(), &"right".into()));
    let checks = plain["checks"].as_array().unwrap();
    assert!(checks.len() >= 20 && checks.iter().all(|c| c["error"].as_f64() < Some(1e-4)));
}

#[test]
fn an_adapter_that_cannot_be_used_is_listed() {
    let (code, out, _) = answer(doctor(&["--adapter", "0"]).env("DM_WGPU_LIMITS", "downlevel"));
    assert_eq!(code, Some(1), "there is no other");
    assert!(out.contains(", at DM_WGPU_LIMITS=downlevel\n"), "{out}");
    let line = |begin: &str| out.lines().any(|line| line.starts_with(begin));
    assert!(line("   can't be used    ") && line("verdict  Adapter 0 can't be used: "), "{out}");
    assert!(out.contains("max_storage_buffers_per_shader_stage"), "{out}");
}

#[test]
fn unknown_adapters_and_backends_are_refused() {
    for (arguments, words) in [
        (&["--adapter", "no such thing"][..], "--adapter \"no such thing\": no adapter has"),
        (&["--adapter", "999"], "there are: 0 ("),
        (&["--backend", "glide"], "glide"),
    ] {
        let (code, out, err) = answer(&mut doctor(arguments));
        assert_eq!((code, out.as_str()), (Some(2), ""), "{err}");
        assert!(err.contains(words), "{err}");
    }
}
