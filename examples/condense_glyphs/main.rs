//! The shortest whole program: condenses the embedded data set to one image per class, then saves
//! the images for other programs and a picture of them for people.
//!
//!     cargo run --release --example condense_glyphs
//!
//! It takes ten to twenty seconds on two CPU cores, without a GPU.

use std::{error::Error, path::Path, sync::Arc};

use dm_wgpu::{AdapterChoice, Condensation, Gpu, Settings, data, report};

fn main() -> Result<(), Box<dyn Error>> {
    // The best adapter of this machine. A program that has a wgpu device already would give it to
    // `Gpu::from_parts` instead.
    let gpu = Gpu::headless_blocking(&AdapterChoice::default())?;
    println!("adapter: {}", gpu.info().name);

    // Ten classes of digits, drawn by the library. The argument is the seed they are drawn with.
    // Your own pixels and labels become a data set with `Dataset::new`.
    let dataset = Arc::new(data::glyphs(0)?);

    // Published settings where they matter little for the time, smaller ones where they do.
    let settings = Settings::for_dataset(&dataset)
        .ipc(1) // synthetic images per class
        .iterations(50)
        .width(32) // channels of the networks, 128 as published
        .batch_real(64); // real images per class and step, 256 as published

    let mut run = Condensation::new(&gpu, dataset, settings)?;
    while !run.is_done() {
        // Hands one step to the GPU and comes back at once …
        run.step()?;
        // … so this keeps the GPU from falling too far behind.
        run.wait_blocking(2)?;
        // Losses arrive when the GPU is done with their step: maybe none now, maybe several.
        for loss in run.take_losses()? {
            if loss.iteration % 10 == 0 {
                println!("iteration {:3}: loss {:.3}", loss.iteration, loss.loss);
            }
        }
    }

    // Waits for the last step. `images` are normalised pixels, `labels` say what they show.
    let set = run.images_blocking()?;
    set.save(Path::new("condensed-glyphs.safetensors"))?;
    report::write_grid(&set, Path::new("condensed-glyphs.png"))?;
    println!("{} images: condensed-glyphs.safetensors, condensed-glyphs.png", set.labels.len());
    Ok(())
}
