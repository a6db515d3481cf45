//! Flags of exports.

use std::path::{Path, PathBuf};

use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser},
};

use super::given::{self, Flags};

const EXPORT: &str = "\
Examples:
  dm-wgpu export runs/mnist-ipc10-seed0 --format pt
      for PyTorch, as runs/mnist-ipc10-seed0/synthetic.pt
  dm-wgpu export runs/mnist-ipc10-seed0 --out mnist.npz
      for NumPy; the name's ending chooses the format
  dm-wgpu export theirs.npz --dataset mnist --format png --out pictures
      a set of another program, normalised as MNIST

Formats:
  npz           arrays images, labels, mean, std, class_names, dataset, settings
  safetensors   images and labels; the rest as text in the metadata
  pt            {'data': [[images, labels], ...], 'accs_all_exps': {...}, 'mean': ..., ...} for
                torch.load, also with weights_only=True; from a folder of several runs (seed0,
                seed1, ...) it takes all
  png           a folder per class, numbered like the labels for torchvision's ImageFolder,
                and classes.txt
A packed set (--factor) stays packed in npz and safetensors, which then also hold its factor;
--decoded writes the decoded images instead. Images are float32 (N, C, H, W), normalised:
(x - mean) / std of x in 0...1. Labels are int64. Only png rounds to 8 bits and clamps.

Exit codes: 0 done, 1 failed, 2 wrong usage.";

/// What an export is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Npz,
    Safetensors,
    /// A folder of them.
    Png,
    Pt,
}

impl Format {
    pub const ALL: [Self; 4] = [Self::Npz, Self::Safetensors, Self::Png, Self::Pt];

    pub fn name(self) -> &'static str {
        match self {
            Self::Npz => "npz",
            Self::Safetensors => "safetensors",
            Self::Png => "png",
            Self::Pt => "pt",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }

    /// By a file's ending; folders have none.
    pub fn of_path(path: &Path) -> Option<Self> {
        let ending = path.extension()?.to_str()?.to_lowercase();
        Self::named(&ending).filter(|&format| format != Self::Png)
    }
}

/// `dm-wgpu export`.
#[derive(Debug, Args)]
#[command(after_help = EXPORT, override_usage = "dm-wgpu export <PATH> (--format <FORMAT> | --out <PATH>) [OPTIONS]")]
pub struct ExportArgs {
    /// The set: a run's folder, .safetensors, .npz, or a folder of pictures.
    pub path: PathBuf,
    /// Format to write [default: by the ending of --out].
    #[arg(
        long, short, value_name = "FORMAT", help_heading = "Task",
        value_parser = PossibleValuesParser::new(Format::ALL.map(Format::name)).map(|name| {
            // clap has let no other name through.
            Format::named(&name).unwrap_or(Format::Npz)
        })
    )]
    pub format: Option<Format>,
    /// File to write, or folder for png; nothing is overwritten [default: beside the set].
    #[arg(long, short, value_name = "PATH", help_heading = "Task")]
    pub out: Option<PathBuf>,
    /// Write the decoded images of a packed set instead of the stored ones; pt and png always do.
    #[arg(long, help_heading = "Task")]
    pub decoded: bool,
    #[command(flatten)]
    pub given: Flags<{ given::EXPORT }>,
    /// Print only errors.
    #[arg(long, short, help_heading = "Machine")]
    pub quiet: bool,
}
