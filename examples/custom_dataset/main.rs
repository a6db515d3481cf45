//! A data set of the caller's own arrays: two kinds of stripes, made up here, condensed and then
//! measured.
//!
//!     cargo run --release --example custom_dataset

use std::{error::Error, sync::Arc};

use dm_wgpu::{
    AdapterChoice, Condensation, Dataset, DatasetInfo, Evaluation, EvaluationSettings, Gpu,
    Settings, TrainingSet,
};

const SIZE: usize = 16;

/// A picture of stripes that lie or stand, each at another place, under some noise.
fn stripes(standing: bool, number: usize) -> impl Iterator<Item = u8> {
    (0..SIZE * SIZE).map(move |pixel| {
        let (y, x) = (pixel / SIZE, pixel % SIZE);
        let across = if standing { x } else { y };
        let bright = ((across + number) / 3).is_multiple_of(2);
        let noise = (pixel * 7919 + number * 104_729) % 97;
        (if bright { 150 } else { 10 }) + noise as u8
    })
}

/// So many pictures of each class: pixels in NCHW order, and a label for each.
fn pictures(each: usize, first: usize) -> (Vec<u8>, Vec<u32>) {
    let all = (first..first + each).flat_map(|number| [(false, number), (true, number)]);
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for (standing, number) in all {
        pixels.extend(stripes(standing, number));
        labels.push(standing.into());
    }
    (pixels, labels)
}

fn main() -> Result<(), Box<dyn Error>> {
    let info = DatasetInfo {
        name: "stripes".into(),
        class_names: vec!["lying".into(), "standing".into()], // what labels 0 and 1 mean
        channels: 1,
        size: SIZE,
        mean: vec![0.5], // per channel, of pixels in 0…1: what the networks see is (pixel − mean) / std
        std: vec![0.3],
    };
    // The test split may be empty, but then nothing can be measured.
    let dataset = Arc::new(Dataset::new(info, pictures(200, 0), pictures(50, 1000))?);

    let gpu = Gpu::headless_blocking(&AdapterChoice::default())?;
    let settings = Settings::for_dataset(&dataset)
        .ipc(3)
        .iterations(60)
        .depth(2) // 16 pixels are halved twice
        .width(16)
        .batch_real(32)
        // Turned or mirrored, lying stripes would be standing ones.
        .augment("crop_cutout".parse()?);
    let mut run = Condensation::new(&gpu, dataset.clone(), settings)?;
    while !run.is_done() {
        run.step()?;
        run.wait_blocking(2)?;
    }
    let set = run.images_blocking()?;

    let settings = EvaluationSettings::for_dataset(&dataset).nets(2).epochs(200).depth(2).width(16);
    let mut evaluation = Evaluation::new(&gpu, dataset, TrainingSet::Synthetic(set), settings)?;
    while !evaluation.is_done() {
        evaluation.step()?;
        evaluation.wait_blocking(2)?;
    }
    println!("accuracy of networks trained on six images: {}", evaluation.accuracy_blocking()?);
    Ok(())
}
