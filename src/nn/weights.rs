//! The parameters of one or several random networks, plain and as the fast kernels read them.

mod xavier;

use wgpu::util::StagingBelt;

use super::{
    ConvNet,
    fast::Fast,
    forms::{Form, Ways, forms},
    program::{Param, Program},
};
use crate::{
    Error, Result,
    gpu::{Buffer, Gpu, Memory, Recording, Submissions, Texels},
    kernels::{
        Direction, Draw, NetworkKey, Packing,
        cpu::{TexelPacking, Winograd, pack_texels},
        init_weights, pack_weights,
    },
    rng::Purpose,
};

/// All parameters of `nets` networks. Those of blocks are convolution weights (nets, width, inputs, 3, 3) and the
/// norm's weight and bias (nets, width, 2), which begin as 1 and 0. Convolutions of blocks have no bias: the instance
/// norm after each would cancel it.
#[derive(Debug)]
pub(crate) struct Weights<M: Memory = Gpu> {
    blocks: Option<ConvNet>,
    nets: usize,
    key: M::Buffer<NetworkKey>,
    convs: Vec<M::Buffer<f32>>,
    affines: Vec<M::Buffer<f32>>,
    /// The parameters of the operations after the blocks, and their descriptions.
    others: Vec<M::Buffer<f32>>,
    params: Vec<Param>,
    draw: Recording,
    /// Rearranged for one kernel each.
    packed: Vec<Packed<Packing, M::Buffer<f32>>>,
    packed_texels: Vec<Packed<TexelPacking, M::Texels>>,
    pack: Recording,
}

/// Convolution weights as a kernel reads them.
#[derive(Debug)]
struct Packed<P, B> {
    of: Of,
    direction: Direction,
    packing: P,
    /// (outputs, inputs), whichever way it goes.
    shape: (usize, usize),
    values: B,
}

/// Whose weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    Block(usize),
    /// Of an operation, by the number of the parameter.
    Param(usize),
}

impl<P: PartialEq, B> Packed<P, B> {
    fn find(all: &[Self], (of, direction, packing): (Of, Direction, P)) -> Result<&B> {
        let wanted = |packed: &&Self| {
            (packed.of, packed.direction) == (of, direction) && packed.packing == packing
        };
        all.iter().find(wanted).map(|packed| &packed.values).ok_or_else(|| {
            let reason = format!("the weights of {of:?} are not packed for {direction:?}");
            Error::gpu("record a network", reason)
        })
    }
}

impl<M: Memory> Weights<M> {
    /// Room for them, as drawn and as their kernels read them. Nothing is recorded.
    pub fn room(memory: &M, program: &Program, nets: usize, ways: Ways) -> Self {
        Self::plain_room(memory, program, nets).with_forms(memory, program, ways)
    }

    /// Room for them as drawn, for networks that no image goes through.
    pub fn plain_room(memory: &M, program: &Program, nets: usize) -> Self {
        let blocks = program.blocks.clone();
        let buffers = |label: &str, len: &dyn Fn(&ConvNet, usize) -> usize| {
            let of_net = |net: &ConvNet| {
                let buffer =
                    |b| memory.buffer(&format!("{label} {b}"), nets * net.width() * len(net, b));
                (0..net.depth()).map(buffer).collect()
            };
            blocks.as_ref().map(of_net).unwrap_or_default()
        };
        let other = |param: &Param| memory.buffer(&param.label("parameter"), nets * param.len);
        Self {
            nets,
            key: memory.buffer("network key", 1),
            convs: buffers("conv weights", &|net, block| net.inputs(block) * 9),
            affines: buffers("affine", &|_, _| 2),
            others: program.params.iter().map(other).collect(),
            params: program.params.clone(),
            draw: Recording::default(),
            packed: Vec::new(),
            packed_texels: Vec::new(),
            pack: Recording::default(),
            blocks,
        }
    }

    /// The same values as those of the program with every layer an operation of its own, in the forms that the kernels of
    /// this one want.
    pub fn sharing(memory: &M, program: &Program, ways: Ways, plain: &Self) -> Self {
        let depth = program.blocks.as_ref().map_or(0, ConvNet::depth);
        // There a block's convolution and norm take turns.
        let of_blocks = |which| plain.others.iter().skip(which).step_by(2).take(depth).cloned();
        let weights = Self {
            blocks: program.blocks.clone(),
            nets: plain.nets,
            key: plain.key.clone(),
            convs: of_blocks(0).collect(),
            affines: of_blocks(1).collect(),
            others: plain.others[2 * depth..].to_vec(),
            params: program.params.clone(),
            draw: Recording::default(),
            packed: Vec::new(),
            packed_texels: Vec::new(),
            pack: Recording::default(),
        };
        weights.with_forms(memory, program, ways)
    }

    /// Room for the forms in which kernels read them.
    fn with_forms(self, memory: &M, program: &Program, ways: Ways) -> Self {
        let mut weights = self;
        let mut in_textures = Vec::new();
        let blocks = program.blocks.as_ref();
        let plans = blocks.map(|net| net.plan(memory.caps())).unwrap_or_default();
        for (block, direction, form) in forms(&plans, ways) {
            let shape = weights.shape(block, direction);
            let texels = weights.add(memory, Of::Block(block), direction, form, shape);
            in_textures.extend(texels);
        }
        for op in &program.ops {
            let (Some(fast), Some(ahead)) = (Fast::of(memory.caps(), op.kind), op.kind.shape())
            else {
                continue;
            };
            let back = (ahead.1, ahead.0);
            for (direction, form) in fast.forms(ways) {
                let shape = if direction == Direction::Forward { ahead } else { back };
                let of = Of::Param(op.first_param);
                in_textures.extend(weights.add(memory, of, direction, form, shape));
            }
        }
        let len = |packed: &Packed<TexelPacking, ()>| {
            weights.nets * packed.packing.len(packed.shape.0, packed.shape.1)
        };
        if let Some(most) = in_textures.iter().map(len).max() {
            let staging = memory.staging("packed weights, written", most);
            let made = |packed: &Packed<TexelPacking, ()>| {
                let Packed { of, direction, packing, shape, .. } = *packed;
                let label = format!("packed weights {of} {direction:?}, texels");
                let values = memory.texels(&label, len(packed), &staging);
                Packed { of, direction, packing, shape, values }
            };
            weights.packed_texels = in_textures.iter().map(made).collect();
        }
        weights
    }

    /// Adds a form, or returns that it is to be added in a texture.
    fn add(
        &mut self,
        memory: &M,
        of: Of,
        direction: Direction,
        form: Form,
        shape: (usize, usize),
    ) -> Option<Packed<TexelPacking, ()>> {
        match form {
            Form::Buffer(packing) => {
                let label = format!("packed weights {of} {direction:?}");
                let values = memory.buffer(&label, self.nets * packing.len(shape.0, shape.1));
                self.packed.push(Packed { of, direction, packing, shape, values });
                None
            }
            Form::Texels(packing) => Some(Packed { of, direction, packing, shape, values: () }),
        }
    }

    /// (outputs, inputs) of a block's convolution, whichever way it goes.
    fn shape(&self, block: usize, direction: Direction) -> (usize, usize) {
        let (outputs, inputs) =
            self.blocks.as_ref().map_or((0, 0), |net| (net.width(), net.inputs(block)));
        match direction {
            Direction::Forward => (outputs, inputs),
            Direction::BackwardData => (inputs, outputs),
        }
    }
}

impl Weights {
    pub fn new(gpu: &Gpu, program: &Program, nets: usize, ways: Ways) -> Self {
        let mut weights = Self::room(gpu, program, nets, ways);
        weights.record(gpu);
        weights
    }

    /// Records how they are drawn and rearranged.
    pub fn record(&mut self, gpu: &Gpu) {
        self.begin_recording(gpu);
        // Each drawn parameter has a number of its own, in the order of the network.
        let fan_ins = (0..self.convs.len()).map(|block| {
            let inputs = self.blocks.as_ref().map_or(0, |net| net.inputs(block));
            (&self.convs[block], inputs * 9)
        });
        let others = self
            .others
            .iter()
            .zip(&self.params)
            .filter_map(|(values, param)| param.role.fan_in().map(|fan_in| (values, fan_in)));
        for (number, (values, fan_in)) in fan_ins.chain(others).enumerate() {
            let drawn = Draw::Uniform(1.0 / (fan_in as f32).sqrt());
            self.draw.push(init_weights(gpu, &self.key, number, drawn, values, self.nets));
        }
        self.record_packing(gpu);
    }

    fn begin_recording(&mut self, gpu: &Gpu) {
        self.key.write(gpu, &[NetworkKey::new(0, Purpose::Weights, 0)]);
        self.reset_affines(gpu);
        self.draw = Recording::default();
    }

    /// Records how they are rearranged alone, for what is not drawn and begins as zeros: a direction.
    pub fn record_packing(&mut self, gpu: &Gpu) {
        self.pack = Recording::default();
        for &Packed { of, direction, packing, shape, ref values } in &self.packed {
            let plain = self.plain(of);
            self.pack.push(pack_weights(gpu, direction, packing, shape, plain, values));
        }
        for &Packed { of, direction, packing, shape, ref values } in &self.packed_texels {
            let plain = self.plain(of);
            self.pack.push(pack_texels(gpu, direction, packing, shape, plain, values));
        }
    }

    /// Makes every norm's weight 1 and bias 0, running means 0 and variances 1, before what is submitted next.
    pub fn reset_affines(&self, gpu: &Gpu) {
        for (buffer, values) in self.first_pairs() {
            buffer.write(gpu, &values);
        }
    }

    /// The same for what comes after it in `encoder`.
    pub fn reset_affines_staged(
        &self,
        belt: &mut StagingBelt,
        encoder: &mut wgpu::CommandEncoder,
    ) -> Result<()> {
        self.first_pairs().try_for_each(|(buffer, values)| buffer.stage(belt, encoder, &values))
    }

    /// What is not drawn, and what it begins as.
    fn first_pairs(&self) -> impl Iterator<Item = (&Buffer<f32>, Vec<f32>)> {
        let blocks = self.affines.iter().map(|affine| (affine, Some([1.0, 0.0])));
        let others = self.others.iter().zip(&self.params);
        let others = others.map(|(values, param)| (values, param.role.begins_with()));
        let all = blocks.chain(others);
        all.filter_map(|(values, pair)| Some((values, pair?.repeat(values.len() / 2))))
    }

    /// Draws the networks that `key` names, and rearranges them. Earlier submissions are not affected.
    pub fn draw(&self, gpu: &Gpu, submissions: &mut Submissions<'_>, key: NetworkKey) {
        submissions.submit();
        self.key.write(gpu, &[key]);
        submissions.run(&self.draw, "draw networks");
        submissions.run(&self.pack, "pack weights");
    }

    /// Records which networks the following [`drawing`](Self::drawing) draws. One encoder may contain this several
    /// times.
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

    /// The packing that must follow every change of the weights.
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

    /// A parameter of the operations after the blocks.
    pub fn other(&self, param: usize) -> &Buffer<f32> {
        &self.others[param]
    }

    /// All: the blocks' convolutions, their norms, and those of the operations.
    pub fn all(&self) -> impl Iterator<Item = &Buffer<f32>> {
        self.convs.iter().chain(&self.affines).chain(&self.others)
    }

    /// A block's weights as a kernel reads them, kept up to date by [`packing`](Self::packing).
    ///
    /// # Errors
    /// If the [`Ways`] for which these weights were made do not need this form.
    pub fn packed(
        &self,
        block: usize,
        direction: Direction,
        packing: Option<Packing>,
    ) -> Result<&Buffer<f32>> {
        self.find(Of::Block(block), direction, packing)
    }

    /// As [`packed`](Self::packed), of a convolution among the operations, by the number of its parameter.
    ///
    /// # Errors
    /// As [`packed`](Self::packed).
    pub fn packed_param(
        &self,
        param: usize,
        direction: Direction,
        packing: Option<Packing>,
    ) -> Result<&Buffer<f32>> {
        self.find(Of::Param(param), direction, packing)
    }

    fn find(&self, of: Of, direction: Direction, packing: Option<Packing>) -> Result<&Buffer<f32>> {
        match packing {
            Some(packing) => Packed::find(&self.packed, (of, direction, packing)),
            None => Ok(self.plain(of)),
        }
    }

    fn plain(&self, of: Of) -> &Buffer<f32> {
        match of {
            Of::Block(block) => &self.convs[block],
            Of::Param(param) => &self.others[param],
        }
    }

    /// As [`packed`](Self::packed), for the kernels of CPU adapters.
    ///
    /// # Errors
    /// As [`packed`](Self::packed).
    pub fn packed_texels(
        &self,
        block: usize,
        direction: Direction,
        packing: Winograd,
    ) -> Result<&Texels> {
        let packing = TexelPacking::Winograd(packing);
        Packed::find(&self.packed_texels, (Of::Block(block), direction, packing))
    }

    /// As [`packed_param`](Self::packed_param), for the kernels of CPU adapters.
    ///
    /// # Errors
    /// As [`packed`](Self::packed).
    pub fn packed_param_texels(
        &self,
        param: usize,
        direction: Direction,
        packing: TexelPacking,
    ) -> Result<&Texels> {
        Packed::find(&self.packed_texels, (Of::Param(param), direction, packing))
    }
}

impl std::fmt::Display for Of {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Block(block) => write!(f, "{block}"),
            Self::Param(param) => write!(f, "of parameter {param}"),
        }
    }
}
