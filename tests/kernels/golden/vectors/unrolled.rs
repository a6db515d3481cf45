//! `case=unroll`: a training on synthetic images, what real images make of it, and the gradients of that through all of its
//! steps.

use dm_wgpu::{Net, testing::Images};

use super::{Result, Vectors};
use crate::reference::layers::Tensors;

/// With what it should leave.
pub struct UnrollCase {
    pub net: Net,
    pub init: Tensors,
    /// The images of all steps of a pass, one step after the other, and the labels of each of them.
    pub data: Images,
    pub labels: Vec<u32>,
    pub steps: usize,
    /// Of each step of all passes.
    pub raw: Vec<f32>,
    pub real: (Images, Vec<u32>),
    /// Before each step, and of the real images after the last.
    pub inner_losses: Vec<f32>,
    pub loss: f32,
    pub trained: Tensors,
    pub d_data: Vec<f32>,
    pub d_raw: Vec<f32>,
}

impl Vectors {
    pub(super) fn unroll(&self) -> Result<UnrollCase> {
        let (steps, passes) = (self.number::<usize>("steps")?, self.number::<usize>("epochs")?);
        let of_step = |s: usize| self.images(&format!("data{s}"));
        let first = of_step(0)?;
        let values: Result<Vec<_>> = (0..steps).map(|s| Ok(of_step(s)?.values)).collect();
        let d_data: Result<Vec<_>> =
            (0..steps).map(|s| self.floats(&format!("d_data{s}"))).collect();
        let labels = |name: &str| -> Result<Vec<u32>> {
            let all = self.integers(name)?.into_iter().map(u32::try_from);
            all.collect::<std::result::Result<_, _>>().map_err(|e| format!("{name}: {e}"))
        };
        let raw = self.floats("raw_lr")?;
        if raw.len() != steps * passes {
            return Err(format!("{} rates are not {steps} steps of {passes} passes", raw.len()));
        }
        let net = Net::new(first.channels, first.size, self.number("layers")?);
        Ok(UnrollCase {
            net: net.map_err(|e| e.to_string())?,
            init: self.tensors("init."),
            data: Images { values: values?.concat(), n: steps * first.n, ..first },
            labels: labels("distill_labels")?.repeat(steps),
            steps,
            raw,
            real: (self.images("x")?, labels("labels")?),
            inner_losses: self.floats("inner_loss")?,
            loss: *self.floats("loss")?.first().ok_or("an empty loss")?,
            trained: self.tensors("final."),
            d_data: d_data?.concat(),
            d_raw: self.floats("d_raw_lr")?,
        })
    }
}
