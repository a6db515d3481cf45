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
  iteration   one of a condensation, from one's end to the next one's
  epoch       one of an evaluation: a network trained on the ipc images of each class
  kernels     each kernel's part of either, replayed dispatch by dispatch
  ceilings    what this adapter does at most: multiply-adds alone, copying alone
Ctrl-C stops after the piece at hand and prints nothing; a second one leaves at once.
Times of a CPU that acts as a GPU say nothing about GPUs.

Exit codes: 0 done, 1 failed, 2 asked for wrongly, 130 interrupted.";

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
    /// The method that condenses, as --method of runs.
    #[arg(
        long, value_name = "NAME", default_value = "dm", help_heading = "Task",
        value_parser = method_parser()
    )]
    pub method: Matching,
    /// Classes, which share out the data set's images [default: the data set's].
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
    /// Kind of network, as --net of runs.
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
    /// Real images per class and iteration.
    #[arg(
        long, value_name = "N", default_value_t = 256, help_heading = "Task",
        allow_negative_numbers = true, value_parser = count::<usize>(1_000_000)
    )]
    pub batch_real: usize,
    /// Iterations and epochs to time, after three of each that are not.
    #[arg(
        long, value_name = "N", default_value_t = 10, help_heading = "Task",
        allow_negative_numbers = true, value_parser = count::<u32>(1_000_000)
    )]
    pub iterations: u32,
    /// Print JSON, one object per line: events as they come, then the result; with --quiet it alone.
    #[arg(long, help_heading = "Task")]
    pub json: bool,
    #[command(flatten)]
    pub given: Flags<BENCH>,
    /// Say nothing but errors and the result.
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
            net: self.net.clone(),
            width: self.width,
            batch_real: self.batch_real,
            iterations: self.iterations,
        }
    }
}
