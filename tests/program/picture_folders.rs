//! The program from outside with people's own pictures. Needs an adapter, a CPU one will do.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use image::{Rgb, RgbImage};
use tempfile::TempDir;

use crate::helpers::{program, words};

/// Two classes of eight pictures of 12×8, in `pets` of a folder that is for the test alone.
fn place() -> TempDir {
    let place = tempfile::tempdir().unwrap();
    for (tone, class) in [(0, "cat"), (120, "dog")] {
        let folder = place.path().join("pets").join(class);
        fs::create_dir_all(&folder).unwrap();
        for k in 0..8u8 {
            let pixel = |x: u32, y: u32| Rgb([tone + 10 * k, x as u8 * 20, y as u8 * 30]);
            RgbImage::from_fn(12, 8, pixel).save(folder.join(format!("{k}.png"))).unwrap();
        }
    }
    place
}

fn run(place: &Path, arguments: &str) -> Output {
    let mut command = program(place);
    command.env("XDG_CACHE_HOME", place.join("cache")).args(words(arguments)).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

const TINY: &str = "--ipc 1 --iterations 2 --width 4 --depth 2 --batch-real 4";

#[test]
fn own_pictures_are_condensed_evaluated_and_repeated() {
    let place = place();
    fs::write(place.path().join("pets/cat/notes.txt"), "of mine").unwrap();
    let asked = format!("--dataset folder:pets --resize 8 --test-fraction 0.25 {TINY}");
    let first = run(place.path(), &format!("{asked} --eval-nets 1 --eval-epochs 1"));
    let said = stderr(&first);
    assert!(first.status.success(), "{said}");
    for part in
        ["decoding pets", "data set  pets: 12 + 4 images of 3×8×8 in 2 classes", "notes.txt"]
    {
        assert!(said.contains(part), "{part} is missing in: {said}");
    }
    // Named after the folder, with all that it takes to do it again.
    let left = place.path().join("runs/pets-ipc1-seed0");
    let record = fs::read_to_string(left.join("run.toml")).unwrap();
    let path = place.path().canonicalize().unwrap().join("pets");
    let source = format!("folder:{}", path.display());
    for part in [source.as_str(), "resize = 8", "test_fraction = 0.25", "--test-fraction 0.25"] {
        assert!(record.contains(part), "{part} is missing in: {record}");
    }
    let command = record.lines().nth(1).unwrap().trim_start_matches("# dm-wgpu ");
    let second = run(place.path(), &format!("{command} --out again"));
    let said = stderr(&second);
    assert!(second.status.success() && !said.contains("decoding"), "{said}");
    let set = |folder: &Path| fs::read(folder.join("synthetic.safetensors")).unwrap();
    assert!(set(&left) == set(&place.path().join("again")));

    // The run says which pictures it was made from, and how.
    let evaluated =
        run(place.path(), "evaluate runs/pets-ipc1-seed0 --eval-nets 1 --eval-epochs 1");
    let said = stderr(&evaluated);
    assert!(evaluated.status.success() && !said.contains("decoding"), "{said}");

    // Its name is the folder's alone, so that a set by itself has to be told where that is.
    let report = fs::read_to_string(left.join("report.json")).unwrap();
    assert!(report.contains(r#""dataset": "pets""#), "{report}");
    fs::copy(left.join("synthetic.safetensors"), place.path().join("bare.safetensors")).unwrap();
    let bare = "evaluate bare.safetensors --eval-nets 1 --eval-epochs 1";
    let refused = run(place.path(), bare);
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("folder:PATH"), "{}", stderr(&refused));
    let told = run(place.path(), &format!("{bare} --dataset folder:pets --resize 8"));
    assert!(told.status.success(), "{}", stderr(&told));
}

#[test]
fn a_run_resumes_with_moved_pictures_but_not_with_changed_ones() {
    let place = place();
    let asked = format!("--dataset folder:pets --resize 8 {TINY} --no-eval --out run");
    let first = run(place.path(), &asked);
    assert!(first.status.success(), "{}", stderr(&first));
    let away = place.path().join("away");
    fs::create_dir(&away).unwrap();
    fs::rename(place.path().join("pets"), away.join("pets")).unwrap();
    let refused = |arguments: &str, code, expected: &str| {
        let output = run(place.path(), &format!("--resume run --iterations 3 {arguments}"));
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains(expected), "{expected} is missing in: {said}");
    };
    refused("", 1, "pets any more: put them back, or add --dataset folder:PATH");
    refused("--dataset folder:away", 2, "with the same name");
    refused("--dataset glyphs", 2, "--dataset can't be given with --resume");
    let added = away.join("pets/cat/more.png");
    fs::copy(away.join("pets/cat/1.png"), &added).unwrap();
    refused("--dataset folder:away/pets", 1, "away/pets were added, removed or changed since");
    fs::remove_file(added).unwrap();
    let again = "--resume run --iterations 3 --dataset folder:away/pets";
    let again = run(place.path(), again);
    assert!(again.status.success(), "{}", stderr(&again));
    let record = fs::read_to_string(place.path().join("run/run.toml")).unwrap();
    assert!(record.contains("away/pets") && record.contains("iterations = 3"), "{record}");
}

#[test]
fn a_renamed_class_is_not_evaluated_as_another() {
    let place = place();
    let pets = place.path().join("pets");
    let asked = format!("--dataset folder:pets --resize 8 --test-fraction 0.25 --no-eval {TINY}");
    let made = run(place.path(), &asked);
    assert!(made.status.success(), "{}", stderr(&made));
    // The last class is the first then, by its name.
    fs::rename(pets.join("dog"), pets.join("a dog")).unwrap();
    let evaluate = "evaluate runs/pets-ipc1-seed0 --eval-nets 1 --eval-epochs 1";
    let refused = run(place.path(), evaluate);
    assert_eq!(refused.status.code(), Some(1), "{}", stderr(&refused));
    let said = "made of the classes cat, dog; those of pets are a dog, cat";
    assert!(stderr(&refused).contains(said), "{}", stderr(&refused));
}

#[test]
fn a_class_without_test_pictures_is_named() {
    let place = place();
    let lone = place.path().join("pets/lone");
    fs::create_dir(&lone).unwrap();
    fs::copy(place.path().join("pets/cat/0.png"), lone.join("0.png")).unwrap();
    let asked = format!("--dataset folder:pets --resize 8 --eval-nets 1 --eval-epochs 1 {TINY}");
    let said = stderr(&run(place.path(), &asked));
    assert!(said.contains("warning: data set pets: no test image is of the class lone;"), "{said}");
}

#[test]
fn a_folder_named_like_a_published_set_is_not_taken_for_it() {
    let place = place();
    fs::rename(place.path().join("pets"), place.path().join("cifar10")).unwrap();
    let asked = format!("--dataset folder:cifar10 --resize 32 {TINY} --no-eval --out run");
    let made = run(place.path(), &asked);
    assert!(made.status.success(), "{}", stderr(&made));
    assert!(stderr(&made).contains("data set  folder:cifar10: 12 + 4"), "{}", stderr(&made));
    let evaluated = run(place.path(), "evaluate run --eval-nets 1 --eval-epochs 1");
    assert!(evaluated.status.success(), "{}", stderr(&evaluated));
}

#[test]
fn wrong_folders_are_refused_in_one_line() {
    let place = place();
    for (arguments, code, expected) in [
        ("--dataset folder:pets", 2, "images must be square, and "),
        ("--dataset folder:pets", 2, "set --resize to the size"),
        ("--dataset folder:none", 2, "none: there is no such folder"),
        ("--dataset folder:pets --resize 8 --data-dir x", 2, "--data-dir x: "),
        (
            "--dataset folder:pets --resize 8 --test-fraction 0",
            2,
            "raise --test-fraction, add pictures",
        ),
        ("--dataset folder:pets --resize 8 --out pets/out", 2, "--out pets/out: it lies among"),
        ("--dataset folder:.", 2, "the folder runs by default, which lies among the pictures"),
        ("--dataset folder:", 2, "after the colon"),
        ("--dataset folder:pets/cat", 1, "one for each class is needed"),
        ("--dataset pets", 2, "folder:PATH"),
        ("--dataset glyphs --resize 8", 2, "--resize 8: the images of glyphs"),
        ("--dataset glyphs --test-fraction 0.5", 2, "--test-fraction 0.5: glyphs"),
        ("--dataset folder:pets --test-fraction 1", 2, "below 1"),
    ] {
        let output = run(place.path(), &format!("{arguments} {TINY}"));
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(code), "{arguments}: {said}");
        assert!(said.contains(expected) && !said.contains("panicked"), "{arguments}: {said}");
        assert!(!place.path().join("runs").exists(), "{arguments}");
    }
    fs::write(place.path().join("pets/dog/3.png"), "no picture").unwrap();
    let output = run(place.path(), &format!("--dataset folder:pets --resize 8 {TINY}"));
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    assert!(said.contains("pets/dog/3.png: no readable picture"), "{said}");
    // That all are for training is no matter of decoding: it was done before it was found out.
    let left = fs::read_dir(place.path().join("cache/dm-wgpu/pictures")).unwrap().count();
    assert_eq!(left, 1);
}

/// A set of pictures for `glyphs`, a picture in each of these sub-folders.
fn set(place: &Path, classes: &[&str]) {
    let _ = fs::remove_dir_all(place.join("set"));
    for (tone, class) in classes.iter().enumerate() {
        let folder = place.join("set").join(class);
        fs::create_dir_all(&folder).unwrap();
        image::GrayImage::from_pixel(28, 28, [tone as u8 * 9].into())
            .save(folder.join("0.png"))
            .unwrap();
    }
}

/// What an export of that set says, and its labels.
fn exported(place: &Path) -> (String, Vec<i64>) {
    let _ = fs::remove_file(place.join("x.safetensors"));
    let output = run(place, "export set --dataset glyphs --out x.safetensors");
    let said = stderr(&output);
    if !output.status.success() {
        return (said, Vec::new());
    }
    let bytes = fs::read(place.join("x.safetensors")).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let labels = file.tensor("labels").unwrap().data().chunks(8).map(|label| label[0].into());
    (said, labels.collect())
}

#[test]
fn class_names_of_sub_folders_are_matched_or_refused() {
    let place = tempfile::tempdir().unwrap();
    let words = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
    set(place.path(), &words);
    let (said, labels) = exported(place.path());
    // In the order of their names.
    assert_eq!(labels, [8, 5, 4, 9, 1, 7, 6, 3, 2, 0], "{said}");
    assert!(said.contains("taken for digits: eight → 8"), "{said}");
    let letters = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
    set(place.path(), &letters);
    let (said, labels) = exported(place.path());
    assert_eq!(labels, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], "{said}");
    assert!(said.contains("warning: set: ") && said.contains("a → 0, b → 1"), "{said}");
    set(place.path(), &["0", "1", "thre"]);
    let (said, labels) = exported(place.path());
    assert!(labels.is_empty() && said.contains("error: set: 1 of its 3 sub-folders"), "{said}");
    assert!(said.contains("thre (the nearest is "), "{said}");
    set(place.path(), &["0-x", "@eaDir", "1-y"]);
    assert_eq!(exported(place.path()), (String::new(), vec![0, 1]));
}

/// What is no file never ends: nothing may wait for it.
#[cfg(unix)]
#[test]
fn named_pipes_are_skipped_or_refused() {
    let place = place();
    let pipe = |name: &str| {
        let path = place.path().join(name);
        assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    };
    pipe("pets/cat/x.png");
    let asked = format!("--dataset folder:pets --resize 8 {TINY} --no-eval --out run");
    let output = run(place.path(), &asked);
    let said = stderr(&output);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("no file but a pipe") && said.contains("cat/x.png (1 in all)"), "{said}");
    set(place.path(), &["0"]);
    pipe("set/0/x.png");
    let (said, labels) = exported(place.path());
    assert!(labels == [0] && said.contains("x.png (1 in all)"), "{said}");
    assert!(run(place.path(), "view set --as blocks").status.success());
    for name in ["x.npz", "y.safetensors"] {
        pipe(name);
        for command in ["evaluate", "view"] {
            let output = run(place.path(), &format!("{command} {name}"));
            assert_eq!(output.status.code(), Some(1));
            let said = stderr(&output);
            assert!(said.contains(&format!("{name}: a file is needed here; this is a named pipe")));
        }
    }
}

#[cfg(unix)]
#[test]
fn escape_sequences_in_file_names_do_not_reach_the_terminal() {
    let place = place();
    let (evil, shown) = ("c\u{1b}[2Jat\u{9b}1m\n", r"c\u{1b}[2Jat\u{9b}1m\n");
    let pets = place.path().join("pets");
    fs::rename(pets.join("cat"), pets.join(evil)).unwrap();
    fs::write(pets.join(evil).join("\u{1b}]0;x\u{7}.txt"), "").unwrap();
    let steers = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes).into_owned();
        text.chars().any(|c| c.is_control() && c != '\n')
    };
    let asked = format!("--dataset folder:pets --resize 8 {TINY} --no-eval");
    for more in ["--out run", "--out json --json", "--out verbose -v"] {
        let output = run(place.path(), &format!("{asked} {more}"));
        assert!(output.status.success(), "{}", stderr(&output));
        assert!(!steers(&output.stderr) && !steers(&output.stdout), "{output:?}");
        let told = [&output.stderr[..], &output.stdout].concat();
        assert!(String::from_utf8_lossy(&told).contains(r"]0;x"), "{output:?}");
    }
    let html = fs::read_to_string(place.path().join("run/report.html")).unwrap();
    assert!(html.contains(shown) && !html.contains('\u{1b}') && !html.contains('\u{9b}'));
    let viewed = run(place.path(), "view run --as blocks256");
    let text = String::from_utf8(viewed.stdout).unwrap();
    assert!(text.contains(r"c\u{1b}[2Jat") && !text.contains("\u{1b}[2J"), "{text}");
    fs::write(pets.join(evil).join("0.png"), "no picture").unwrap();
    let output = run(place.path(), &format!("{asked} --out again"));
    let said = stderr(&output);
    assert!(!steers(&output.stderr) && said.contains(&format!("{shown}/0.png: no read")), "{said}");
}

#[test]
fn a_tilde_means_the_home_folder() {
    let place = place();
    let line = format!("--dataset folder:~/pets --resize 8 {TINY} --no-eval --out run");
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("dm-wgpu"));
    command.args(line.split_whitespace()).current_dir(place.path());
    command.env("HOME", place.path()).env("XDG_CACHE_HOME", place.path().join("cache"));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let record = fs::read_to_string(place.path().join("run/run.toml")).unwrap();
    let path = place.path().join("pets");
    assert!(record.contains(&format!("folder:{}\"", path.display())), "{record}");
}
