//! The library as programs use it: condensing, choosing and evaluating through its public interface, on small data
//! sets. Needs an adapter, a CPU one will do.

#[path = "../common/mod.rs"]
mod common;

mod advance;
mod awaited;
#[cfg(feature = "files")]
mod checkpoint;
mod condense;
mod devices;
mod distillation;
mod embed;
mod evaluate;
mod gradients;
mod networks;
mod out_of_memory;
#[cfg(feature = "files")]
mod project;
#[cfg(feature = "files")]
mod pytorch_figures;
#[cfg(feature = "files")]
mod real_mnist;
mod selection;
#[cfg(feature = "files")]
mod several_devices;
mod shards;

use std::sync::{Arc, OnceLock};

use common::Rng;
use dm_wgpu::{Condensation, Dataset, DatasetInfo, Settings, SyntheticSet, data};

/// Two tests at a time, each on a device of its own.
const DEVICES: usize = 2;

fn glyphs() -> Arc<Dataset> {
    static GLYPHS: OnceLock<Arc<Dataset>> = OnceLock::new();
    GLYPHS.get_or_init(|| Arc::new(data::glyphs(0).unwrap())).clone()
}

/// A custom data set: pixels of noise, with these numbers of training images in its classes.
fn noise(channels: usize, size: usize, counts: &[usize]) -> Arc<Dataset> {
    let rng = &mut Rng(7);
    let labels: Vec<u32> =
        (0u32..).zip(counts).flat_map(|(k, &n)| std::iter::repeat_n(k, n)).collect();
    let pixels = (0..labels.len() * channels * size * size).map(|_| rng.below(256) as u8).collect();
    let info = DatasetInfo {
        name: "noise".into(),
        class_names: (0..counts.len()).map(|k| format!("class {k}")).collect(),
        channels,
        size,
        mean: [0.5, 0.4, 0.6][..channels].to_vec(),
        std: [0.3, 0.25, 0.2][..channels].to_vec(),
    };
    Arc::new(Dataset::new(info, (pixels, labels), (vec![], vec![])).unwrap())
}

/// Small enough for a CPU to do in a moment.
fn quick(dataset: &Dataset, iterations: u32) -> Settings {
    Settings::for_dataset(dataset).ipc(2).iterations(iterations).width(8).batch_real(8)
}

fn bits(set: &SyntheticSet) -> Vec<u32> {
    set.images.iter().map(|value| value.to_bits()).collect()
}

/// Of a run's images as they are now.
fn run_bits(run: &mut Condensation) -> Vec<u32> {
    bits(&run.images_blocking().unwrap())
}
