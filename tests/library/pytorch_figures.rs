//! How good the sets are on real data, beside what PyTorch reached by the same protocol. Long:
//! `make test-full` runs it, in a release build. `DM_WGPU_DATA` says where the data is.
//!
//! Protocol: width 32, batch_real 64, learning rate 1; networks of width 32 trained for 300 epochs.
//! PyTorch's figures are means of two networks on one seed's set; here of two networks on each of
//! three seeds' (`DM_WGPU_FIGURE_SEEDS` asks for another number).

use std::{path::PathBuf, sync::Arc, time::Instant};

use dm_wgpu::{
    Accuracy, Condensation, Dataset, DatasetInfo, Evaluation, EvaluationSettings, Init, Settings,
    SyntheticSet, TrainingSet, data,
};

use crate::common::gpu;

/// Where real data is, or a word about skipping.
fn data_dir(what: &str) -> Option<PathBuf> {
    let dir = std::env::var_os("DM_WGPU_DATA").map(PathBuf::from);
    if dir.is_none() {
        println!("SKIPPED {what}: DM_WGPU_DATA is not set");
    }
    dir
}

fn mnist() -> Option<Arc<Dataset>> {
    let sources = data::Sources::default().data_dir(Some(data_dir("MNIST")?));
    Some(Arc::new(data::load("mnist", &sources, &mut |_| {}).unwrap()))
}

/// CIFAR-10's own binary format: a byte of label, then 3072 of pixels, 10 000 times a file.
fn cifar10() -> Option<Arc<Dataset>> {
    let folder = data_dir("CIFAR-10")?.join("cifar-10-batches-bin");
    if !folder.is_dir() {
        println!("SKIPPED CIFAR-10: there is no {}", folder.display());
        return None;
    }
    let read = |names: &[&str]| {
        let bytes: Vec<u8> =
            names.iter().flat_map(|name| std::fs::read(folder.join(name)).unwrap()).collect();
        let images = bytes.chunks_exact(3073);
        let labels = images.clone().map(|image| u32::from(image[0])).collect();
        (images.flat_map(|image| image[1..].to_vec()).collect(), labels)
    };
    let train = [
        "data_batch_1.bin",
        "data_batch_2.bin",
        "data_batch_3.bin",
        "data_batch_4.bin",
        "data_batch_5.bin",
    ];
    let names = "airplane automobile bird cat deer dog frog horse ship truck";
    let info = DatasetInfo {
        name: "cifar10".into(),
        class_names: names.split(' ').map(Into::into).collect(),
        channels: 3,
        size: 32,
        mean: vec![0.4914, 0.4822, 0.4465],
        std: vec![0.2023, 0.1994, 0.2010],
    };
    Some(Arc::new(Dataset::new(info, read(&train), read(&["test_batch.bin"])).unwrap()))
}

fn evaluate(dataset: &Arc<Dataset>, set: SyntheticSet, seed: u64) -> Accuracy {
    let settings = EvaluationSettings::for_dataset(dataset).nets(2).width(32).seed(seed);
    let set = TrainingSet::Synthetic(set);
    Evaluation::new(gpu(), dataset.clone(), set, settings).unwrap().accuracy_blocking().unwrap()
}

/// The accuracies of one seed's set after so many iterations.
fn curve(dataset: &Arc<Dataset>, ipc: usize, init: Init, seed: u64, at: &[u32]) -> Vec<Vec<f64>> {
    let settings =
        Settings::for_dataset(dataset).ipc(ipc).init(init).width(32).batch_real(64).seed(seed);
    let mut run = Condensation::new(gpu(), dataset.clone(), settings).unwrap();
    at.iter()
        .map(|&iterations| {
            let start = Instant::now();
            while run.iteration() < iterations {
                run.step().unwrap();
                run.wait_blocking(2).unwrap();
            }
            let set = run.images_blocking().unwrap();
            let condensed = start.elapsed().as_secs_f64();
            let accuracy = evaluate(dataset, set, seed);
            println!(
                "{} ipc {ipc} {init:?} seed {seed} iteration {iterations}: {accuracy} \
                 ({condensed:.0} s to condense, {:.0} s to evaluate)",
                dataset.name(),
                start.elapsed().as_secs_f64() - condensed,
            );
            accuracy.runs
        })
        .collect()
}

/// By how much PyTorch's own figures are uncertain, in points: they are of two networks on one
/// seed's set, and two networks trained on one set differ by half a point to a point and a half.
const THEIR_DEVIATION: f64 = 0.5;

/// Holds the accuracies over seeds against PyTorch's: within two standard deviations, from both
/// sides. Iteration 0, where the drawn images decide, is printed but not judged.
fn compare(dataset: &Arc<Dataset>, ipc: usize, figures: &[(u32, f64)]) {
    let seeds = std::env::var("DM_WGPU_FIGURE_SEEDS").map_or(3, |n| n.parse().unwrap());
    let at: Vec<_> = figures.iter().map(|f| f.0).collect();
    let curves: Vec<_> =
        (0..seeds).map(|seed| curve(dataset, ipc, Init::Real, seed, &at)).collect();
    let mut failures = Vec::new();
    for (i, &(iteration, theirs)) in figures.iter().enumerate() {
        let all = Accuracy::of(curves.iter().flat_map(|curve| curve[i].clone()).collect());
        let line =
            format!("{} ipc {ipc} iteration {iteration}: {all}, PyTorch {theirs}", dataset.name());
        println!("{line}");
        if iteration > 0 && (all.mean - theirs).abs() > 2.0 * all.std.hypot(THEIR_DEVIATION) {
            failures.push(line);
        }
    }
    assert!(failures.is_empty(), "outside two standard deviations:\n{}", failures.join("\n"));
}

#[test]
#[ignore = "two minutes"]
fn mnist_one_image_per_class() {
    let Some(dataset) = mnist() else { return };
    compare(&dataset, 1, &[(0, 46.3), (100, 87.9), (500, 88.9)]);
}

#[test]
#[ignore = "three minutes"]
fn mnist_ten_images_per_class() {
    let Some(dataset) = mnist() else { return };
    compare(&dataset, 10, &[(0, 93.9), (100, 95.1), (500, 95.4)]);
}

#[test]
#[ignore = "minutes"]
fn mnist_from_noise() {
    let Some(dataset) = mnist() else { return };
    let curve = curve(&dataset, 1, Init::Noise, 0, &[100, 200]);
    let after_200 = Accuracy::of(curve[1].clone());
    // PyTorch reached 86.8 after 100 and 88.1 after 200.
    assert!(after_200.mean >= 85.0, "{after_200}");
}

#[test]
#[ignore = "half an hour"]
fn cifar10_ten_images_per_class() {
    let Some(dataset) = cifar10() else { return };
    compare(&dataset, 10, &[(0, 28.6), (200, 35.9), (1000, 40.7)]);
}
