//! A network's layers as a list of operations: the input, output and parameters of each, and which tensors can share
//! memory.

mod build;
mod slots;

use super::ConvNet;
use crate::kernels::{
    Linear,
    layers::{Activation, Conv, Norm, Pool},
};

pub(super) use build::{build, build_apart};

/// What a network does to a batch, in order.
///
/// Blocks at the network's beginning that the fast kernels know are not operations: they come before the first one,
/// which then reads their output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Program {
    /// (channels, size) of the images.
    pub images: (usize, usize),
    /// The blocks at the beginning.
    pub blocks: Option<ConvNet>,
    pub values: Vec<Value>,
    pub ops: Vec<Op>,
    /// Parameters of the operations.
    pub params: Vec<Param>,
    /// The value that is the output.
    pub output: usize,
    /// Whether all tensors must lie in buffers: passes along a direction read them there.
    pub buffers_alone: bool,
    pub room: Room,
}

/// What flows from one operation to the next. Value 0 is what the first one reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Value {
    /// Of one image.
    pub len: usize,
    /// Which tensor it is. One tensor may be several values, for instance under another shape.
    pub tensor: usize,
    /// Which tensor is the gradient at it.
    pub gradient: usize,
}

/// One operation. Its place in the list is its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Op {
    pub kind: OpKind,
    pub input: usize,
    pub output: usize,
    /// The first of its parameters.
    pub first_param: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OpKind {
    /// Parameters: weight, perhaps bias.
    Conv {
        conv: Conv,
        bias: bool,
    },
    /// Parameters: weight and bias in one; of a batch norm also its running statistics.
    Norm(Norm),
    Act(Activation),
    Pool(Pool),
    /// Parameters: weight, bias.
    Linear(Linear),
    /// A residual's two branches begin: `output` and this value are both the input. Backward, their gradients are
    /// added.
    Part {
        other: usize,
    },
    /// The branches end: the sum of `input` and this value. Backward, both have the gradient of the output.
    Meet {
        other: usize,
    },
}

impl OpKind {
    /// Whether its second parameter is a bias.
    pub fn has_bias(self) -> bool {
        matches!(self, Self::Conv { bias: true, .. } | Self::Linear(_))
    }

    /// (outputs, inputs) of its weights, if it multiplies by any.
    pub fn shape(self) -> Option<(usize, usize)> {
        match self {
            Self::Conv { conv, .. } => Some((conv.outputs, conv.inputs)),
            Self::Linear(linear) => Some((linear.classes, linear.features)),
            _ => None,
        }
    }
}

/// One parameter of one network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Param {
    /// Its layer's positions in the lists of layers, `6.shortcut.0`.
    pub path: String,
    pub role: Role,
    pub len: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Drawn from U(−1/√fan_in, 1/√fan_in).
    Weight { fan_in: usize },
    /// Drawn likewise.
    Bias { fan_in: usize },
    /// Pairs of weight and bias, at first 1 and 0.
    Affine,
    /// Pairs of mean and variance, at first 0 and 1, that training does not move by gradients.
    Running,
}

/// Which tensors lie in textures, and which gradients; the others lie in buffers.
#[derive(Debug, Clone)]
pub(super) struct Places {
    pub tensors: Vec<bool>,
    pub gradients: Vec<bool>,
}

/// Which tensors share memory. Two that are never needed at the same time may lie in one slot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Room {
    pub tensors: Slots,
    pub gradients: Slots,
}

/// Memory for tensors, or for gradients.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Slots {
    /// Values of one image in each buffer.
    pub buffers: Vec<usize>,
    /// The same, of each texture.
    pub textures: Vec<usize>,
    /// Where each tensor is. Tensor 0, what the first operation reads, has no place here.
    of: Vec<Option<Slot>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slot {
    Buffer(usize),
    Texture(usize),
}

impl Slots {
    /// Values of one image in the largest texture.
    pub fn largest_texture(&self) -> usize {
        self.textures.iter().max().copied().unwrap_or(0)
    }

    /// Of a program whose only tensor is another's.
    fn none() -> Self {
        Self { of: vec![None], ..Self::default() }
    }
}

impl Role {
    /// The fan-in that bounds the drawn values, if the parameter is drawn.
    pub fn fan_in(self) -> Option<usize> {
        match self {
            Self::Weight { fan_in } | Self::Bias { fan_in } => Some(fan_in),
            Self::Affine | Self::Running => None,
        }
    }

    /// The initial value of its pairs, if it consists of pairs.
    pub fn begins_with(self) -> Option<[f32; 2]> {
        match self {
            Self::Weight { .. } | Self::Bias { .. } => None,
            Self::Affine => Some([1.0, 0.0]),
            Self::Running => Some([0.0, 1.0]),
        }
    }
}

impl Param {
    /// The label of a buffer for it.
    pub fn label(&self, what: &str) -> String {
        let role = match self.role {
            Role::Weight { .. } => "weight",
            Role::Bias { .. } => "bias",
            Role::Affine => "affine",
            Role::Running => "running",
        };
        format!("{what} {}.{role}", self.path)
    }
}

impl Program {
    /// These blocks and nothing else: the output is their embedding.
    pub fn of_blocks(net: &ConvNet) -> Self {
        Self {
            images: (net.channels(), net.size()),
            values: vec![Value { len: net.features(), tensor: 0, gradient: 0 }],
            blocks: Some(net.clone()),
            ops: Vec::new(),
            params: Vec::new(),
            output: 0,
            buffers_alone: false,
            room: Room { tensors: Slots::none(), gradients: Slots::none() },
        }
    }

    /// Lengths of all parameters, in the order of `Weights::all`.
    pub fn lens(&self) -> Vec<usize> {
        let blocks = |len: &dyn Fn(&ConvNet, usize) -> usize| -> Vec<usize> {
            let of = |net: &ConvNet| (0..net.depth()).map(|b| net.width() * len(net, b)).collect();
            self.blocks.as_ref().map(of).unwrap_or_default()
        };
        let convs = blocks(&|net, block| net.inputs(block) * 9);
        let others = self.params.iter().map(|param| param.len).collect();
        [convs, blocks(&|_, _| 2), others].concat()
    }

    /// The same, 0 for those that have no gradient.
    pub fn trained(&self) -> Vec<usize> {
        let with_gradient = |(len, (_, role)): (usize, (String, Role))| match role {
            Role::Running => 0,
            Role::Weight { .. } | Role::Bias { .. } | Role::Affine => len,
        };
        self.lens().into_iter().zip(self.paths()).map(with_gradient).collect()
    }

    /// Path and role of all parameters, in the order of `Weights::all`.
    pub fn paths(&self) -> Vec<(String, Role)> {
        let blocks = self.blocks.as_ref().map_or(0, ConvNet::depth);
        let conv = |block: usize| {
            let fan_in = self.blocks.as_ref().map_or(0, |net| 9 * net.inputs(block));
            ((4 * block).to_string(), Role::Weight { fan_in })
        };
        let norm = |block: usize| ((4 * block + 1).to_string(), Role::Affine);
        let others = self.params.iter().map(|param| (param.path.clone(), param.role));
        (0..blocks).map(conv).chain((0..blocks).map(norm)).chain(others).collect()
    }

    /// The slot of a value, if it is not what the first operation reads.
    pub fn slot(&self, value: usize) -> Option<Slot> {
        self.room.tensors.of[self.values[value].tensor]
    }

    /// The slot of the gradient at a value, if anything reads that.
    pub fn gradient_slot(&self, value: usize) -> Option<Slot> {
        self.room.gradients.of[self.values[value].gradient]
    }

    /// Whether the gradient at a value is the one at what the first operation reads.
    pub fn is_first(&self, value: usize) -> bool {
        self.values[value].gradient == self.values[0].gradient
    }

    /// Values of an image.
    pub fn image_len(&self) -> usize {
        self.images.0 * self.images.1 * self.images.1
    }

    /// Values of an image in the output.
    pub fn features(&self) -> usize {
        self.values[self.output].len
    }

    /// Whether an image's values depend on those of others in the batch, in training.
    pub fn has_batch_norm(&self) -> bool {
        self.params.iter().any(|param| param.role == Role::Running)
    }

    /// All operations but the last, which must be the last linear layer: the output is the embedding.
    pub fn embedding(&self) -> Self {
        let mut own = self.clone();
        if let Some(last) = own.ops.pop() {
            own.params.truncate(last.first_param);
            own.output = last.input;
        }
        own.room = slots::assign(&own, None);
        own
    }

    /// The same, with tensors in such places.
    pub(super) fn placed(&self, places: &Places) -> Self {
        Self { room: slots::assign(self, Some(places)), ..self.clone() }
    }
}

#[cfg(test)]
mod tests;
