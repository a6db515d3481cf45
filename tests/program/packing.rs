//! The program from outside, with packed images. Needs an adapter, a CPU one will do.

use std::fs;

use dm_wgpu::SyntheticSet;
use tempfile::tempdir;

use crate::helpers::{json, program, set, succeed, text, words};

const TINY: &str = "--dataset glyphs --ipc 2 --factor 2 --width 8 --depth 1 --batch-real 4";

#[test]
fn a_packed_run_says_what_is_stored_and_what_was_trained_on() {
    let place = tempdir().unwrap();
    let run = format!("{TINY} --iterations 3 --eval-nets 1 --eval-epochs 1");
    let told = succeed(program(&place).args(words(&run)));
    let folder = place.path().join("runs/glyphs-ipc2-factor2-seed0");
    let stdout = text(&told.stdout);
    assert!(stdout.contains("80 images packed into 20 after 3 iterations"), "{stdout}");
    assert!(stdout.contains(", decoded runs/glyphs-ipc2-factor2-seed0/decoded.png"), "{stdout}");
    let report = json(&folder.join("report.json"));
    assert_eq!((&report["images"], &report["packed_into"]), (&80.into(), &20.into()));
    assert_eq!(report["settings"]["factor"], 2);
    let stored = SyntheticSet::load(&folder.join("synthetic.safetensors")).unwrap();
    assert_eq!((stored.labels.len(), stored.factor, stored.trained_on()), (20, 2, 80));
    // The images of the first tile of both pictures come first.
    let pictures = |class: &str| fs::read_dir(folder.join("images").join(class)).unwrap().count();
    assert_eq!(pictures("0"), 8);
    assert!(folder.join("decoded.png").is_file());
    let page = fs::read_to_string(folder.join("report.html")).unwrap();
    assert!(page.contains("Decoded") && page.contains("2×2 in each of the above"), "{page}");
    assert!(page.contains("packed into 20, 2 per class"));

    // Its command and its record repeat it, and it goes on.
    let record = fs::read_to_string(folder.join("run.toml")).unwrap();
    let command = record.lines().nth(1).unwrap().strip_prefix("# dm-wgpu ").unwrap().to_owned();
    assert!(command.contains("--factor 2"), "{command}");
    succeed(program(&place).args(words(&format!("{command} --out again"))));
    let first = fs::read(folder.join("synthetic.safetensors")).unwrap();
    assert!(first == set(&place, "again"));
    succeed(program(&place).args(words(&format!("{TINY} --iterations 5 --no-eval --out five"))));
    succeed(program(&place).args(words("--resume again --iterations 5")));
    assert!(
        SyntheticSet::load(&place.path().join("five/synthetic.safetensors")).unwrap().images
            == SyntheticSet::load(&place.path().join("again/synthetic.safetensors"))
                .unwrap()
                .images
    );

    // What evaluates it trains on the images, from the set as from its pictures.
    let evaluate = |path: &str| {
        let path = folder.join(path);
        let path = path.to_str().unwrap();
        let asked = "--eval-nets 1 --eval-epochs 1 --dataset glyphs --eval-width 8 --eval-depth 1";
        text(&succeed(program(&place).args(["evaluate", path]).args(words(asked))).stdout)
    };
    assert!(evaluate("").contains("(80 images, "), "{}", evaluate(""));
    assert!(evaluate("images").contains("(80 images, "), "{}", evaluate("images"));
}

#[test]
fn exports_are_packed_with_a_note_or_decoded() {
    let place = tempdir().unwrap();
    succeed(program(&place).args(words(&format!("{TINY} --iterations 1 --no-eval --out a"))));
    let export = |to: &str| {
        let asked = format!("export a --out {to}");
        text(&succeed(program(&place).args(words(&asked))).stdout)
    };
    let packed = export("packed.npz");
    assert!(
        packed.contains("20 images in packed.npz; each has 2×2 images packed into it"),
        "{packed}"
    );
    assert!(export("decoded.npz --decoded").starts_with("80 images in decoded.npz\n"));
    assert!(export("set.pt").starts_with("80 images in set.pt"));
    assert!(export("pictures --format png").starts_with("80 images in pictures"));
    let read = |name: &str| {
        let found = dm_wgpu::import::read(&place.path().join(name)).unwrap();
        found.own_set().unwrap().clone()
    };
    let own = SyntheticSet::load(&place.path().join("a/synthetic.safetensors")).unwrap();
    assert_eq!(read("packed.npz"), own);
    assert_eq!(read("decoded.npz"), own.clone().decoded().unwrap());
    export("packed.safetensors");
    assert_eq!(read("packed.safetensors"), own);
    let pictures = fs::read_dir(place.path().join("pictures/0")).unwrap().count();
    assert_eq!(pictures, 8);

    let view = |more: &str| {
        let told = succeed(program(&place).args(words(&format!("view a --as blocks {more}"))));
        text(&told.stdout) + &text(&told.stderr)
    };
    let note = "each has 2×2 images packed into it; --decoded shows those";
    let (stored, decoded) = (view("--class 3"), view("--class 3 --decoded"));
    assert!(stored.contains(note) && !decoded.contains(note), "{stored}{decoded}");
    assert!(!decoded.is_empty() && decoded != stored.replace(note, ""));
}

#[test]
fn what_cannot_be_packed_is_refused() {
    let place = tempdir().unwrap();
    for (asked, told) in [
        ("--factor 5", "1 to 4"),
        ("--factor 0", "1 to 4"),
        (
            "--method dd --factor 2 --dd-steps 3",
            "40 images per class: 1, 2, 4, 5, 8, 10, 20, 40 is",
        ),
        ("--method random --factor 2", "--factor does nothing with --method random"),
        ("--ipc 300 --factor 4", "and each picture begins with 16; use 18 or fewer"),
    ] {
        let output =
            program(&place).args(words(&format!("--dataset glyphs {asked}"))).output().unwrap();
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{asked}: {error}");
        assert!(error.contains(told) && !error.contains("panicked"), "{asked}: {error}");
    }
    // Those that choose images have what they have.
    let compare = "compare --dataset glyphs --methods dm,dsa,dd,random --ipc 1 --factor 2 --iterations 1 --width 8 \
                   --depth 1 --batch-real 4 --eval-nets 1 --eval-epochs 1 --out c";
    succeed(program(&place).args(words(compare)));
    let table = json(&place.path().join("c/compare.json"));
    let images: Vec<_> =
        table["methods"].as_array().unwrap().iter().map(|row| row["images"].as_u64()).collect();
    assert_eq!(images, [Some(40), Some(40), Some(40), Some(10)]);
}
