//! The weights of a random network.

use super::ConvNet;
use crate::{
    gpu::{Buffer, Gpu, Recording},
    kernels::{Step, init_uniform},
};

/// Convolution weights of every block, (width, inputs, 3, 3) each. There are no biases: the
/// instance norm after each convolution would cancel them.
#[derive(Debug)]
pub(crate) struct Weights {
    step: Buffer<Step>,
    blocks: Vec<Buffer<f32>>,
    draw: Recording,
}

impl Weights {
    pub fn new(gpu: &Gpu, net: &ConvNet) -> Self {
        let step = Buffer::uniform(gpu, "network of this iteration", &Step::new(0, 0));
        let mut draw = Recording::default();
        let blocks = (0..net.depth())
            .map(|block| {
                let fan_in = net.inputs(block) * 9;
                let weights = Buffer::zeros(gpu, &format!("weights {block}"), net.width() * fan_in);
                let bound = 1.0 / (fan_in as f32).sqrt();
                draw.push(init_uniform(gpu, &step, block, bound, &weights));
                weights
            })
            .collect();
        Self { step, blocks, draw }
    }

    /// Draws the network of (seed, iteration) with what is submitted next.
    pub fn draw(&self, gpu: &Gpu, encoder: &mut wgpu::CommandEncoder, seed: u64, iteration: u32) {
        self.step.write(gpu, &[Step::new(seed, iteration)]);
        self.draw.encode(encoder, "draw a network");
    }

    /// A block's weights.
    pub fn block(&self, block: usize) -> &Buffer<f32> {
        &self.blocks[block]
    }

    /// Bytes of device memory for `net`.
    pub fn bytes(net: &ConvNet) -> u64 {
        (0..net.depth()).map(|b| (net.width() * net.inputs(b) * 9 * 4) as u64).sum()
    }
}
