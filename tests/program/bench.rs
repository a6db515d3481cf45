//! Benchmarks from outside, as small as they can be: needs an adapter (a CPU one will do).

use std::process::Output;

use dm_wgpu::Matching;
use serde_json::Value;

use crate::helpers::{program, start, text, words};

/// Classes of every shape but one.
const CLASSES: usize = 10;
const WIDTH: usize = 8;
const BATCH: usize = 4;
/// The planes of MNIST's three blocks, and the channels that come in.
const BLOCKS: [(usize, usize); 3] = [(32, 1), (16, WIDTH), (8, WIDTH)];

fn bench(arguments: &[&str]) -> Output {
    let place = tempfile::tempdir().unwrap();
    let output = program(&place).arg("bench").args(arguments).output().unwrap();
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0, "it left something behind");
    output
}

/// A benchmark of a second or two.
fn tiny(more: &[&str]) -> Output {
    let tiny = "--shape mnist --ipc 1 --width 8 --batch-real 4 --iterations 3";
    let output = bench(&[&tiny.split(' ').collect::<Vec<_>>(), more].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    output
}

fn number(value: &Value, key: &str) -> f64 {
    let found = key.split('.').fold(value, |value, key| &value[key]);
    found.as_f64().unwrap_or_else(|| panic!("{key} is {found}"))
}

/// Multiplications and additions of a block's convolution of one image.
fn flops(block: usize) -> f64 {
    let (size, inputs) = BLOCKS[block];
    (2 * 9 * size * size * inputs * WIDTH) as f64
}

/// What the kernels say that they did.
fn said(kernels: &Value) -> f64 {
    let did =
        |kernel: &Value| kernel["gflops"].as_f64().map(|rate| rate * 1e6 * number(kernel, "ms"));
    kernels.as_array().unwrap().iter().filter_map(did).sum()
}

#[track_caller]
fn assert_near(value: f64, expected: f64) {
    assert!((value - expected).abs() <= 1e-6 * expected.abs(), "{value} is not {expected}");
}

#[test]
fn json_has_every_figure() {
    let output = tiny(&["--json", "--quiet"]);
    assert_eq!(text(&output.stderr), "");
    let stdout = text(&output.stdout);
    assert_eq!(stdout.lines().count(), 1, "{stdout}");
    let report: Value = serde_json::from_str(&stdout).unwrap();

    assert_eq!((&report["shape"], &report["classes"]), (&"mnist".into(), &10.into()));
    for (key, expected) in [("ipc", 1), ("width", WIDTH), ("depth", 3), ("batch_real", BATCH)] {
        assert_eq!(report[key], expected, "{key}");
    }
    for phase in ["iteration", "epoch"] {
        let of = |key: &str| number(&report[phase], key);
        assert_eq!(of("timed"), 3.0);
        assert!(0.0 < of("min_ms") && of("min_ms") <= of("median_ms"), "{report}");
        assert!(of("median_ms") <= of("max_ms"), "{report}");
        assert!(of("first_ms") > 0.0 && of("prepare_ms") >= of("compile_ms"), "{report}");
        assert!(of("compile_ms") > 0.0 && of("pipelines") >= 4.0, "{report}");
        assert!(report[phase]["allocated_bytes"].as_f64().is_none_or(|a| a >= of("peak_bytes")));
    }
    let [first, prepare] =
        ["iteration.first_ms", "iteration.prepare_ms"].map(|k| number(&report, k));
    assert_near(
        number(&report, "start.total_ms"),
        number(&report, "start.open_ms") + prepare + first,
    );
    // The training set stays on the device, and the networks have little beside it.
    let peak = number(&report, "peak_bytes");
    assert!((60_000.0 * 784.0..512.0 * 1024.0 * 1024.0).contains(&peak), "{peak}");
    assert_eq!(peak, number(&report, "iteration.peak_bytes"));

    let ceiling = ["gflops", "gbytes_per_s"].map(|key| number(&report["ceiling"], key));
    assert!(ceiling.iter().all(|&c| c.is_finite() && c > 0.1), "{ceiling:?}");
    for kernels in [&report["kernels"], &report["epoch_kernels"]] {
        let all = kernels.as_array().unwrap();
        assert_near(all.iter().map(|kernel| number(kernel, "share")).sum(), 1.0);
        assert!(all.windows(2).all(|pair| number(&pair[0], "ms") >= number(&pair[1], "ms")));
        for kernel in all {
            assert!(number(kernel, "calls") >= 1.0 && number(kernel, "ms") > 0.0, "{kernel}");
            for (rate, ceiling) in ["gflops", "gbytes_per_s"].into_iter().zip(ceiling) {
                match kernel[rate].as_f64() {
                    Some(found) => {
                        assert_near(number(kernel, &format!("of_{rate}")) * ceiling, found)
                    }
                    None => {
                        assert!(kernel[rate].is_null() && kernel[format!("of_{rate}")].is_null())
                    }
                }
            }
        }
        let name = |kernel: &Value| kernel["name"].as_str().unwrap().to_owned();
        let names: Vec<_> = all.iter().map(name).collect();
        assert!(names.iter().any(|name| name == "sgd"), "{names:?}");
    }
}

/// Whatever kernels there are, they do the arithmetic of these convolutions, no more and no less.
#[test]
fn kernels_report_the_arithmetic_of_the_convolutions_exactly() {
    for kernels in ["plain", "tiles"] {
        let output = tiny(&["--json", "--quiet", "--kernels", kernels]);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["adapter"]["kernels"], kernels);
        let all: f64 = (0..3).map(flops).sum();
        // Real images forward, synthetic ones forward and backward.
        let (real, synthetic) = ((CLASSES * BATCH) as f64, CLASSES as f64);
        assert_near(said(&report["kernels"]), real * all + 2.0 * synthetic * all);
        // Forward, the gradient at the weights, the one at every block's input but the first's; and
        // the last layer in the same three directions.
        let linear = (2 * WIDTH * 4 * 4 * CLASSES) as f64;
        let epoch = synthetic * (3.0 * all - flops(0) + 3.0 * linear);
        assert_near(said(&report["epoch_kernels"]), epoch);
    }
}

#[test]
fn the_table_is_aligned_and_says_what_it_ran_on() {
    let output = tiny(&[]);
    let (table, progress) = (text(&output.stdout), text(&output.stderr));
    assert!(progress.contains("adapter ") && progress.contains("timing iterations"), "{progress}");
    assert!(!progress.contains("GFLOP"), "{progress}");
    for word in ["adapter ", "iteration ", "epoch ", "start ", "compiling ", "memory ", "ceilings "]
    {
        assert!(table.lines().any(|line| line.starts_with(word)), "{word} is missing: {table}");
    }
    assert_eq!(table.contains("a CPU"), table.contains("llvmpipe"), "{table}");
    let lines: Vec<_> = table.lines().collect();
    let headings = lines.iter().enumerate().filter(|(_, line)| line.starts_with("kernel  "));
    let mut tables = 0;
    for (at, heading) in headings {
        let rows = lines[at..].iter().take_while(|line| !line.is_empty());
        // A name that is too long stands alone.
        let rows = rows.filter(|row| row.ends_with('%') || row.contains(" % "));
        let widths: Vec<_> = rows.map(|row| row.chars().count()).collect();
        assert!(widths.len() > 5, "{table}");
        assert!(widths.iter().all(|&width| width == heading.chars().count()), "{table}");
        tables += 1;
    }
    assert_eq!(tables, 2, "{table}");
    for line in lines.iter().copied().chain(progress.lines()) {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

#[test]
fn every_method_is_timed() {
    // Other tests time dm.
    let methods = Matching::ALL.into_iter().filter(|method| *method != Matching::Dm);
    for method in methods.map(Matching::name) {
        let told = tiny(&["--method", method, "--json", "--quiet"]);
        let report: Value = serde_json::from_str(&text(&told.stdout)).unwrap();
        assert_eq!(report["method"], method);
        assert_eq!(report["factor"], if method == "trajectory" { 2 } else { 1 });
        assert!(number(&report, "iteration.median_ms") > 0.0);
    }
    let told = tiny(&["--factor", "2"]);
    assert!(text(&told.stdout).contains("ipc 1 packed by 2,"), "{}", text(&told.stdout));
}

#[test]
fn wrong_requests_are_refused_in_one_line() {
    for (arguments, word) in [
        (&["--shape", "cifar100"][..], "tiny-imagenet"),
        (&["--ipc", "0"], "--ipc"),
        (&["--width", "-1"], "--width"),
        (&["--iterations", "0"], "--iterations"),
        (&["--iterations", "many"], "--iterations"),
        (&["--classes", "0"], "--classes"),
        (
            &["--batch-real", "6001"],
            "--batch-real 6001: one of 10 classes of mnist has 6000 images",
        ),
        (&["--classes", "1000"], "--batch-real 256: one of 1000 classes of mnist has 60 images"),
        (&["--memory-budget", "1MiB"], "--memory-budget"),
        (&["--adapter", "no such thing"], "--adapter"),
        (&["--kernels", "fast"], "--kernels"),
        (&["--dataset", "mnist"], "--dataset"),
    ] {
        let output = bench(arguments);
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
        assert_eq!(text(&output.stdout), "");
        assert_eq!(stderr.matches("error:").count(), 1, "{stderr}");
        assert!(stderr.contains(word), "{stderr}");
    }
}

#[test]
fn help_says_what_is_measured() {
    let output = bench(&["--help"]);
    assert!(output.status.success());
    let help = text(&output.stdout);
    for word in ["--shape", "--json", "[default: mnist]", "[default: 10]", "ceilings", "Exit codes"]
    {
        assert!(help.contains(word), "{word} is missing: {help}");
    }
}

/// Ctrl-C, once: after the piece at hand it ends, with nothing printed.
#[cfg(unix)]
#[test]
fn ctrl_c_stops_the_benchmark() {
    use crate::helpers::signal;

    let place = tempfile::tempdir().unwrap();
    for (more, quiet) in [(&[][..], false), (&["--json", "--quiet"], true)] {
        let endless = "bench --ipc 1 --width 8 --batch-real 4 --iterations 1000000";
        let child = start(program(&place).args(words(endless)).args(more));
        // Time enough to begin; were it too early, it would only stop sooner.
        std::thread::sleep(std::time::Duration::from_secs(3));
        signal(&child, "INT");
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130));
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        if quiet {
            let event: Value = serde_json::from_str(&stdout).unwrap();
            assert_eq!((&event["event"], &event["exit_code"]), (&"error".into(), &130.into()));
            assert_eq!(stderr, "");
        } else {
            assert_eq!(stdout, "");
            assert!(stderr.contains("Ctrl-C again ends the program at once"), "{stderr}");
            let end =
                format!("interrupted: no measurement was finished\ngo on     dm-wgpu {endless}\n");
            assert!(stderr.ends_with(&end), "{stderr}");
        }
    }
}
