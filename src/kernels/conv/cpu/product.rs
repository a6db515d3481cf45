//! Convolutions of any kernel, stride and padding, and linear layers: products of what each position reads and the
//! weights of each output.

use std::collections::BTreeSet;

use minijinja::context;

use super::{TexelPacking, pack::Taps, texels::rows_to_texels};
use crate::{
    gpu::{Buffer, Dispatch, Gpu, Kernel, Recording, Slot, Texels, Values, fold, params},
    kernels::{
        Batch, Constants, Direction, Generated, Linear, Planes, WORKGROUP,
        layers::{Conv, ConvParams},
        wgsl,
    },
};

params! {
    struct PositionParams {
        channels: u32,
        positions: u32,
        len: u32,
        pad: u32,
    }
}

pub(in crate::kernels) const TO_POSITIONS: Kernel = Kernel {
    name: "to_positions",
    source: wgsl!("shared/grid", "shared/quotient", "shared/texels", "conv/cpu/to_positions"),
    slots: &[Slot::params::<PositionParams>(), Slot::Read, Slot::Write],
};

pub(in crate::kernels) const FROM_TEXELS: Kernel = Kernel {
    name: "texels_to_positions",
    source: wgsl!(
        "shared/grid",
        "shared/quotient",
        "shared/texels",
        "conv/cpu/texels_to_positions"
    ),
    slots: &[Slot::params::<PositionParams>(), Slot::Texels, Slot::Write],
};

/// Invocations of a workgroup of that kernel.
const INVOCATIONS: usize = 16;

const PRODUCT: &str = wgsl!(
    "shared/grid",
    "shared/quotient",
    "shared/texels",
    "shared/layer_conv",
    "conv/cpu/product"
);

const WEIGHT: &str = wgsl!(
    "shared/grid",
    "shared/quotient",
    "shared/texels",
    "shared/layer_conv",
    "conv/cpu/product_weight"
);

const SLOTS: &[Slot] =
    &[Slot::params::<ConvParams>(), Slot::Texels, Slot::Texels, Slot::Read, Slot::Write];

const WEIGHT_SLOTS: &[Slot] =
    &[Slot::params::<ConvParams>(), Slot::Texels, Slot::Texels, Slot::Write];

const BIAS: [Constants; 2] = [&[("BIAS", 0.0)], &[("BIAS", 1.0)]];

/// Turns that the gradient at the weights sums before it adds them to its total.
const TURNS: usize = 32;

/// A layer's kernels on subgroups of so many lanes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Product {
    lanes: usize,
    conv: Conv,
}

impl Product {
    /// The kernels, if there are any for so many lanes.
    pub fn new(lanes: usize, conv: Conv) -> Self {
        Self { lanes, conv }
    }

    /// A linear layer: a convolution on planes of one position.
    pub fn linear(lanes: usize, Linear { features, classes }: Linear) -> Self {
        let (inputs, outputs) = (features, classes);
        let one = Conv { inputs, outputs, size: 1, out_size: 1, kernel: 1, stride: 1, pad: 0 };
        Self::new(lanes, one)
    }

    /// How the weights lie.
    pub fn packing(&self) -> TexelPacking {
        TexelPacking::Taps(self.own_taps())
    }

    fn own_taps(&self) -> Taps {
        Taps { taps: self.taps(), lanes: self.lanes }
    }

    fn taps(&self) -> usize {
        self.conv.kernel * self.conv.kernel
    }

    /// Texels of an image to which it must be taken, from a texture or a buffer.
    pub fn input_len(&self, in_texture: bool) -> usize {
        taken((self.conv.inputs, self.conv.size), in_texture)
    }

    /// Of the gradient at what is made of it.
    pub fn d_output_len(&self, in_texture: bool) -> usize {
        taken((self.conv.outputs, self.conv.out_size), in_texture)
    }

    /// Where dense images are read: if need be, they are taken to `room` first.
    pub fn input<'a>(
        &self,
        gpu: &Gpu,
        recording: &mut Recording,
        x: Values<'a>,
        room: &'a Texels,
        images: usize,
    ) -> &'a Texels {
        to_positions(gpu, recording, (x, room), (self.conv.inputs, self.conv.size), images)
    }

    /// The same, of the gradient at what is made of them.
    pub fn d_output<'a>(
        &self,
        gpu: &Gpu,
        recording: &mut Recording,
        dy: Values<'a>,
        room: &'a Texels,
        images: usize,
    ) -> &'a Texels {
        to_positions(gpu, recording, (dy, room), (self.conv.outputs, self.conv.out_size), images)
    }

    /// Whether images in a texture can be read.
    pub fn reads_texels(&self) -> bool {
        match self.conv.size {
            1 => self.conv.inputs.is_multiple_of(8),
            size => size.is_multiple_of(2),
        }
    }

    /// Whether the result can be in a texture.
    pub fn makes_texels(&self, direction: Direction) -> bool {
        let size = match direction {
            Direction::Forward => self.conv.out_size,
            Direction::BackwardData => self.conv.size,
        };
        size.is_multiple_of(2)
    }

    /// Values of the gradient at an image that is read from a texture, if it is made in a buffer.
    pub fn gradient_apart(&self) -> Option<usize> {
        let apart = self.reads_texels() && !self.makes_texels(Direction::BackwardData);
        apart.then_some(self.conv.inputs)
    }

    /// Takes that gradient to a texture: planes of one value, four of them to a texel.
    pub fn gradient_to_texels(
        &self,
        gpu: &Gpu,
        gradient: &Buffer<f32>,
        to: &Texels,
        images: usize,
    ) -> Dispatch {
        let fours = Planes::dense(self.conv.inputs / 4, 2);
        rows_to_texels(gpu, (gradient, fours), (1, 4), to, images)
    }

    /// y (images, outputs, out_size, out_size) from x, packed weights, and bias (nets, outputs).
    pub fn forward(
        &self,
        gpu: &Gpu,
        x: &Texels,
        (weights, bias): (&Texels, Option<&Buffer<f32>>),
        y: Values<'_>,
        batch: Batch,
    ) -> Dispatch {
        self.product(gpu, Direction::Forward, x, (weights, bias), y, batch)
    }

    /// The gradient at x, from `dy` at y and the weights, packed for it.
    pub fn backward_data(
        &self,
        gpu: &Gpu,
        dy: &Texels,
        weights: &Texels,
        dx: Values<'_>,
        batch: Batch,
    ) -> Dispatch {
        self.product(gpu, Direction::BackwardData, dy, (weights, None), dx, batch)
    }

    fn product(
        &self,
        gpu: &Gpu,
        direction: Direction,
        from: &Texels,
        (weights, bias): (&Texels, Option<&Buffer<f32>>),
        to: Values<'_>,
        batch: Batch,
    ) -> Dispatch {
        let Conv { inputs, outputs, size, out_size, .. } = self.conv;
        let turned =
            Conv { inputs: outputs, outputs: inputs, size: out_size, out_size: size, ..self.conv };
        let conv = if direction == Direction::Forward { self.conv } else { turned };
        let params = conv.params(gpu, batch, false);
        // Without a bias, something else that is only read.
        let none = Buffer::params(gpu, "no bias", &0.0f32);
        let bindings = [
            params.binding(),
            from.binding(),
            weights.binding(),
            bias.map_or(none.binding(), Buffer::binding),
            to.target(),
        ];
        let way = match direction {
            Direction::Forward => Way::Forward { bias: bias.is_some() },
            Direction::BackwardData => Way::Data,
        };
        let order = match direction {
            _ if conv.kernel > 1 && conv.out_size <= 3 => Order::Places,
            Direction::BackwardData if conv.stride > 1 => Order::Apart,
            _ => Order::Rows,
        };
        // More positions share the loads of weights. Beyond 32, the text outgrows the cache of instructions. Linear layers
        // have few positions.
        let tiles = if conv.out_size > 1 { most_tiles(self.lanes) } else { 2 };
        let values = batch.images / batch.nets * conv.out_size.pow(2);
        let outs = self.own_taps().outputs_of_lane(conv.outputs);
        let blocks = conv.outputs.div_ceil(outs * self.lanes);
        let groups = batch.nets * values.div_ceil(tiles * self.lanes) * blocks;
        // In the other orders, positions that follow each other are in several texels.
        let texels = to.texels().is_some() && order == Order::Rows;
        generate((self.lanes, outs, tiles), way, order, texels)
            .dispatch(gpu, &bindings, fold(groups))
            .flops(self.conv.flops(batch))
            .fills(to, batch.nets * values * conv.outputs)
    }

    /// The gradient at the weights, (nets, outputs, inputs, kernel, kernel), from x and `dy` at y. Adds to what is
    /// there if told to `accumulate`.
    pub fn backward_weight(
        &self,
        gpu: &Gpu,
        (x, dy): (&Texels, &Texels),
        d_weights: &Buffer<f32>,
        batch: Batch,
        accumulate: bool,
    ) -> Dispatch {
        let params = self.conv.params(gpu, batch, accumulate);
        let bindings = [params.binding(), x.binding(), dy.binding(), d_weights.binding()];
        let quads = in_quads(self.conv.inputs);
        let inputs = self.conv.inputs.div_ceil(4 * quads);
        let outputs = self.conv.outputs.div_ceil(4 * self.lanes);
        generate_weight(self.lanes, quads)
            .dispatch(gpu, &bindings, fold(batch.nets * self.taps() * outputs * inputs))
            .flops(self.conv.flops(batch))
    }
}

/// Of one image, four channels of a position each.
fn texels(channels: usize, size: usize) -> usize {
    channels.div_ceil(4) * size * size
}

/// The same, of an image that [`to_positions`] does not leave where it is.
fn taken((channels, size): (usize, usize), in_texture: bool) -> usize {
    if in_texture && size == 1 { 0 } else { texels(channels, size) }
}

/// Texels of the inputs that a workgroup has, of the gradient at the weights.
fn in_quads(inputs: usize) -> usize {
    match inputs.div_ceil(4) {
        few @ (1 | 2) => few,
        3 => 2,
        _ => 4,
    }
}

/// What a product is.
#[derive(Debug, Clone, Copy)]
enum Way {
    Forward { bias: bool },
    Data,
}

/// Which positions a tile has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    /// One row of an image after the other.
    Rows,
    /// The same one of several images, on small planes.
    Places,
    /// Those that the same taps reach, on the way back through a stride.
    Apart,
}

fn most_tiles(lanes: usize) -> usize {
    32 / lanes
}

fn generate(
    (lanes, outs, tiles): (usize, usize, usize),
    way: Way,
    order: Order,
    texels: bool,
) -> Generated {
    let (name, transposed, bias) = match way {
        Way::Forward { bias } => ("forward", false, bias),
        Way::Data => ("data", true, false),
    };
    let (of, order) = match order {
        Order::Rows => ("", "rows"),
        Order::Places => (", small planes,", "places"),
        Order::Apart => (", strided,", "apart"),
    };
    let to = if texels { " to texels" } else { "" };
    Generated {
        name: format!("product_cpu_lanes {name}{of} {lanes}×{outs}×{tiles}{to}"),
        template: PRODUCT,
        values: context!(lanes, outs, tiles, transposed, order, texels),
        constants: BIAS[usize::from(bias)],
        slots: SLOTS,
    }
}

fn generate_weight(lanes: usize, quads: usize) -> Generated {
    Generated {
        name: format!("product_weight_cpu_lanes {lanes}×{quads}"),
        template: WEIGHT,
        values: context!(lanes, quads, turns => TURNS),
        constants: &[],
        slots: WEIGHT_SLOTS,
    }
}

/// Every specialisation that any adapter can ask for, for the tests that read them all.
pub(super) fn all() -> Vec<Generated> {
    let mut all = Vec::new();
    for lanes in [8, 16] {
        let tiles: BTreeSet<_> = [2, most_tiles(lanes)].into();
        let shapes =
            || [2, 4].into_iter().flat_map(|outs| tiles.iter().map(move |&t| (lanes, outs, t)));
        for way in [Way::Forward { bias: false }, Way::Forward { bias: true }, Way::Data] {
            for shape in shapes() {
                all.extend([false, true].map(|texels| generate(shape, way, Order::Rows, texels)));
                all.push(generate(shape, way, Order::Places, false));
            }
        }
        all.extend(shapes().map(|shape| generate(shape, Way::Data, Order::Apart, false)));
        all.extend([1, 2, 4].map(|quads| generate_weight(lanes, quads)));
    }
    all
}

fn to_positions<'a>(
    gpu: &Gpu,
    recording: &mut Recording,
    (planes, room): (Values<'a>, &'a Texels),
    (channels, size): (usize, usize),
    images: usize,
) -> &'a Texels {
    let (positions, len) = (size * size, images * texels(channels, size));
    let params = PositionParams {
        channels: channels as u32,
        positions: positions as u32,
        len: len as u32,
        pad: 0,
    };
    let params = Buffer::params(gpu, "to_positions params", &params);
    let bindings = [params.binding(), planes.binding(), room.target()];
    let (kernel, groups) = match planes {
        Values::Buffer(_) => (&TO_POSITIONS, len.div_ceil(WORKGROUP)),
        // Of one position, four channels lie beside one another in any case.
        Values::Texels(own) if size == 1 => return own,
        Values::Texels(_) => (&FROM_TEXELS, (len / positions).div_ceil(INVOCATIONS)),
    };
    let values = images * channels * positions + 4 * len;
    let dispatch = kernel.dispatch(gpu, &[], &bindings, fold(groups));
    recording.push(dispatch.values(values).fills(room, 4 * len));
    room
}
