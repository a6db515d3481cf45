//! The program from outside, with its work in shards: put together they are what one run is, to the bit. Needs an adapter,
//! a CPU one will do.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use image::{Rgb, RgbImage};
use serde_json::Value;
use tempfile::TempDir;

use crate::helpers::{json, program, set, succeed, text, words};
#[cfg(target_os = "linux")]
use crate::helpers::{start, tool};

const TINY: &str =
    "--dataset glyphs --ipc 1 --width 8 --depth 1 --batch-real 8 --iterations 5 --snapshots 2";

fn tiny(place: &TempDir, more: &str) -> Command {
    let mut command = program(place);
    command.args(words(TINY)).args(words(more));
    command
}

/// Three shards of different sizes; `more` is for all of them.
fn shards(place: &TempDir, more: &str) {
    for (name, classes) in [("a", "0,4-7"), ("b", "1"), ("c", "2-3,8-9")] {
        let asked = format!("--classes {classes} --out {name} {more}");
        succeed(&mut tiny(place, &asked));
    }
}

fn join(place: &TempDir, arguments: &str) -> Output {
    program(place).arg("join").args(words(arguments)).output().unwrap()
}

fn joined(place: &TempDir, arguments: &str) -> String {
    let output = join(place, arguments);
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout) + &text(&output.stderr)
}

#[track_caller]
fn refused(place: &TempDir, arguments: &str, code: i32, parts: &[&str]) {
    let output = join(place, arguments);
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{told}");
    for part in parts {
        assert!(told.contains(part), "{part} is missing in: {told}");
    }
    assert!(!told.contains("panicked"), "{told}");
}

/// Without the seconds.
fn metrics(place: &TempDir, run: &str) -> Vec<String> {
    let table = fs::read_to_string(place.path().join(run).join("metrics.csv")).unwrap();
    let cells = |row: &str| {
        let cells: Vec<_> = row.split(',').collect();
        [&cells[..2], &cells[3..]].concat().join(",")
    };
    table.lines().map(cells).collect()
}

/// All files of a folder below it, with what is in them.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        match entry.path().is_dir() {
            true => found.extend(files(&entry.path())),
            false => found.push((entry.path(), fs::read(entry.path()).unwrap())),
        }
    }
    found.sort();
    found
}

#[test]
fn three_uneven_shards_are_one_run() {
    let place = tempfile::tempdir().unwrap();
    let judged = "--eval-nets 2 --eval-epochs 2 --protocol both";
    succeed(&mut tiny(&place, &format!("--out whole {judged}")));
    shards(&place, judged);
    let told = joined(&place, "joined c a b --evaluate");
    assert!(told.contains("joined    3 shards") && told.contains("accuracy"), "{told}");
    assert!(set(&place, "joined") == set(&place, "whole"), "other images");
    assert_eq!(metrics(&place, "joined"), metrics(&place, "whole"));
    let pictures = |run: &str| -> Vec<_> {
        let folder = place.path().join(run);
        let pictures =
            ["grid.png", "progress.png"].map(|name| fs::read(folder.join(name)).unwrap());
        let within = |(path, bytes): (PathBuf, _)| {
            (path.strip_prefix(&folder).unwrap().to_path_buf(), bytes)
        };
        let trees = ["snapshots", "images"].map(|name| files(&folder.join(name)));
        let trees = trees.into_iter().flatten().map(within);
        pictures.into_iter().map(|bytes| (PathBuf::new(), bytes)).chain(trees).collect()
    };
    assert!(pictures("joined") == pictures("whole"), "other pictures");
    let report = |run: &str| {
        let mut report = json(&place.path().join(run).join("report.json"));
        let report_of = report.as_object_mut().unwrap();
        let rows = report_of["architectures"].as_object_mut().unwrap();
        assert_eq!(rows.len(), 2, "{run} lacks an accuracy by one of the protocols");
        rows.values_mut().for_each(|row| drop(row.as_object_mut().unwrap().remove("seconds")));
        (report_of.remove("seconds"), report_of.remove("shards"), report)
    };
    let ((_, shards, own), (_, none, whole)) = (report("joined"), report("whole"));
    assert_eq!((own, none), (whole, None));
    let classes = |shard: &Value| (shard["folder"].clone(), shard["classes"].clone());
    let told: Vec<_> = shards.unwrap().as_array().unwrap().iter().map(classes).collect();
    let expected = [("a", "0,4-7"), ("b", "1"), ("c", "2-3,8-9")];
    assert_eq!(told, expected.map(|(folder, classes)| (folder.into(), classes.into())));
    let page = fs::read_to_string(place.path().join("joined/report.html")).unwrap();
    assert!(page.contains("Shards") && page.contains("2-3,8-9"));

    // Joined again, it is what it was, in any order, and no other file is touched.
    let before = files(&place.path().join("joined"));
    assert!(joined(&place, "joined b c a").contains("joined before"));
    assert!(files(&place.path().join("joined")) == before);
    refused(&place, "whole a b c", 2, &["whole: it is not empty"]);
    assert!(
        fs::read_dir(&place)
            .unwrap()
            .flatten()
            .all(|entry| { !entry.file_name().to_string_lossy().starts_with(".joining") })
    );

    // A joined run goes on no further than its shards.
    let more = program(&place).args(words("--resume joined --iterations 9")).output().unwrap();
    let said = text(&more.stderr);
    assert_eq!(more.status.code(), Some(2), "{said}");
    assert!(said.contains("joined from shards"), "{said}");
    for name in ["a", "b", "c"] {
        succeed(program(&place).args(["--resume", name, "--iterations", "6"]));
    }
    succeed(program(&place).args(words("--resume whole --iterations 6")));
    joined(&place, "further a b c");
    assert!(set(&place, "further") == set(&place, "whole"));
}

#[test]
fn what_cannot_be_joined_is_named() {
    let place = tempfile::tempdir().unwrap();
    shards(&place, "--no-eval");
    let missing = ["no shard has the classes 1", "--classes 1", "--iterations 5"];
    refused(&place, "out a c", 2, &missing);
    // The command that it says makes what is missing.
    let told = text(&join(&place, "out a c").stderr);
    let command = told.lines().find_map(|line| line.trim().strip_prefix("dm-wgpu ")).unwrap();
    succeed(program(&place).args(words(command)).args(["--out", "b2"]));
    assert!(set(&place, "b2") == set(&place, "b"));
    refused(&place, "out a b c b2", 2, &["class 1 is in b and in b2"]);
    refused(&place, "out a b b c", 2, &["class 1 is in b and in b"]);
    refused(&place, "out a b nowhere", 2, &["nowhere", "no such folder"]);
    succeed(&mut tiny(&place, "--classes 1 --seed 1 --out other --no-eval"));
    refused(&place, "out a other c", 2, &["a and other are not of one run", "seed: 0 and 1"]);
    succeed(&mut tiny(&place, "--out whole --no-eval"));
    refused(&place, "out a b c whole", 2, &["whole: this is a whole, not a shard"]);
    refused(&place, "out a b c --evaluate", 2, &["asked for no evaluation"]);

    // One that has not ended, and one whose files are of two runs.
    let record = place.path().join("b/run.toml");
    let ended = fs::read_to_string(&record).unwrap();
    let (begun, _) = ended.split_once("[outcome]").unwrap();
    fs::write(&record, begun).unwrap();
    refused(&place, "new a b c", 1, &["b: this shard has not ended", "dm-wgpu --resume b"]);
    fs::write(&record, &ended).unwrap();
    let images = place.path().join("b/synthetic.safetensors");
    let whole = fs::read(&images).unwrap();
    fs::write(&images, &whole[..whole.len() / 2]).unwrap();
    refused(&place, "new a b c", 1, &["synthetic.safetensors", "not the images"]);
    fs::remove_file(&images).unwrap();
    refused(&place, "new a b c", 1, &["b: this shard has not ended"]);
    assert!(!place.path().join("new").exists(), "nothing is begun");
    fs::write(&images, &whole).unwrap();
    joined(&place, "new a b c");
    assert!(set(&place, "new") == set(&place, "whole"));
}

#[test]
fn what_a_shard_is_not_for_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let wrong = |more: &str, parts: &[&str]| {
        let output = tiny(&place, more).output().unwrap();
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{told}");
        parts.iter().for_each(|part| assert!(told.contains(part), "{part}: {told}"));
    };
    wrong("--classes 8-10", &["--classes 8-10", "10 classes, numbered 0 to 9"]);
    wrong("--shard 2/11", &["--shard 2/11", "there are 10 classes"]);
    wrong("--shard 3/2", &["K from 1 to N"]);
    wrong("--shard 1/2 --classes 3", &["leave one out"]);
    wrong("--shard auto", &["SLURM_ARRAY_TASK_ID", "JOB_COMPLETION_INDEX"]);
    wrong(
        "--shard 1/2 --method dsa",
        &["--classes 0-4", "trained on the synthetic images of all classes"],
    );
    wrong("--shard 1/2 --method dd", &["does not work class by class"]);
    wrong("--shard 1/2 --method trajectory", &["to tell all classes apart"]);
    wrong("--shard 1/2 --net resnet18-bn", &["batch norm goes by images of all classes"]);
    wrong("--shard 1/2 --eval-every 2", &["--eval-every 2"]);
    wrong("--shard 1/2 --runs 2", &["--runs 2"]);
    let whole = program(&place).args(words("--dataset glyphs --method whole --shard 1/2")).output();
    let told = text(&whole.unwrap().stderr);
    assert!(told.contains("whole trains on all classes"), "{told}");
    assert!(fs::read_dir(&place).unwrap().next().is_none(), "nothing is left");

    let told = succeed(
        tiny(&place, "--shard auto --out s").env("SLURM_ARRAY_TASK_ID", "2").envs(
            [("COUNT", "4"), ("MIN", "1"), ("MAX", "4")]
                .map(|(name, value)| (format!("SLURM_ARRAY_TASK_{name}"), value)),
        ),
    );
    let told = text(&told.stderr);
    assert!(told.contains("3 of 10 classes") && told.contains("not evaluated"), "{told}");
    let record = fs::read_to_string(place.path().join("s/run.toml")).unwrap();
    assert!(record.contains("classes = \"2-4\"") && record.contains("--classes 2-4"), "{record}");
    let judged = program(&place).args(["evaluate", "s"]).output().unwrap();
    let told = text(&judged.stderr);
    assert!(told.contains("some classes alone") && told.contains("dm-wgpu join"), "{told}");
}

#[test]
fn selections_are_joined_as_well() {
    for method in ["random", "herding", "k-center"] {
        let place = tempfile::tempdir().unwrap();
        let chosen = |more: &str| {
            let mut command = program(&place);
            command.args(words("--dataset glyphs --ipc 2 --width 4 --no-eval --method"));
            succeed(command.arg(method).args(words(more)));
        };
        chosen("--out whole");
        (1..=3).for_each(|shard| chosen(&format!("--shard {shard}/3 --out s{shard}")));
        joined(&place, "joined s1 s2 s3");
        assert!(set(&place, "joined") == set(&place, "whole"), "{method}");
    }
}

/// What is measured over the whole set, its mean and deviation, and whether pictures have colours, is that of the whole
/// set for a shard whose own pictures are grey; and pictures of other classes are decoded once, for that, and never again.
#[test]
fn pictures_are_normalised_as_in_the_whole_set() {
    let place = tempfile::tempdir().unwrap();
    for (class, pictures) in [("ant", 3u8), ("bee", 9), ("cat", 5)] {
        let folder = place.path().join("pets").join(class);
        fs::create_dir_all(&folder).unwrap();
        for k in 0..pictures {
            let red = if class == "bee" { 200 } else { 10 * k };
            let pixel = |x: u32, y: u32| match class {
                "bee" => Rgb([red, x as u8 * 20, y as u8 * 30 + k]),
                _ => Rgb([10 * k + x as u8 + 3 * y as u8; 3]),
            };
            RgbImage::from_fn(8, 8, pixel).save(folder.join(format!("{k}.png"))).unwrap();
        }
    }
    let run = |cache: &str, more: &str| {
        let mut command = program(&place);
        command.env("XDG_CACHE_HOME", place.path().join(cache));
        command.args(words("--dataset folder:pets --ipc 1 --iterations 2 --width 4 --depth 2"));
        command.args(words("--batch-real 4 --no-eval")).args(words(more));
        text(&succeed(&mut command).stderr)
    };
    run("one", "--out whole");
    // Balanced by images: the bees are most of them.
    run("two", "--shard 1/3 --out s1");
    // Only what the shard needs is decoded now.
    let bees = place.path().join("pets/bee");
    let told = run("two", "--shard 3/3 --out s3");
    assert!(told.contains("4 + 0 images of 3×8×8 in 1 of 3 classes"), "{told}");
    run("two", "--shard 2/3 --out s2");
    joined(&place, "joined s1 s2 s3");
    assert!(set(&place, "joined") == set(&place, "whole"));
    // Where the whole set is decoded already, nothing is looked at again.
    run("one", "--shard 2/3 --out again");
    assert!(set(&place, "again") == set(&place, "s2"));
    // Another picture makes another data set.
    fs::remove_file(bees.join("0.png")).unwrap();
    run("two", "--shard 2/3 --out later");
    refused(
        &place,
        "mixed s1 later s3",
        2,
        &["not of one run", "images or labels of the data set"],
    );
}

/// As some network file systems: the shards and their join need no lock.
#[cfg(target_os = "linux")]
#[test]
fn shards_lie_on_file_systems_without_locks() {
    if !tool("cc") {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let (source, library) = (place.path().join("flock.c"), place.path().join("flock.so"));
    fs::write(
        &source,
        "#include <errno.h>\nint flock(int f, int o) { errno = ENOLCK; return -1; }\n",
    )
    .unwrap();
    let mut compiler = Command::new("cc");
    succeed(compiler.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source));
    let mut running: Vec<_> = ["0-4", "5-9"]
        .iter()
        .enumerate()
        .map(|(shard, classes)| {
            let asked = format!("--classes {classes} --out s{shard} --no-eval");
            let mut command = tiny(&place, &asked);
            start(command.env("LD_PRELOAD", &library))
        })
        .collect();
    for shard in running.drain(..) {
        let told = shard.wait_with_output().unwrap();
        let said = text(&told.stderr);
        assert!(told.status.success() && said.contains("can't be locked"), "{said}");
    }
    succeed(program(&place).args(words("join joined s0 s1")).env("LD_PRELOAD", &library));
    succeed(&mut tiny(&place, "--out whole --no-eval"));
    assert!(set(&place, "joined") == set(&place, "whole"));
}

#[test]
fn networks_on_several_devices_are_those_of_one() {
    let place = tempfile::tempdir().unwrap();
    succeed(&mut tiny(&place, "--no-eval --out run"));
    let evaluate = |more: &str| {
        let mut command = program(&place);
        command.args(words("evaluate run --eval-nets 5 --eval-epochs 2 --eval-width 4"));
        command.args(words(more)).output().unwrap()
    };
    let whole = evaluate("--json --quiet");
    let whole: Value = serde_json::from_slice(&whole.stdout).unwrap();
    for shard in 1..=3 {
        let told = evaluate(&format!("--shard {shard}/3 --out acc{shard}.json"));
        assert!(told.status.success(), "{}", text(&told.stderr));
    }
    joined(&place, "acc.json acc3.json acc1.json acc2.json");
    let all = json(&place.path().join("acc.json"));
    assert_eq!(all["accuracy"], whole["accuracy"]);
    assert_eq!(all["settings"], whole["settings"]);
    joined(&place, "acc.json acc1.json acc2.json acc3.json");
    refused(&place, "x.json acc1.json acc3.json", 2, &["shards 2/3 are missing"]);
    refused(&place, "x.json acc1.json acc2.json acc2.json acc3.json", 2, &["shard 2/3 is in"]);
    refused(&place, "run/run.toml acc1.json acc2.json acc3.json", 2, &["nothing is overwritten"]);
    evaluate("--shard 2/3 --out other.json --seed 3");
    refused(&place, "x.json acc1.json other.json acc3.json", 2, &["eval seed: 0 and 3"]);
    fs::write(place.path().join("half.json"), "{\"version\": ").unwrap();
    refused(&place, "x.json acc1.json half.json", 1, &["half.json", "no accuracies"]);
    let told = evaluate("--shard 1/6 --out x.json");
    assert!(text(&told.stderr).contains("there are 5 networks"), "{}", text(&told.stderr));
    let told = evaluate("--shard 1/2");
    assert!(text(&told.stderr).contains("--out FILE"), "{}", text(&told.stderr));
    assert!(!place.path().join("x.json").exists());
}
