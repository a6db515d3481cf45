//! Gradient matching: how far the gradients at a network's weights are apart that real and synthetic images of a class
//! leave (Zhao, Mopuri & Bilen, ICLR 2021), and the direction of the weights in which that grows.

use crate::{
    gpu::{Buffer, Gpu, Memory, Recording},
    kernels::{Batch, Distance, Nets, PRODUCTS, Rows, distance},
    nn::{ConvNet, Gradients, OpKind, Program, Weights},
};

/// The gradients of both sides, by some networks, and what they come to.
#[derive(Debug)]
pub(crate) struct MatchedGradients<M: Memory = Gpu> {
    kind: Distance,
    /// Blocks at the beginning of the network that gradients come from.
    blocks: usize,
    /// Of each parameter, none for those that do not count.
    rows: Vec<Option<Rows>>,
    real: Vec<M::Buffer<f32>>,
    synthetic: Vec<M::Buffer<f32>>,
    parts: M::Buffer<f32>,
    products: M::Buffer<f32>,
    total: M::Buffer<f32>,
    losses: M::Buffer<f32>,
}

/// Which images gradients are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Real,
    Synthetic,
}

impl<M: Memory> MatchedGradients<M> {
    /// For gradients of so many networks at most, which have every layer as an operation of its own; `fast` is the same with
    /// blocks, which they come from. Nothing is written.
    pub fn room(
        memory: &M,
        (program, fast): (&Program, &Program),
        nets: usize,
        kind: Distance,
        classes: usize,
    ) -> Self {
        let rows = rows(program, kind);
        let count: usize = rows.iter().flatten().map(|rows| rows.count()).sum();
        Self {
            kind,
            blocks: fast.blocks.as_ref().map_or(0, ConvNet::depth),
            real: Gradients::room(memory, program, nets, "gradient of real images"),
            synthetic: Gradients::room(memory, program, nets, "gradient of synthetic images"),
            parts: memory
                .buffer("gradient parts", nets * Gradients::parts_len(memory.caps(), fast)),
            products: memory.buffer("products of rows", nets * PRODUCTS * count),
            total: memory.buffer("products of gradients", nets * PRODUCTS),
            losses: memory.buffer("losses", classes),
            rows,
        }
    }
}

impl MatchedGradients {
    /// Where the gradients of one side are to be, for a part of the images that is the first or is to be added.
    pub fn side(&self, gpu: &Gpu, side: Side, batch: Batch, accumulate: bool) -> Gradients {
        let each = batch.images / batch.nets;
        let starts: Vec<_> = (0..=batch.nets).map(|net| (net * each) as u32).collect();
        let starts = Buffer::from_slice(gpu, "network starts", &starts);
        Gradients::sharing(self.values(side), self.blocks, starts, &self.parts, accumulate)
    }

    /// The gradients of one side, in the order of [`Weights::all`] without blocks.
    pub fn values(&self, side: Side) -> &[Buffer<f32>] {
        match side {
            Side::Real => &self.real,
            Side::Synthetic => &self.synthetic,
        }
    }

    /// When both sides of so many networks are there: adds a share of their distance to the loss of the class that each
    /// network's label names, and writes the direction in which it grows with the synthetic side. What does not count keeps
    /// its direction, 0.
    pub fn compare(
        &self,
        gpu: &Gpu,
        recording: &mut Recording,
        nets: usize,
        labels: &Buffer<u32>,
        share: f32,
        direction: &Weights,
    ) {
        let params = || {
            let sides = self.real.iter().zip(&self.synthetic);
            let all = self.rows.iter().zip(sides).zip(direction.all());
            all.filter_map(|((rows, sides), direction)| Some(((*rows)?, sides, direction)))
        };
        let rows = params().map(|(rows, ..)| rows.count()).sum();
        let nets = Nets { count: nets, rows };
        for (rows, sides, _) in params() {
            recording.push(rows.products(gpu, nets, sides, &self.products));
        }
        let (products, losses) = (&self.products, (&self.losses, share));
        recording.push(distance(gpu, self.kind, nets, products, &self.total, labels, losses));
        let products = (products, &self.total);
        for (rows, sides, direction) in params() {
            recording.push(rows.direction(gpu, nets, self.kind, sides, products, direction));
        }
    }

    /// What has been added up for each class.
    pub fn losses(&self) -> &Buffer<f32> {
        &self.losses
    }
}

/// How each parameter's gradient is cut into rows, if it counts.
fn rows(program: &Program, kind: Distance) -> Vec<Option<Rows>> {
    /// Of what is one vector, so that no sum is long.
    const PIECE: usize = 1024;
    let lens = program.trained();
    // (values of a row, from one to the next) of each parameter of two dimensions or more.
    let mut shapes = vec![None; lens.len()];
    for op in &program.ops {
        let shape = match op.kind {
            OpKind::Conv { conv, .. } => (conv.weights() / conv.outputs, 1),
            OpKind::Linear(linear) => (linear.features, 1),
            // Weights and biases (channels, height, width), of which each channel is a row.
            OpKind::Norm(norm) if norm.per_value => (norm.positions, 2),
            _ => continue,
        };
        shapes[op.first_param] = Some(shape);
    }
    let mut first = 0;
    let each = lens.into_iter().zip(shapes).map(|(len, shape)| {
        let (row_len, stride) = match kind {
            Distance::Ours => shape?,
            Distance::Mse | Distance::Cos => (PIECE, 1),
        };
        let rows = Rows { len, row_len, stride, first };
        first += rows.count();
        (len > 0).then_some(rows)
    });
    each.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Activation, Layer, Net, NormKind};

    #[test]
    fn rows_are_those_of_weights_of_two_dimensions() {
        let conv = Layer::Conv { out: 4, kernel: 3, stride: 1, pad: 1, bias: true };
        let layers = vec![
            conv.clone(),
            Layer::Norm(NormKind::Layer),
            conv,
            Layer::Norm(NormKind::Group { groups: 2 }),
            Layer::Act { kind: Activation::Relu },
            Layer::Flatten,
            Layer::Linear { out: 3 },
        ];
        let program = Net::new(1, 5, layers).unwrap().program_apart().unwrap();
        let row = |len, row_len, stride, first| Some(Rows { len, row_len, stride, first });
        let ours = rows(&program, Distance::Ours);
        let expected = [
            row(36, 9, 1, 0),
            None,
            // Four channels of 25 values, weights and biases.
            row(200, 25, 2, 4),
            row(144, 36, 1, 12),
            None,
            None,
            row(300, 100, 1, 16),
            None,
        ];
        assert_eq!(ours, expected);
        let all = rows(&program, Distance::Cos);
        assert_eq!(all.iter().flatten().map(|rows| rows.len).sum::<usize>(), 699);
    }
}
