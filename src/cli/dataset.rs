//! The one place where the program meets the data loaders.

use std::path::Path;

use dm_wgpu::{
    Dataset, Result,
    data::{self, Sources},
};

pub use dm_wgpu::data::{NAMES, Progress, Work};

/// Loads a data set, downloading it where it has to be.
pub fn load(
    name: &str,
    data_dir: Option<&Path>,
    on_progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Dataset> {
    let sources = Sources { data_dir: data_dir.map(Path::to_path_buf) };
    data::load(name, &sources, on_progress)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use dm_wgpu::DatasetInfo;

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
