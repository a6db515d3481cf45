//! Flags of the commands that show finished runs.

use std::path::PathBuf;

use clap::{
    Args, ValueEnum,
    builder::{EnumValueParser, PossibleValue},
};

const VIEW: &str = "\
Examples:
  dm-wgpu view runs/mnist-ipc10-seed0
      a run's images
  dm-wgpu view runs/mnist-ipc10-seed0 --class 3,8
      all images of two classes
  dm-wgpu view runs/mnist-ipc1-factor2-seed0 --decoded
      a packed set as networks see it
  dm-wgpu view theirs.npz
      a set of another program, in any format that evaluate reads

kitty, Ghostty, iTerm2, WezTerm and mintty show pictures; other terminals show coloured half-blocks.

Exit codes: 0 done, 1 failed or no picture can be shown here, 2 wrong usage.";

/// How to put a picture on a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// The graphics protocol of kitty.
    Kitty,
    /// The inline images of iTerm2.
    Iterm,
    /// Half-blocks in 24-bit colour.
    Blocks,
    /// Half-blocks in the 256 colours that older terminals have.
    Blocks256,
}

impl ValueEnum for Way {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Kitty, Self::Iterm, Self::Blocks, Self::Blocks256]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(match self {
            Self::Kitty => "kitty",
            Self::Iterm => "iterm",
            Self::Blocks => "blocks",
            Self::Blocks256 => "blocks256",
        }))
    }
}

/// `dm-wgpu view`.
#[derive(Debug, Args)]
#[command(after_help = VIEW, override_usage = "dm-wgpu view <PATH> [OPTIONS]")]
pub struct ViewArgs {
    /// The set: a run's folder, .safetensors, .npz, or a folder of pictures.
    pub path: PathBuf,
    /// Show only these classes, by name, joined by comma, with all of their images.
    #[arg(long = "class", value_name = "NAMES", value_delimiter = ',')]
    pub classes: Vec<String>,
    /// Show the decoded images of a packed set instead of the stored ones.
    #[arg(long)]
    pub decoded: bool,
    /// How to show the images [default: as the terminal can].
    #[arg(long = "as", value_name = "HOW", value_parser = EnumValueParser::<Way>::new())]
    pub how: Option<Way>,
    /// Print only errors.
    #[arg(long, short)]
    pub quiet: bool,
}

/// `dm-wgpu report`.
#[derive(Debug, Args)]
#[command(override_usage = "dm-wgpu report <FOLDER> [OPTIONS]")]
pub struct ReportArgs {
    /// The folder of a run or of a comparison.
    pub path: PathBuf,
    /// Print only errors.
    #[arg(long, short)]
    pub quiet: bool,
}
