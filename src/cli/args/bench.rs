//! Flags of benchmarks.

use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser},
};

use dm_wgpu::{
    Architecture, Matching,
    bench::{Bench, Shape},
};

use super::given::{BENCH, Flags};
use crate::cli::values::{self, count};

const MEASURED: &str = "\
What is measured, on made-up images:
  iteration   an iteration of condensing, from the end of one to the end of the next
  epoch       an epoch of evaluation: a network is trained on --ipc images per class
  kernels     the time of each kernel in both, replayed dispatch by dispatch
  ceilings    the most this adapter can do: multiply-adds alone, copying alone
Ctrl-C stops after the current piece and prints no result; a second Ctrl-C ends the program at once.
Times of a CPU that acts as a GPU say nothing about GPUs.

Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.";

/// `dm-wgpu bench`.
#[derive(Debug, Args)]
#[command(after_help = MEASURED, override_usage = "dm-wgpu bench [OPTIONS]")]
pub struct BenchArgs {
    /// The data set whose classes, image size and number of images are copied.
    #[arg(
        long, value_name = "NAME", default_value = "mnist", help_heading = "Task",
        value_parser = shape_parser()
    )]
    pub shape: Shape,
    /// The method that condenses, as in --method of a run.
    #[arg(
        long, value_name = "NAME", default_value = "dm", help_heading = "Task",
        value_parser = method_parser()
    )]
    pub method: Matching,
    /// Number of classes, among which the images are divided [default: as in the data set].
    #[arg(
        long, value_name = "N", help_heading = "Task",
        allow_negative_numbers = true, value_parser = count::<usize>(1000)
    )]
    pub classes: Option<usize>,
    /// Synthetic images per class.
    #[arg(
        long, value_name = "N", default_value_t = 10, help_heading = "Task",
        allow_negative_numbers = true, value_parser = count::<usize>(1_000_000)
    )]
    pub ipc: usize,
    /// Tiles of a side that each image is packed with, as in --factor of a run [default: as the method suggests].
    #[arg(
        long, value_name = "F", help_heading = "Task",
        allow_negative_numbers = true, value_parser = count::<usize>(4)
    )]
    pub factor: Option<usize>,
    /// Kind of network, as in --net of a run.
    #[arg(
        long, value_name = "NAME", default_value = "convnet", help_heading = "Task",
        value_parser = values::architecture
    )]
    pub net: Architecture,
    /// Channels of each convolution of a ConvNet.
    #[arg(
        long, value_name = "N", default_value_t = 128, help_heading = "Task",
        allow_negative_numbers = true, value_parser = count::<usize>(4096)
    )]
    pub width: usize,
    /// Real images per class for each update of the pixels.
    #[arg(
        long, value_name = "N", default_value_t = 256, help_heading = "Task",
        allow_negative_numbers = true, value_parser = count::<usize>(1_000_000)
    )]
    pub batch_real: usize,
    /// Iterations and epochs to time, after three of each to warm up.
    #[arg(
        long, value_name = "N", default_value_t = 10, help_heading = "Task",
        allow_negative_numbers = true, value_parser = count::<u32>(1_000_000)
    )]
    pub iterations: u32,
    /// Print JSON, one object per line: events as they happen, then the result; with --quiet only the result.
    #[arg(long, help_heading = "Task")]
    pub json: bool,
    #[command(flatten)]
    pub given: Flags<BENCH>,
    /// Print only errors and the result.
    #[arg(long, short, help_heading = "Machine")]
    pub quiet: bool,
}

fn shape_parser() -> impl TypedValueParser<Value = Shape> {
    PossibleValuesParser::new(Shape::ALL.map(Shape::name)).map(|name| {
        // clap lets no other name through.
        Shape::ALL.into_iter().find(|shape| shape.name() == name).unwrap_or(Shape::Mnist)
    })
}

fn method_parser() -> impl TypedValueParser<Value = Matching> {
    PossibleValuesParser::new(Matching::ALL.map(Matching::name)).map(|name| {
        Matching::ALL.into_iter().find(|method| method.name() == name).unwrap_or_default()
    })
}

impl BenchArgs {
    pub fn bench(&self) -> Bench {
        Bench {
            shape: self.shape,
            method: self.method,
            classes: self.classes.unwrap_or(self.shape.classes()),
            ipc: self.ipc,
            factor: self.factor,
            net: self.net.clone(),
            width: self.width,
            batch_real: self.batch_real,
            iterations: self.iterations,
        }
    }
}
