//! The twins composed: the network forward and backward, and one step of distribution matching.

use super::{
    Batch, Op, augment_backward, augment_forward, class_sum, conv_backward_data, conv_forward,
    mean_difference, norm_relu_pool_backward, norm_relu_pool_forward, sgd,
};
use dm_wgpu::ConvNet;

/// Momentum of the synthetic pixels' SGD.
pub const MOMENTUM: f64 = 0.5;

/// What a forward pass leaves for the backward.
pub struct Trace {
    /// Output of each block; the last, flattened, is the embedding.
    pub blocks: Vec<Batch>,
    normalised: Vec<Batch>,
    inv_std: Vec<Vec<f64>>,
}

impl Trace {
    /// (N, features).
    pub fn embedding(&self) -> &[f64] {
        &self.blocks.last().expect("a network has blocks").values
    }
    /// The distance of the nearest ReLU to its kink. A rounding error of that size would switch it
    /// and change the gradient by a jump, about which no tolerance could say anything.
    pub fn kink_distance(&self) -> f64 {
        self.normalised.iter().flat_map(|b| &b.values).fold(f64::INFINITY, |d, v| d.min(v.abs()))
    }
}

/// `weights`: each block's, (width, inputs, 3, 3). No bias: the norm would cancel it.
pub fn embed_forward(net: &ConvNet, weights: &[Vec<f64>], x: &Batch) -> Trace {
    let mut trace = Trace { blocks: vec![], normalised: vec![], inv_std: vec![] };
    let mut input = surround(x, net.border());
    for weights in weights {
        let convolved = conv_forward(&input, weights, net.width());
        let (pooled, normalised, inv_std) = norm_relu_pool_forward(&convolved);
        trace.normalised.push(normalised);
        trace.inv_std.push(inv_std);
        trace.blocks.push(pooled.clone());
        input = pooled;
    }
    trace
}

/// The gradient at the images from the one at the embedding.
pub fn embed_backward(
    net: &ConvNet,
    weights: &[Vec<f64>],
    trace: &Trace,
    d_embedding: &[f64],
) -> Batch {
    let mut gradient = trace.blocks[net.depth() - 1].with(d_embedding.to_vec());
    for block in (0..net.depth()).rev() {
        let (normalised, inv_std) = (&trace.normalised[block], &trace.inv_std[block]);
        let at_convolved = norm_relu_pool_backward(normalised, inv_std, &gradient);
        gradient = conv_backward_data(&at_convolved, &weights[block], net.inputs(block));
    }
    strip(&gradient, net.border())
}

/// Zeros around every plane: padding by 3 is a border of 2 and then padding by 1.
pub(super) fn surround(x: &Batch, border: usize) -> Batch {
    let mut out = Batch::zeros(x.n, x.channels, x.size + 2 * border);
    for n in 0..x.n {
        for c in 0..x.channels {
            for row in 0..x.size {
                for column in 0..x.size {
                    *out.at_mut(n, c, row + border, column + border) = x.at(n, c, row, column);
                }
            }
        }
    }
    out
}

/// The transpose of [`surround`].
fn strip(x: &Batch, border: usize) -> Batch {
    let mut out = Batch::zeros(x.n, x.channels, x.size - 2 * border);
    for n in 0..x.n {
        for c in 0..x.channels {
            for row in 0..out.size {
                for column in 0..out.size {
                    *out.at_mut(n, c, row, column) = x.at(n, c, row + border, column + border);
                }
            }
        }
    }
    out
}

/// One step of distribution matching, with everything random given.
pub struct DmStep<'a> {
    pub net: &'a ConvNet,
    pub weights: &'a [Vec<f64>],
    /// One operation per class, for its real and its synthetic images alike.
    pub ops: &'a [Op],
    /// Class-major.
    pub real: &'a Batch,
    pub real_counts: &'a [usize],
    pub ipc: usize,
}

/// Loss and gradient of a [`DmStep`].
pub struct DmGradient {
    /// Sum over classes.
    pub loss: f64,
    /// At the synthetic pixels.
    pub grad: Batch,
    /// See [`Trace::kink_distance`], for the synthetic images only: the real ones get no gradient.
    pub kink_distance: f64,
}

impl DmStep<'_> {
    /// At the given synthetic images, class-major.
    pub fn gradient(&self, syn: &Batch) -> DmGradient {
        let features = self.net.features();
        let syn_counts = vec![self.ipc; self.ops.len()];
        let (real_ops, syn_ops) = (self.for_images(self.real_counts), self.for_images(&syn_counts));

        let embed =
            |x: &Batch, ops: &[Op]| embed_forward(self.net, self.weights, &augment_forward(x, ops));
        let real = embed(self.real, &real_ops);
        let trace = embed(syn, &syn_ops);
        let (losses, per_class) = mean_difference(
            &class_sum(real.embedding(), features, self.real_counts),
            &class_sum(trace.embedding(), features, &syn_counts),
            features,
            self.real_counts,
            self.ipc,
        );

        let d_embedding: Vec<f64> =
            per_class.chunks(features).flat_map(|gradient| gradient.repeat(self.ipc)).collect();
        let at_augmented = embed_backward(self.net, self.weights, &trace, &d_embedding);
        DmGradient {
            loss: losses.iter().sum(),
            grad: augment_backward(&at_augmented, &syn_ops),
            kink_distance: trace.kink_distance(),
        }
    }

    /// The gradient, and then the step: `syn` and `velocity` become the values after it.
    pub fn take(&self, syn: &mut Batch, velocity: &mut Vec<f64>, lr: f64) -> DmGradient {
        let result = self.gradient(syn);
        (syn.values, *velocity) = sgd(&syn.values, velocity, &result.grad.values, lr, MOMENTUM);
        result
    }

    fn for_images(&self, counts: &[usize]) -> Vec<Op> {
        self.ops.iter().zip(counts).flat_map(|(op, count)| vec![*op; *count]).collect()
    }
}
