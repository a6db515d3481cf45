//! A network that was checked.

use super::{
    Layer,
    program::{Program, build, build_apart},
};
use crate::Result;

/// A classifier as a list of layers, for images of one shape.
///
/// ```
/// use dm_wgpu::{Layer, Net};
///
/// let net = Net::new(1, 28, vec![Layer::Flatten, Layer::Linear { out: 10 }])?; // softmax regression
/// assert_eq!((net.features(), net.parameters()), (784, 7850));
/// # Ok::<(), dm_wgpu::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Net {
    layers: Vec<Layer>,
    program: Program,
}

impl Net {
    /// These layers on (channels, size, size) images. The last layer must be linear: its input is the embedding, its
    /// outputs are the logits, one per class.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) naming the layer that does not fit what comes before it.
    pub fn new(channels: usize, size: usize, layers: Vec<Layer>) -> Result<Self> {
        let program = build((channels, size), &layers)?;
        Ok(Self { layers, program })
    }

    /// The layers, in order.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }
    /// Channels of the images.
    pub fn channels(&self) -> usize {
        self.program.images.0
    }
    /// Height and width of the images.
    pub fn size(&self) -> usize {
        self.program.images.1
    }
    /// Number of classes: outputs of the last layer.
    pub fn classes(&self) -> usize {
        self.program.features()
    }
    /// Values in one embedding, which is what enters the last layer.
    pub fn features(&self) -> usize {
        self.program.embedding().features()
    }
    /// Number of trained parameters, as the papers count them: including biases that a norm cancels.
    pub fn parameters(&self) -> usize {
        let own: usize = self.program.trained().iter().sum();
        let cancelled = |net: &super::ConvNet| {
            let biased = self.layers.iter().take(4 * net.depth());
            let biases = biased.filter(|layer| matches!(layer, Layer::Conv { bias: true, .. }));
            biases.count() * net.width()
        };
        own + self.program.blocks.as_ref().map_or(0, cancelled)
    }
    /// Whether images of a batch depend on one another in training.
    pub fn has_batch_norm(&self) -> bool {
        self.program.has_batch_norm()
    }
    pub(crate) fn program(&self) -> &Program {
        &self.program
    }
    /// Its program with every layer an operation of its own, as [`Tangent`](super::Tangent) needs it, and the same with fast
    /// blocks, whose weights can [share](super::Weights::sharing) those of the former.
    pub(crate) fn programs_apart(&self) -> Result<[Program; 2]> {
        build_apart(self.program.images, &self.layers)
    }
    /// The former alone.
    pub(crate) fn program_apart(&self) -> Result<Program> {
        let [apart, _] = self.programs_apart()?;
        Ok(apart)
    }
}
