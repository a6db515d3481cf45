//! The case of matching along trajectories, and of what IDC's protocol of evaluation mixes.

use super::{Computed, Draw, Task, gradient, value};
use crate::{
    Activation, Gpu, Layer, Net, PoolKind, Result,
    hosted::{self, Images, Row, SnapshotCase, SnapshotSession},
};

/// A step by two snapshots.
#[derive(Debug)]
pub struct Along {
    /// What it goes by.
    pub case: SnapshotCase,
    /// Stored pictures.
    pub syn: Images,
    /// Parameters of the network that matches and of the one that recognises, in the order of
    /// `hosted::net_parameters`.
    pub snapshots: [Vec<Vec<f32>>; 2],
    /// Of each class, operation after operation.
    pub rows: Vec<Row>,
    /// Real images.
    pub real: Images,
    /// Of each real image, the box that it takes from the image of another list.
    pub boxes: Vec<[u32; 4]>,
    /// That list.
    pub others: Images,
}

/// Without a kink.
pub(super) fn trajectory() -> Result<Task> {
    let layers = vec![
        Layer::Conv { out: 4, kernel: 3, stride: 1, pad: 1, bias: true },
        Layer::Act { kind: Activation::Swish },
        Layer::Pool { kind: PoolKind::Avg, kernel: 2, stride: 2, pad: 0 },
        Layer::Flatten,
        Layer::Linear { out: 2 },
    ];
    let net = Net::new(1, 12, layers)?;
    let mut draw = Draw::new(61);
    let lengths = hosted::net_lengths(&net);
    let mut parameters = || lengths.iter().map(|len| draw.uniform(*len, 0.25)).collect();
    let snapshots = [parameters(), parameters()];
    let case = SnapshotCase {
        net,
        classes: 2,
        ipc: 1,
        factor: 2,
        batch_real: 2,
        passes: 2,
        alpha: 0.5,
        lr: 0.25,
        mean: vec![0.5],
        std: vec![0.25],
    };
    let rows = vec![
        Row::color(0.25, 1.5, 0.75).then(Row::crop(1, -1)),
        Row::color(-0.5, 0.5, 1.25).then(Row::cutout(3, 8)).then(Row::flip(true)),
        Row::scale(1.125, 0.875),
        Row::rotate(0.125),
    ];
    Ok(Task::Along(Box::new(Along {
        case,
        syn: draw.images(2, 1, 12),
        snapshots,
        rows,
        real: draw.images(4, 1, 12),
        boxes: vec![[0, 5, 3, 12], [4, 9, 0, 1], [2, 2, 0, 12], [0, 12, 0, 12]],
        others: draw.images(4, 1, 12),
    })))
}

pub(super) fn compute(gpu: &Gpu, along: &Along) -> Result<Vec<Computed>> {
    let Along { case, syn, snapshots: [matching, class], rows, real, boxes, others } = along;
    let mut session = SnapshotSession::new(gpu, case, &syn.values)?;
    let (losses, left) = session.step([matching, class], rows, &real.values)?;
    Ok(vec![
        value("losses", losses),
        gradient("gradient", left.grad),
        gradient("images", left.syn),
        value("mixed", hosted::cutmixed(gpu, real, others, boxes, (0, 0))?.values),
    ])
}
