//! The synthetic set and its file.
use crate::Result;
use std::path::Path;

/// Synthetic images with their labels and all that is needed to use them elsewhere.
#[derive(Debug, Clone, PartialEq)]
pub struct SyntheticSet {
    /// Normalised pixels, (N, C, H, W) with N = classes × ipc, class-major.
    pub images: Vec<f32>,
    /// One class index an image.
    pub labels: Vec<i64>,
    /// 1 or 3.
    pub channels: usize,
    /// Height and width.
    pub size: usize,
    /// The data set it was made from.
    pub dataset: String,
    /// One name a class.
    pub class_names: Vec<String>,
    /// Mean of each channel that pixels in 0…1 were normalised with.
    pub mean: Vec<f32>,
    /// Standard deviation of each channel.
    pub std: Vec<f32>,
    /// Images per class.
    pub ipc: usize,
    /// The resolved settings, as JSON.
    pub settings: String,
}

impl SyntheticSet {
    /// stub
    pub fn save(&self, _path: &Path) -> Result<()> {
        unimplemented!()
    }
    /// stub
    pub fn load(_path: &Path) -> Result<Self> {
        unimplemented!()
    }
}
