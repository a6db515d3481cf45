//! `dm-wgpu datasets` and data sets other than MNIST, from outside: what is listed, what is found where,
//! and what is said of broken archives.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    path::Path,
    process::{Command, Output},
    sync::mpsc,
    thread,
};

use serde_json::Value;

use crate::helpers;

fn program(place: &Path) -> Command {
    let mut command = helpers::program(place);
    // Nobody's own cache.
    command.env("HOME", place).env("XDG_CACHE_HOME", place.join("cache"));
    command
}

fn stdout(output: &Output) -> String {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    text
}

/// Writes a CIFAR-10 of two images per class into a folder, in its binary form.
fn cifar10(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    let records: Vec<u8> = (0..20u8)
        .flat_map(|k| [k % 10].into_iter().chain((0..3072).map(move |i| (i as u8) ^ (k * 11))))
        .collect();
    for name in (1..=5).map(|k| format!("data_batch_{k}.bin")).chain(["test_batch.bin".into()]) {
        fs::write(folder.join(name), &records).unwrap();
    }
}

#[test]
fn data_sets_are_listed_with_their_folders() {
    let place = tempfile::tempdir().unwrap();
    let here = place.path().join("data/cifar10/cifar-10-batches-bin");
    cifar10(&here);
    let list = |arguments: &[&str], variable: Option<&str>| {
        let mut command = program(place.path());
        if let Some(folder) = variable {
            command.env("DM_WGPU_DATA", folder);
        }
        stdout(&command.arg("datasets").args(arguments).output().unwrap())
    };
    for text in [list(&["--data-dir", "data"], None), list(&[], Some("data"))] {
        assert!(
            text.contains("\nOn disk:\n  cifar10  data/cifar10/cifar-10-batches-bin\n"),
            "{text}"
        );
        assert!(text.contains("Looked for in data."), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }
    let nothing = list(&[], None);
    assert!(!nothing.contains("On disk:") && nothing.contains("are downloaded there"), "{nothing}");

    let sets: Value = serde_json::from_str(&list(&["--json", "--data-dir", "data"], None)).unwrap();
    let of = |name: &str| sets.as_array().unwrap().iter().find(|set| set["name"] == name).unwrap();
    assert_eq!(of("cifar10")["path"], "data/cifar10/cifar-10-batches-bin");
    assert_eq!((&of("svhn")["path"], &of("svhn")["classes"]), (&Value::Null, &Value::from(10)));
    assert_eq!(of("glyphs")["needs_files"], false);
    // Looking makes nothing.
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
}

#[test]
fn a_data_dir_that_does_not_exist_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let output =
        program(place.path()).args(["datasets", "--data-dir", "nowhere"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(stderr, "error: --data-dir nowhere: there is no such folder\n");
}

#[test]
fn cifar10_is_condensed_from_its_binary_files() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("data/cifar-10-batches-bin");
    cifar10(&folder);
    let run = || {
        let line = "--dataset cifar10 --ipc 1 --iterations 1 --width 4 --batch-real 2 --no-eval \
                    --data-dir data --out run";
        program(place.path()).args(line.split_whitespace()).output().unwrap()
    };
    let output = run();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{stderr}");
    assert!(stderr.contains("cifar10: 100 + 20 images of 3×32×32 in 10 classes"), "{stderr}");
    assert!(stderr.contains("augment color_crop_cutout_flip_scale_rotate"), "{stderr}");
    assert!(place.path().join("run/images/airplane/000.png").is_file());

    fs::remove_dir_all(place.path().join("run")).unwrap();
    fs::remove_dir_all(&folder).unwrap();
    fs::write(place.path().join("data/cifar-10-binary.tar.gz"), "no archive").unwrap();
    let output = run();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.starts_with("error: data/cifar-10-binary.tar.gz: "), "{stderr}");
    assert!(!place.path().join("run").exists());
}

/// A mirror may have a folder for each set or be the folder of one: both are asked, the first first.
#[test]
fn downloads_come_from_the_mirror_that_a_variable_names() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/sets", listener.local_addr().unwrap());
    let (heard, asked) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let first = lines.next().unwrap().unwrap();
            while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
            heard.send(first.split(' ').nth(1).unwrap().to_owned()).unwrap();
            let _ =
                write!(stream, "HTTP/1.1 404 no\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
    });
    let place = tempfile::tempdir().unwrap();
    let mut command = program(place.path());
    command.args(["--dataset", "svhn"]).env("DM_WGPU_MIRROR", format!("{address}/"));
    // None between this machine and itself.
    command.env("NO_PROXY", "*").env("no_proxy", "*");
    let output = command.output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    let paths: Vec<_> = asked.try_iter().collect();
    assert_eq!(paths, ["/sets/svhn/train_32x32.mat", "/sets/train_32x32.mat"]);
    assert!(stderr.contains("could not download train_32x32.mat"), "{stderr}");
    for place in [format!("{address}/svhn: "), format!("{address}: ")] {
        assert!(stderr.contains(&format!("{place}HTTP status 404")), "{place}: {stderr}");
    }
    assert!(!place.path().join("runs").exists());
    // What was made for it is empty: neither a file nor the beginning of one.
    let cache = place.path().join("cache/dm-wgpu/svhn");
    assert!(!cache.exists() || fs::read_dir(cache).unwrap().count() == 0);
}

#[test]
fn a_copy_with_some_of_the_classes_is_no_whole_one() {
    let place = tempfile::tempdir().unwrap();
    let set = place.path().join("tiny-imagenet-200");
    for class in ["n01", "n02", "n03"] {
        fs::create_dir_all(set.join("train").join(class)).unwrap();
    }
    fs::create_dir(set.join("val")).unwrap();
    for list in ["wnids.txt", "words.txt"] {
        fs::write(set.join(list), "").unwrap();
    }
    let list = |more: &[&str]| {
        let mut command = program(place.path());
        stdout(&command.args(["datasets", "--data-dir", "."]).args(more).output().unwrap())
    };
    let told = list(&[]);
    assert!(told.contains("  in part  "), "{told}");
    assert!(told.contains("tiny-imagenet-200 (3 of 200 classes)\n"), "{told}");
    let sets: Vec<Value> = serde_json::from_str(&list(&["--json"])).unwrap();
    let set = sets.iter().find(|set| set["name"] == "tiny-imagenet").unwrap();
    assert_eq!((&set["classes"], &set["classes_on_disk"]), (&200.into(), &3.into()));
}
