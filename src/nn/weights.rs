//! The weights of one or several random ConvNets, plain and as the fast kernels read them.

use wgpu::util::StagingBelt;

use super::ConvNet;
use crate::{
    Result,
    gpu::{Buffer, Gpu, Recording, Submissions, Texels},
    kernels::{
        Direction, NetworkKey, Packing,
        cpu::{Winograd, pack_winograd},
        init_uniform, pack_weights,
    },
    rng::Purpose,
};

/// Parameters of every block of `nets` networks: convolution weights (nets, width, inputs, 3, 3)
/// and the norm's weight and bias (nets, width, 2), which begin as 1 and 0.
///
/// Convolutions have no bias: the instance norm after each would cancel it.
#[derive(Debug)]
pub(crate) struct Weights {
    net: ConvNet,
    nets: usize,
    key: Buffer<NetworkKey>,
    convs: Vec<Buffer<f32>>,
    affines: Vec<Buffer<f32>>,
    draw: Recording,
    packed: Vec<Packed>,
    packed_texels: Vec<(usize, Direction, Winograd, Texels)>,
    pack: Recording,
}

/// A block's weights rearranged for one kernel.
#[derive(Debug)]
struct Packed {
    block: usize,
    direction: Direction,
    packing: Packing,
    weights: Buffer<f32>,
}

impl Weights {
    pub fn new(gpu: &Gpu, net: &ConvNet, nets: usize) -> Self {
        let key = NetworkKey::new(0, Purpose::Weights, 0);
        let mut weights = Self {
            net: net.clone(),
            nets,
            key: Buffer::params(gpu, "network key", &key),
            convs: Vec::new(),
            affines: Vec::new(),
            draw: Recording::default(),
            packed: Vec::new(),
            packed_texels: Vec::new(),
            pack: Recording::default(),
        };
        for block in 0..net.depth() {
            let fan_in = net.inputs(block) * 9;
            let label = format!("conv weights {block}");
            let conv = Buffer::zeros(gpu, &label, nets * net.width() * fan_in);
            weights.draw_uniform(gpu, block, fan_in, &conv);
            weights.convs.push(conv);
            let label = format!("affine {block}");
            weights.affines.push(Buffer::zeros(gpu, &label, 2 * nets * net.width()));
        }
        weights.reset_affines(gpu);
        weights
    }

    /// Makes every norm's weight 1 and bias 0, before what is submitted next.
    pub fn reset_affines(&self, gpu: &Gpu) {
        for affine in &self.affines {
            affine.write(gpu, &[1.0, 0.0].repeat(affine.len() / 2));
        }
    }

    /// From now on also draws these values of another layer, U(−1/√fan_in, 1/√fan_in).
    pub fn draw_uniform(&mut self, gpu: &Gpu, layer: usize, fan_in: usize, values: &Buffer<f32>) {
        let bound = 1.0 / (fan_in as f32).sqrt();
        self.draw.push(init_uniform(gpu, &self.key, layer, bound, values, self.nets));
    }

    /// Draws the networks that `key` names, and rearranges them. What is submitted before does not see it.
    pub fn draw(&self, gpu: &Gpu, submissions: &mut Submissions<'_>, key: NetworkKey) {
        submissions.submit();
        self.key.write(gpu, &[key]);
        submissions.run(&self.draw, "draw networks");
        submissions.run(&self.pack, "pack weights");
    }

    /// Records which networks the [`drawing`](Self::drawing) that follows draws, as often as wanted in one
    /// encoder.
    pub fn name_staged(
        &self,
        belt: &mut StagingBelt,
        encoder: &mut wgpu::CommandEncoder,
        key: NetworkKey,
    ) -> Result<()> {
        self.key.stage(belt, encoder, &[key])
    }

    /// What draws networks.
    pub fn drawing(&self) -> &Recording {
        &self.draw
    }

    /// What must follow whatever changed the weights.
    pub fn packing(&self) -> &Recording {
        &self.pack
    }

    /// A block's convolution weights.
    pub fn conv(&self, block: usize) -> &Buffer<f32> {
        &self.convs[block]
    }

    /// The norm's weight and bias in a block.
    pub fn affine(&self, block: usize) -> &Buffer<f32> {
        &self.affines[block]
    }

    /// A block's weights as a kernel wants them; rearranged, they are kept up by [`packing`](Self::packing) from
    /// now on.
    pub fn packed(
        &mut self,
        gpu: &Gpu,
        block: usize,
        direction: Direction,
        packing: Option<Packing>,
    ) -> Buffer<f32> {
        let Some(packing) = packing else { return self.convs[block].clone() };
        let wanted = (block, direction, packing);
        let same = |p: &&Packed| (p.block, p.direction, p.packing) == wanted;
        if let Some(known) = self.packed.iter().find(same) {
            return known.weights.clone();
        }
        let (outputs, inputs) = self.shape(block, direction);
        let label = format!("packed weights {block} {direction:?}");
        let len = self.nets * packing.len(outputs, inputs);
        let weights = Buffer::zeros(gpu, &label, len);
        let shape = (outputs, inputs);
        let plain = &self.convs[block];
        self.pack.push(pack_weights(gpu, direction, packing, shape, plain, &weights));
        self.packed.push(Packed { block, direction, packing, weights: weights.clone() });
        weights
    }

    /// As [`packed`](Self::packed), for the kernels of CPU adapters.
    pub fn packed_texels(
        &mut self,
        gpu: &Gpu,
        block: usize,
        direction: Direction,
        packing: Winograd,
    ) -> Texels {
        let wanted = (block, direction, packing);
        let same = |(b, d, p, _): &&(_, _, _, _)| (*b, *d, *p) == wanted;
        if let Some((.., texels)) = self.packed_texels.iter().find(same) {
            return texels.clone();
        }
        let shape = self.shape(block, direction);
        let label = format!("packed weights {block} {direction:?}, texels");
        let texels = Texels::zeros(gpu, &label, self.nets * packing.len(shape.0, shape.1));
        self.pack.push(pack_winograd(gpu, direction, packing, shape, &self.convs[block], &texels));
        self.packed_texels.push((block, direction, packing, texels.clone()));
        texels
    }

    /// (outputs, inputs) of a block's convolution, whichever way it goes.
    fn shape(&self, block: usize, direction: Direction) -> (usize, usize) {
        match direction {
            Direction::Forward => (self.net.width(), self.net.inputs(block)),
            Direction::BackwardData => (self.net.inputs(block), self.net.width()),
        }
    }

    /// Bytes of device memory for one network's blocks: plain and as their kernels want them.
    pub fn bytes(gpu: &Gpu, net: &ConvNet) -> u64 {
        let packed: usize = net.plan(gpu.caps()).iter().map(|plan| plan.packed).sum();
        let plain = (0..net.depth()).map(|b| net.width() * (net.inputs(b) * 9 + 2));
        (packed + plain.sum::<usize>()) as u64 * 4
    }
}
