//! In an async program: losses and images are awaited, and other tasks go on meanwhile.
//!
//!     cargo run --release --example async_tokio

use std::{error::Error, sync::Arc, time::Duration};

use dm_wgpu::{AdapterChoice, Condensation, Gpu, Settings, data};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let gpu = Gpu::headless(&AdapterChoice::default()).await?;

    // Futures complete when somebody polls the device. A program that draws does so with every frame;
    // this one has a task for it.
    let polled = gpu.clone();
    let poller = tokio::spawn(async move {
        while polled.poll().is_ok() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });

    let dataset = Arc::new(data::glyphs(0)?);
    let settings = Settings::for_dataset(&dataset).ipc(1).iterations(30).width(16).batch_real(32);
    let mut run = Condensation::new(&gpu, dataset, settings)?;
    while !run.is_done() {
        run.step()?;
        run.finished(2).await?;
        for loss in run.take_losses()? {
            if loss.iteration % 10 == 0 {
                println!("iteration {:2}: loss {:.3}", loss.iteration, loss.loss);
            }
        }
    }
    let set = run.images().await?;
    println!("{} images of {}", set.labels.len(), set.dataset);
    poller.abort();
    Ok(())
}
