//! Networks as lists of layers.

use serde::{Deserialize, Serialize};

pub use crate::kernels::layers::{Activation, PoolKind};

/// One layer of a network. A list of them is passed through in order; a batch is (N, C, H, W) until it is flattened to
/// (N, features).
///
/// ```
/// use dm_wgpu::Layer;
/// # let json = r#"[{"op":"conv","out":6,"kernel":5,"pad":2},{"op":"act","kind":"relu"},
/// # {"op":"pool","kind":"max","kernel":2,"stride":2},{"op":"flatten"},{"op":"linear","out":10}]"#;
/// let layers: Vec<Layer> = serde_json::from_str(json)?;
/// assert_eq!(layers[3], Layer::Flatten);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Layer {
    /// Cross-correlation with `out` square kernels, zeros around the image.
    Conv {
        /// Output channels.
        out: usize,
        /// Height and width of a kernel.
        kernel: usize,
        /// Rows and columns from one output to the next.
        #[serde(default = "one")]
        stride: usize,
        /// Rows and columns of zeros on each side.
        #[serde(default)]
        pad: usize,
        /// Whether each output channel has a bias.
        #[serde(default = "yes")]
        bias: bool,
    },
    /// (x − mean) / √(variance + 1e-5) · weight + bias.
    Norm(NormKind),
    /// A function of each value.
    Act {
        /// Which.
        kind: Activation,
    },
    /// One value for each square window; windows that go over the last row or column are dropped.
    Pool {
        /// Which value.
        kind: PoolKind,
        /// Height and width of a window.
        kernel: usize,
        /// Rows and columns from one window to the next.
        stride: usize,
        /// Rows and columns around the image that windows reach into, at most half a window.
        #[serde(default)]
        pad: usize,
    },
    /// (N, C, H, W) to (N, C·H·W), in that order.
    Flatten,
    /// x · weightᵀ + bias.
    Linear {
        /// Output features.
        out: usize,
    },
    /// The sum of the outputs of two lists of layers for the same input; an empty list is the identity.
    Residual {
        /// The first list.
        body: Vec<Layer>,
        /// The second.
        #[serde(default)]
        shortcut: Vec<Layer>,
    },
}

/// What the mean and the biased variance of a norm are taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum NormKind {
    /// Nothing: the layer is the identity and has no parameters.
    None,
    /// In training, a channel of all images of a batch; in a test, running statistics are used, to which each training
    /// batch contributes a tenth.
    Batch,
    /// An image. Each of its values has a weight and a bias.
    Layer,
    /// A channel of an image.
    Instance,
    /// Each of so many equal runs of an image's channels.
    Group {
        /// Runs of channels.
        groups: usize,
    },
}

fn one() -> usize {
    1
}

fn yes() -> bool {
    true
}
