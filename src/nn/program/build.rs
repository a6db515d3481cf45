//! From layers to operations, with every shape checked.

use super::{Op, OpKind, Param, Program, Role, Room, Value, slots};
use crate::{
    Error, Result,
    kernels::{
        Linear,
        layers::{Activation, Conv, Norm, Pool, PoolKind, Statistics},
    },
    nn::{ConvNet, Layer, NormKind},
};

/// The program of these layers on (channels, size, size) images.
pub(in crate::nn) fn build(images: (usize, usize), layers: &[Layer]) -> Result<Program> {
    of_layers(images, layers, blocks(images, layers), false)
}

/// The same twice without biases that the instance norm after a convolution would cancel, in blocks or not: with every layer
/// an operation of its own, so that what blocks keep to themselves is there to be read, and as it is fast. The parameters
/// of the former are those of the latter, but of blocks: there convolution and norm take turns.
pub(in crate::nn) fn build_apart(images: (usize, usize), layers: &[Layer]) -> Result<[Program; 2]> {
    let layers = without_cancelled(layers);
    let blocks = blocks(images, &layers);
    Ok([of_layers(images, &layers, (None, 0), true)?, of_layers(images, &layers, blocks, false)?])
}

/// A ReLU that follows a norm is one operation with it: the kernels of norms do both, and nobody else reads what is between.
fn with_relus_in_norms(ops: Vec<Op>) -> Vec<Op> {
    let mut own: Vec<Op> = Vec::with_capacity(ops.len());
    for op in ops {
        match (own.last_mut(), op.kind) {
            (Some(Op { kind: OpKind::Norm(norm), output, .. }), OpKind::Act(Activation::Relu))
                if *output == op.input =>
            {
                norm.relu = true;
                *output = op.output;
            }
            _ => own.push(op),
        }
    }
    own
}

fn without_cancelled(layers: &[Layer]) -> Vec<Layer> {
    let norms = layers.iter().skip(1).map(Some).chain([None]);
    let own = layers.iter().zip(norms).map(|(layer, next)| match (layer, next) {
        (&Layer::Conv { out, kernel, stride, pad, .. }, Some(Layer::Norm(NormKind::Instance))) => {
            Layer::Conv { out, kernel, stride, pad, bias: false }
        }
        (Layer::Residual { body, shortcut }, _) => {
            Layer::Residual { body: without_cancelled(body), shortcut: without_cancelled(shortcut) }
        }
        (layer, _) => layer.clone(),
    });
    own.collect()
}

fn of_layers(
    (channels, size): (usize, usize),
    layers: &[Layer],
    (blocks, taken): (Option<ConvNet>, usize),
    apart: bool,
) -> Result<Program> {
    let what = format!("network on {channels}×{size}×{size} images");
    if !matches!(channels, 1 | 3) || size == 0 {
        return Err(Error::shape(what, "images have 1 or 3 channels, and at least one pixel"));
    }
    if !matches!(layers.last(), Some(Layer::Linear { .. })) {
        return Err(Error::shape(what, "the last layer must be linear, one output per class"));
    }
    let shape = match &blocks {
        Some(net) => Shape::Planes(net.width(), net.planes()[net.depth() - 1] / 2),
        None => Shape::Planes(channels, size),
    };
    let mut builder = Builder { what, ..Builder::default() };
    let first = builder.value(shape.len());
    let (output, _) = builder.list("", taken, &layers[taken..], (first, shape))?;
    let Builder { values, ops, params, .. } = builder;
    let ops = if apart { ops } else { with_relus_in_norms(ops) };
    let (images, room) = ((channels, size), Room::default());
    let buffers_alone = apart;
    let mut program = Program { images, blocks, values, ops, params, output, buffers_alone, room };
    program.room = slots::assign(&program, None);
    Ok(program)
}

/// The blocks at the beginning that the fast kernels know, and how many layers these are.
fn blocks((channels, size): (usize, usize), layers: &[Layer]) -> (Option<ConvNet>, usize) {
    const LAYERS: usize = 4;
    let width = |block: usize, layers: &[Layer]| match *layers {
        [
            Layer::Conv { out, kernel: 3, stride: 1, pad, .. },
            Layer::Norm(NormKind::Instance),
            Layer::Act { kind: Activation::Relu },
            Layer::Pool { kind: PoolKind::Avg, kernel: 2, stride: 2, pad: 0 },
        ] if pad == if block == 0 && channels == 1 { 3 } else { 1 } => Some(out),
        _ => None,
    };
    let widths = layers.chunks(LAYERS).enumerate().map_while(|(b, block)| width(b, block));
    let widths: Vec<_> = widths.collect();
    // As many as make a ConvNet.
    let depths = (1..=widths.iter().take_while(|&&width| width == widths[0]).count()).rev();
    let mut nets = depths.filter_map(|depth| ConvNet::new(channels, size, widths[0], depth).ok());
    nets.next().map_or((None, 0), |net| {
        let taken = LAYERS * net.depth();
        (Some(net), taken)
    })
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Shape {
    /// Channels, height and width.
    Planes(usize, usize),
    Vector(usize),
}

impl Shape {
    fn len(self) -> usize {
        match self {
            Self::Planes(channels, size) => channels * size * size,
            Self::Vector(len) => len,
        }
    }
}

impl std::fmt::Display for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Planes(channels, size) => write!(f, "{channels}×{size}×{size}"),
            Self::Vector(len) => write!(f, "{len} features"),
        }
    }
}

/// More values than a parameter or an image's tensor may have: 1 GiB.
const MOST: usize = 1 << 28;

#[derive(Default)]
struct Builder {
    what: String,
    values: Vec<Value>,
    ops: Vec<Op>,
    params: Vec<Param>,
}

type Made = (usize, Shape);

impl Builder {
    fn value(&mut self, len: usize) -> usize {
        let id = self.values.len();
        self.values.push(Value { len, tensor: id, gradient: id });
        id
    }

    fn wrong(&self, path: &str, layer: &str, reason: impl std::fmt::Display) -> Error {
        Error::shape(self.what.clone(), format!("layer {path} ({layer}): {reason}"))
    }

    /// An operation that makes a new value.
    fn op(&mut self, kind: OpKind, input: usize, len: usize) -> usize {
        let output = self.value(len);
        let first_param = self.params.len();
        self.ops.push(Op { kind, input, output, first_param });
        output
    }

    fn param(&mut self, path: &str, role: Role, len: usize) {
        self.params.push(Param { path: path.to_owned(), role, len });
    }

    /// Layers of a list, numbered from `first` on.
    fn list(&mut self, prefix: &str, first: usize, layers: &[Layer], from: Made) -> Result<Made> {
        let mut at = from;
        for (number, layer) in (first..).zip(layers) {
            at = self.layer(&format!("{prefix}{number}"), layer, at)?;
        }
        Ok(at)
    }

    fn layer(&mut self, path: &str, layer: &Layer, (input, shape): Made) -> Result<Made> {
        Ok(match (layer, shape) {
            (&Layer::Conv { out, kernel, stride, pad, bias }, Shape::Planes(inputs, size)) => {
                let name = format!("conv {kernel}×{kernel}");
                let out_size = self.windows(path, &name, size, (kernel, stride, pad))?;
                let conv = Conv { inputs, outputs: out, size, out_size, kernel, stride, pad };
                let weights = [out, inputs, kernel, kernel];
                let weights = self.bounded(path, &name, &weights)?;
                let made = Shape::Planes(out, out_size);
                self.bounded(path, &name, &[out, out_size, out_size])?;
                let output = self.op(OpKind::Conv { conv, bias }, input, made.len());
                let fan_in = inputs * kernel * kernel;
                self.param(path, Role::Weight { fan_in }, weights);
                if bias {
                    self.param(path, Role::Bias { fan_in }, out);
                }
                (output, made)
            }
            (Layer::Norm(NormKind::None), Shape::Planes(..)) => (input, shape),
            (&Layer::Norm(kind), Shape::Planes(channels, size)) => {
                let statistics = match kind {
                    NormKind::Batch => Statistics::Batch,
                    NormKind::Group { groups } => Statistics::Groups(groups),
                    NormKind::Instance => Statistics::Groups(channels),
                    NormKind::Layer | NormKind::None => Statistics::Groups(1),
                };
                let per_value = kind == NormKind::Layer;
                let (positions, relu) = (size * size, false);
                let norm = Norm { channels, positions, statistics, per_value, relu };
                if let Statistics::Groups(groups) = statistics {
                    if groups == 0 || !channels.is_multiple_of(groups) {
                        let reason = format!("{channels} channels are not {groups} equal groups");
                        return Err(self.wrong(path, "norm", reason));
                    }
                    if shape.len() == groups {
                        let reason = format!("planes of {size}×{size} have no variance");
                        return Err(self.wrong(path, "norm", reason));
                    }
                }
                let output = self.op(OpKind::Norm(norm), input, shape.len());
                self.param(path, Role::Affine, 2 * norm.affines());
                if kind == NormKind::Batch {
                    self.param(path, Role::Running, 2 * channels);
                }
                (output, shape)
            }
            (&Layer::Act { kind }, _) => (self.op(OpKind::Act(kind), input, shape.len()), shape),
            (&Layer::Pool { kind, kernel, stride, pad }, Shape::Planes(channels, size)) => {
                let name = format!("pool {kernel}×{kernel}");
                if pad > kernel / 2 {
                    return Err(self.wrong(path, &name, "pads by more than half a window"));
                }
                let out_size = self.windows(path, &name, size, (kernel, stride, pad))?;
                let pool = Pool { kind, channels, size, out_size, kernel, stride, pad };
                let made = Shape::Planes(channels, out_size);
                (self.op(OpKind::Pool(pool), input, made.len()), made)
            }
            (Layer::Flatten, Shape::Planes(..)) => (input, Shape::Vector(shape.len())),
            (&Layer::Linear { out }, Shape::Vector(features)) => {
                let weights = self.bounded(path, "linear", &[out, features])?;
                let linear = Linear { features, classes: out };
                let output = self.op(OpKind::Linear(linear), input, out);
                self.param(path, Role::Weight { fan_in: features }, weights);
                self.param(path, Role::Bias { fan_in: features }, out);
                (output, Shape::Vector(out))
            }
            (Layer::Residual { body, shortcut }, _) => {
                self.residual(path, (body, shortcut), (input, shape))?
            }
            (Layer::Flatten | Layer::Conv { .. } | Layer::Norm(_) | Layer::Pool { .. }, _) => {
                return Err(self.wrong(path, "flattened images", "it needs images, not features"));
            }
            (Layer::Linear { .. }, _) => {
                return Err(self.wrong(
                    path,
                    "linear",
                    "it needs features; flatten the images first",
                ));
            }
        })
    }

    fn residual(
        &mut self,
        path: &str,
        (body, shortcut): (&[Layer], &[Layer]),
        (input, shape): Made,
    ) -> Result<Made> {
        // Two more values that are the same tensor, each with a gradient of its own.
        let [one, other] = [0; 2].map(|_| self.value(shape.len()));
        for way in [one, other] {
            self.values[way].tensor = self.values[input].tensor;
        }
        let first_param = self.params.len();
        self.ops.push(Op { kind: OpKind::Part { other }, input, output: one, first_param });
        let (one, made) = self.list(&format!("{path}.body."), 0, body, (one, shape))?;
        let (other, also) = self.list(&format!("{path}.shortcut."), 0, shortcut, (other, shape))?;
        if made != also {
            let reason = format!("its body makes {made}, its shortcut {also}");
            return Err(self.wrong(path, "residual", reason));
        }
        let output = self.op(OpKind::Meet { other }, one, made.len());
        // A value that shares the gradient of one of the branches, such as a residual at its end, shares that of the
        // sum as well.
        for way in [one, other].map(|way| self.values[way].gradient) {
            let own = self.values.iter_mut().filter(|value| value.gradient == way);
            own.for_each(|value| value.gradient = output);
        }
        Ok((output, made))
    }

    /// How many windows of (kernel, stride, pad) there are side by side.
    fn windows(
        &self,
        path: &str,
        name: &str,
        size: usize,
        (kernel, stride, pad): (usize, usize, usize),
    ) -> Result<usize> {
        const LARGEST: usize = 1 << 12;
        if [kernel, stride, pad].iter().any(|&n| n > LARGEST) || kernel == 0 || stride == 0 {
            let reason = format!("kernel and stride are 1 to {LARGEST}, the padding not more");
            return Err(self.wrong(path, name, reason));
        }
        match (size + 2 * pad).checked_sub(kernel) {
            Some(left) => Ok(left / stride + 1),
            None => Err(self.wrong(path, name, format!("planes of {size}×{size} are too small"))),
        }
    }

    /// The product of these, if it is neither zero nor too large.
    fn bounded(&self, path: &str, name: &str, factors: &[usize]) -> Result<usize> {
        let product = factors.iter().try_fold(1usize, |all, &one| all.checked_mul(one));
        match product {
            Some(some @ 1..=MOST) => Ok(some),
            _ => {
                let reason = format!("{factors:?} values; 1 to {MOST} are possible");
                Err(self.wrong(path, name, reason))
            }
        }
    }
}
