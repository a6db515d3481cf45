//! A schedule of one's own: stops when the loss no longer falls, keeps a checkpoint, and goes on from
//! it to the same bits.
//!
//!     cargo run --release --example custom_loop

use std::{error::Error, path::Path, sync::Arc};

use dm_wgpu::{AdapterChoice, Checkpoint, Condensation, Gpu, Settings, data};

/// Iterations whose mean loss is compared with that of as many before.
const WINDOW: usize = 20;

fn main() -> Result<(), Box<dyn Error>> {
    let gpu = Gpu::headless_blocking(&AdapterChoice::default())?;
    let dataset = Arc::new(data::glyphs(0)?);
    let settings = Settings::for_dataset(&dataset)
        .ipc(1)
        .iterations(300) // at most
        .width(16)
        .batch_real(32);

    let mut run = Condensation::new(&gpu, dataset.clone(), settings)?;
    let mut losses = Vec::new();
    let place = Path::new("custom-loop.checkpoint");
    while !run.is_done() {
        run.step()?;
        run.wait_blocking(2)?;
        losses.extend(run.take_losses()?.iter().map(|loss| loss.loss));
        if run.iteration() == 10 {
            // Everything that a later process needs.
            run.checkpoint_blocking()?.save(place)?;
        }
        // Every iteration has another random network: single losses say little, means do.
        let [.., before, last] = losses.chunks_exact(WINDOW).collect::<Vec<_>>()[..] else {
            continue;
        };
        let mean = |losses: &[f32]| losses.iter().sum::<f32>() / WINDOW as f32;
        if mean(last) > 0.98 * mean(before) {
            break;
        }
    }
    let images = run.images_blocking()?;
    println!("stopped after {} of 300 iterations", run.iteration());

    // As another process would, from the file.
    let mut again = Condensation::resume(&gpu, dataset, Checkpoint::load(place)?)?;
    while again.iteration() < run.iteration() {
        again.step()?;
        again.wait_blocking(2)?;
    }
    let same = again.images_blocking()?.images == images.images;
    println!("from the checkpoint after 10, {} images", if same { "the same" } else { "other" });
    std::fs::remove_file(place)?;
    Ok(())
}
