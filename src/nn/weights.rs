//! The weights of a random network, plain and as the fast kernels read them.

use super::ConvNet;
use crate::{
    gpu::{Buffer, Gpu, Recording},
    kernels::{Direction, Step, Tile, init_uniform, pack_weights},
};

/// Convolution weights of every block, (width, inputs, 3, 3) each. There are no biases: the
/// instance norm after each convolution would cancel them.
#[derive(Debug)]
pub(crate) struct Weights {
    net: ConvNet,
    step: Buffer<Step>,
    blocks: Vec<Buffer<f32>>,
    draw: Recording,
    packed: Vec<Packed>,
    pack: Recording,
}

/// A block's weights rearranged for one kernel.
#[derive(Debug)]
struct Packed {
    block: usize,
    direction: Direction,
    tile: Tile,
    weights: Buffer<f32>,
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
        let (packed, pack) = (Vec::new(), Recording::default());
        Self { net: net.clone(), step, blocks, draw, packed, pack }
    }

    /// Records the draw of the network of (seed, iteration).
    pub fn draw(&self, gpu: &Gpu, encoder: &mut wgpu::CommandEncoder, seed: u64, iteration: u32) {
        self.step.write(gpu, &[Step::new(seed, iteration)]);
        self.draw.encode(encoder, "draw a network");
    }

    /// Records the rearranging, which must follow whatever changed the weights.
    pub fn pack(&self, encoder: &mut wgpu::CommandEncoder) {
        self.pack.encode(encoder, "pack weights");
    }

    /// A block's weights.
    pub fn block(&self, block: usize) -> &Buffer<f32> {
        &self.blocks[block]
    }

    /// A block's weights for `conv_lanes`, from now on kept up by [`pack`](Self::pack).
    pub fn packed(
        &mut self,
        gpu: &Gpu,
        block: usize,
        direction: Direction,
        tile: Tile,
    ) -> Buffer<f32> {
        let same = |p: &&Packed| p.block == block && p.direction == direction && p.tile == tile;
        if let Some(known) = self.packed.iter().find(same) {
            return known.weights.clone();
        }
        let (outputs, inputs) = match direction {
            Direction::Forward => (self.net.width(), self.net.inputs(block)),
            Direction::BackwardData => (self.net.inputs(block), self.net.width()),
        };
        let label = format!("packed weights {block} {direction:?}");
        let weights = Buffer::zeros(gpu, &label, tile.packed_len(outputs, inputs));
        let shape = (outputs, inputs);
        let plain = &self.blocks[block];
        self.pack.push(pack_weights(gpu, direction, tile, shape, plain, &weights));
        self.packed.push(Packed { block, direction, tile, weights: weights.clone() });
        weights
    }

    /// Bytes of device memory for `net`, at most: plain and packed for three kernels, which pads
    /// by less than a third.
    pub fn bytes(net: &ConvNet) -> u64 {
        let plain: usize = (0..net.depth()).map(|b| net.width() * net.inputs(b) * 9 * 4).sum();
        5 * plain as u64
    }
}
