//! Weights as Xavier's normal distribution has them (Glorot & Bengio, "Understanding the difficulty of training deep
//! feedforward neural networks", AISTATS 2010).

use super::Weights;
use crate::{
    gpu::{Gpu, Recording},
    kernels::{Direction, Draw, init_weights},
    nn::program::{Op, Param, Program, Role},
};

impl Weights {
    /// Records how they are drawn and rearranged: as [`record`](Self::record), but with normal weights and biases of 0.
    /// `program` is theirs.
    pub fn record_xavier(&mut self, gpu: &Gpu, program: &Program) {
        self.begin_recording(gpu);
        let mut draw = Recording::default();
        let blocks = self.convs.iter().enumerate();
        let blocks = blocks
            .map(|(block, values)| (values, deviation(self.shape(block, Direction::Forward), 9)));
        let drawn = |(at, param): (usize, &Param)| {
            let deviation = match param.role {
                Role::Weight { fan_in } => {
                    let own = |op: &&Op| op.first_param == at && op.kind.shape().is_some();
                    let shape = program.ops.iter().find(own)?.kind.shape()?;
                    deviation(shape, fan_in / shape.1)
                }
                Role::Bias { .. } => 0.0,
                Role::Affine | Role::Running => return None,
            };
            Some((&self.others[at], deviation))
        };
        let others = self.params.iter().enumerate().filter_map(drawn);
        for (number, (values, deviation)) in blocks.chain(others).enumerate() {
            let drawn = Draw::Normal(deviation);
            draw.push(init_weights(gpu, &self.key, number, drawn, values, self.nets));
        }
        self.draw = draw;
        self.record_packing(gpu);
    }
}

/// √(2 / (fan_in + fan_out)), of which each counts the positions of the kernel.
fn deviation((outputs, inputs): (usize, usize), positions: usize) -> f32 {
    (2.0 / ((inputs + outputs) * positions) as f32).sqrt()
}
