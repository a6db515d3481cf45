//! The golden harness itself: what it must refuse, it refuses. Needs no GPU.

use std::{collections::HashMap, path::Path};

use dm_wgpu::{
    ConvNet,
    testing::{DmResult, Embedded, Images, Trained},
};
use safetensors::{Dtype, tensor::TensorView};

use super::{
    engine::{Engine, Mixed, Twins},
    gradients::Matched,
    harness,
    network::Network,
    snapshots::Snapped,
    unrolled::Distilled,
    vectors::{
        ClassifierCase, CutmixCase, DmCase, GradientsCase, NetworkCase, Result, SnapshotsCase,
        UnrollCase,
    },
};
use crate::{
    common::{Tolerance, relative_error},
    reference::Op,
};

/// A 1×1×2×2 `augment` file of equal inputs and outputs, with the given metadata.
fn write(path: &Path, case: &str, op: &str, value: f32) {
    let bytes: Vec<u8> = [1.0, value, 3.0, 4.0f32].iter().flat_map(|v| v.to_le_bytes()).collect();
    let tensors = ["x", "y", "dy", "dx"]
        .map(|name| (name, TensorView::new(Dtype::F32, vec![1, 1, 2, 2], &bytes).unwrap()));
    let meta = HashMap::from([("case".into(), case.into()), ("op".into(), op.into())]);
    std::fs::write(path, safetensors::serialize(tensors, Some(meta)).unwrap()).unwrap();
}

/// The failures of a folder into which `fill` has written.
fn failures(engine: &dyn Engine, fill: impl FnOnce(&Path)) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path());
    let report = harness::check(&[folder.path().to_path_buf()], engine, Tolerance::GOLDEN);
    println!("{report}");
    report.failures()
}

#[track_caller]
fn assert_one(failures: &[String], part: &str) {
    assert!(failures.len() == 1 && failures[0].contains(part), "{part:?} in {failures:?}");
}

/// The twins with a fault in one value of each result.
struct Faulty(f32);

impl Engine for Faulty {
    fn augment_forward(&self, x: &Images, ops: &[Op]) -> Result<Images> {
        let mut y = Twins.augment_forward(x, ops)?;
        y.values[2] = self.0;
        Ok(y)
    }
    fn augment_backward(&self, dy: &Images, ops: &[Op]) -> Result<Images> {
        Twins.augment_backward(dy, ops)
    }
    fn embed(
        &self,
        _: &ConvNet,
        _: &[Vec<f32>],
        _: &Images,
        _: Option<&[f32]>,
    ) -> Result<Embedded> {
        unreachable!("no such file is made here")
    }
    fn dm(&self, _: &DmCase) -> Result<Vec<DmResult>> {
        unreachable!("no such file is made here")
    }
    fn classifier(&self, _: &ClassifierCase) -> Result<Vec<(String, Trained)>> {
        unreachable!("no such file is made here")
    }
    fn network(&self, _: &NetworkCase) -> Result<Vec<(String, Network)>> {
        unreachable!("no such file is made here")
    }
    fn unpack(&self, _: &Images, _: usize) -> Result<Vec<(String, Images)>> {
        unreachable!("no such file is made here")
    }
    fn snapshots(&self, _: &SnapshotsCase) -> Result<Vec<Snapped>> {
        unreachable!("no such file is made here")
    }
    fn cutmix(&self, _: &CutmixCase) -> Result<Mixed> {
        unreachable!("no such file is made here")
    }
    fn unpack_backward(&self, _: &Images, _: usize) -> Result<Images> {
        unreachable!("no such file is made here")
    }
    fn gradients(&self, _: &GradientsCase) -> Result<Vec<(String, Vec<Matched>)>> {
        unreachable!("no such file is made here")
    }
    fn unroll(&self, _: &UnrollCase) -> Result<Vec<(String, Distilled)>> {
        unreachable!("no such file is made here")
    }
}

#[test]
fn a_good_file_passes() {
    let good = |folder: &Path| write(&folder.join("a.safetensors"), "augment", "none", 2.0);
    assert_eq!(failures(&Twins, good), [""; 0]);
}

#[test]
fn a_case_without_its_tensors_fails() {
    let file = |folder: &Path| write(&folder.join("a.safetensors"), "classifier", "", 2.0);
    assert_one(&failures(&Twins, file), "a.safetensors: has no width in its metadata");
}

#[test]
fn an_unknown_case_or_operation_fails() {
    let case = |folder: &Path| write(&folder.join("a.safetensors"), "teleport", "none", 2.0);
    assert_one(&failures(&Twins, case), "unknown case \"teleport\"");
    let op = |folder: &Path| write(&folder.join("a.safetensors"), "augment", "swirl", 2.0);
    assert_one(&failures(&Twins, op), "unknown operation \"swirl\"");
}

#[test]
fn nan_and_infinity_fail_on_either_side() {
    let good = |folder: &Path| write(&folder.join("a.safetensors"), "augment", "none", 2.0);
    for wrong in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 3.01] {
        assert_one(&failures(&Faulty(wrong), good), "y: relative error");
    }
    for wrong in [f32::NAN, f32::INFINITY] {
        let file = |folder: &Path| write(&folder.join("a.safetensors"), "augment", "none", wrong);
        assert_eq!(failures(&Twins, file).len(), 2, "y and dx");
    }
}

#[test]
fn nothing_to_check_fails() {
    assert_one(&failures(&Twins, |_| {}), "holds no *.safetensors");
    let other = |folder: &Path| std::fs::write(folder.join("notes.txt"), "").unwrap();
    assert_one(&failures(&Twins, other), "holds no *.safetensors");
    let missing = ["/no/such/folder".into()];
    assert_one(&harness::check(&missing, &Twins, Tolerance::GOLDEN).failures(), "cannot be listed");
    assert_one(&harness::check(&[], &Twins, Tolerance::GOLDEN).failures(), "no folder");
}

#[test]
fn unreadable_files_fail_and_the_others_are_still_checked() {
    let files = |folder: &Path| {
        std::fs::write(folder.join("a.safetensors"), "this is no safetensors").unwrap();
        write(&folder.join("b.safetensors"), "augment", "none", 2.0);
        std::fs::create_dir(folder.join("c.safetensors")).unwrap();
        write(&folder.join("d.safetensors"), "teleport", "", 2.0);
    };
    let failures = failures(&Twins, files);
    assert_eq!(failures.len(), 3, "{failures:?}");
    assert!(failures[0].contains("a.safetensors: is not safetensors"), "{failures:?}");
    assert!(failures[1].contains("c.safetensors: cannot be read"), "{failures:?}");
    assert!(failures[2].contains("d.safetensors: holds the unknown case"), "{failures:?}");
}

#[test]
fn relative_errors_are_infinite_where_lengths_or_numbers_are_wrong() {
    assert_eq!(relative_error(&[3.0, 4.0], &[3.0, 4.0]), 0.0);
    assert_eq!(relative_error(&[6.0, 8.0], &[3.0, 4.0]), 1.0);
    assert_eq!(relative_error(&[3.0, 4.0], &[0.0, 0.0]), 5.0, "absolute where all is zero");
    assert_eq!(relative_error(&[1.0], &[1.0, 2.0]), f64::INFINITY, "another length");
    assert_eq!(relative_error(&[1.0, f32::NAN], &[1.0, 2.0]), f64::INFINITY);
    assert_eq!(relative_error(&[1.0, f32::INFINITY], &[1.0, f32::INFINITY]), f64::INFINITY);
    assert_eq!(relative_error(&[1.0, 1.0], &[1.0, f32::INFINITY]), f64::INFINITY);
    assert_eq!(relative_error(&[1.0, 1.0], &[1.0, f32::NAN]), f64::INFINITY);
}
