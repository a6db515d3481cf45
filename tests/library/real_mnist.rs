//! A short run on the real MNIST, where there is one: `DM_WGPU_DATA` names its folder.

use std::sync::Arc;

use dm_wgpu::{
    Condensation, Settings,
    data::{self, Sources},
};

use crate::common::gpu;

#[test]
fn the_loss_falls_on_real_digits() {
    if std::env::var_os("DM_WGPU_DATA").is_none_or(|folder| folder.is_empty()) {
        println!("SKIPPED: DM_WGPU_DATA names no folder with MNIST");
        return;
    }
    let none = &mut |_: data::Progress<'_>| panic!("nothing is to be downloaded");
    let dataset = Arc::new(data::load("mnist", &Sources::default(), none).unwrap());
    assert_eq!((dataset.train().len(), dataset.test().len()), (60_000, 10_000));
    assert_eq!((dataset.classes(), dataset.channels(), dataset.size()), (10, 1, 28));
    // The counts that the original has of each digit.
    let counts: Vec<_> = (0..10).map(|k| dataset.train().of_class(k).len()).collect();
    assert_eq!(counts, [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]);

    let settings = Settings::for_dataset(&dataset).ipc(1).iterations(15).width(16).batch_real(16);
    let mut run = Condensation::new(gpu(), dataset, settings).unwrap();
    while !run.is_done() {
        run.step().unwrap();
    }
    let set = run.images_blocking().unwrap();
    assert!(set.images.iter().all(|value| value.is_finite()));
    let losses = run.take_losses().unwrap();
    assert_eq!(losses.len(), 15);
    let mean = |of: &[dm_wgpu::Loss]| of.iter().map(|l| l.loss).sum::<f32>() / of.len() as f32;
    let (first, last) = (mean(&losses[..3]), mean(&losses[12..]));
    println!("loss {first} → {last}: {}", first / last);
    assert!(last < 0.8 * first, "{first} → {last}");
}
