//! The case of dataset distillation.

use super::{Computed, Draw, Task, gradient, value};
use crate::{
    Activation, Gpu, Layer, Net, PoolKind, Result,
    hosted::{self, UnrollCase},
};

/// Two passes of two steps, without a kink.
pub(super) fn distillation() -> Result<Task> {
    let conv = |out, kernel, pad| Layer::Conv { out, kernel, stride: 1, pad, bias: true };
    let layers = vec![
        conv(4, 3, 1),
        Layer::Act { kind: Activation::Swish },
        Layer::Pool { kind: PoolKind::Avg, kernel: 2, stride: 2, pad: 0 },
        conv(4, 3, 0),
        Layer::Act { kind: Activation::Sigmoid },
        Layer::Flatten,
        Layer::Linear { out: 2 },
    ];
    let net = Net::new(1, 12, layers)?;
    let mut draw = Draw::new(51);
    let lengths = hosted::net_lengths_apart(&net)?;
    Ok(Task::Distil(UnrollCase {
        init: lengths.into_iter().map(|len| draw.uniform(len, 0.25)).collect(),
        data: draw.images(4, 1, 12),
        factor: 1,
        padding: 0.0,
        labels: vec![0, 1, 0, 1],
        steps: 2,
        raw: vec![-1.0, 0.25, -3.0, 1.5],
        real: (draw.images(3, 1, 12), vec![1, 0, 1]),
        adam: (0.25, 0.5, 0.875),
        part: 2,
        net,
    }))
}

pub(super) fn compute(gpu: &Gpu, case: &UnrollCase) -> Result<Vec<Computed>> {
    let drawn = hosted::xavier(gpu, &case.net, (5, 3), 1, false)?;
    let result = hosted::unroll(gpu, case)?;
    let (d_images, d_raw) = result.gradients;
    let (images, raw) = result.moved;
    Ok(vec![
        value("drawn weights", drawn.concat()),
        gradient("parameters after the training", result.trained.concat()),
        gradient("losses", result.losses),
        gradient("gradient at the images", d_images),
        gradient("gradient at the rates", d_raw),
        gradient("images", images),
        gradient("rates", raw),
    ])
}
