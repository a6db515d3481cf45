//! Condensations that stop and go on, through the public interface: the same bits as without a stop,
//! and files that are what they should be or are refused.

use std::{fs, path::Path, sync::Arc};

use dm_wgpu::{
    Checkpoint, Condensation, Dataset, DatasetInfo, Error, Gpu, Init, Loss, Settings,
    augment::Strategy, data,
};

use crate::{
    common::{gpu, gpus},
    glyphs, run_bits,
};

fn quick() -> Settings {
    crate::quick(&glyphs(), 5)
}

/// Up to so many iterations.
fn advance(run: &mut Condensation, until: u32) -> Vec<Loss> {
    while run.iteration() < until {
        run.step().unwrap();
    }
    run.wait_blocking(0).unwrap();
    run.take_losses().unwrap()
}

/// A run's checkpoint after so many iterations.
fn checkpoint(gpu: &Gpu, settings: Settings, iterations: u32) -> Checkpoint {
    let mut run = Condensation::new(gpu, glyphs(), settings).unwrap();
    advance(&mut run, iterations);
    run.checkpoint_blocking().unwrap()
}

fn resume(gpu: &Gpu, checkpoint: Checkpoint) -> Condensation {
    Condensation::resume(gpu, glyphs(), checkpoint).unwrap()
}

#[test]
fn resuming_changes_no_bit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint.safetensors");
    for gpu in gpus() {
        let mut whole = Condensation::new(gpu, glyphs(), quick()).unwrap();
        let losses = advance(&mut whole, 5);
        // Before the first step, between steps, and after the last one.
        for stop in [0, 2, 5] {
            checkpoint(gpu, quick(), stop).save(&path).unwrap();
            let loaded = Checkpoint::load(&path).unwrap();
            assert_eq!((loaded.iteration(), loaded.dataset()), (stop, "glyphs"));
            let mut second = resume(gpu, loaded);
            assert_eq!((second.iteration(), second.is_done()), (stop, stop == 5));
            let rest = advance(&mut second, 5);
            assert_eq!(rest, losses[stop as usize..], "losses after a stop at {stop}");
            assert!(
                run_bits(&mut second) == run_bits(&mut whole),
                "a stop at {stop} changes the images"
            );
        }
    }
}

#[test]
fn taking_checkpoints_changes_no_bit() {
    let mut quiet = Condensation::new(gpu(), glyphs(), quick()).unwrap();
    let losses = advance(&mut quiet, 5);
    let mut run = Condensation::new(gpu(), glyphs(), quick()).unwrap();
    while !run.is_done() {
        run.step().unwrap();
        run.checkpoint_blocking().unwrap();
    }
    assert_eq!(run.take_losses().unwrap(), losses, "all losses are still there");
    assert!(run_bits(&mut run) == run_bits(&mut quiet));
}

#[test]
fn files_are_read_back_with_their_notes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint.safetensors");
    let mut made = checkpoint(gpu(), quick().lr_img(0.1), 1);
    for notes in ["", "čáp\n\"0\""] {
        made.notes = notes.into();
        made.save(&path).unwrap();
        assert_eq!(Checkpoint::load(&path).unwrap(), made);
    }
    assert_eq!(made.version(), env!("CARGO_PKG_VERSION"));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
}

#[test]
fn settings_that_would_change_iterations_are_refused() {
    let made = checkpoint(gpu(), quick(), 2);
    let longer = quick().iterations(7);
    let longer = made.clone().with_settings(longer).unwrap();
    let mut second = resume(&gpu().clone().with_memory_budget(2 << 20), longer);
    advance(&mut second, 7);
    let mut whole = Condensation::new(gpu(), glyphs(), quick().iterations(7)).unwrap();
    advance(&mut whole, 7);
    assert!(run_bits(&mut second) == run_bits(&mut whole));

    for (settings, words) in [
        (quick().ipc(1), "ipc = 2, not 1"),
        (quick().width(9), "width = 8, not 9"),
        (quick().depth(2), "depth = 3, not 2"),
        (quick().batch_real(9), "batch_real = 8, not 9"),
        (quick().lr_img(0.5), "lr_img = 1.0, not 0.5"),
        (quick().seed(1), "seed = 0, not 1"),
        (quick().init(Init::Noise), "init = \"real\", not \"noise\""),
        (quick().augment(Strategy::none()), "augment = "),
    ] {
        let error = made.clone().with_settings(settings).unwrap_err();
        assert!(error.is_usage(), "{error}");
        assert!(error.to_string().starts_with("checkpoint: it was made with "), "{error}");
        assert!(error.to_string().contains(words), "{words}: {error}");
    }
}

#[test]
fn another_data_set_is_refused() {
    let made = checkpoint(gpu(), quick(), 1);
    let others = data::glyphs(1).unwrap();
    let of = |others: &Dataset, name: &str| DatasetInfo {
        name: name.into(),
        class_names: others.class_names().to_vec(),
        channels: 1,
        size: 28,
        mean: glyphs().mean().to_vec(),
        std: glyphs().std().to_vec(),
    };
    let split = |split: &dm_wgpu::Split| (split.pixels().to_vec(), split.labels().to_vec());
    let with = |from: &Dataset, name: &str| {
        let (train, test) = (split(from.train()), split(from.test()));
        Dataset::new(of(from, name), train, test).unwrap()
    };
    for (dataset, words) in [
        (with(&others, "glyphs"), "other images or labels than glyphs has now"),
        (with(&glyphs(), "strokes"), "the data set glyphs, now it is strokes"),
    ] {
        let refused = Condensation::resume(gpu(), Arc::new(dataset), made.clone()).unwrap_err();
        assert!(matches!(refused, Error::Shape { .. }), "{refused}");
        assert_eq!(refused.to_string(), format!("checkpoint: it was made with {words}"));
    }
}

#[test]
fn a_diverged_run_has_no_checkpoint() {
    for gpu in gpus() {
        let settings = quick().lr_img(1e30);
        let mut run = Condensation::new(gpu, glyphs(), settings).unwrap();
        run.step().unwrap();
        let error = run.checkpoint_blocking().unwrap_err();
        assert!(
            matches!(
                error,
                Error::PixelsDiverged { iteration: 1, .. } | Error::Diverged { iteration: 0, .. }
            ),
            "{error}"
        );
    }
}

/// The file with another header, or with other bytes after it.
fn changed(file: &[u8], header: impl Fn(String) -> String, body: impl Fn(&mut Vec<u8>)) -> Vec<u8> {
    let length = u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
    let text = header(String::from_utf8(file[8..8 + length].to_vec()).unwrap());
    let mut rest = file[8 + length..].to_vec();
    body(&mut rest);
    [&(text.len() as u64).to_le_bytes()[..], text.as_bytes(), &rest].concat()
}

#[test]
fn broken_files_are_refused_with_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint.safetensors");
    let made = checkpoint(gpu(), quick(), 1);
    made.save(&path).unwrap();
    let file = fs::read(&path).unwrap();
    assert!(made.to_bytes().unwrap() == file && Checkpoint::from_bytes(&file).unwrap() == made);
    let short = Checkpoint::from_bytes(&file[..file.len() - 1]).unwrap_err().to_string();
    assert!(short.starts_with("checkpoint: no readable safetensors"), "{short}");
    let replace = |from: &str, to: &str| {
        let replaced = |text: String| {
            assert!(text.contains(from), "{from} is not in {text}");
            text.replace(from, to)
        };
        changed(&file, replaced, |_| {})
    };
    let with_value = |at: usize, value: f32| {
        let place = move |body: &mut Vec<u8>| {
            body[4 * at..][..4].copy_from_slice(&value.to_le_bytes());
        };
        changed(&file, |text| text, place)
    };
    let values = 20 * 28 * 28;
    for (what, bytes, words) in [
        ("empty", vec![], "no readable safetensors file"),
        ("other", b"not a checkpoint at all".to_vec(), "no readable safetensors file"),
        ("truncated", file[..file.len() / 2].to_vec(), "reaches beyond the file's end"),
        ("longer", [&file[..], b"more"].concat(), "no readable safetensors file"),
        ("of a set", replace("dm-wgpu checkpoint", "dm-wgpu synthetic set"), "was expected"),
        (
            "of the future",
            replace("\"format_version\":\"1\"", "\"format_version\":\"2\""),
            "version is 2, this program reads 1",
        ),
        ("of more images", replace("ipc\\\":2", "ipc\\\":3"), "[30, 1, 28, 28] was expected"),
        ("of huge ones", replace("ipc\\\":2", "ipc\\\":99999999999999999"), "was expected"),
        ("of another size", replace("size\\\":28", "size\\\":14"), "was expected"),
        ("of settings to come", replace("ipc\\\":2", "ipc\\\":2,\\\"x\\\":1"), "unknown field"),
        ("without a count", replace("\"iteration\":\"1\"", "\"iteration\":\"-1\""), "iteration"),
        ("of pixels that are none", with_value(7, f32::NAN), "class 0, or its velocity, is NaN"),
        ("of huge pixels", with_value(values - 1, 1e20), "class 9, or its velocity, is 1000000"),
        ("of velocities that are none", with_value(2 * values - 1, f32::INFINITY), "class 9"),
    ] {
        fs::write(&path, bytes).unwrap();
        let error = Checkpoint::load(&path).unwrap_err();
        assert!(matches!(error, Error::Format { .. }), "{what}: {error:?}");
        assert!(error.to_string().contains(words), "{what}: {error}");
        assert!(error.to_string().contains("checkpoint.safetensors"), "{what}: {error}");
    }
    // As earlier versions wrote it, where the device's memory was among the settings.
    fs::write(&path, replace("ipc\\\":2", "ipc\\\":2,\\\"memory_budget\\\":536870912")).unwrap();
    assert_eq!(Checkpoint::load(&path).unwrap(), made);
    let missing = Checkpoint::load(Path::new("no/such/file")).unwrap_err();
    assert!(matches!(missing, Error::Io { .. }), "{missing}");
    let none = Checkpoint::load(folder.path()).unwrap_err();
    assert!(none.to_string().contains("a file is needed here; this is a folder"), "{none}");
}

/// Beyond what one would think of: no cut and no changed byte makes it panic or be misread quietly.
#[test]
fn no_cut_and_no_changed_byte_panics() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint.safetensors");
    checkpoint(gpu(), quick().ipc(1), 1).save(&path).unwrap();
    let file = fs::read(&path).unwrap();
    for at in (0..file.len()).step_by(997).chain(0..600) {
        fs::write(&path, &file[..at]).unwrap();
        assert!(Checkpoint::load(&path).is_err(), "cut at {at}");
        let mut bytes = file.clone();
        bytes[at] ^= 0x55;
        fs::write(&path, &bytes).unwrap();
        drop(Checkpoint::load(&path));
    }
}
