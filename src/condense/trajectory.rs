//! Networks on their way through training: what they were before it, and after each epoch.

#[cfg(feature = "files")]
use super::check_offsets;
#[cfg(feature = "files")]
use crate::{Error, Result};

/// All parameters of a network.
pub(crate) type Snapshot = Vec<Vec<f32>>;

/// A network's parameters before its training and after each epoch.
#[derive(Debug, Clone, PartialEq)]
pub struct Trajectory {
    snapshots: Vec<Snapshot>,
}

impl Trajectory {
    /// Of these: before the training, and after each epoch.
    pub(crate) fn of(snapshots: Vec<Snapshot>) -> Self {
        Self { snapshots }
    }

    /// What the network is after another epoch.
    pub(crate) fn push(&mut self, snapshot: Snapshot) {
        self.snapshots.push(snapshot);
    }

    /// Epochs of training.
    pub fn epochs(&self) -> usize {
        self.snapshots.len() - 1
    }

    /// Bytes of all parameters.
    pub fn bytes(&self) -> usize {
        let values: usize = self.snapshots.iter().flatten().map(Vec::len).sum();
        values * size_of::<f32>()
    }

    /// After so many epochs: blocks before all other layers.
    pub(crate) fn after(&self, epochs: usize) -> &[Vec<f32>] {
        &self.snapshots[epochs]
    }
}

/// The file of a snapshot, or of velocities, after so many epochs.
#[cfg(feature = "files")]
pub(crate) fn to_bytes(tensors: &[Vec<f32>], epoch: u32) -> Result<Vec<u8>> {
    use safetensors::{Dtype, tensor::TensorView};

    let wrong = |error: safetensors::SafeTensorError| Error::shape("trajectory", error.to_string());
    let bytes: Vec<Vec<u8>> =
        tensors.iter().map(|all| all.iter().flat_map(|v| v.to_le_bytes()).collect()).collect();
    let views = tensors
        .iter()
        .zip(&bytes)
        .enumerate()
        .map(|(number, (values, bytes))| {
            let view = TensorView::new(Dtype::F32, vec![values.len()], bytes).map_err(wrong)?;
            Ok((format!("{number:04}"), view))
        })
        .collect::<Result<Vec<_>>>()?;
    let meta = [("epoch".to_owned(), epoch.to_string())].into();
    safetensors::serialize(views, Some(meta)).map_err(wrong)
}

/// The epochs before such a file.
#[cfg(feature = "files")]
pub(crate) fn epoch_of(bytes: &[u8]) -> Option<u32> {
    check_offsets(bytes).ok()?;
    let (_, header) = safetensors::SafeTensors::read_metadata(bytes).ok()?;
    header.metadata().as_ref()?.get("epoch")?.parse().ok()
}

/// What such a file holds; `None` if it is broken or of another epoch.
#[cfg(feature = "files")]
pub(crate) fn tensors(bytes: &[u8], epoch: u32) -> Option<Snapshot> {
    if epoch_of(bytes)? != epoch {
        return None;
    }
    let file = safetensors::SafeTensors::deserialize(bytes).ok()?;
    let mut names: Vec<_> = file.names().into_iter().map(str::to_owned).collect();
    names.sort();
    let read = |name: &String| {
        let tensor = file.tensor(name).ok()?;
        let words = tensor.data().chunks_exact(4).map(|b| [b[0], b[1], b[2], b[3]]);
        Some(words.map(f32::from_le_bytes).collect::<Vec<_>>())
            .filter(|values| values.iter().all(|value| value.is_finite()))
    };
    names.iter().map(read).collect()
}
