//! The one place where the program meets the data loaders.

use std::path::{Path, PathBuf};

use dm_wgpu::{Dataset, DatasetInfo, Result};

/// What `--dataset` takes.
pub const NAMES: [&str; 2] = ["mnist", "glyphs"];

/// How far a download is.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    pub file: &'a str,
    pub bytes: u64,
    pub total: Option<u64>,
}

/// Loads a data set, downloading it where it has to be.
///
/// For now a stand-in until the loaders are there: ten classes of noise under the asked name.
pub fn load(
    name: &str,
    data_dir: Option<&Path>,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Dataset> {
    let _folder: Option<PathBuf> = data_dir
        .map(Path::to_path_buf)
        .or_else(|| std::env::var_os("DM_WGPU_DATA").map(PathBuf::from));
    progress(Progress { file: "stand-in", bytes: 1, total: Some(1) });
    let (classes, size, each) = (10u32, 28, 16u32);
    let info = DatasetInfo {
        name: name.to_owned(),
        class_names: (0..classes).map(|class| class.to_string()).collect(),
        channels: 1,
        size,
        mean: vec![0.5],
        std: vec![0.25],
    };
    let labels: Vec<u32> = (0..classes * each).map(|image| image % classes).collect();
    let pixels =
        (0..labels.len() * size * size).map(|i| ((i * 2_654_435_761) >> 7) as u8).collect();
    Dataset::new(info, (pixels, labels), (Vec::new(), Vec::new()))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A data set of two 4×4 images.
    pub(crate) fn tiny() -> Dataset {
        let info = DatasetInfo {
            name: "tiny".into(),
            class_names: vec!["a".into(), "b".into()],
            channels: 1,
            size: 4,
            mean: vec![0.5],
            std: vec![0.25],
        };
        Dataset::new(info, (vec![0; 32], vec![0, 1]), (vec![], vec![])).unwrap()
    }
}
