//! `case=snapshot_match`: steps of matching along trajectories.

use dm_wgpu::{Layer, Net, testing::Images};

use super::{Result, Vectors};
use crate::reference::{Op, layers::Tensors};

/// `case=snapshot_match`.
pub struct SnapshotsCase {
    pub net: Net,
    pub classes: usize,
    pub ipc: usize,
    pub factor: usize,
    pub alpha: f32,
    pub lr: f32,
    pub mean: Vec<f32>,
    pub std: Vec<f32>,
    /// Whether all classes move at once. If not, only the first step's losses and gradients are compared, since images
    /// that have no velocity yet wait for their class's turn.
    pub joint: bool,
    /// In 0…1.
    pub syn0: Images,
    pub steps: Vec<SnapshotsStep>,
}

pub struct SnapshotsStep {
    pub matching: Tensors,
    pub class: Tensors,
    /// Operation after operation, one of each class.
    pub ops: Vec<Vec<Op>>,
    /// In 0…1.
    pub real: Images,
    /// Matching, and alpha times recognising.
    pub losses: Vec<f32>,
    pub grad: Vec<f32>,
    pub syn: Vec<f32>,
    pub velocity: Vec<f32>,
}

impl Vectors {
    pub(super) fn snapshot_match(&self) -> Result<SnapshotsCase> {
        let syn0 = self.images("syn0")?;
        let layers: Vec<Layer> = self.number("layers")?;
        let net = Net::new(syn0.channels, syn0.size, layers).map_err(|e| e.to_string())?;
        if self.number::<f64>("momentum")? != 0.5 {
            return Err("momentum is not 0.5".into());
        }
        let alpha: f32 = self.number("alpha")?;
        let (classes, names): (usize, Vec<String>) = (self.number("classes")?, self.number("ops")?);
        let step = |s: usize| {
            let at = |name: &str| format!("step{s}.{name}");
            let ops =
                names.iter().map(|op| (0..classes).map(|k| self.op(op, &at(""), k)).collect());
            let (matched, recognised) =
                (self.floats(&at("loss_match"))?, self.floats(&at("loss_class"))?);
            let losses = matched.iter().zip(recognised).map(|(m, c)| m + alpha * c).collect();
            Ok(SnapshotsStep {
                matching: self.tensors(&at("match.")),
                class: self.tensors(&at("class.")),
                ops: ops.collect::<Result<_>>()?,
                real: self.images(&at("real"))?,
                losses,
                grad: self.floats(&at("grad"))?,
                syn: self.floats(&at("syn"))?,
                velocity: self.floats(&at("velocity"))?,
            })
        };
        Ok(SnapshotsCase {
            classes,
            ipc: self.number("ipc")?,
            factor: self.number("factor")?,
            alpha,
            lr: self.number("lr")?,
            mean: self.number("mean")?,
            std: self.number("std")?,
            joint: self.text("update")? == "joint",
            steps: (0..self.number("steps")?).map(step).collect::<Result<_>>()?,
            syn0,
            net,
        })
    }
}
