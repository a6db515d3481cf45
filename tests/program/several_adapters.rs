//! The program from outside, on several adapters at once. Those are Mesa's software device twice over, because two files
//! tell Vulkan's loader of it; where there is no such device, tests report that they are skipped.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;
use tempfile::TempDir;

use crate::helpers::{json, program, set, start, succeed, text, wait_for, words};

const TINY: &str = "--dataset glyphs --ipc 1 --width 8 --depth 1 --batch-real 8 --snapshots 2";

/// A folder, and what makes Vulkan's loader find the device twice.
struct Two {
    place: TempDir,
    drivers: String,
}

impl Two {
    /// `None` if there is no such device.
    fn found() -> Option<Self> {
        let there = ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d"].map(Path::new);
        let files = there.iter().flat_map(|folder| fs::read_dir(folder).into_iter().flatten());
        let mut files = files.flatten().map(|entry| entry.path());
        let is_own = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            name.starts_with("lvp_icd") && name.ends_with(".json")
        };
        let Some(first) = files.find(is_own) else {
            eprintln!("skipped: there is no lavapipe");
            return None;
        };
        let place = tempfile::tempdir().unwrap();
        let second = place.path().join("second.json");
        fs::copy(&first, &second).unwrap();
        let drivers = format!("{}:{}", first.display(), second.display());
        let two = Self { place, drivers };
        let listed = text(&two.program("adapters").output().unwrap().stdout);
        // An environment may forbid the loader to heed the variable.
        let several = listed.lines().filter(|line| line.starts_with(['0', '1'])).count() == 2;
        if !several {
            eprintln!("skipped: there are no two adapters: {listed}");
        }
        several.then_some(two)
    }

    fn program(&self, arguments: &str) -> Command {
        let mut command = program(&self.place);
        command.args(words(arguments));
        for name in ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"] {
            command.env(name, &self.drivers);
        }
        command
    }

    fn run(&self, arguments: &str) -> Command {
        self.program(&format!("{TINY} {arguments}"))
    }

    fn at(&self, path: &str) -> PathBuf {
        self.place.path().join(path)
    }
}

#[test]
fn two_adapters_come_to_what_one_comes_to() {
    let Some(two) = Two::found() else { return };
    let judged = "--iterations 5 --eval-nets 2 --eval-epochs 2";
    succeed(&mut two.run(&format!("{judged} --adapter 1 --out one")));
    let told = succeed(&mut two.run(&format!("{judged} --adapter all --out both --json"))).stdout;
    let events: Vec<Value> =
        text(&told).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events[0]["adapters"].as_array().unwrap().len(), 2);
    let shards: Vec<_> = events.iter().filter(|event| event["event"] == "shard").collect();
    let ended = |event: &&&Value| !event["seconds"].is_null();
    assert_eq!((shards.len(), shards.iter().filter(ended).count()), (8, 4));
    assert!(shards.iter().all(|event| event["index"] == "0" || event["index"] == "1"));
    assert!(events.iter().any(|event| event["what"] == "classes on 2 adapters"));

    assert!(set(&two.place, "both") == set(&two.place, "one"), "other images");
    let report = |run: &str| {
        let mut report = json(&two.at(run).join("report.json"));
        let own = report.as_object_mut().unwrap();
        (own.remove("seconds"), own.remove("shards"), report)
    };
    let ((_, shards, both), (_, none, one)) = (report("both"), report("one"));
    assert_eq!((both, none), (one, None));
    let classes = |shard: &Value| shard["classes"].clone();
    let told: Vec<_> = shards.unwrap().as_array().unwrap().iter().map(classes).collect();
    assert_eq!(told, ["0-1", "2-4", "5-6", "7-9"]);
    for file in ["grid.png", "progress.png", "snapshots/000005.png", "images/7/000.png"] {
        let file = |run: &str| fs::read(two.at(run).join(file)).ok();
        assert!(file("both").is_some() && file("both") == file("one"));
    }
    let page = fs::read_to_string(two.at("both/report.html")).unwrap();
    assert!(page.contains("Shards") && page.contains(": llvmpipe"));

    // Its record repeats it, and it goes on, on one of them as well.
    let record = fs::read_to_string(two.at("both/run.toml")).unwrap();
    assert!(record.contains("adapter = \"all\"") && record.contains("--adapter all"), "{record}");
    let shown = succeed(&mut two.program("show-config --config both/run.toml"));
    assert!(text(&shown.stdout).contains("adapter = \"all\""));
    let told = succeed(&mut two.program("--resume both"));
    assert!(text(&told.stderr).contains("both is finished"));
    succeed(&mut two.program("--resume both --iterations 7 --adapter 1"));
    succeed(&mut two.program("--resume one --iterations 7"));
    assert!(set(&two.place, "both") == set(&two.place, "one"), "other images");
    let other = two.program("--resume one --iterations 8 --adapter 0,1").output().unwrap();
    let told = text(&other.stderr);
    assert!(other.status.code() == Some(2) && told.contains("begun on one adapter"), "{told}");

    // One that was asked for all adapters when there was one goes on on one.
    let mut alone = two.run("--iterations 2 --no-eval --adapter all --out alone");
    let first = two.drivers.split(':').next().unwrap();
    succeed(alone.env("VK_DRIVER_FILES", first).env("VK_ICD_FILENAMES", first));
    let told = succeed(&mut two.program("--resume alone --iterations 3"));
    assert!(text(&told.stderr).contains("begun on one adapter"));
    assert!(!two.at("alone/shards").exists());

    // Without its shards it is like any joined run.
    fs::remove_dir_all(two.at("both/shards")).unwrap();
    let more = two.program("--resume both --iterations 9").output().unwrap();
    let told = text(&more.stderr);
    assert!(more.status.code() == Some(2) && told.contains("joined from shards"), "{told}");

    // Networks of an evaluation are shared out, too.
    let judge = |adapter: &str| {
        let asked =
            format!("evaluate one --eval-nets 3 --no-baseline --json --quiet --adapter {adapter}");
        let told = text(&succeed(&mut two.program(&asked)).stdout);
        serde_json::from_str::<Value>(&told).unwrap()["accuracy"].clone()
    };
    assert_eq!(judge("0,1"), judge("0"));
}

#[test]
fn a_killed_run_on_two_adapters_goes_on() {
    let Some(two) = Two::found() else { return };
    let asked = "--iterations 60 --no-eval --checkpoint-every 0.01";
    succeed(&mut two.run(&format!("{asked} --out one")));
    let mut child = start(&mut two.run(&format!("{asked} --adapter 0,1 --out both")));
    wait_for(&two.at("both/shards/2-of-4/checkpoint.safetensors"));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!two.at("both/synthetic.safetensors").exists());
    let told = text(&succeed(&mut two.program("--resume both")).stderr);
    assert!(told.contains("shard     4/4, classes 7-9: "), "{told}");
    assert!(set(&two.place, "both") == set(&two.place, "one"), "other images");

    // What seeds come to, each on both adapters.
    succeed(&mut two.run("--iterations 3 --no-eval --runs 2 --adapter 0,1 --out seeds"));
    succeed(&mut two.run("--iterations 3 --no-eval --seed 1 --out second"));
    assert!(set(&two.place, "seeds/seed1") == set(&two.place, "second"), "other images");
}

#[test]
fn what_several_adapters_are_not_for_is_refused() {
    let Some(two) = Two::found() else { return };
    let refused = |mut command: Command, parts: &[&str]| {
        let output = command.output().unwrap();
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{told}");
        parts.iter().for_each(|part| assert!(told.contains(part), "{part} is missing in: {told}"));
    };
    let run = |more: &str| two.run(&format!("--iterations 2 --no-eval {more}"));
    refused(run("--adapter 0,0"), &["--adapter 0,0: 0 is named twice", "1 (llvmpipe"]);
    refused(run("--adapter llvm,0"), &["0 is named twice"]);
    refused(run("--adapter 0,2"), &["--adapter 0,2: \"2\" is neither in an adapter's name nor"]);
    refused(run("--adapter 1,radium"), &["\"radium\" is neither", "0 (llvmpipe"]);
    refused(run("--adapter 0,"), &["\"\" is neither"]);
    for method in ["dc", "dsa", "dd", "trajectory"] {
        let why = format!("--adapter all: {method} does not work class by class");
        refused(run(&format!("--adapter all --method {method}")), &[&why, "all classes"]);
    }
    refused(run("--adapter 0,1 --net resnet18-bn"), &["--adapter 0,1: dm does not", "batch norm"]);
    refused(run("--adapter all --shard 1/2"), &["--adapter all: a shard is made on one adapter"]);
    refused(run("--adapter all --classes 3"), &["a shard is made on one adapter"]);
    let uneven = "--dataset glyphs --ipc 1,2,3,1,2,3,1,2,3,1 --no-eval --adapter all";
    refused(two.program(uneven), &["--adapter all: a number of images for each class"]);
    refused(two.run("--eval-every 2 --adapter all"), &["--eval-every 2: on several adapters"]);
    refused(two.program("compare --dataset glyphs --adapter all"), &["on one adapter; name one"]);
    refused(two.program("bench --adapter all"), &["--adapter all: one adapter is needed here"]);
    refused(two.program("bench --adapter 0,1"), &["one adapter is needed here"]);
    let left: Vec<_> = fs::read_dir(&two.place).unwrap().flatten().collect();
    assert_eq!(left.len(), 1, "nothing but the driver's file: {left:?}");

    // A name with a comma in it is one adapter's.
    let listed = text(&two.program("adapters").output().unwrap().stdout);
    let name = listed.lines().next().and_then(|line| line.strip_prefix("0: ")).unwrap();
    let mut named = run("--out one");
    succeed(named.args(["--adapter", name]));
    assert!(two.at("one/checkpoint.safetensors").is_file());
}
