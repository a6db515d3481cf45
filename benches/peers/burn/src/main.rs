//! Times iterations of distribution matching, or evaluation epochs, in burn on wgpu.
//!
//! This is the same work as that of `../pytorch.py`, class after class, in float32, with burn's default
//! kernel fusion and autotuning. The last line on stdout is one JSON object.

mod augment;
mod net;
mod work;

use std::{error::Error, time::Instant};

use burn::tensor::{Device, wgpu::WgpuSetup};
use clap::{Parser, ValueEnum};
use serde_json::json;

#[derive(Parser)]
#[command(
    about = "Times iterations of distribution matching, or evaluation epochs, in burn on wgpu"
)]
pub struct Options {
    #[arg(long, value_enum, default_value_t = What::Iteration)]
    what: What,
    #[arg(long, value_enum, default_value_t = Shape::Cifar10)]
    shape: Shape,
    #[arg(long, default_value_t = 10, value_parser = count())]
    ipc: u32,
    #[arg(long, default_value_t = 128, value_parser = count())]
    width: u32,
    #[arg(long, default_value_t = 256, value_parser = count())]
    batch_real: u32,
    /// Iterations or epochs to time, after some to warm up
    #[arg(long, default_value_t = 5, value_parser = count())]
    iterations: u32,
}

fn count() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..)
}

#[derive(Clone, Copy, ValueEnum)]
enum What {
    Iteration,
    Epoch,
}

#[derive(Clone, Copy, ValueEnum)]
enum Shape {
    Mnist,
    Cifar10,
    TinyImagenet,
}

impl Shape {
    /// Classes, channels, size, depth.
    fn numbers(self) -> [usize; 4] {
        match self {
            Self::Mnist => [10, 1, 28, 3],
            Self::Cifar10 => [10, 3, 32, 3],
            Self::TinyImagenet => [200, 3, 64, 4],
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    // The best adapter; CUBECL_WGPU_DEFAULT_DEVICE chooses another one.
    let (device, setup) = Device::wgpu_options().init_with_setup()?;
    device.seed(0);

    let warm_up = work::warm_up(&options);
    let mut step = match options.what {
        What::Iteration => work::iteration(&options, &device),
        What::Epoch => work::epoch(&options, &device),
    };
    let what = name(options.what);
    let mut times = Vec::new();
    for index in 0..warm_up + options.iterations as usize {
        let before = Instant::now();
        // Reading the loss waits for backward, but not for the optimiser.
        let loss = step()?;
        device.sync()?;
        times.push(1000.0 * before.elapsed().as_secs_f64());
        let warming = if index < warm_up { "warming up, " } else { "" };
        eprintln!("{warming}{what} {index}: {:.1} ms, loss {loss:.4}", times[index]);
    }
    println!("{}", report(&options, &setup, warm_up, &times));
    Ok(())
}

fn report(
    options: &Options,
    setup: &WgpuSetup,
    warm_up: usize,
    times: &[f64],
) -> serde_json::Value {
    let mut timed = times[warm_up..].to_vec();
    timed.sort_by(f64::total_cmp);
    let middle = timed.len() / 2;
    let median = match timed.len() % 2 {
        1 => timed[middle],
        _ => (timed[middle - 1] + timed[middle]) / 2.0,
    };
    let adapter = setup.adapter.get_info();
    json!({
        "peer": "burn",
        "version": version(),
        "device": format!("{} ({})", adapter.name, adapter.backend),
        "what": name(options.what),
        "shape": name(options.shape),
        "ipc": options.ipc,
        "width": options.width,
        "batch_real": options.batch_real,
        "warm_up": warm_up,
        "iterations": timed.len(),
        "median_ms": median,
        "min_ms": timed[0],
        "max_ms": timed[timed.len() - 1],
        "first_ms": times[0],
        "peak_bytes": null,
    })
}

/// Its name on the command line.
fn name(value: impl ValueEnum) -> String {
    value.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}

/// burn's version, from the lock file, since burn itself does not report it.
fn version() -> &'static str {
    let lock = include_str!("../Cargo.lock");
    let after = lock.split_once("name = \"burn\"\nversion = \"").map_or("", |(_, after)| after);
    after.split('"').next().unwrap_or_default()
}
