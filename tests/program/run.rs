//! The program from outside, doing its work: needs an adapter (a CPU one will do), no download.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::{Command, Stdio},
};

use dm_wgpu::{Settings, SyntheticSet};
use tempfile::TempDir;

use crate::helpers::{program, set, succeed, text, words};

/// A run of seconds, even on a CPU.
fn tiny(place: &TempDir) -> Command {
    let mut command = program(place);
    command.args(["--dataset", "glyphs", "--ipc", "1", "--iterations", "2"]);
    command.args(words("--width 8 --depth 1 --batch-real 8 --no-eval"));
    command
}

#[test]
fn a_cold_start_compiles_early_and_changes_no_bit() {
    let place = tempfile::tempdir().unwrap();
    let cold = place.path().join("cache");
    let run = |out: &str| {
        let mut command = program(&place);
        command.args(words("--dataset glyphs --ipc 1 --iterations 2 --width 8 --depth 2"));
        command.args(words("--batch-real 8 --no-eval -vv --out")).arg(out);
        command
    };
    let told = text(&succeed(run("cold").env("MESA_SHADER_CACHE_DIR", &cold)).stderr);
    assert!(!told.contains("while compiling early"), "{told}");
    // Other drivers compile when a kernel is made.
    if told.contains("llvmpipe") && std::env::var_os("DM_WGPU_LIMITS").is_none() {
        assert!(told.contains("kernels early"), "{told}");
    }
    succeed(&mut run("warm"));
    assert!(set(&place, "cold") == set(&place, "warm"), "other images");
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn record(run: &Path) -> toml::Table {
    fs::read_to_string(run.join("run.toml")).unwrap().parse().unwrap()
}

#[test]
fn a_run_leaves_every_promised_file() {
    let place = tempfile::tempdir().unwrap();
    let output = succeed(tiny(&place).args(["--out", "deep/er"]));
    let run = place.path().join("deep/er");
    let expected = [
        ".lock",
        "checkpoint.safetensors",
        "grid.png",
        "images",
        "metrics.csv",
        "progress.png",
        "report.html",
        "report.json",
        "run.toml",
        "snapshots",
        "synthetic.safetensors",
    ];
    assert_eq!(names(&run), expected.map(String::from).into());
    let expected = ["000000.png", "000001.png", "000002.png"];
    assert_eq!(names(&run.join("snapshots")), expected.map(String::from).into());

    let set = SyntheticSet::load(&run.join("synthetic.safetensors")).unwrap();
    assert_eq!((set.dataset.as_str(), set.ipc), ("glyphs", 1));
    assert_eq!(set.labels.len(), set.class_names.len());
    let settings: Settings = serde_json::from_str(&set.settings).unwrap();
    assert_eq!((settings.iterations, settings.width, settings.batch_real), (2, 8, 8));

    let grid = image::open(run.join("grid.png")).unwrap();
    assert!(grid.height() > grid.width(), "a row a class, one image each");
    let last = image::open(run.join("snapshots/000002.png")).unwrap().into_luma8();
    let pixels: Vec<_> = (0..set.labels.len()).flat_map(|i| set.image_u8(i)).collect();
    assert_eq!(last.into_raw(), pixels, "one image per class, one below the other");
    let first = image::open(run.join("snapshots/000000.png")).unwrap().into_luma8();
    assert_ne!(first.into_raw(), pixels, "nothing was learnt");
    assert_eq!(names(&run.join("images")).len(), set.classes());
    for class in names(&run.join("images")) {
        let picture = image::open(run.join("images").join(class).join("000.png")).unwrap();
        assert_eq!((picture.width() as usize, picture.height() as usize), (set.size, set.size));
    }

    let metrics = fs::read_to_string(run.join("metrics.csv")).unwrap();
    let mut rows = metrics.lines();
    assert_eq!(rows.next(), Some("iteration,loss,seconds,accuracy_mean,accuracy_std"));
    let rows: Vec<Vec<f64>> = rows
        .map(|row| row.strip_suffix(",,").expect("no accuracy without an evaluation"))
        .map(|row| row.split(',').map(|cell| cell.parse().unwrap()).collect())
        .collect();
    assert_eq!(rows.iter().map(|row| row[0]).collect::<Vec<_>>(), [1.0, 2.0]);
    assert!(rows.iter().all(|row| row[1].is_finite() && row[1] >= 0.0 && row[2] >= 0.0));

    let record = record(&run);
    let stored: Settings = record["settings"].clone().try_into().unwrap();
    assert_eq!(stored, settings);
    assert_eq!(record["data"]["name"].as_str(), Some("glyphs"));
    assert_eq!(record["outcome"]["completed_iterations"].as_integer(), Some(2));
    assert_eq!(record["outcome"]["interrupted"].as_bool(), Some(false));

    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(out.contains("grid.png") && out.contains("2 iterations"), "{out}");
    for word in ["glyphs", "adapter", "seed 0", "iteration 1/2", "iteration 2/2"] {
        assert!(err.contains(word), "{word} is missing in {err}");
    }
    assert!(!err.contains('\u{1b}') && !err.contains("error"), "{err}");

    // The loss is one and the same, followed or summed up.
    let last = err.lines().rfind(|line| line.starts_with("iteration ")).unwrap();
    let (_, last) = last.split_once("loss ").unwrap();
    let (last, _) = last.split_once(',').unwrap();
    assert!(out.lines().next().unwrap().ends_with(&format!(" → {last}")), "{last} in {out}");
    let stored = record["outcome"]["last_loss"].as_float().unwrap();
    assert!((stored - last.parse::<f64>().unwrap()).abs() < 1e-3 * stored, "{stored}, {last}");
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let place = tempfile::tempdir().unwrap();
    let run = |out: &str, seed: &str| {
        let output = succeed(tiny(&place).args(["--quiet", "--out", out, "--seed", seed]));
        assert_eq!((text(&output.stdout), text(&output.stderr)), (String::new(), String::new()));
        let set = SyntheticSet::load(&place.path().join(out).join("synthetic.safetensors"));
        set.unwrap().images.iter().map(|value| value.to_bits()).collect::<Vec<_>>()
    };
    let first = run("a", "5");
    assert_eq!(first, run("b", "5"));
    assert_ne!(first, run("c", "6"));
}

#[test]
fn a_run_can_be_repeated_from_its_record() {
    let place = tempfile::tempdir().unwrap();
    succeed(tiny(&place).args(["--quiet", "--out", "first", "--init", "noise", "--lr-img", "0.1"]));
    let first = fs::read_to_string(place.path().join("first/run.toml")).unwrap();
    let command = first.lines().find_map(|line| line.strip_prefix("# dm-wgpu ")).unwrap();
    succeed(program(&place).args(command.split(' ')).arg("--quiet"));
    let again = place.path().join("runs/glyphs-ipc1-seed0");
    let file = "synthetic.safetensors";
    let (a, b) = (fs::read(place.path().join("first").join(file)), fs::read(again.join(file)));
    assert_eq!(a.unwrap(), b.unwrap());
}

#[test]
fn a_record_is_a_config_file() {
    let place = tempfile::tempdir().unwrap();
    succeed(tiny(&place).args(["--quiet", "--out", "first", "--init", "noise"]));
    let config = ["--quiet", "--config", "first/run.toml", "--out"];
    succeed(program(&place).args(config).arg("again"));
    succeed(program(&place).args(config).args(["other", "--iterations", "3"]));
    let file = |run: &str| fs::read(place.path().join(run).join("synthetic.safetensors")).unwrap();
    assert_eq!(file("first"), file("again"));
    let other = record(&place.path().join("other"));
    assert_eq!(other["outcome"]["completed_iterations"].as_integer(), Some(3));
    assert_eq!(other["settings"]["width"].as_integer(), Some(8));
}

#[test]
fn kernels_can_be_chosen_and_are_recorded() {
    let place = tempfile::tempdir().unwrap();
    let run = |more: &[&str]| {
        let err = text(&succeed(tiny(&place).args(more)).stderr);
        let run = place.path().join(more.last().unwrap());
        let toml = fs::read_to_string(run.join("run.toml")).unwrap();
        let report = fs::read_to_string(run.join("report.json")).unwrap();
        let report: serde_json::Value = serde_json::from_str(&report).unwrap();
        let kernels = report["adapter"]["kernels"].as_str().unwrap().to_owned();
        assert!(err.contains(&format!(", {kernels} kernels")), "{err}");
        assert_eq!(record(&run)["adapter"]["kernels"].as_str(), Some(&*kernels));
        (kernels, toml.lines().nth(1).unwrap().to_owned())
    };
    let (kernels, command) = run(&["--kernels", "plain", "--out", "plain"]);
    assert_eq!(kernels, "plain");
    assert!(command.contains(" --kernels plain"), "{command}");
    // Every adapter that the tests know has large workgroups.
    let (kernels, command) = run(&["--kernels", "tiles", "--out", "tiles"]);
    assert_eq!(kernels, "tiles");
    assert!(command.contains(" --kernels tiles"), "{command}");
    // Whoever leaves it open gets it open again.
    let (_, command) = run(&["--out", "open"]);
    assert!(!command.contains("--kernels"), "{command}");
}

#[test]
fn kernels_that_an_adapter_cannot_run_are_refused() {
    // Mesa's software device has subgroups of four when it is told to; others do not listen.
    let place = tempfile::tempdir().unwrap();
    let mut command = tiny(&place);
    command.env("LP_NATIVE_VECTOR_WIDTH", "128").args(["--kernels", "lanes", "--out", "run"]);
    let output = command.output().unwrap();
    let err = text(&output.stderr);
    if !err.contains("llvmpipe") {
        return println!("SKIPPED: the adapter is not Mesa's software device: {err}");
    }
    assert_eq!(output.status.code(), Some(2), "{err}");
    assert!(err.starts_with("error: --kernels lanes: llvmpipe "), "{err}");
    let why = "has no subgroups of one fixed size, 8 or 16; possible: plain and tiles\n";
    assert!(err.ends_with(why) && err.lines().count() == 1, "{err}");
    assert!(names(place.path()).is_empty());
}

/// On a device that is opened with less than the adapter has.
#[test]
fn webgpus_default_limits_suffice_and_lower_ones_are_refused() {
    let place = tempfile::tempdir().unwrap();
    let at = |limits: &str| {
        let mut command = tiny(&place);
        command.env("DM_WGPU_LIMITS", limits).args(["--out", limits]);
        command
    };
    let out = text(&succeed(&mut at("webgpu")).stderr);
    assert!(out.contains("tiles kernels"), "{out}");
    let kernels = record(&place.path().join("webgpu"))["adapter"]["kernels"].clone();
    assert_eq!(kernels.as_str(), Some("tiles"), "what needs no feature");
    let refused = tiny(&place)
        .env("DM_WGPU_LIMITS", "webgpu")
        .args(["--kernels", "lanes", "--out", "lanes"])
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(2), "{}", text(&refused.stderr));
    assert!(text(&refused.stderr).contains("has no subgroups"), "{}", text(&refused.stderr));

    for (limits, code, words) in [
        ("downlevel", 1, "allows 4 storage buffers a shader stage (max_storage_buffers_per_shader"),
        ("none", 2, "error: DM_WGPU_LIMITS \"none\": webgpu and downlevel are possible"),
    ] {
        let output = at(limits).output().unwrap();
        let err = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{err}");
        assert!(err.contains(words) && err.lines().count() == 1, "{err}");
        assert!(!place.path().join(limits).exists());
    }
}

#[test]
fn runs_get_folders_of_their_own() {
    let place = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        succeed(tiny(&place).arg("--quiet"));
    }
    let expected = ["glyphs-ipc1-seed0", "glyphs-ipc1-seed0-2"];
    assert_eq!(names(&place.path().join("runs")), expected.map(String::from).into());

    let again = tiny(&place).args(["--out", "runs/glyphs-ipc1-seed0"]).output().unwrap();
    assert_eq!(again.status.code(), Some(2));
    assert!(text(&again.stderr).contains("not empty"));
}

#[test]
fn a_failed_run_leaves_nothing() {
    let place = tempfile::tempdir().unwrap();
    for (arguments, word) in [
        (&["--adapter", "no such thing"][..], "no such thing"),
        (&["--adapter", "999"], "999"),
        (&["--ipc", "900000", "--init", "noise"], "--ipc 900000"),
        (
            &["--memory-budget", "1MiB", "--width", "64"],
            "--memory-budget 1MiB: these settings need",
        ),
        (
            &["--ipc", "301", "--width", "8"],
            "--ipc 301: class \"0\" has only 300 training images; use 300 or fewer, or start \
             from --init noise",
        ),
    ] {
        for out in [&["--out", "a/b/c"][..], &[]] {
            // The flags under test come last and so must not be given twice.
            let mut command = program(&place);
            command.args(["--dataset", "glyphs", "--iterations", "2"]);
            let output = command.args(arguments).args(out).output().unwrap();
            let err = text(&output.stderr);
            assert!(matches!(output.status.code(), Some(1 | 2)), "{arguments:?}: {err}");
            // Nothing is announced before it is known to be possible.
            assert!(err.starts_with("error: ") && err.contains(word), "{arguments:?}: {err}");
            assert!(!err.contains("panicked") && !err.contains("runs/"), "{err}");
            assert!(names(place.path()).is_empty(), "{arguments:?} left a folder");
        }
    }
}

#[test]
fn eval_every_leaves_half_of_the_memory_budget() {
    let place = tempfile::tempdir().unwrap();
    let refusal = |arguments: &[&str]| {
        let mut command = program(&place);
        command.args(["--dataset", "glyphs", "--ipc", "1", "--iterations", "1"]).args(arguments);
        let output = command.args(["--batch-real", "8"]).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        text(&output.stderr)
    };
    let message = refusal(&["--memory-budget", "1B", "--no-eval"]);
    let (_, least) = message.split_once("these settings need at least ").unwrap();
    let enough = least.trim_end();
    // The evaluation itself would do with little.
    let follow = ["--eval-every", "1", "--eval-width", "2", "--eval-nets", "1"];
    let message = refusal(&[&["--memory-budget", enough], &follow[..]].concat());
    let expected = format!("error: --memory-budget {enough}: with --eval-every half of it must do");
    assert!(message.starts_with(&expected), "{message}");
}

#[test]
fn a_selection_larger_than_a_class_is_refused() {
    let place = tempfile::tempdir().unwrap();
    for method in ["random", "herding", "k-center"] {
        let mut command = program(&place);
        command.args(["--dataset", "glyphs", "--ipc", "301", "--method", method]);
        let output = command.output().unwrap();
        let expected =
            "error: --ipc 301: class \"0\" has only 300 training images; use 300 or fewer\n";
        assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(2), expected));
    }
    let mut command = program(&place);
    let compare = ["compare", "--dataset", "glyphs", "--ipc", "301", "--methods", "random"];
    let output = command.args(compare).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(names(place.path()).is_empty());
}

#[test]
fn adapters_are_listed() {
    let place = tempfile::tempdir().unwrap();
    let list = text(&succeed(program(&place).arg("adapters")).stdout);
    assert!(list.starts_with("0: "), "{list}");
    for word in ["backend", "driver", "storage binding", "workgroup", "subgroup", "f16", "timesta"]
    {
        assert!(list.contains(word), "{word} is missing in {list}");
    }

    // As `dm-wgpu adapters | head -0` would.
    let mut child = program(&place).arg("adapters").stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_closed_pipe_loses_no_results() {
    let place = tempfile::tempdir().unwrap();
    let mut child = tiny(&place)
        .args(["--out", "run"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop((child.stdout.take(), child.stderr.take()));
    assert!(child.wait().unwrap().success());
    assert!(place.path().join("run/images").is_dir());
}

/// Ctrl-C in the middle: what there is, is saved.
#[cfg(unix)]
#[test]
fn ctrl_c_saves_the_finished_iterations() {
    use crate::helpers::signal;
    use std::io::{BufRead, BufReader};

    let place = tempfile::tempdir().unwrap();
    let mut child = program(&place)
        .args(words("--dataset glyphs --ipc 1 --iterations 1000000 --width 8 --depth 1"))
        .args(["--batch-real", "8", "--out", "run"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.starts_with("iteration ")), "it never began");
    signal(&child, "INT");
    let rest: Vec<_> = lines.collect();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest:?}");
    assert!(rest.iter().any(|line| line.contains("saving")), "{rest:?}");

    let run = place.path().join("run");
    SyntheticSet::load(&run.join("synthetic.safetensors")).unwrap();
    let record = record(&run);
    let done = record["outcome"]["completed_iterations"].as_integer().unwrap();
    assert!((1..1_000_000).contains(&done));
    assert_eq!(record["settings"]["iterations"].as_integer(), Some(1_000_000));
    assert_eq!(record["outcome"]["interrupted"].as_bool(), Some(true));
    let rows = fs::read_to_string(run.join("metrics.csv")).unwrap().lines().count() as i64 - 1;
    assert_eq!(rows, done);
}

#[test]
fn f16_is_recorded_or_refused_with_what_the_adapter_lacks() {
    let place = tempfile::tempdir().unwrap();
    let output = tiny(&place).args(["--precision", "f16", "--out", "run"]).output().unwrap();
    let (err, run) = (text(&output.stderr), place.path().join("run"));
    if output.status.success() {
        assert!(err.contains("kernels, f16"), "{err}");
        let record = record(&run);
        assert_eq!(record["machine"]["precision"].as_str(), Some("f16"));
        assert_eq!(record["adapter"]["precision"].as_str(), Some("f16"));
    } else {
        assert_eq!(output.status.code(), Some(2), "{err}");
        assert!(err.starts_with("error: --precision f16: "), "{err}");
        assert!(
            err.contains("COOPERATIVE_MATRIX") || err.contains("cooperative matrices"),
            "{err}"
        );
        assert!(err.contains("f32 is possible"), "{err}");
        assert!(!run.exists());
    }
}
